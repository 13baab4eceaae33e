//! Encoders that are away for long enough that the slate is shown.

use std::time::Duration;

use bytes::Bytes;
use weir_media::{
    live::{
        LiveConfig, State, Warning,
        slate::{self, LoopTrack, SlateLoop},
    },
    record::SegmentRecord,
    unit::{Media, Timestamp, TrackKind, Unit},
};

use crate::{
    encoder::{self, Encoder},
    trouble::{gaps, play},
    world::{Event, Journal, World, rung},
};

/// Number of the slate's first unit. Encoders don't get this far.
pub(crate) const FIRST: u64 = 1 << 40;

const PICTURE: i64 = 3600;
const FRAME: i64 = 1920;
const PICTURES: i64 = 50;
const FRAMES: i64 = 94;

/// Two seconds of 25 pictures a second, and as much silence as whole frames make.
pub(crate) fn slate() -> SlateLoop {
    let units = |kind, count: i64, step: i64, first: u64| -> Vec<Unit> {
        let unit = |n: i64| Unit {
            kind,
            dts: Timestamp(n * step),
            pts: Timestamp(n * step),
            keyframe: n == 0 || kind == TrackKind::Audio,
            data: encoder::coded(first + n.unsigned_abs(), if n == 0 { 400 } else { 60 }),
        };
        (0..count).map(unit).collect()
    };
    let pictures = LoopTrack {
        // As large as the source, with parameter sets of its own.
        config: encoder::avc_with(720, 0x1e),
        units: units(TrackKind::Video, PICTURES, PICTURE, FIRST),
        length: Timestamp(PICTURES * PICTURE),
    };
    let silence = LoopTrack {
        config: encoder::aac(48_000),
        units: units(TrackKind::Audio, FRAMES, FRAME, FIRST + 1000),
        length: Timestamp(FRAMES * FRAME),
    };
    SlateLoop::new(vec![pictures, silence]).unwrap()
}

/// What a slate is asked to be made of can be decoded: a configuration, and then pictures from a
/// keyframe on.
pub(crate) fn has_a_group(media: &[Media]) {
    assert!(matches!(&media[0], Media::Config(config) if config.kind() == TrackKind::Video));
    let units = media.iter().filter_map(|media| match media {
        Media::Unit(unit) => Some(unit),
        Media::Config(_) => None,
    });
    let units: Vec<&Unit> = units.collect();
    assert!(units.iter().all(|unit| unit.kind == TrackKind::Video));
    assert!(units.first().is_none_or(|unit| unit.keyframe));
    assert!(!units.iter().skip(1).any(|unit| unit.keyframe));
}

pub(crate) fn world(slate_after: Option<Duration>) -> World {
    World::with(LiveConfig {
        ladder: vec![rung()],
        slate_after,
        ..LiveConfig::default()
    })
}

/// After ten seconds of broadcast the encoder has just left.
fn away() -> World {
    let mut world = world(Some(Duration::from_secs(4)));
    play(&mut world, &Encoder::default(), None, 10);
    world.schedule(0, Event::Unpublish);
    world
}

fn discontinuities(records: &[&SegmentRecord]) -> Vec<u64> {
    let records = records.iter().filter(|record| record.discontinuity);
    records.map(|record| record.msn.0).collect()
}

/// Whether units of the slate were stored, of each rendition that shows it.
fn shows_the_slate(world: &World, name: &str) -> bool {
    let stored = world.stored(name);
    stored.iter().any(|(number, ..)| *number >= FIRST)
}

const ALL: [&str; 3] = ["source", "480p", "audio"];

#[test]
fn after_two_gaps_the_slate_is_shown_until_the_encoder_is_back() {
    let mut world = away();
    world.run_for(4000);
    assert!(world.live.status().slate);
    world.run_for(9000);
    let status = world.live.status();
    assert_eq!((status.state, status.slate), (State::Away, true));
    play(&mut world, &Encoder::default(), None, 7);
    let status = world.live.status();
    assert_eq!((status.state, status.slate), (State::Live, false));
    assert_eq!(status.repairs.reconnects, 1);
    for name in ALL {
        let records = world.records(name);
        assert_eq!(gaps(&records), [5, 6], "{name}");
        let breaks = discontinuities(&records);
        assert_eq!((breaks.len(), breaks[0]), (2, 7), "{name}: {breaks:?}");
        assert!(shows_the_slate(&world, name), "{name}");
        let of_slate = records
            .iter()
            .filter(|record| record.msn.0 >= breaks[0] && record.msn.0 < breaks[1]);
        let seconds: f64 = of_slate.map(|record| record.seconds()).sum();
        assert!(
            (8.9..9.1).contains(&seconds),
            "{name}: {seconds} s of slate"
        );
    }
    let inits: Vec<u32> = world.records("source").iter().map(|r| r.init).collect();
    assert_eq!(inits.first(), Some(&0));
    assert_eq!(
        inits.last(),
        Some(&2),
        "the encoder's, the slate's, the encoder's"
    );
    // Time goes on as the clock does.
    let back = world.records("source");
    let back = back.iter().rfind(|record| record.discontinuity).unwrap();
    let back_ms = back.start / 90;
    assert!((23_000..23_050).contains(&back_ms), "{back_ms}");
    assert_eq!(world.viewer.broken_hints, Vec::<String>::new());
}

