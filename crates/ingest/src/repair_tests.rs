use bytes::Bytes;
use proptest::prelude::*;
use weir_media::codec::AacConfig;

use super::*;
use crate::flv::{Demuxer, Tag};

const VIDEO_MS: u32 = 40;
const AUDIO_MS: u32 = 23;

/// A stream on a virtual clock.
struct Encoder {
    repair: Repair,
    now: Instant,
}

impl Encoder {
    fn new() -> Self {
        let mut encoder = Self {
            repair: Repair::default(),
            now: Instant::now(),
        };
        assert!(encoder.repair.config(avc()).is_some());
        assert!(encoder.repair.config(aac(0x12)).is_some());
        encoder
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
    }

    fn frame(&mut self, kind: TrackKind, ms: u32) -> Option<Unit> {
        self.send(
            ms,
            Frame {
                kind,
                composition_ms: 0,
                composition_ns: 0,
                keyframe: true,
                data: Bytes::new(),
            },
        )
    }

    fn send(&mut self, ms: u32, frame: Frame) -> Option<Unit> {
        match self.repair.frame(self.now, TrackIndex::LEAD, ms, frame) {
            Some(Media::Unit(unit)) => Some(unit),
            _ => None,
        }
    }

    /// `count` video frames from `ms` on at their pace, with sound before each. Gives the decoding
    /// times in ms.
    fn play(&mut self, mut ms: u32, count: usize) -> Vec<(TrackKind, i64)> {
        let mut out = Vec::new();
        for _ in 0..count {
            for kind in [TrackKind::Audio, TrackKind::Video] {
                let unit = self.frame(kind, ms).unwrap();
                out.push((kind, unit.dts.0 / TICKS_PER_MS));
            }
            ms = ms.wrapping_add(VIDEO_MS);
            self.pass(Duration::from_millis(u64::from(VIDEO_MS)));
        }
        out
    }
}

fn avc() -> TrackConfig {
    const AVCC: &[u8] = b"\x17\0\0\0\0\x01\x4d\x40\x0c\xff\xe1\x00\x19\
        \x67\x4d\x40\x0c\xec\xa0\xa0\xcf\xcf\x80\x88\x00\x00\x03\x00\x08\x00\x00\x03\x01\x90\x78\xa1\x4c\xb0\
        \x01\x00\x05\x68\xeb\xe3\xcb\x20";
    match Demuxer::default().video(Bytes::from_static(AVCC)) {
        Ok(Tag::Config(config)) => config,
        other => panic!("{other:?}"),
    }
}

fn aac(first: u8) -> TrackConfig {
    TrackConfig::Aac(AacConfig::parse(Bytes::copy_from_slice(&[first, 0x10])).unwrap())
}

fn of(kind: TrackKind, times: &[(TrackKind, i64)]) -> Vec<i64> {
    times
        .iter()
        .filter(|(k, _)| *k == kind)
        .map(|(_, ms)| *ms)
        .collect()
}

fn assert_steady(times: &[(TrackKind, i64)], first_ms: i64) {
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let expected: Vec<_> = (0..)
            .map(|i| first_ms + i * i64::from(VIDEO_MS))
            .take(times.len() / 2)
            .collect();
        assert_eq!(of(kind, times), expected, "{kind:?}");
    }
}

