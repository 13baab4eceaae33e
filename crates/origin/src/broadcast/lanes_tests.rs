//! Two encoders on a virtual clock, through the lanes into a live core.

use bytes::Bytes;
use proptest::prelude::*;
use weir_media::{
    codec::{AacConfig, AvcConfig},
    live::{Live, LiveConfig, Output, State},
    record::SegmentRecord,
    unit::Timestamp,
};
use weir_model::Epoch;

use super::*;

/// x264: 1280x720, High at level 3.1.
const AVC_RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1c, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50,
    0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e,
    0x07, 0x8c, 0x18, 0xcb, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];
const BEGIN: u64 = 1_795_000_000_000;
const PICTURE_MS: u64 = 40;

use Lane::{Backup, Primary};

/// An encoder on one lane: 25 pictures a second, and a frame of sound with each.
#[derive(Clone, Copy, Debug)]
struct Encoder {
    connected: bool,
    sends: bool,
    sends_pictures: bool,
    /// When its first IDR picture was due, and how often there is one.
    phase_ms: u64,
    gop_ms: u64,
}

impl Encoder {
    fn new(phase_ms: u64) -> Self {
        Self {
            connected: false,
            sends: true,
            sends_pictures: true,
            phase_ms,
            gop_ms: 2000,
        }
    }
}

struct World {
    lanes: Lanes,
    live: Live,
    now: u64,
    encoders: [Encoder; 2],
    /// What was passed on, but for configurations: whose, when it was sent, and whether it is an
    /// IDR picture, or sound.
    passed: Vec<Passed>,
    actions: Vec<(u64, Action)>,
    segments: Vec<SegmentRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Passed {
    lane: Lane,
    sent_ms: u64,
    picture: bool,
    idr: bool,
}

impl World {
    fn new() -> Self {
        let begin = WallTime(BEGIN);
        let mut world = Self {
            lanes: Lanes::default(),
            live: Live::new(LiveConfig::default(), Epoch(1), None, begin),
            now: 0,
            encoders: [Encoder::new(0), Encoder::new(720)],
            passed: Vec::new(),
            actions: Vec::new(),
            segments: Vec::new(),
        };
        world.serve();
        world
    }

    fn at(&self) -> WallTime {
        WallTime(BEGIN + self.now)
    }

    fn encoder(&mut self, lane: Lane) -> &mut Encoder {
        &mut self.encoders[lane as usize]
    }

    fn connect(&mut self, lane: Lane) {
        self.encoder(lane).connected = true;
        self.lanes.connect(self.at(), lane);
        let avc = AvcConfig::parse(Bytes::from_static(AVC_RECORD)).unwrap();
        let aac = AacConfig::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
        for config in [TrackConfig::Avc(avc), TrackConfig::Aac(aac)] {
            self.lanes.push(self.at(), lane, Media::Config(config));
        }
        self.serve();
    }

    fn disconnect(&mut self, lane: Lane) {
        self.encoder(lane).connected = false;
        self.lanes.disconnect(self.at(), lane);
        self.serve();
    }

    fn run_for(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.now < until {
            self.now += PICTURE_MS;
            for lane in Lane::ALL {
                self.send(lane);
            }
            self.lanes.handle_timeout(self.at());
            if let Some(alarm) = self.lanes.poll_timeout() {
                assert!(alarm > self.at(), "would spin");
            }
            self.live.handle_timeout(self.at());
            self.serve();
        }
    }

    fn send(&mut self, lane: Lane) {
        let encoder = *self.encoder(lane);
        if !encoder.connected || !encoder.sends {
            return;
        }
        for kind in [TrackKind::Video, TrackKind::Audio] {
            if kind == TrackKind::Video && !encoder.sends_pictures {
                continue;
            }
            let idr = (self.now + encoder.phase_ms).is_multiple_of(encoder.gop_ms);
            // Each encoder has a clock of its own.
            let clock = self.now + 1_000_000 * lane as u64;
            let stamp = Timestamp::from_ms(clock.try_into().unwrap());
            let tag = [&[lane as u8][..], &self.now.to_be_bytes()].concat();
            let unit = Unit {
                kind,
                dts: stamp,
                pts: stamp,
                keyframe: kind == TrackKind::Audio || idr,
                data: tag.into(),
            };
            self.lanes.push(self.at(), lane, Media::Unit(unit));
        }
        self.serve();
    }

