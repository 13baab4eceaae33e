//! Encoders that leave, come back, stall and lie; transcoders that die; an origin that crashes.

use std::time::Duration;

use proptest::prelude::*;
use weir_media::{
    live::{State, Warning},
    record::SegmentRecord,
    unit::{Media, Timestamp, TrackKind},
};

use crate::{
    absence,
    encoder::{self, Encoder},
    world::{Event, World, rung},
};

/// One thing that happens in a broadcast.
#[derive(Clone, Debug)]
enum Act {
    Run(u64),
    /// The connection breaks for so many milliseconds.
    Away(u64),
    /// Another encoder takes over at once.
    Takeover,
    /// The same, with so many milliseconds of media that it has brought before.
    Switch(u64),
    KillTranscoder,
    /// The encoder loses pictures for so many milliseconds.
    Lose(u64),
    /// Nothing arrives for so many milliseconds, though the connection stands.
    Stall(u64),
    Crash(u64),
    SlowJournal(u64),
    SlowTranscoder(u64),
    ShedRungs,
    ReturnRungs,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1_u64..9).prop_map(Act::Run),
        2 => (0_u64..12_000).prop_map(Act::Away),
        1 => Just(Act::Takeover),
        1 => (0_u64..4000).prop_map(Act::Switch),
        1 => Just(Act::KillTranscoder),
        1 => (50_u64..3000).prop_map(Act::Lose),
        1 => (500_u64..9000).prop_map(Act::Stall),
        1 => (200_u64..20_000).prop_map(Act::Crash),
        1 => (0_u64..5000).prop_map(Act::SlowJournal),
        1 => (0_u64..5000).prop_map(Act::SlowTranscoder),
        1 => Just(Act::ShedRungs),
        1 => Just(Act::ReturnRungs),
    ];
    prop::collection::vec(act, 2..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The viewer's invariants hold at every step; these are those of the whole.
    #[test]
    fn whatever_happens_names_and_time_stay_whole(
        encoder in Encoder::any(),
        acts in acts(),
        slate_after_ms in prop::option::of(0_u64..6000),
        echo in prop::option::of(any::<bool>()),
    ) {
        let mut world = absence::world(slate_after_ms.map(Duration::from_millis));
        world.echo = echo;
        let mut second = play(&mut world, &encoder, None, 3);
        for act in acts {
            second = perform(&mut world, &encoder, act, second);
        }
        world.schedule(0, Event::End);
        world.run_for(8000);
        prop_assert!(world.ended);

        for name in ["source", "source-2", "480p", "audio", "audio-2"] {
            let records = world.records(name);
            no_msn_is_left_out(&records);
            decode_time_only_goes_forwards(&records);
            no_unit_comes_twice(&world, name);
        }
        all_renditions_have_the_same_segments(&world);
    }
}

/// Publishes, unless `second` says how far the encoder is, and runs for `seconds`.
pub(crate) fn play(world: &mut World, encoder: &Encoder, second: Option<u64>, seconds: u64) -> u64 {
    let from = second.unwrap_or(0);
    if second.is_none() {
        world.schedule(0, Event::Publish);
    }
    let sent = encoder.run(from, from + seconds, &mut world.number);
    let sent = sent
        .into_iter()
        .map(|(at, media)| (at.saturating_sub(from * 1000), media));
    world.schedule_all(sent.collect());
    world.run_for(seconds * 1000);
    from + seconds
}

fn perform(world: &mut World, encoder: &Encoder, act: Act, second: u64) -> u64 {
    match act {
        Act::Run(seconds) => play(world, encoder, Some(second), seconds),
        Act::Away(ms) => {
            world.schedule(0, Event::Unpublish);
            world.run_for(ms);
            play(world, encoder, None, 3)
        }
        Act::Takeover => play(world, encoder, None, 3),
        Act::Switch(ms) => switch(world, encoder, ms),
        Act::KillTranscoder => {
            world.schedule(0, Event::KillTranscoder);
            play(world, encoder, Some(second), 4)
        }
        Act::Lose(ms) => {
            let (pictures, seconds) = encoder.rate;
            let at = |ms: u64| ms * pictures / seconds / 1000;
            let from = second * 1000 + 500;
            let dropped = (at(from)..at(from + ms)).collect();
            play(
                world,
                &Encoder {
                    dropped,
                    ..encoder.clone()
                },
                Some(second),
                5,
            )
        }
        Act::Stall(ms) => {
            world.run_for(ms);
            play(world, encoder, Some(second + ms / 1000), 3)
        }
        Act::Crash(ms) => {
            world.crash(ms);
            play(world, encoder, None, 3)
        }
        Act::SlowJournal(ms) => {
            world.reserve_ms = ms;
            play(world, encoder, Some(second), 3)
        }
        Act::SlowTranscoder(ms) => {
            world.transcode_ms = ms;
            play(world, encoder, Some(second), 3)
        }
        Act::ShedRungs => {
            world.schedule(300, Event::Shed);
            play(world, encoder, Some(second), 3)
        }
        Act::ReturnRungs => {
            world.schedule(300, Event::Return);
            play(world, encoder, Some(second), 3)
        }
    }
}

