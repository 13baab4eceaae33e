//! Encoders that do nothing wrong: every unit comes out once with its time, and every rule of
//! parts and segments is kept.

use proptest::prelude::*;
use weir_media::{
    live::State,
    unit::{TIMESCALE, TrackKind, Unit},
};

use crate::{
    encoder::{self, Encoder},
    world::{BEGIN_MS, Event, World, rung},
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_unit_comes_out_once_with_its_timestamps(
        encoder in Encoder::any(),
        reserve_ms in 0_u64..1500,
        transcode_ms in 0_u64..900,
    ) {
        let mut world = World::new(vec![rung()]);
        (world.reserve_ms, world.transcode_ms) = (reserve_ms, transcode_ms);
        world.broadcast(&encoder, 24);
        world.run_for(200); // for audio that is late
        world.schedule(0, Event::End);
        world.run_for(3000);

        prop_assert!(world.ended);
        prop_assert_eq!(world.live.status().state, State::Ended);
        let first = world.sent.iter().find(|unit| unit.kind == TrackKind::Video).unwrap().clone();
        video_is_complete(&world, &first);
        if encoder.audio_rate.is_some() {
            audio_is_complete(&world, &first);
        }
        rung_is_complete(&world);
        segments_are_aligned(&world);
        prop_assert_eq!(&world.viewer.bad_parts, &Vec::<String>::new());
        prop_assert_eq!(&world.viewer.broken_hints, &Vec::<String>::new());
        let repairs = world.live.status().repairs;
        prop_assert_eq!(repairs.timestamp_jumps + repairs.audio_resyncs + repairs.reconnects, 0);
        let gop_ms = encoder.gop * encoder.rate.1 * 1000 / encoder.rate.0;
        let as_told = if repairs.forced_cuts > 0 { gop_ms > 4000 } else { gop_ms < 4100 };
        prop_assert!(as_told, "{} forced cuts", repairs.forced_cuts);
    }
}

/// A picture with B pictures before it comes earlier than it is shown; its date is not put off by
/// that, or a viewer's latency would look better than it is.
#[test]
fn the_first_picture_is_dated_by_its_arrival() {
    for b_frames in [false, true] {
        let encoder = Encoder {
            b_frames,
            audio_lag_ms: 40,
            ..Encoder::default()
        };
        let mut world = World::new(vec![]);
        world.broadcast(&encoder, 6);
        world.run_for(200);
        let first = world.records("source")[0];
        assert_eq!(first.pdt.0, BEGIN_MS, "{b_frames}");
        assert_eq!(first.start, 0);
        assert_eq!(first.composition_offset > 0, b_frames);
    }
}

fn video_is_complete(world: &World, first: &Unit) {
    let ticks = |at: i64| (at - first.dts.0) as u64;
    let pushed = world
        .sent
        .iter()
        .filter(|unit| unit.kind == TrackKind::Video);
    let pushed: Vec<_> = pushed
        .map(|unit| {
            (
                encoder::number(&unit.data),
                ticks(unit.dts.0),
                ticks(unit.pts.0),
            )
        })
        .collect();
    assert_eq!(world.stored("source"), pushed);
}

/// Audio time is counted in samples, so that it is not equal to the encoder's milliseconds.
fn audio_is_complete(world: &World, first: &Unit) {
    let rate = world.records("audio")[0].timescale;
    let pushed = world
        .sent
        .iter()
        .filter(|unit| unit.kind == TrackKind::Audio);
    let pushed: Vec<&Unit> = pushed.filter(|unit| unit.pts >= first.pts).collect();
    let stored = world.stored("audio");
    assert_eq!(stored.len(), pushed.len());
    for (i, (unit, &(number, decode, shown))) in pushed.into_iter().zip(&stored).enumerate() {
        assert_eq!(encoder::number(&unit.data), number);
        assert_eq!(decode, stored[0].1 + 1024 * i as u64);
        assert_eq!(decode, shown);
        let told = (unit.pts.0 - first.dts.0) as f64 / f64::from(TIMESCALE);
        assert!((decode as f64 / f64::from(rate) - told).abs() < 0.05);
    }
}

/// Every picture of the source is in the rung, at its presentation time.
fn rung_is_complete(world: &World) {
    let mut source: Vec<_> = world
        .stored("source")
        .into_iter()
        .map(|(number, _, shown)| (shown, number))
        .collect();
    source.sort_unstable();
    let rung: Vec<_> = world
        .stored("480p")
        .into_iter()
        .map(|(number, _, shown)| (shown, number))
        .collect();
    assert_eq!(rung, source);
}