    fn serve(&mut self) {
        let now = self.at();
        while let Some(action) = self.lanes.poll_action() {
            match &action {
                Action::Begin => self.live.publish(now),
                Action::TakeOver { since, .. } => self.live.take_over(now, *since),
                Action::Leave => self.live.unpublish(now),
                Action::PassTrack(track) => self.live.push_track(now, track.clone()),
                Action::Pass(media) => {
                    self.live.push(now, media.clone());
                    if let Media::Unit(unit) = media {
                        let picture = unit.kind == TrackKind::Video;
                        self.passed.push(Passed {
                            lane: Lane::ALL[usize::from(unit.data[0])],
                            sent_ms: u64::from_be_bytes(unit.data[1..].try_into().unwrap()),
                            picture,
                            idr: picture && unit.keyframe,
                        });
                    }
                }
            }
            if !matches!(action, Action::Pass(_) | Action::PassTrack(_)) {
                self.actions.push((self.now, action));
            }
        }
        while let Some(output) = self.live.poll_output() {
            match output {
                Output::Reserve(msn) => self.live.reserved(now, msn),
                Output::Segment { record, .. } => self.segments.push(record),
                _ => {}
            }
        }
    }

    fn on_air(&self) -> Option<Lane> {
        self.lanes.status(self.at()).on_air
    }

    fn source(&self) -> Vec<&SegmentRecord> {
        let of_source = |record: &&SegmentRecord| record.rendition.as_str() == "source";
        self.segments.iter().filter(of_source).collect()
    }

    fn gaps(&self) -> usize {
        self.source().iter().filter(|record| record.gap).count()
    }

