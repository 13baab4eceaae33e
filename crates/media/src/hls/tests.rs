//! Playlists as they are written, line by line.

use weir_model::{Epoch, Msn, PartIndex, Skip, WallTime};

use super::{
    LivePlaylist, Multivariant, dvr, i_frames,
    live::Report,
    multivariant::{Phase, Variant},
    recording,
};
use crate::record::{InitRecord, PartRecord, SegmentRecord};

/// A segment of 2 s in two parts.
fn record(msn: u64) -> SegmentRecord {
    let part = |independent| PartRecord {
        duration: 90_000,
        bytes: 500,
        independent,
        gap: false,
    };
    SegmentRecord {
        epoch: Epoch(3),
        rendition: "source".parse().unwrap(),
        msn: Msn(msn),
        init: 0,
        timescale: 90_000,
        start: msn * 180_000,
        composition_offset: 0,
        duration: 180_000,
        pdt: WallTime(1_795_367_096_000 + 2000 * msn),
        bytes: 1000,
        units: 60,
        first_unit_end: 400,
        gap: false,
        discontinuity: false,
        independent: true,
        parts: vec![part(true), part(false)],
    }
}

fn gap(msn: u64) -> SegmentRecord {
    let missing = PartRecord {
        duration: 180_000,
        bytes: 0,
        independent: false,
        gap: true,
    };
    SegmentRecord {
        gap: true,
        bytes: 0,
        units: 0,
        parts: vec![missing],
        ..record(msn)
    }
}

fn playlist<'a>(
    segments: Vec<&'a SegmentRecord>,
    open: Option<&'a SegmentRecord>,
) -> LivePlaylist<'a> {
    LivePlaylist {
        rendition: "source".parse().unwrap(),
        part_target: 0.35,
        media_sequence: segments[0].msn,
        discontinuity_sequence: 1,
        segments,
        open,
        hint: Some((Epoch(3), Msn(9), PartIndex(1))),
        reports: vec![Report {
            rendition: "audio".parse().unwrap(),
            msn: Msn(9),
            part: Some(PartIndex(0)),
        }],
        ended: false,
    }
}

#[test]
fn a_live_playlist_in_full() {
    let mut back = record(8);
    (back.discontinuity, back.init) = (true, 1);
    let mut open = SegmentRecord {
        init: 1,
        ..record(9)
    };
    open.parts.truncate(1);
    let (first, missing) = (record(6), gap(7));
    let text = playlist(vec![&first, &missing, &back], Some(&open)).render(Skip::No);
    assert_eq!(
        text,
        r#"#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.0,HOLD-BACK=12.0,PART-HOLD-BACK=1.050
#EXT-X-PART-INF:PART-TARGET=0.350
#EXT-X-MEDIA-SEQUENCE:6
#EXT-X-DISCONTINUITY-SEQUENCE:1
#EXT-X-MAP:URI="../3/source/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:05:08.000Z
#EXT-X-PART:DURATION=1.00000,URI="../3/source/6.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=1.00000,URI="../3/source/6.1.m4s"
#EXTINF:2.00000,
../3/source/6.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:05:10.000Z
#EXT-X-PART:DURATION=2.00000,URI="../3/source/7.0.m4s",GAP=YES
#EXT-X-GAP
#EXTINF:2.00000,
../3/source/7.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="../3/source/init-1.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:05:12.000Z
#EXT-X-PART:DURATION=1.00000,URI="../3/source/8.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=1.00000,URI="../3/source/8.1.m4s"
#EXTINF:2.00000,
../3/source/8.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:05:14.000Z
#EXT-X-PART:DURATION=1.00000,URI="../3/source/9.0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="../3/source/9.1.m4s"
#EXT-X-RENDITION-REPORT:URI="../audio/index.m3u8",LAST-MSN=9,LAST-PART=0
"#
    );
}