#[test]
fn the_slate_comes_on_time_part_by_part() {
    let mut world = away();
    world.run_for(6000);
    let before = world.live.status().renditions[0].parts;
    world.run_for(2000);
    let parts = world.live.status().renditions[0].parts - before;
    assert!((5..=8).contains(&parts), "{parts} parts in 2 s");
    assert_eq!(world.viewer.bad_parts, Vec::<String>::new());
}

#[test]
fn the_slate_ends_with_the_reconnect_window() {
    let mut world = away();
    world.run_for(29_900);
    assert!(world.live.status().slate && !world.ended);
    // The transcoder's last pictures are awaited.
    world.run_for(1700);
    assert!(world.ended);
    for name in ALL {
        let records = world.records(name);
        assert_eq!(gaps(&records), [5, 6], "{name}");
        let seconds: f64 = records.iter().map(|record| record.seconds()).sum();
        assert!(
            (39.8..40.2).contains(&seconds),
            "{name}: {seconds} s in all"
        );
    }
}

#[test]
fn ending_the_broadcast_ends_the_slate() {
    let mut world = away();
    world.run_for(9000);
    world.schedule(0, Event::End);
    // The transcoder's last pictures are awaited.
    world.run_for(1700);
    assert!(world.ended);
}

#[test]
fn without_a_slate_gaps_go_on_and_the_streamer_is_told() {
    let mut world = away();
    world.slate_fails = true;
    world.run_for(12_100);
    assert!(!world.live.status().slate);
    assert_eq!(world.warnings, [Warning::SlateFailed]);
    assert_eq!(gaps(&world.records("source")).len(), 6);
    play(&mut world, &Encoder::default(), None, 6);
    // The next absence has a chance of its own.
    world.slate_fails = false;
    world.schedule(0, Event::Unpublish);
    world.run_for(6000);
    assert!(world.live.status().slate);
}

#[test]
fn a_slate_that_is_late_begins_where_the_gaps_have_come_to() {
    let mut world = away();
    world.slate_ms = 5300;
    world.run_for(7200);
    assert!(!world.live.status().slate);
    world.run_for(200);
    assert!(world.live.status().slate);
    world.run_for(4000);
    let records = world.records("source");
    assert_eq!(gaps(&records), [5, 6, 7]);
    assert_eq!(discontinuities(&records), [8]);
}

#[test]
fn an_encoder_that_comes_back_in_time_has_no_slate() {
    let mut world = away();
    world.slate_ms = 3000;
    world.run_for(3000);
    play(&mut world, &Encoder::default(), None, 9);
    for name in ALL {
        assert!(!shows_the_slate(&world, name), "{name}");
        assert_eq!(discontinuities(&world.records(name)).len(), 1, "{name}");
    }
    assert_eq!(world.live.status().state, State::Live);
}

#[test]
fn an_encoder_that_is_connected_and_sends_nothing_leaves_the_slate_where_it_is() {
    let mut world = away();
    world.run_for(9000);
    world.schedule(0, Event::Publish);
    world.run_for(6000);
    assert!(world.live.status().slate);
    world.schedule(0, Event::Unpublish);
    world.run_for(3000);
    assert!(world.live.status().slate);
    play(&mut world, &Encoder::default(), None, 5);
    assert!(!world.live.status().slate);
    assert_eq!(discontinuities(&world.records("source")).len(), 2);
}

#[test]
fn an_encoder_that_stalls_takes_over_at_its_next_keyframe() {
    let mut world = world(Some(Duration::from_secs(4)));
    let encoder = Encoder::default();
    let second = play(&mut world, &encoder, None, 9);
    world.run_for(9500);
    assert!(world.live.status().slate, "{:?}", world.live.status());
    // In mid-group, so that the next keyframe comes after half a second.
    play(&mut world, &encoder, Some(second), 6);
    assert!(!world.live.status().slate);
    for name in ALL {
        let records = world.records(name);
        assert_eq!(discontinuities(&records).len(), 2, "{name}");
        assert_eq!(gaps(&records).len(), 2, "{name}");
    }
}

/// What a slate can be made of after a crash.
pub(crate) fn last_stored(journal: &Journal) -> Vec<Media> {
    let of_encoder = |(record, bytes): &&(SegmentRecord, Bytes)| {
        record.rendition.as_str() == "source" && !record.gap && !bytes.is_empty()
    };
    let last = journal.segments.iter().rfind(of_encoder);
    let inits = ["source", "audio"].map(|name| journal.init_segments.get(&name.parse().unwrap()));
    let inits: Vec<Bytes> = inits.into_iter().flatten().cloned().collect();
    let media = last.map(|(_, segment)| slate::of_stored(&inits, segment).unwrap());
    media.unwrap_or_default()
}

#[test]
fn after_a_crash_the_slate_is_made_of_what_is_stored() {
    let mut world = away();
    world.run_for(300);
    world.crash(700);
    world.run_for(7000);
    let status = world.live.status();
    assert_eq!((status.state, status.slate), (State::Away, true));
    assert!(shows_the_slate(&world, "source"));
    // The next crash comes while it is shown.
    world.crash(700);
    world.run_for(7000);
    assert!(world.live.status().slate);
    play(&mut world, &Encoder::default(), None, 5);
    assert_eq!(world.live.status().state, State::Live);
    world.schedule(0, Event::Unpublish);
    world.run_for(5000);
    assert!(world.live.status().slate);
}