/// Another encoder takes over that has been there for `ms`.
fn switch(world: &mut World, encoder: &Encoder, ms: u64) -> u64 {
    const SECONDS: u64 = 6;
    world.schedule(0, Event::TakeOver(ms));
    let sent = encoder.run(0, SECONDS, &mut world.number);
    let sent = sent
        .into_iter()
        .map(|(at, media)| (at.saturating_sub(ms), media));
    world.schedule_all(sent.collect());
    world.run_for(SECONDS * 1000 - ms);
    SECONDS
}

#[test]
fn an_encoder_that_takes_over_leaves_no_gap() {
    // Its first picture is older than the last one shown, or younger by as much as it takes to
    // find out.
    for (silent_ms, brought_ms) in [(0, 1500), (0, 40), (1000, 1900), (1000, 300)] {
        let mut world = World::new(vec![rung()]);
        play(&mut world, &Encoder::default(), None, 9);
        world.run_for(silent_ms);
        switch(&mut world, &Encoder::default(), brought_ms);
        for name in ["source", "480p", "audio"] {
            let records = world.records(name);
            assert_eq!(gaps(&records), [0_u64; 0], "{name} {brought_ms}");
            let breaks = records.iter().filter(|record| record.discontinuity);
            assert_eq!(breaks.count(), 1, "{name}");
        }
        assert_eq!(world.live.status().repairs.reconnects, 0);
    }
    // What is longer than that is a hole.
    let mut world = World::new(Vec::new());
    play(&mut world, &Encoder::default(), None, 9);
    world.run_for(2000);
    switch(&mut world, &Encoder::default(), 0);
    assert_eq!(gaps(&world.records("source")).len(), 1);
}

fn no_msn_is_left_out(records: &[&SegmentRecord]) {
    let mut msns: Vec<u64> = records.iter().map(|record| record.msn.0).collect();
    msns.sort_unstable();
    for pair in msns.windows(2) {
        assert_eq!(pair[0] + 1, pair[1]);
    }
}

fn decode_time_only_goes_forwards(records: &[&SegmentRecord]) {
    let mut end: Option<(u32, u32, u64)> = None;
    for record in records.iter().filter(|record| !record.gap) {
        if let Some((epoch, timescale, end)) = end
            && (epoch, timescale) == (record.epoch.0, record.timescale)
        {
            assert!(record.start >= end, "{record:?} starts before {end}");
        }
        end = Some((
            record.epoch.0,
            record.timescale,
            record.start + record.duration,
        ));
    }
}

fn no_unit_comes_twice(world: &World, name: &str) {
    let numbers: Vec<u64> = world
        .stored(name)
        .iter()
        .map(|(number, ..)| *number)
        // The slate's come again and again.
        .filter(|number| *number < absence::FIRST)
        .collect();
    let mut unique = numbers.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), numbers.len(), "{name}");
}

pub(crate) fn all_renditions_have_the_same_segments(world: &World) {
    let of = |name| {
        let mut records: Vec<_> = world
            .records(name)
            .iter()
            .map(|record| (record.msn, record.discontinuity))
            .collect();
        records.sort_unstable();
        records
    };
    let source = of("source");
    for name in ["source-2", "480p", "audio", "audio-2"] {
        let other = of(name);
        assert!(other.is_empty() || other == source, "{name}");
    }
}

pub(crate) fn gaps(records: &[&SegmentRecord]) -> Vec<u64> {
    records
        .iter()
        .filter(|record| record.gap)
        .map(|record| record.msn.0)
        .collect()
}

