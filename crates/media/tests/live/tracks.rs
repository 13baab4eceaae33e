//! Encoders that send more than one track of a kind.

use std::time::Duration;

use weir_media::{
    live::{LiveConfig, Warning},
    record::SegmentRecord,
    track::{FromTrack, TrackIndex, TrackLabel},
    unit::{Media, TrackConfig, TrackKind, Unit},
};

use crate::{
    encoder::{Encoder, Sent},
    trouble::{all_renditions_have_the_same_segments, gaps},
    world::{Event, World, rung},
};

/// A further track that sends what an encoder of its own would, from one second to another.
struct Track {
    index: u8,
    kind: TrackKind,
    encoder: Encoder,
}

impl Track {
    fn video(index: u8, height: u32) -> Self {
        Self {
            index,
            kind: TrackKind::Video,
            encoder: Encoder {
                height,
                audio_rate: None,
                ..Encoder::default()
            },
        }
    }

    fn audio(index: u8) -> Self {
        Self {
            index,
            kind: TrackKind::Audio,
            encoder: Encoder {
                has_video: false,
                ..Encoder::default()
            },
        }
    }

    fn index(&self) -> TrackIndex {
        TrackIndex::new(self.index).unwrap()
    }

    fn media(&self, media: Media) -> Event {
        let index = self.index();
        Event::PushTrack(FromTrack::Media { index, media })
    }

    fn config(&self) -> TrackConfig {
        self.encoder.configs().remove(0)
    }

    fn schedule(&self, world: &mut World, from: u64, to: u64) {
        world.schedule(from * 1000, self.media(Media::Config(self.config())));
        let sent = self.encoder.run(from, to, &mut world.number);
        let units = sent
            .into_iter()
            .filter(|(_, media)| matches!(media, Media::Unit(_)));
        for (at, media) in units {
            world.schedule(at, self.media(media));
        }
    }

    fn label(&self, language: &str) -> Event {
        Event::PushTrack(FromTrack::Label {
            kind: self.kind,
            index: self.index(),
            label: TrackLabel::new(Some(language), None),
        })
    }
}

fn encoder() -> Encoder {
    Encoder {
        height: 1088,
        ..Encoder::default()
    }
}

/// An encoder's own tracks, scheduled; nothing runs yet.
fn broadcast(world: &mut World, seconds: u64) {
    world.schedule(0, Event::Publish);
    let sent = encoder().run(0, seconds, &mut world.number);
    world.schedule_all(sent);
}

#[test]
fn a_broadcasters_own_ladder_becomes_renditions() {
    let mut world = World::new(vec![rung()]);
    broadcast(&mut world, 12);
    // Its own 480 lines leave nothing for a transcoder to make.
    for track in [Track::video(1, 720), Track::video(2, 480)] {
        track.schedule(&mut world, 0, 12);
    }
    world.run_for(12_000);
    assert!(world.transcoders().is_empty());
    let source = world.records("source");
    assert!(source.len() >= 5);
    for name in ["source-2", "source-3"] {
        let records = world.records(name);
        assert_eq!(gaps(&records), Vec::<u64>::new(), "{name}");
        let at = |records: &[&SegmentRecord]| -> Vec<_> {
            records.iter().map(|r| (r.msn, r.start, r.pdt)).collect()
        };
        let both = at(&records);
        let (both, lead) = both.split_at(both.len().min(source.len()));
        assert!(lead.is_empty() && at(&source).starts_with(both), "{name}");
    }
    let playlist = world.live.multivariant(None).unwrap();
    let listed: Vec<_> = playlist
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(
        listed,
        [
            "source/index.m3u8",
            "source-2/index.m3u8",
            "source-3/index.m3u8"
        ]
    );
    for resolution in ["1920x1088", "1280x720"] {
        assert!(
            playlist.contains(&format!("RESOLUTION={resolution}")),
            "{playlist}"
        );
    }
    assert_eq!(world.warnings, []);
}