/// A further track of video, which follows the first one through a jump of the encoder's clock,
/// and a late one that begins after it.
#[test]
fn further_tracks_share_the_clock() {
    let mut encoder = Encoder::new();
    let index = |id| TrackIndex::new(id).unwrap();
    let further = |encoder: &mut Encoder, id: u8, ms: u32| {
        let frame = Frame {
            kind: TrackKind::Video,
            composition_ms: 0,
            composition_ns: 0,
            keyframe: true,
            data: Bytes::new(),
        };
        match encoder.repair.frame(encoder.now, index(id), ms, frame) {
            Some(Media::Unit(unit)) => unit.dts,
            other => panic!("{other:?}"),
        }
    };
    assert!(encoder.repair.track_config(index(1), avc()).is_some());
    assert!(encoder.repair.track_config(index(2), avc()).is_some());
    for ms in [1000, 1040, 1080, 9_000_000, 9_000_040] {
        encoder.pass(Duration::from_millis(40));
        let lead = encoder.frame(TrackKind::Video, ms).unwrap();
        assert_eq!(further(&mut encoder, 1, ms), lead.dts, "{ms}");
    }
    let lead = encoder.frame(TrackKind::Video, 9_000_080).unwrap();
    assert_eq!(further(&mut encoder, 2, 9_000_080), lead.dts);
    let repairs = encoder.repair.repairs();
    assert_eq!((repairs.forward_jumps, repairs.raised), (1, 0));
}

#[test]
fn a_sound_stream_passes_unchanged() {
    let mut encoder = Encoder::new();
    let times = encoder.play(1000, 50);
    assert_steady(&times, 1000);
    assert_eq!(encoder.repair.repairs(), Repairs::default());
}

#[test]
fn time_goes_on_past_the_wrap() {
    let mut encoder = Encoder::new();
    let first = u32::MAX - 999;
    let times = encoder.play(first, 50);
    assert_steady(&times, i64::from(first));
    assert_eq!(
        encoder.repair.repairs(),
        Repairs {
            wraps: 1,
            ..Repairs::default()
        }
    );
}

#[test]
fn jumps_are_taken_out_and_sound_stays_with_picture() {
    for (to, forward, backward) in [(500_000, 1, 0), (10_000, 0, 1)] {
        let mut encoder = Encoder::new();
        let mut times = encoder.play(100_000, 25);
        times.extend(encoder.play(to, 25));
        let audio = of(TrackKind::Audio, &times);
        let video = of(TrackKind::Video, &times);
        assert_eq!(audio, video, "both moved by the same");
        assert!(
            audio
                .windows(2)
                .all(|pair| pair[1] - pair[0] == i64::from(VIDEO_MS))
        );
        let repairs = encoder.repair.repairs();
        assert_eq!(
            (repairs.forward_jumps, repairs.backward_jumps),
            (forward, backward)
        );
        assert_eq!(repairs.raised, 0);
    }
}

#[test]
fn a_gap_that_the_wall_clock_bears_out_stays() {
    let mut encoder = Encoder::new();
    encoder.play(0, 25);
    encoder.pass(Duration::from_secs(9));
    let times = encoder.play(10_000, 10);
    assert_steady(&times, 10_000);
    assert_eq!(encoder.repair.repairs(), Repairs::default());
}

#[test]
fn a_pause_of_one_track_alone_is_no_jump() {
    let mut encoder = Encoder::new();
    encoder.play(0, 25);
    for ms in (1000..11_000).step_by(AUDIO_MS as usize) {
        encoder.pass(Duration::from_millis(u64::from(AUDIO_MS)));
        encoder.frame(TrackKind::Audio, ms).unwrap();
    }
    let unit = encoder.frame(TrackKind::Video, 11_000).unwrap();
    assert_eq!(unit.dts, Timestamp::from_ms(11_000));
    assert_eq!(encoder.repair.repairs(), Repairs::default());
}

#[test]
fn a_track_that_begins_elsewhere_is_brought_to_the_other() {
    let mut encoder = Encoder::new();
    encoder.frame(TrackKind::Video, 3_600_000).unwrap();
    let unit = encoder.frame(TrackKind::Audio, 0).unwrap();
    assert_eq!(unit.dts, Timestamp::from_ms(3_600_000));
    assert_eq!(encoder.repair.repairs().backward_jumps, 1);
}