#[test]
fn while_the_encoder_is_away_gaps_come_on_time() {
    let mut world = World::new(vec![rung()]);
    let encoder = Encoder::default();
    play(&mut world, &encoder, None, 10);
    world.schedule(0, Event::Unpublish);
    let before = world.records("source").len();
    for gaps in 0..5 {
        world.run_for(1990);
        assert_eq!(
            world.records("source").len(),
            before + 1 + gaps,
            "{gaps} gaps"
        );
        world.run_for(10);
    }
    assert_eq!(world.live.status().state, State::Away);
    play(&mut world, &encoder, None, 6);
    assert_eq!(world.live.status().state, State::Live);
    for name in ["source", "480p", "audio"] {
        let records = world.records(name);
        assert_eq!(
            records.iter().filter(|record| record.discontinuity).count(),
            1,
            "{name}"
        );
        assert_eq!(gaps(&records).len(), 5, "{name}");
        // The initialisation segment is still the right one.
        assert!(records.iter().all(|record| record.init == 0));
    }
    // Wall time and media time agree across the hole.
    let source = world.records("source");
    let back = source.iter().find(|record| record.discontinuity).unwrap();
    // The last frame of audio reached a little past the last picture.
    let back_ms = back.start / 90;
    assert!((20_000..20_022).contains(&back_ms), "{back_ms}");
}

#[test]
fn an_encoder_that_does_not_come_back_ends_the_video() {
    let mut world = World::new(vec![rung()]);
    play(&mut world, &Encoder::default(), None, 7);
    world.schedule(0, Event::Unpublish);
    world.run_for(29_900);
    assert!(!world.ended);
    world.run_for(200);
    assert!(world.ended);
    let all: Vec<SegmentRecord> = world
        .journal
        .segments
        .iter()
        .map(|(r, _)| r.clone())
        .collect();
    let source = "source".parse().unwrap();
    let recording = weir_media::hls::recording(source, &all);
    // What misses at the end is no part of the recording.
    assert!(!recording.contains("GAP"), "{recording}");
    assert!(recording.ends_with("#EXT-X-ENDLIST\n"));
    let (_, parsed) = m3u8_rs::parse_media_playlist(recording.as_bytes()).unwrap();
    let total: f32 = parsed.segments.iter().map(|segment| segment.duration).sum();
    assert!((6.9..7.1).contains(&total), "{total}");
}

#[test]
fn another_coding_after_a_reconnect_has_its_own_initialisation_segment() {
    let mut world = World::new(vec![rung()]);
    play(&mut world, &Encoder::default(), None, 5);
    world.schedule(0, Event::Unpublish);
    world.run_for(300);
    let other = Encoder {
        height: 1440,
        audio_rate: Some(44_100),
        ..Encoder::default()
    };
    play(&mut world, &other, None, 5);
    for name in ["source", "audio"] {
        let records = world.records(name);
        assert!(
            records
                .iter()
                .filter(|record| !record.gap)
                .all(|r| r.init == u32::from(r.start > 5 * u64::from(r.timescale))),
            "{name}"
        );
    }
    assert!(world.records("480p").iter().all(|record| record.init == 0));
}

#[test]
fn a_change_of_coding_without_a_reconnect_is_a_discontinuity() {
    let mut world = World::new(vec![rung()]);
    let second = play(&mut world, &Encoder::default(), None, 5);
    world.schedule(0, Event::Push(Media::Config(encoder::avc(1440))));
    play(
        &mut world,
        &Encoder {
            height: 1440,
            ..Encoder::default()
        },
        Some(second),
        7,
    );
    for name in ["source", "480p", "audio"] {
        let records = world.records(name);
        let breaks: Vec<u64> = records
            .iter()
            .filter(|r| r.discontinuity)
            .map(|r| r.msn.0)
            .collect();
        assert_eq!(breaks, [3], "{name}");
    }
    assert_eq!(
        world
            .records("source")
            .iter()
            .map(|r| r.init)
            .collect::<Vec<_>>(),
        [0, 0, 0, 1, 1]
    );
    assert_eq!(world.transcoded_heights(), [720, 1440]);
    assert_eq!(gaps(&world.records("480p")), Vec::<u64>::new());
}

#[test]
fn a_killed_transcoder_costs_its_rung_one_segment() {
    let mut world = World::new(vec![rung()]);
    let encoder = Encoder::default();
    let second = play(&mut world, &encoder, None, 7);
    world.schedule(300, Event::KillTranscoder);
    play(&mut world, &encoder, Some(second), 10);
    assert_eq!(gaps(&world.records("480p")), [3]);
    assert_eq!(gaps(&world.records("source")), Vec::<u64>::new());
    assert!(
        world
            .records("480p")
            .iter()
            .all(|record| !record.discontinuity && record.init == 0)
    );
    // The parts that had been named stay what they were; the rest of the segment is a GAP.
    let open = world.records("480p")[3];
    assert!(!open.parts[0].gap && open.parts.last().unwrap().gap);
    assert!((1.99..2.01).contains(&open.seconds()));
    assert_eq!(world.warnings, [Warning::TranscoderBehind]);
}