/// Segments of one msn start at the source's IDR picture in every rendition.
fn segments_are_aligned(world: &World) {
    let source = world.records("source");
    assert!(
        source
            .iter()
            .enumerate()
            .all(|(i, record)| record.msn.0 == i as u64)
    );
    let shown_s = |record: &weir_media::record::SegmentRecord| {
        (record.start + u64::from(record.composition_offset)) as f64 / f64::from(record.timescale)
    };
    for name in ["480p", "audio"] {
        let others = world.records(name);
        for record in &others {
            let lead = source[record.msn.0 as usize];
            let late = shown_s(record) - shown_s(lead);
            // A frame of audio starts up to its length later; its clock may be 50 ms off.
            let (least, most) = if name == "audio" {
                (-0.05, 0.1)
            } else {
                (-1e-9, 1e-9)
            };
            assert!(
                (least..=most).contains(&late),
                "{name} {}: {late}",
                record.msn
            );
        }
        assert!(others.is_empty() || others.len() == source.len(), "{name}");
    }
}

#[test]
fn keyframes_every_two_seconds_make_segments_of_six_parts() {
    for rate in [
        (24, 1),
        (25, 1),
        (30, 1),
        (60, 1),
        (24_000, 1001),
        (30_000, 1001),
    ] {
        let mut world = World::new(Vec::new());
        // As x264 has it: 48 pictures at 23.976, 60 at 29.97.
        let gop = (2_u64 * rate.0).div_ceil(rate.1);
        world.broadcast(
            &Encoder {
                rate,
                gop,
                jitter_ms: 1,
                ..Encoder::default()
            },
            20,
        );
        let segments = world.viewer.segments("source");
        assert_eq!(segments.len(), 9, "{rate:?}");
        for segment in segments {
            assert!(
                (1.99..2.01).contains(&segment.duration),
                "{rate:?} {segment:?}"
            );
        }
        let parts: Vec<usize> = world
            .records("source")
            .iter()
            .map(|r| r.parts.len())
            .collect();
        let expected = if rate.0 == 25 { 7 } else { 6 };
        assert_eq!(parts, [expected; 9], "{rate:?}");
        assert!(
            world
                .records("source")
                .iter()
                .all(|record| record.independent)
        );
        assert!(world.warnings.is_empty());
    }
}

#[test]
fn slow_pictures_keep_the_part_rules() {
    for pictures in [1, 2, 5, 10, 12, 15, 20] {
        let mut world = World::new(vec![rung()]);
        let encoder = Encoder {
            rate: (pictures, 1),
            gop: 2 * pictures,
            ..Encoder::default()
        };
        world.broadcast(&encoder, 30);
        assert_eq!(
            world.viewer.bad_parts,
            Vec::<String>::new(),
            "{pictures} a second"
        );
        assert!(world.viewer.segments("source").len() >= 13);
    }
}

#[test]
fn a_keyframe_interval_that_is_too_long_is_cut_and_told() {
    let mut world = World::new(vec![rung()]);
    world.broadcast(
        &Encoder {
            gop: 250,
            ..Encoder::default()
        },
        30,
    );
    assert_eq!(
        world.warnings,
        [weir_media::live::Warning::KeyframeInterval]
    );
    let source = world.records("source");
    assert!(source.iter().any(|record| !record.independent));
    // The transcoder was told to make IDR pictures there.
    assert!(
        world
            .records("480p")
            .iter()
            .all(|record| record.independent && !record.gap)
    );
}

#[test]
fn a_source_with_too_few_keyframes_is_listed_as_a_rung_of_its_size() {
    let mut world = World::new(vec![rung()]);
    let encoder = Encoder {
        gop: 250,
        ..Encoder::default()
    };
    world.schedule(0, Event::Publish);
    let sent = encoder.run(0, 30, &mut world.number);
    world.schedule_all(sent);
    world.run_for(9000);
    let before = world.live.multivariant(None).unwrap();
    assert!(before.contains("source/index.m3u8"), "{before}");
    assert!(!before.contains("INDEPENDENT-SEGMENTS"), "{before}");

    world.run_for(20_000);
    let after = world.live.multivariant(None).unwrap();
    assert!(!after.contains("source/index.m3u8"), "{after}");
    assert!(after.contains("720p/index.m3u8"), "{after}");
    assert!(after.contains("480p/index.m3u8"), "{after}");
    assert!(after.contains("INDEPENDENT-SEGMENTS"), "{after}");
    // Whoever had begun with the source goes on with it.
    let source = world.records("source");
    assert!(source.iter().all(|record| !record.gap));
    let made = world.records("720p");
    let made: Vec<_> = made.iter().filter(|record| !record.gap).collect();
    assert!(made.len() >= 4 && made.iter().all(|record| record.independent));
}