#[test]
fn languages_are_one_group() {
    let mut world = World::new(Vec::new());
    let tracks = [Track::audio(0), Track::audio(1), Track::audio(2)];
    world.schedule(0, Event::Publish);
    for (track, language) in tracks.iter().zip(["en", "fr", "not a language"]) {
        world.schedule(0, track.label(language));
    }
    let sent = encoder().run(0, 8, &mut world.number);
    world.schedule_all(sent);
    for track in &tracks[1..] {
        track.schedule(&mut world, 0, 8);
    }
    world.run_for(8000);
    let playlist = world.live.multivariant(None).unwrap();
    let media: Vec<_> = playlist
        .lines()
        .filter_map(|line| line.strip_prefix("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\","))
        .collect();
    let line = |name: &str, rest: &str, uri: &str| {
        format!("NAME=\"{name}\",{rest},CHANNELS=\"2\",URI=\"{uri}/index.m3u8\"")
    };
    let expected = [
        line("en", "LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES", "audio"),
        line("fr", "LANGUAGE=\"fr\",DEFAULT=NO,AUTOSELECT=YES", "audio-2"),
        line("Audio 3", "DEFAULT=NO,AUTOSELECT=NO", "audio-3"),
    ];
    assert_eq!(media, expected);
    for name in ["audio-2", "audio-3"] {
        assert_eq!(gaps(&world.records(name)), Vec::<u64>::new(), "{name}");
    }
}

#[test]
fn a_track_that_comes_late_and_goes_early_has_gaps_around_it() {
    let mut world = World::new(Vec::new());
    broadcast(&mut world, 20);
    for track in [Track::video(1, 720), Track::audio(1)] {
        track.schedule(&mut world, 5, 13);
    }
    world.run_for(20_000);
    all_renditions_have_the_same_segments(&world);
    let missing = |name: &str| gaps(&world.records(name));
    // Segment 2 holds the fifth second; a picture can begin with segment 3 only.
    assert_eq!(missing("source-2")[..3], [0, 1, 2]);
    assert_eq!(missing("audio-2")[..2], [0, 1]);
    for name in ["source-2", "audio-2"] {
        let present: Vec<u64> = (3..6).collect();
        assert!(
            !missing(name).iter().any(|msn| present.contains(msn)),
            "{name}"
        );
        assert!(missing(name).contains(&8), "{name}");
        // Sound that broke off was heard until then.
    }
    assert_eq!(world.warnings, [Warning::TrackApart]);
    for name in ["source", "audio"] {
        assert_eq!(missing(name), Vec::<u64>::new(), "{name}");
    }
}

#[test]
fn keyframes_that_do_not_fall_together_are_told() {
    let mut world = World::new(Vec::new());
    broadcast(&mut world, 10);
    let apart = Track {
        encoder: Encoder {
            gop: 50,
            ..Track::video(1, 720).encoder
        },
        ..Track::video(1, 720)
    };
    apart.schedule(&mut world, 0, 10);
    world.run_for(10_000);
    assert!(world.warnings.contains(&Warning::TrackApart));
    assert!(!world.records("source-2")[0].gap);
    assert!(gaps(&world.records("source-2")).len() >= 2);
    assert_eq!(gaps(&world.records("source")), Vec::<u64>::new());
}

#[test]
fn a_track_that_is_coded_anew_breaks_all_renditions_at_once() {
    let mut world = World::new(Vec::new());
    broadcast(&mut world, 12);
    Track::video(1, 720).schedule(&mut world, 0, 5);
    Track::video(1, 480).schedule(&mut world, 5, 12);
    world.run_for(12_000);
    let breaks = |name: &str| -> Vec<u64> {
        let records = world.records(name);
        let breaks = records.iter().filter(|record| record.discontinuity);
        breaks.map(|record| record.msn.0).collect()
    };
    assert_eq!(breaks("source").len(), 1);
    assert_eq!(breaks("source-2"), breaks("source"));
    let inits = |name: &str| world.records(name).iter().map(|r| r.init).max();
    assert_eq!((inits("source"), inits("source-2")), (Some(0), Some(1)));
    let of_track = world.records("source-2");
    let coded: Vec<_> = of_track.iter().filter(|r| !r.gap).map(|r| r.init).collect();
    assert!(coded.is_sorted() && coded.contains(&1), "{coded:?}");
}

