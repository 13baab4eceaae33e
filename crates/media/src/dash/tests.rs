//! Periods and manifests of records.

use weir_model::{Epoch, Msn, WallTime};

use super::{Addressing, Manifest, Presentation, periods};
use crate::record::{InitRecord, SegmentRecord};

/// Ticks of 1/90,000 s in a second.
const S: u64 = 90_000;

const LIVE: Presentation = Presentation::Live { part_target: 0.35 };

fn record(rendition: &str, msn: u64, start: u64, duration: u64) -> SegmentRecord {
    let timescale = if rendition.starts_with("audio") {
        48_000
    } else {
        90_000
    };
    let own = |ticks: u64| ticks * u64::from(timescale) / S;
    SegmentRecord {
        epoch: Epoch(1),
        rendition: rendition.parse().unwrap(),
        msn: Msn(msn),
        init: 0,
        timescale,
        start: own(start),
        composition_offset: 0,
        duration: own(duration),
        pdt: WallTime(1_795_367_096_000 + start / 90),
        bytes: 250_000,
        units: 60,
        first_unit_end: 400,
        gap: false,
        discontinuity: false,
        independent: true,
        parts: Vec::new(),
    }
}

fn gap(mut record: SegmentRecord) -> SegmentRecord {
    record.gap = true;
    record
}

/// Source and audio, one segment after the other, of these lengths in milliseconds.
fn joined(lengths: &[u64]) -> Vec<SegmentRecord> {
    let mut start = 0;
    let mut records = Vec::new();
    for (msn, ms) in (0..).zip(lengths) {
        let mut both = ["source", "audio"].map(|name| record(name, msn, start, ms * 90));
        // Whichever is durable first is entered first.
        if msn % 3 == 1 {
            both.reverse();
        }
        records.extend(both);
        start += ms * 90;
    }
    records
}

fn inits() -> Vec<InitRecord> {
    let init = |name: &str, resolution, channels| InitRecord {
        epoch: Epoch(1),
        rendition: name.parse().unwrap(),
        n: 0,
        codec: match channels {
            Some(_) => "mp4a.40.2".into(),
            None => "avc1.64001f".into(),
        },
        resolution,
        channels,
        language: None,
        name: None,
    };
    vec![
        init("source", Some((1280, 720)), None),
        init("480p", Some((854, 480)), None),
        init("audio", None, Some(2)),
    ]
}

/// First msn, segments per rendition, addressing and whether the next one is joined.
fn shape(records: &[SegmentRecord]) -> Vec<(u64, usize, Addressing, bool)> {
    let shape = |period: &super::Period<'_>| {
        let count = period.of("source".parse().unwrap()).count();
        (period.first.0, count, period.addressing, !period.closed)
    };
    periods(records).iter().map(shape).collect()
}

use Addressing::{Listed, Regular};

#[test]
fn a_regular_cadence_is_told_in_advance() {
    assert_eq!(shape(&joined(&[2000])), [(0, 1, Regular(2000), true)]);
    let whole = [(0, 100, Regular(2000), true)];
    assert_eq!(shape(&joined(&[2000; 100])), whole);
}

#[test]
fn a_cadence_that_drifts_is_told_anew() {
    // The first one came a millisecond short through RTMP's clock.
    let mut lengths = vec![2000; 200];
    lengths[0] = 1999;
    let expected = [
        (0, 102, Regular(1999), true),
        (102, 98, Regular(2000), true),
    ];
    assert_eq!(shape(&joined(&lengths)), expected);
}

#[test]
fn varying_segments_are_listed_after_a_few_guesses() {
    let varying = [
        2000, 2400, 2000, 3000, 2200, 2000, 2600, 2000, 2400, 3000, 2000, 2000, 2000,
    ];
    let expected = [
        (0, 2, Regular(2000), true),
        (2, 2, Regular(2000), true),
        (4, 2, Regular(2200), true),
        (6, 2, Regular(2600), true),
        (8, 5, Listed, true),
    ];
    assert_eq!(shape(&joined(&varying)), expected);
    // An odd first one costs one guess.
    let mut late = vec![2400];
    late.extend([2000; 20]);
    let expected = [(0, 2, Regular(2400), true), (2, 19, Regular(2000), true)];
    assert_eq!(shape(&joined(&late)), expected);
}