#[test]
fn a_transcoder_that_never_answers_holds_nothing_up() {
    let mut world = World::new(vec![rung()]);
    world.transcode_ms = 1_000_000;
    play(&mut world, &Encoder::default(), None, 10);
    let ready_ms = world.multivariant_at_ms.unwrap() - crate::world::BEGIN_MS;
    assert!((3400..3700).contains(&ready_ms), "{ready_ms}");
    assert!(!world.live.multivariant(None).unwrap().contains("480p"));
    assert_eq!(gaps(&world.records("480p")), [0, 1, 2, 3]);
}

#[test]
fn after_a_crash_a_new_epoch_goes_on_with_the_next_msn() {
    let mut world = World::new(vec![rung()]);
    let encoder = Encoder::default();
    play(&mut world, &encoder, None, 9);
    let durable = world.records("source").last().unwrap().msn.0;
    let reserved = world.journal.reserved.0;
    world.crash(1500);
    assert_eq!(world.live.status().state, State::Away);
    assert!(world.live.multivariant(None).is_some());
    play(&mut world, &encoder, None, 8);
    for name in ["source", "480p", "audio"] {
        let mut records = world.records(name);
        records.sort_by_key(|record| record.msn);
        no_msn_is_left_out(&records);
        let first = records.iter().find(|r| r.epoch.0 == 2 && !r.gap).unwrap();
        assert!(first.msn.0 >= reserved, "{name}");
        assert!(first.discontinuity);
        let lost = records
            .iter()
            .filter(|r| r.msn.0 > durable && r.msn.0 < reserved);
        assert!(
            lost.clone().count() >= 1 && lost.into_iter().all(|record| record.gap),
            "{name}"
        );
    }
}

#[test]
fn jumping_timestamps_are_joined() {
    for jump_ms in [-3000, 7000, 86_400_000] {
        let mut world = World::new(Vec::new());
        let encoder = Encoder::default();
        let second = play(&mut world, &encoder, None, 5);
        for (at, mut media) in encoder.run(second, second + 9, &mut world.number) {
            if let Media::Unit(unit) = &mut media {
                unit.dts = Timestamp(unit.dts.0 + jump_ms * 90);
                unit.pts = Timestamp(unit.pts.0 + jump_ms * 90);
            }
            world.schedule(at - second * 1000, Event::Push(media));
        }
        world.run_for(9000);
        assert_eq!(world.live.status().repairs.timestamp_jumps, 1, "{jump_ms}");
        assert_eq!(world.warnings, [Warning::TimestampJump]);
        let records = world.records("source");
        assert_eq!(gaps(&records), Vec::<u64>::new());
        let total: f64 = records.iter().map(|record| record.seconds()).sum();
        assert!((11.9..14.1).contains(&total), "{jump_ms}: {total}");
    }
}

#[test]
fn an_audio_clock_that_runs_apart_is_set_anew() {
    let mut world = World::new(Vec::new());
    world.schedule(0, Event::Publish);
    let mut number = 0;
    for (at, mut media) in Encoder::default().run(0, 60, &mut number) {
        if let Media::Unit(unit) = &mut media
            && unit.kind == TrackKind::Audio
        {
            // 0.2% slow.
            unit.pts = Timestamp(unit.pts.0 * 1002 / 1000);
            unit.dts = unit.pts;
        }
        world.schedule(at, Event::Push(media));
    }
    world.run_for(60_000);
    let resyncs = world.live.status().repairs.audio_resyncs;
    assert!((1..=3).contains(&resyncs), "{resyncs}");
    assert_eq!(world.warnings, [Warning::AudioDrift]);
}