    fn discontinuities(&self) -> usize {
        let records = self.source();
        records.iter().filter(|record| record.discontinuity).count()
    }
}

#[test]
fn the_backup_takes_over_at_once_from_a_primary_that_leaves() {
    let mut world = World::new();
    world.connect(Primary);
    world.run_for(1000);
    world.connect(Backup);
    world.run_for(5000);
    let status = world.lanes.status(world.at());
    assert_eq!(
        (status.on_air, status.standing_by),
        (Some(Primary), Some(Backup))
    );
    world.disconnect(Primary);
    assert_eq!(world.on_air(), Some(Backup));
    let first = world.passed.iter().rfind(|passed| passed.idr).unwrap();
    assert_eq!(first.lane, Backup, "with the IDR picture it has brought");
    assert!(world.now - first.sent_ms < 2000);
    world.run_for(6000);
    assert_eq!(
        (world.gaps(), world.discontinuities()),
        (0, 1),
        "{:?}",
        world.source()
    );
    assert_eq!(world.live.state(), State::Live);
}

/// Of further tracks what tells of them is kept, and no media: they go on at their next keyframe.
#[test]
fn the_backup_brings_its_further_tracks() {
    let mut world = World::new();
    world.connect(Primary);
    world.connect(Backup);
    let index = weir_media::track::TrackIndex::new(1).unwrap();
    let label = weir_media::track::TrackLabel::new(Some("fr"), None);
    let kind = TrackKind::Audio;
    let aac = AacConfig::parse(Bytes::from_static(&[0x11, 0x90])).unwrap();
    let unit = Unit {
        kind,
        dts: Timestamp(0),
        pts: Timestamp(0),
        keyframe: true,
        data: Bytes::new(),
    };
    let config = Media::Config(TrackConfig::Aac(aac));
    let tells = [
        FromTrack::Label { kind, index, label },
        FromTrack::Media {
            index,
            media: config,
        },
    ];
    for _ in 0..2 {
        let media = Media::Unit(unit.clone());
        for from_track in tells
            .iter()
            .cloned()
            .chain([FromTrack::Media { index, media }])
        {
            world.lanes.push_track(Backup, from_track);
        }
    }
    assert_eq!(world.lanes.poll_action(), None, "it stands by");
    world.run_for(3000);
    world.lanes.disconnect(world.at(), Primary);
    let passed: Vec<_> = std::iter::from_fn(|| world.lanes.poll_action())
        .filter_map(|action| match action {
            Action::PassTrack(from_track) => Some(from_track),
            _ => None,
        })
        .collect();
    assert_eq!(passed, tells);
}

#[test]
fn a_primary_that_falls_silent_is_taken_over_from_after_a_second() {
    let mut world = World::new();
    world.connect(Primary);
    world.connect(Backup);
    world.run_for(8000);
    world.encoder(Primary).sends = false;
    world.run_for(960);
    assert_eq!(world.on_air(), Some(Primary));
    world.run_for(40);
    assert_eq!(world.on_air(), Some(Backup));
    world.run_for(5000);
    assert_eq!((world.gaps(), world.discontinuities()), (0, 1));
}

#[test]
fn a_primary_whose_pictures_stop_is_taken_over_from() {
    let mut world = World::new();
    world.connect(Primary);
    world.connect(Backup);
    world.run_for(8000);
    world.encoder(Primary).sends_pictures = false;
    world.run_for(2960);
    assert_eq!(world.on_air(), Some(Primary));
    world.run_for(40);
    assert_eq!(world.on_air(), Some(Backup));
    // They have to stay for a while, too.
    world.encoder(Primary).sends_pictures = true;
    world.run_for(5000);
    assert_eq!(world.on_air(), Some(Backup));
    world.run_for(2040);
    assert_eq!(world.on_air(), Some(Primary));
}

#[test]
fn the_primary_returns_at_its_idr_picture_once_it_is_steady() {
    let mut world = World::new();
    world.connect(Backup);
    assert_eq!(world.on_air(), Some(Backup), "it may begin alone");
    world.run_for(4000);
    world.connect(Primary);
    world.run_for(3000);
    // Not steady: a second without anything.
    world.encoder(Primary).sends = false;
    world.run_for(1000);
    world.encoder(Primary).sends = true;
    world.run_for(5000);
    assert_eq!(world.on_air(), Some(Backup));
    world.run_for(2040);
    assert_eq!(world.on_air(), Some(Primary));
    let begun = world.passed.iter().find(|it| it.lane == Primary).unwrap();
    assert!(begun.idr);
    let last = world.passed.iter().rfind(|it| it.lane == Backup).unwrap();
    assert!(last.sent_ms <= begun.sent_ms);
    world.run_for(5000);
    assert_eq!((world.gaps(), world.discontinuities()), (0, 1));
}

#[test]
fn a_backup_without_a_group_of_pictures_is_waited_for() {
    let mut world = World::new();
    world.encoder(Backup).gop_ms = 8000;
    world.encoder(Backup).phase_ms = 2000;
    world.connect(Primary);
    world.run_for(5000);
    world.connect(Backup);
    world.run_for(600);
    world.disconnect(Primary);
    assert_eq!(world.on_air(), Some(Backup));
    assert_eq!(
        world.live.state(),
        State::Away,
        "its IDR picture is to come"
    );
    world.run_for(3000);
    assert_eq!(world.live.state(), State::Live);
}

#[test]
fn what_stands_by_is_bounded() {
    let mut world = World::new();
    // 4 s are kept, and then nothing until the next IDR picture.
    world.encoder(Backup).gop_ms = 10_000;
    world.encoder(Backup).phase_ms = 0;
    world.connect(Primary);
    world.connect(Backup);
    world.run_for(13_800);
    assert!(world.lanes.status(world.at()).standing_by.is_some());
    world.run_for(400);
    assert_eq!(world.lanes.status(world.at()).standing_by, None);
    assert_eq!(world.lanes.backup.held.bytes, 0);

    let mut held = Held::default();
    let avc = AvcConfig::parse(Bytes::from_static(AVC_RECORD)).unwrap();
    held.take_config(&Media::Config(TrackConfig::Avc(avc)));
    let picture = |n: i64| Unit {
        kind: TrackKind::Video,
        dts: Timestamp(n),
        pts: Timestamp(n),
        keyframe: n == 0,
        data: Bytes::from(vec![0; 1 << 20]),
    };
    for n in 0..16 {
        held.push(WallTime(BEGIN), picture(n));
    }
    assert_eq!(held.bytes, HELD_BYTES);
    held.push(WallTime(BEGIN), picture(16));
    assert_eq!((held.bytes, held.units.len()), (0, 0));
}

#[test]
fn many_take_overs_do_not_run_away_from_the_clock() {
    let mut world = World::new();
    world.connect(Backup);
    for _ in 0..12 {
        world.connect(Primary);
        world.run_for(8000);
        assert_eq!(world.on_air(), Some(Primary));
        // Just before the backup's next IDR picture, so that much is shown again.
        while !(world.now + 720 + 80).is_multiple_of(2000) {
            world.run_for(PICTURE_MS);
        }
        world.disconnect(Primary);
        world.run_for(2500);
        assert_eq!(world.on_air(), Some(Backup));
        assert_eq!(world.live.state(), State::Live);
        let newest = world.source().last().unwrap().pdt;
        let ahead = newest.since(world.at());
        assert!(ahead <= MAX_AHEAD, "{ahead:?} ahead of the clock");
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Run(u64),
    Toggle(Lane),
    Silence(Lane),
    NoPictures(Lane),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let lane = || prop::sample::select(Lane::ALL.to_vec());
    let act = prop_oneof![
        4 => (40_u64..9000).prop_map(Act::Run),
        2 => lane().prop_map(Act::Toggle),
        1 => lane().prop_map(Act::Silence),
        1 => lane().prop_map(Act::NoPictures),
    ];
    prop::collection::vec(act, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_lane_is_passed_on_and_time_only_goes_forwards(
        acts in acts(),
        phase_ms in 0_u64..2000,
        gop_ms in prop::sample::select(vec![1000_u64, 2000, 4000, 10_000]),
    ) {
        let mut world = World::new();
        world.encoder(Backup).phase_ms = phase_ms / PICTURE_MS * PICTURE_MS;
        world.encoder(Backup).gop_ms = gop_ms;
        world.connect(Primary);
        for act in acts {
            match act {
                Act::Run(ms) => world.run_for(ms),
                Act::Toggle(lane) if world.encoder(lane).connected => world.disconnect(lane),
                Act::Toggle(lane) => world.connect(lane),
                Act::Silence(lane) => world.encoder(lane).sends ^= true,
                Act::NoPictures(lane) => world.encoder(lane).sends_pictures ^= true,
            }
            // What is passed on comes from the lane on air.
            let newest = world.passed.last().copied();
            let begins = matches!(world.actions.last(), Some((_, Action::Begin)));
            let on_air = world.on_air();
            let passed = newest.zip(on_air).is_none_or(|(it, lane)| it.lane == lane);
            prop_assert!(passed || begins, "{:?} while {:?} is on air", newest, on_air);
        }
        for lane in Lane::ALL {
            for pictures in [true, false] {
                let of = world.passed.iter();
                let of = of.filter(|it| it.lane == lane && it.picture == pictures);
                let sent: Vec<u64> = of.map(|it| it.sent_ms).collect();
                prop_assert!(sent.windows(2).all(|pair| pair[0] < pair[1]), "one comes twice");
            }
        }
        let mut ended = None;
        for record in world.source() {
            if let Some((msn, end)) = ended {
                prop_assert_eq!(record.msn, msn);
                prop_assert!(record.gap || record.start >= end, "{:?} before {}", record, end);
            }
            let gap_end = ended.map_or(0, |(_, end)| end);
            let end = if record.gap { gap_end } else { record.start + record.duration };
            ended = Some((record.msn.next(), end));
        }
        let audio = world.segments.iter().filter(|it| it.rendition.as_str() == "audio");
        for (audio, source) in audio.zip(world.source()) {
            prop_assert_eq!(
                (audio.msn, audio.discontinuity),
                (source.msn, source.discontinuity)
            );
        }
    }
}