#[test]
fn decoding_times_rise() {
    let mut encoder = Encoder::new();
    let times: Vec<_> = [1000, 1000, 990, 1040]
        .map(|ms| encoder.frame(TrackKind::Video, ms).unwrap().dts.0)
        .into();
    let first = 1000 * TICKS_PER_MS;
    assert_eq!(times, [first, first + 1, first + 2, 1040 * TICKS_PER_MS]);
    assert_eq!(encoder.repair.repairs().raised, 2);
}

#[test]
fn presentation_is_at_or_after_decoding() {
    let mut encoder = Encoder::new();
    let mut check = |ms, composition_ms, expected_ms: i64| {
        let kind = TrackKind::Video;
        let frame = Frame {
            kind,
            composition_ms,
            composition_ns: 0,
            keyframe: true,
            data: Bytes::new(),
        };
        assert_eq!(
            encoder.send(ms, frame).unwrap().pts,
            Timestamp::from_ms(expected_ms)
        );
    };
    check(0, 80, 80);
    check(40, -40, 40);
    check(80, 60_000, 80);
    assert_eq!(encoder.repair.repairs().composition, 2);
}

#[test]
fn frames_of_no_use_are_dropped_and_counted() {
    let mut repair = Repair::default();
    let now = Instant::now();
    let frame = |kind, keyframe| Frame {
        kind,
        composition_ms: 0,
        composition_ns: 0,
        keyframe,
        data: Bytes::new(),
    };
    assert_eq!(
        repair.frame(now, TrackIndex::LEAD, 0, frame(TrackKind::Video, true)),
        None
    );
    assert_eq!(
        repair.frame(now, TrackIndex::LEAD, 0, frame(TrackKind::Audio, true)),
        None
    );
    assert!(repair.config(avc()).is_some());
    assert_eq!(
        repair.config(avc()),
        None,
        "a repeated sequence header is no change"
    );
    assert_eq!(
        repair.frame(now, TrackIndex::LEAD, 10, frame(TrackKind::Video, false)),
        None
    );
    assert!(
        repair
            .frame(now, TrackIndex::LEAD, 20, frame(TrackKind::Video, true))
            .is_some()
    );
    assert!(
        repair
            .frame(now, TrackIndex::LEAD, 30, frame(TrackKind::Video, false))
            .is_some()
    );
    let expected = Repairs {
        before_config: 2,
        before_keyframe: 1,
        ..Repairs::default()
    };
    assert_eq!(repair.repairs(), expected);
}

#[test]
fn a_changed_configuration_is_passed_on() {
    let mut repair = Repair::default();
    assert!(repair.config(aac(0x12)).is_some());
    assert_eq!(repair.config(aac(0x11)), Some(Media::Config(aac(0x11))));
}

proptest! {
    /// Whatever the encoder's clock does, times rise, stay near each other, and no step is larger
    /// than the wall clock bears out.
    #[test]
    fn any_clock_comes_out_continuous(
        frames in prop::collection::vec((any::<bool>(), any::<u32>(), any::<i32>(), 0u64..100), 1..200),
    ) {
        let mut encoder = Encoder::new();
        let mut last = [None::<i64>; 2];
        for (video, ms, composition_ms, passed_ms) in frames {
            encoder.pass(Duration::from_millis(passed_ms));
            let kind = if video { TrackKind::Video } else { TrackKind::Audio };
            let frame = Frame { kind, composition_ms, composition_ns: 0, keyframe: true, data: Bytes::new() };
            let unit = encoder.send(ms, frame).unwrap();
            prop_assert!(unit.pts >= unit.dts);
            prop_assert!(unit.pts.0 - unit.dts.0 <= ticks(MAX_COMPOSITION));
            let newest = last[0].max(last[1]);
            if let Some(newest) = newest {
                let largest = ticks(MAX_STEP) + passed_ms as i64 * TICKS_PER_MS;
                prop_assert!(unit.dts.0 - newest <= largest);
            }
            let last = &mut last[usize::from(video)];
            prop_assert!(last.is_none_or(|last| unit.dts.0 > last));
            *last = Some(unit.dts.0);
        }
    }
}