#[test]
fn a_delta_update_leaves_out_what_is_older_than_the_skip_boundary() {
    let records: Vec<SegmentRecord> = (0..20).map(record).collect();
    let text = playlist(records.iter().collect(), None).render(Skip::Yes);
    // 24 s before the end of 40 s: eight segments, whole. Theirs is also the map.
    assert!(text.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=8\n"), "{text}");
    assert!(!text.contains("EXT-X-MAP") && !text.contains("/7.m4s"));
    assert!(text.contains("/8.m4s"));
    // Parts of the last three target durations.
    assert!(
        !text.contains("/13.0.m4s") && text.contains("/14.0.m4s"),
        "{text}"
    );

    let few: Vec<SegmentRecord> = (0..5).map(record).collect();
    let short = playlist(few.iter().collect(), None);
    assert_eq!(short.render(Skip::Yes), short.render(Skip::No));
}

#[test]
fn a_recording_keeps_holes_and_breaks_but_not_what_misses_at_its_ends() {
    let mut back = record(3);
    (back.discontinuity, back.epoch) = (true, Epoch(4));
    let records = [gap(0), record(1), gap(2), back, gap(4), gap(5)];
    assert_eq!(
        recording("source".parse().unwrap(), &records),
        r#"#EXTM3U
#EXT-X-VERSION:8
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="../3/source/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:04:58.000Z
#EXTINF:2.00000,
../3/source/1.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:05:00.000Z
#EXT-X-GAP
#EXTINF:2.00000,
../3/source/2.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="../4/source/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:05:02.000Z
#EXTINF:2.00000,
../4/source/3.m4s
#EXT-X-ENDLIST
"#
    );
}

#[test]
fn a_multivariant_playlist_of_a_recording() {
    let init = |name: &str, resolution, channels: Option<u8>| InitRecord {
        epoch: Epoch(3),
        rendition: name.parse().unwrap(),
        n: 0,
        codec: if channels.is_some() {
            "mp4a.40.2".into()
        } else {
            "avc1.64001f".into()
        },
        resolution,
        channels,
        language: None,
        name: None,
    };
    let inits = [
        init("audio", None, Some(2)),
        init("480p", Some((854, 480)), None),
        init("source", Some((1280, 720)), None),
    ];
    let of = |name: &str, bytes: u64| SegmentRecord {
        rendition: name.parse().unwrap(),
        bytes,
        ..record(0)
    };
    let records = [
        of("source", 600_000),
        of("source", 400_000),
        of("480p", 250_000),
        of("audio", 32_000),
    ];
    assert_eq!(
        Multivariant::of_stored(Phase::Recorded, &inits, &records).render(None),
        r#"#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/recording.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2528000,AVERAGE-BANDWIDTH=2128000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="audio"
source/recording.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1128000,AVERAGE-BANDWIDTH=1128000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=854x480,FRAME-RATE=30.000,AUDIO="audio"
480p/recording.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1600,AVERAGE-BANDWIDTH=1600,CODECS="avc1.64001f",RESOLUTION=1280x720,URI="source/iframes.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1600,AVERAGE-BANDWIDTH=1600,CODECS="avc1.64001f",RESOLUTION=854x480,URI="480p/iframes.m3u8"
"#
    );
}

#[test]
fn what_is_stored_can_be_rewound_to_its_beginning() {
    let later = |msn| SegmentRecord {
        epoch: Epoch(4),
        ..record(msn)
    };
    let mut back = later(3);
    back.discontinuity = true;
    // Segment 5 is on its way: the list ends before it.
    let records = [gap(0), record(1), gap(2), back, later(4), later(6)];
    let source = "source".parse().unwrap();
    assert_eq!(
        dvr(source, &records, false),
        r#"#EXTM3U
#EXT-X-VERSION:8
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-MAP:URI="../3/source/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:04:58.000Z
#EXTINF:2.00000,
../3/source/1.m4s
#EXT-X-GAP
#EXTINF:2.00000,
../3/source/2.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="../4/source/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:05:02.000Z
#EXTINF:2.00000,
../4/source/3.m4s
#EXTINF:2.00000,
../4/source/4.m4s
"#
    );
    let ended = dvr(source, &records, true);
    assert!(ended.contains("TYPE:VOD\n") && ended.ends_with("#EXT-X-ENDLIST\n"));
}

#[test]
fn i_frames_are_where_segments_begin() {
    let headless = SegmentRecord {
        first_unit_end: 0,
        ..record(2)
    };
    assert_eq!(
        i_frames("source".parse().unwrap(), &[record(1), headless], true),
        r#"#EXTM3U
#EXT-X-VERSION:8
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-I-FRAMES-ONLY
#EXT-X-MAP:URI="../3/source/init-0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:04:58.000Z
#EXTINF:2.00000,
#EXT-X-BYTERANGE:400@0
../3/source/1.m4s
#EXT-X-GAP
#EXTINF:2.00000,
../3/source/2.m4s
#EXT-X-ENDLIST
"#
    );
}

#[test]
fn without_a_segment_the_nominal_bit_rate_is_told() {
    let init = InitRecord {
        epoch: Epoch(1),
        rendition: "480p".parse().unwrap(),
        n: 0,
        codec: "avc1.64001e".into(),
        resolution: Some((854, 480)),
        channels: None,
        language: None,
        name: None,
    };
    let variant = Variant::measure(init, std::iter::once(&gap(0)), 1_200_000);
    assert_eq!(
        (variant.peak, variant.average, variant.frame_rate),
        (1_200_000, 1_200_000, None)
    );
    let playlist = Multivariant {
        phase: Phase::Live,
        independent: false,
        steering: false,
        variants: vec![variant],
    };
    assert!(
        playlist
            .render(None)
            .ends_with("RESOLUTION=854x480\n480p/index.m3u8\n")
    );
}

fn sound(name: &str, codec: &str, language: Option<&str>) -> Variant {
    let init = InitRecord {
        epoch: Epoch(1),
        rendition: name.parse().unwrap(),
        n: 0,
        codec: codec.into(),
        resolution: None,
        channels: Some(2),
        language: language.map(str::to_owned),
        name: None,
    };
    Variant::measure(init, std::iter::empty(), 100_000)
}

#[test]
fn every_picture_is_listed_with_every_group_of_sound() {
    let picture = |name: &str, codec: &str, height: u32| {
        let mut variant = sound(name, codec, None);
        variant.init.resolution = Some((height * 16 / 9, height));
        variant.init.channels = None;
        variant
    };
    let mut original = sound("audio-3", "Opus", Some("en"));
    original.init.name = Some("Original".into());
    let playlist = Multivariant {
        phase: Phase::Live,
        independent: true,
        steering: false,
        variants: vec![
            picture("source", "av01.0.05M.08", 720),
            picture("source-2", "avc1.64001e", 360),
            sound("audio", "Opus", Some("en")),
            original,
            sound("audio-2", "mp4a.40.2", Some("en")),
            sound("audio-aac", "mp4a.40.2", Some("en")),
        ],
    };
    let text = playlist.render(None);
    let media = |group: &str, name: &str, rest: &str, uri: &str| {
        format!(
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"{name}\",LANGUAGE=\"en\",{rest},\
             CHANNELS=\"2\",URI=\"{uri}/index.m3u8\"\n"
        )
    };
    let variant = |codecs: &str, resolution: &str, group: &str, uri: &str| {
        format!(
            "#EXT-X-STREAM-INF:BANDWIDTH=200000,AVERAGE-BANDWIDTH=200000,CODECS=\"{codecs}\",\
             RESOLUTION={resolution},AUDIO=\"{group}\"\n{uri}/index.m3u8\n"
        )
    };
    let expected = [
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned(),
        media("audio-aac", "en", "DEFAULT=YES,AUTOSELECT=YES", "audio-aac"),
        media("audio", "en", "DEFAULT=YES,AUTOSELECT=YES", "audio"),
        media("audio", "en (2)", "DEFAULT=NO,AUTOSELECT=NO", "audio-2"),
        media("audio", "Original", "DEFAULT=NO,AUTOSELECT=NO", "audio-3"),
        variant("av01.0.05M.08,mp4a.40.2", "1280x720", "audio-aac", "source"),
        variant("avc1.64001e,mp4a.40.2", "640x360", "audio-aac", "source-2"),
        variant(
            "av01.0.05M.08,Opus,mp4a.40.2",
            "1280x720",
            "audio",
            "source",
        ),
        variant("avc1.64001e,Opus,mp4a.40.2", "640x360", "audio", "source-2"),
    ];
    assert_eq!(text, expected.concat());
}