#[test]
fn a_hole_in_all_renditions_ends_a_period() {
    let mut records = joined(&[2000; 8]);
    for record in &mut records {
        record.gap = record.msn.0 == 5;
    }
    let expected = [(0, 5, Regular(2000), false), (6, 2, Regular(2000), true)];
    assert_eq!(shape(&records), expected);
    let offsets: Vec<u64> = periods(&records).iter().map(|p| p.offset / S).collect();
    assert_eq!(offsets, [0, 12]);
}

#[test]
fn a_rendition_that_comes_late_is_in_a_period_of_its_own_with_the_same_cadence() {
    let mut records = Vec::new();
    for msn in 0..8 {
        let of = |name| record(name, msn, msn * 2 * S, 2 * S);
        records.extend([of("source"), of("480p"), of("audio")]);
        if msn == 0 || msn == 5 {
            let at = records.len() - 2;
            records[at] = gap(records[at].clone());
        }
    }
    let regular = |first, count| (first, count, Regular(2000), true);
    let expected = [regular(0, 1), regular(1, 4), regular(5, 1), regular(6, 2)];
    assert_eq!(shape(&records), expected);
}

#[test]
fn what_is_told_stays_so() {
    let mut records = joined(&[2000, 2000, 2000, 2000, 2400, 2000, 2000, 2000, 2000, 1500]);
    records
        .iter_mut()
        .filter(|record| record.msn.0 == 8)
        .for_each(|record| record.discontinuity = true);
    let whole = shape(&records);
    for len in (0..=records.len()).step_by(2) {
        let told = shape(&records[..len]);
        // The last one goes on.
        for period in told.iter().rev().skip(1) {
            assert!(whole.contains(period), "{len}: {period:?}");
        }
    }
}

#[test]
fn a_live_manifest_in_full() {
    let records = joined(&[2000; 5]);
    let inits = inits();
    let manifest = Manifest {
        presentation: LIVE,
        steering: false,
        inits: &inits,
        records: &records,
    };
    assert_eq!(
        manifest.render(None).unwrap(),
        r#"<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019,http://www.dashif.org/guidelines/low-latency-live-v5" type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="2026-11-22T17:05:06.000Z" minimumUpdatePeriod="PT2S" minBufferTime="PT1S" timeShiftBufferDepth="PT70S" suggestedPresentationDelay="PT6S" maxSegmentDuration="PT4S">
 <ServiceDescription id="0">
  <Latency referenceId="0" target="2100" min="1050" max="6300"/>
  <PlaybackRate min="0.96" max="1.04"/>
 </ServiceDescription>
 <Period id="1-0" start="PT1795367096.000S">
  <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
   <ProducerReferenceTime id="0" type="encoder" wallClockTime="2026-11-22T17:04:56.000Z" presentationTime="0">
    <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/api/v1/time"/>
   </ProducerReferenceTime>
   <Representation id="source" bandwidth="1000000" codecs="avc1.64001f" width="1280" height="720" frameRate="30">
    <SegmentTemplate timescale="90000" presentationTimeOffset="0" startNumber="0" initialization="1/source/init-0.mp4" media="1/source/dash-$Number$.m4s" duration="180000" availabilityTimeOffset="1.650" availabilityTimeComplete="false"/>
   </Representation>
  </AdaptationSet>
  <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">
   <AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="2"/>
   <ProducerReferenceTime id="0" type="encoder" wallClockTime="2026-11-22T17:04:56.000Z" presentationTime="0">
    <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/api/v1/time"/>
   </ProducerReferenceTime>
   <Representation id="audio" bandwidth="1000000" codecs="mp4a.40.2" audioSamplingRate="48000">
    <SegmentTemplate timescale="90000" presentationTimeOffset="0" startNumber="0" initialization="1/audio/init-0.mp4" media="1/audio/dash-$Number$.m4s" duration="180000" availabilityTimeOffset="1.650" availabilityTimeComplete="false"/>
   </Representation>
  </AdaptationSet>
 </Period>
 <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/api/v1/time"/>
</MPD>
"#
    );
}