/// The slate has no further tracks, and nothing is made in their place: they will be back.
#[test]
fn tracks_come_back_after_the_slate() {
    let mut world = World::with(LiveConfig {
        ladder: vec![rung()],
        slate_after: Some(Duration::from_secs(4)),
        ..LiveConfig::default()
    });
    let small = Track::video(1, 480);
    broadcast(&mut world, 8);
    small.schedule(&mut world, 0, 8);
    world.schedule(8000, Event::Unpublish);
    world.run_for(18_000);
    assert!(world.live.status().slate);
    let before = world.records("source-2").len();
    broadcast(&mut world, 10);
    small.schedule(&mut world, 0, 10);
    world.run_for(10_000);
    assert!(world.transcoders().is_empty());
    all_renditions_have_the_same_segments(&world);
    let back = &world.records("source-2")[before..];
    // What was open of the slate.
    let missing = gaps(back);
    assert!(back.len() >= 5 && missing.len() <= 2, "{missing:?}");
}

#[test]
fn a_track_that_the_next_encoder_does_not_send_is_listed_no_more() {
    let mut world = World::new(Vec::new());
    broadcast(&mut world, 5);
    for track in [Track::video(1, 480), Track::audio(1)] {
        track.schedule(&mut world, 0, 5);
    }
    world.run_for(5000);
    let listed = |world: &World| {
        let playlist = world.live.multivariant(None).unwrap();
        ["source-2/", "audio-2/"].map(|uri| playlist.contains(uri))
    };
    assert_eq!(listed(&world), [true, true]);
    world.schedule(0, Event::Unpublish);
    world.run_for(1000);
    assert_eq!(listed(&world), [true, true], "they may be back");
    broadcast(&mut world, 6);
    world.run_for(6000);
    assert_eq!(listed(&world), [false, false]);
    // Whoever plays them is served on.
    all_renditions_have_the_same_segments(&world);
}

#[test]
fn what_a_track_holds_is_bounded() {
    let mut world = World::new(Vec::new());
    world.schedule(0, Event::Publish);
    let track = Track::video(1, 720);
    world.schedule(0, track.media(Media::Config(track.config())));
    // Pictures of a megabyte, while nothing of the first track comes.
    let sent: Vec<Sent> = track.encoder.run(0, 20, &mut world.number);
    for (at, media) in sent {
        if let Media::Unit(unit) = media {
            let data = vec![0; 1 << 20].into();
            world.schedule(at, track.media(Media::Unit(Unit { data, ..unit })));
        }
    }
    world.run_for(20_000);
    assert!(world.live.status().repairs.units_dropped >= 590);
    assert!(world.live.status().renditions.is_empty());
}

#[test]
fn without_pictures_tracks_follow_the_first_sound() {
    let mut world = World::new(Vec::new());
    world.schedule(0, Event::Publish);
    let first = Encoder {
        has_video: false,
        ..encoder()
    };
    let sent = first.run(0, 9, &mut world.number);
    world.schedule_all(sent);
    Track::audio(3).schedule(&mut world, 0, 9);
    world.run_for(9000);
    assert_eq!(gaps(&world.records("audio-4")), Vec::<u64>::new());
    assert!(world.records("audio-4").len() >= 3);
    let playlist = world.live.multivariant(None).unwrap();
    assert!(playlist.contains("CODECS=\"mp4a.40.2\",AUDIO=\"audio\"\naudio/index.m3u8"));
}