#[test]
fn a_keyframe_that_is_missing_once_changes_no_ladder() {
    let mut world = World::new(vec![rung()]);
    world.schedule(0, Event::Publish);
    let mut second = 0;
    for (gop, seconds) in [(60, 10), (150, 5), (60, 15)] {
        let encoder = Encoder {
            gop,
            ..Encoder::default()
        };
        let sent = encoder.run(second, second + seconds, &mut world.number);
        world.schedule_all(sent);
        second += seconds;
    }
    world.run_for(30_000);
    assert_eq!(world.live.status().repairs.forced_cuts, 1);
    let listed = world.live.multivariant(None).unwrap();
    assert!(listed.contains("source/index.m3u8"), "{listed}");
    assert!(!listed.contains("720p/"), "{listed}");
}

#[test]
fn audio_without_video_and_video_without_audio() {
    let mut world = World::new(vec![rung()]);
    world.broadcast(
        &Encoder {
            has_video: false,
            ..Encoder::default()
        },
        20,
    );
    let records = world.records("audio");
    assert_eq!(records.len(), 9);
    assert!(
        records
            .iter()
            .all(|record| (1.97..2.03).contains(&record.seconds()))
    );
    let multivariant = world.live.multivariant(None).unwrap();
    assert!(
        multivariant.contains("CODECS=\"mp4a.40.2\"\naudio/index.m3u8"),
        "{multivariant}"
    );

    let mut world = World::new(Vec::new());
    world.broadcast(
        &Encoder {
            audio_rate: None,
            ..Encoder::default()
        },
        20,
    );
    assert_eq!(world.records("source").len(), 9);
    let multivariant = world.live.multivariant(None).unwrap();
    assert!(!multivariant.contains("TYPE=AUDIO"), "{multivariant}");
}

#[test]
fn the_multivariant_playlist_tells_what_there_is() {
    let mut world = World::new(vec![rung()]);
    world.broadcast(
        &Encoder {
            rate: (30_000, 1001),
            gop: 60,
            ..Encoder::default()
        },
        10,
    );
    // Not before every rendition has a segment to start with; not long after.
    let ready_ms = world.multivariant_at_ms.unwrap() - BEGIN_MS;
    assert!((2000..2500).contains(&ready_ms), "{ready_ms}");
    let text = world.live.multivariant(None).unwrap();
    let (_, parsed) = m3u8_rs::parse_master_playlist(text.as_bytes()).unwrap();
    let uris: Vec<_> = parsed
        .variants
        .iter()
        .map(|variant| variant.uri.as_str())
        .collect();
    assert_eq!(uris, ["source/index.m3u8", "480p/index.m3u8"]);
    let source = &parsed.variants[0];
    assert_eq!(source.codecs.as_deref(), Some("avc1.42001f,mp4a.40.2"));
    assert_eq!(source.resolution.unwrap().height, 720);
    assert_eq!(source.frame_rate, Some(29.97));
    assert_eq!(source.audio.as_deref(), Some("audio"));
    assert!(source.bandwidth >= source.average_bandwidth.unwrap());
    assert_eq!(
        parsed.alternatives[0].uri.as_deref(),
        Some("audio/index.m3u8")
    );
    assert!(parsed.independent_segments);

    let phone = world.live.multivariant(Some(480)).unwrap();
    assert!(
        !phone.contains("source/") && phone.contains("480p/"),
        "{phone}"
    );
    // A screen smaller than everything still gets the smallest.
    assert_eq!(world.live.multivariant(Some(100)), Some(phone));
}

#[test]
fn a_rung_that_is_no_smaller_than_the_source_is_not_made() {
    let mut world = World::new(vec![rung()]);
    world.broadcast(
        &Encoder {
            height: 480,
            ..Encoder::default()
        },
        6,
    );
    assert!(world.records("480p").is_empty());
    assert!(!world.live.multivariant(None).unwrap().contains("480p"));
}

#[test]
fn memory_holds_the_window_and_little_more() {
    let mut world = World::new(vec![rung()]);
    world.broadcast(&Encoder::default(), 150);
    for status in world.live.status().renditions {
        let per_second = status.bytes as f64 / 150.0;
        let most = 1.2 * 60.0 * per_second + 100_000.0;
        assert!((status.bytes_held as f64) < most, "{status:?}");
    }
    let segments = world.viewer.segments("source").len();
    assert!(segments >= 70);
}