#[test]
fn video_that_stops_is_a_gap_while_audio_goes_on() {
    let mut world = World::new(vec![rung()]);
    let encoder = Encoder::default();
    let second = play(&mut world, &encoder, None, 6);
    let silent = Encoder {
        has_video: false,
        ..encoder.clone()
    };
    let second = play(&mut world, &silent, Some(second), 14);
    play(&mut world, &encoder, Some(second), 8);
    assert_eq!(world.warnings, [Warning::VideoMissing]);
    assert!(gaps(&world.records("audio")).is_empty());
    let source = world.records("source");
    assert!(
        (5..=7).contains(&gaps(&source).len()),
        "{:?}",
        gaps(&source)
    );
    assert!(!source.last().unwrap().gap);
    let audio: Vec<u64> = world
        .stored("audio")
        .iter()
        .map(|(number, ..)| *number)
        .collect();
    let pushed = world
        .sent
        .iter()
        .filter(|unit| unit.kind == TrackKind::Audio);
    let pushed: Vec<u64> = pushed.map(|unit| encoder::number(&unit.data)).collect();
    assert!(pushed.starts_with(&audio), "audio lost frames");
}

#[test]
fn audio_that_stops_is_a_gap_while_video_goes_on() {
    let mut world = World::new(Vec::new());
    let encoder = Encoder::default();
    let second = play(&mut world, &encoder, None, 7);
    let mute = Encoder {
        audio_rate: None,
        ..encoder.clone()
    };
    let second = play(&mut world, &mute, Some(second), 6);
    play(&mut world, &encoder, Some(second), 6);
    assert_eq!(world.warnings, [Warning::AudioMissing, Warning::AudioDrift]);
    assert!(gaps(&world.records("source")).is_empty());
    // It stops within segment 3, which keeps what was heard.
    assert_eq!(gaps(&world.records("audio")), [4, 5]);
    assert!(world.records("audio")[3].units > 40);
    assert!(!world.records("audio").last().unwrap().gap);
}

#[test]
fn coding_that_changes_again_and_again_fills_no_memory() {
    let mut world = World::new(Vec::new());
    let heights = [720, 1440].into_iter().cycle();
    let mut second = play(&mut world, &Encoder::default(), None, 2);
    for height in heights.take(50) {
        world.schedule(0, Event::Push(Media::Config(encoder::avc(height))));
        second = play(
            &mut world,
            &Encoder {
                height,
                ..Encoder::default()
            },
            Some(second),
            2,
        );
    }
    let source = "source".parse().unwrap();
    let known = |n: u32| world.live.init(weir_model::Epoch(1), source, n);
    assert_eq!(known(0), weir_media::live::MediaAnswer::Gone);
    let last = world.records("source").last().unwrap().init;
    assert!(last > 40);
    assert_ne!(known(last), weir_media::live::MediaAnswer::Gone);
}

#[test]
fn rubbish_before_the_first_keyframe_and_after_the_end_is_harmless() {
    let mut world = World::new(vec![rung()]);
    let mut number = 0;
    let encoder = Encoder::default();
    // Nothing was published.
    let sent = encoder.run(0, 2, &mut number);
    world.schedule_all(sent);
    world.run_for(2000);
    assert_eq!(world.live.status().state, State::Waiting);
    assert!(world.journal.segments.is_empty());
    // Units that no configuration announced, and ones that don't start with a keyframe.
    world.schedule(0, Event::Publish);
    let sent = encoder.run(1, 2, &mut number);
    let sent = sent
        .into_iter()
        .map(|(at, media)| (at - 1000, media))
        .collect();
    world.schedule_all(sent);
    world.run_for(2000);
    assert!(world.journal.segments.is_empty());
    world.schedule(0, Event::End);
    world.run_for(10);
    assert!(world.ended);
    world.schedule_all(encoder.run(0, 3, &mut number));
    world.run_for(5000);
    assert!(world.journal.segments.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Timestamps are the encoder's word; whatever they are, nothing overflows or runs away.
    #[test]
    fn no_timestamp_does_harm(times in prop::collection::vec((any::<i64>(), any::<i64>(), any::<bool>(), any::<bool>()), 1..200)) {
        let mut world = World::new(vec![rung()]);
        play(&mut world, &Encoder::default(), None, 3);
        for (i, (dts, pts, keyframe, audio)) in times.into_iter().enumerate() {
            let unit = Encoder::default().run(0, 1, &mut world.number).pop();
            let Some((_, Media::Unit(unit))) = unit else { continue };
            let kind = if audio { TrackKind::Audio } else { TrackKind::Video };
            let unit = weir_media::unit::Unit { kind, dts: Timestamp(dts), pts: Timestamp(pts), keyframe, ..unit };
            world.schedule(i as u64 * 20, Event::Push(Media::Unit(unit)));
        }
        world.run_for(6000);
        for name in ["source", "audio"] {
            no_msn_is_left_out(&world.records(name));
            decode_time_only_goes_forwards(&world.records(name));
        }
        prop_assert!(world.records("source").len() < 250);
    }
}