#[test]
fn a_recording_lists_everything_and_needs_no_clock() {
    let mut records = joined(&[2000; 8]);
    for record in &mut records {
        record.gap = record.msn.0 == 5;
    }
    let inits = inits();
    let manifest = Manifest {
        presentation: Presentation::Recorded,
        steering: false,
        inits: &inits,
        records: &records,
    };
    let text = manifest.render(None).unwrap();
    assert!(text.contains(r#"type="static" mediaPresentationDuration="PT16.000000S""#));
    for listed in [
        r#"<Period id="1-0" start="PT0.000000S" duration="PT10.000000S">"#,
        r#"<S t="0" d="180000" r="4"/>"#,
        r#"<Period id="1-6" start="PT12.000000S">"#,
        r#"<S t="576000" d="96000" r="1"/>"#,
    ] {
        assert!(text.contains(listed), "{listed}: {text}");
    }
    for absent in ["dash-$Number$", "UTCTiming", "availability", "Latency"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
}

/// Nothing grows in it any more.
#[test]
fn a_period_that_is_over_offers_nothing_early() {
    let mut records: Vec<_> = (0..3)
        .map(|n| record("source", n, n * 2 * S, 2 * S))
        .collect();
    records.push(gap(record("source", 3, 6 * S, 2 * S)));
    records.push(record("source", 4, 8 * S, 2 * S));
    let inits = inits();
    let manifest = Manifest {
        presentation: LIVE,
        steering: false,
        inits: &inits,
        records: &records,
    };
    let text = manifest.render(None).unwrap();
    let early: Vec<bool> = text
        .split("<Period ")
        .skip(1)
        .map(|period| period.contains("availabilityTimeOffset"))
        .collect();
    assert_eq!(early, [false, true], "{text}");
}

#[test]
fn without_media_there_is_no_manifest() {
    let records = [gap(record("source", 0, 0, 2 * S))];
    let inits = inits();
    let manifest = Manifest {
        presentation: LIVE,
        steering: false,
        inits: &inits,
        records: &records,
    };
    assert_eq!(manifest.render(None), None);
}

/// Qualities are for switching, codecs and languages for choosing.
#[test]
fn tracks_and_codecs_of_sound_have_sets_of_their_own() {
    let mut inits = inits();
    let mut records = Vec::new();
    for (name, codec, language) in [
        ("audio-2", "mp4a.40.2", Some("fr")),
        ("audio-aac", "mp4a.40.2", None),
    ] {
        inits.push(InitRecord {
            rendition: name.parse().unwrap(),
            codec: codec.into(),
            language: language.map(str::to_owned),
            name: language.map(|_| "Doublage < 2".to_owned()),
            ..inits[2].clone()
        });
    }
    inits[2].codec = "Opus".into();
    for msn in 0..3 {
        for name in ["source", "480p", "audio", "audio-2", "audio-aac"] {
            records.push(record(name, msn, msn * 2 * S, 2 * S));
        }
    }
    let manifest = Manifest {
        presentation: Presentation::Recorded,
        steering: false,
        inits: &inits,
        records: &records,
    };
    let text = manifest.render(None).unwrap();
    let told: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| {
            let told = ["<AdaptationSet", "<Representation", "<Label", "<Role"];
            told.iter().any(|start| line.starts_with(start))
        })
        .collect();
    let set = |id: u32, of: &str| {
        format!(
            "<AdaptationSet id=\"{id}\" contentType={of} segmentAlignment=\"true\" \
             startWithSAP=\"1\">"
        )
    };
    let plain = "\"audio\" mimeType=\"audio/mp4\"";
    let role =
        |role: &str| format!("<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"{role}\"/>");
    let video = |id: &str, size: &str| {
        format!(
            "<Representation id=\"{id}\" bandwidth=\"1000000\" codecs=\"avc1.64001f\" {size} \
             frameRate=\"30\">"
        )
    };
    let audio = |id: &str, codec: &str| {
        format!(
            "<Representation id=\"{id}\" bandwidth=\"1000000\" codecs=\"{codec}\" \
             audioSamplingRate=\"48000\">"
        )
    };
    let expected = [
        set(1, "\"video\" mimeType=\"video/mp4\""),
        video("source", "width=\"1280\" height=\"720\""),
        video("480p", "width=\"854\" height=\"480\""),
        set(2, plain),
        role("main"),
        audio("audio", "Opus"),
        set(3, plain),
        role("main"),
        audio("audio-aac", "mp4a.40.2"),
        set(4, "\"audio\" lang=\"fr\" mimeType=\"audio/mp4\""),
        "<Label>Doublage &lt; 2</Label>".to_owned(),
        role("alternate"),
        audio("audio-2", "mp4a.40.2"),
    ];
    assert_eq!(told, expected);
}
