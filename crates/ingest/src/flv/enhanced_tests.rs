//! Tags that name their codec by FourCC (Enhanced RTMP v2, "Enhanced Video" and "Enhanced Audio").

use super::*;

/// What x265 writes for 854x480.
const HVCC: &[u8] = b"\
    \x01\x01\x60\x00\x00\x00\x90\x00\x00\x00\x00\x00\x5a\xf0\x00\xfc\xfd\xf8\xf8\x00\x00\x0f\x03\x20\
    \x00\x01\x00\x18\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\
    \x5a\x95\x94\x09\x21\x00\x01\x00\x2c\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\
    \x03\x00\x5a\xa0\x06\xb2\x01\xe1\xd7\x96\x56\x59\x24\xca\xf0\xe6\xa0\x40\x40\x20\x80\x00\x01\xf4\
    \x80\x00\x3a\x98\x04\x22\x00\x01\x00\x07\x44\x01\xc1\x72\xb4\x62\x40";
/// What libaom writes for 854x480.
const AV1C: &[u8] = b"\
    \x81\x04\x0c\x00\x0a\x0b\x00\x00\x00\x24\xc6\xab\xdf\x36\xbe\x40\x10";
/// The start of SVT-AV1's first temporal unit of 854x480, its frame cut, ...
const AV1_KEY: &[u8] =
    b"\x12\x00\x0a\x0c\x02\x00\x00\x25\x26\x35\x5e\xf8\x95\xf2\x00\x80\x32\x02\x10\x00";
/// ... and of the second.
const AV1_INTER: &[u8] = b"\x12\x00\x32\x02\x28\x08";
/// libvpx, profile 0 at level 3.0.
const VPCC: &[u8] = b"\x00\x1e\x82\x02\x02\x02\x00\x00";
/// The start of a key frame of 854x480.
const VP9_KEY: &[u8] = b"\x82\x49\x83\x42\x00\x35\x50\x1d\xf6\x06";
/// One of 1280x720.
const VP9_KEY_720P: &[u8] = b"\x82\x49\x83\x42\x00\x4f\xf0\x2c\xf6\x06";
const VP9_INTER: &[u8] = b"\x86\x00\x40";
/// Stereo.
const OPUS_HEAD: &[u8] = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";

/// A byte of frame type and packet type, and the FourCC.
fn header(first: u8, four_cc: &str) -> Vec<u8> {
    [&[first], four_cc.as_bytes()].concat()
}

fn video(demuxer: &mut Demuxer, first: u8, four_cc: &str, rest: &[u8]) -> Tag {
    demuxer.video(tag(&header(first, four_cc), rest)).unwrap()
}

fn frame(tag: Tag) -> Frame {
    match tag {
        Tag::Frame(frame) => frame,
        other => panic!("no frame: {other:?}"),
    }
}

#[test]
fn takes_hevc() {
    let mut demuxer = Demuxer::default();
    // Two-byte lengths, made four.
    let mut hvcc = HVCC.to_vec();
    hvcc[21] = 0x0d;
    let Tag::Config(TrackConfig::Hevc(config)) = video(&mut demuxer, 0x90, "hvc1", &hvcc) else {
        panic!("no HEVC configuration");
    };
    assert_eq!(config.rfc6381(), "hvc1.1.6.L90.90");
    // IDR_W_RADL, behind a composition time; then a CRA picture, which may begin an open GOP.
    let idr = frame(video(
        &mut demuxer,
        0x91,
        "hvc1",
        b"\0\0\x50\0\x03\x26\x01\xaf",
    ));
    assert_eq!(idr.data, b"\0\0\0\x03\x26\x01\xaf"[..]);
    assert_eq!((idr.keyframe, idr.composition_ms), (true, 80));
    let cra = frame(video(&mut demuxer, 0x93, "hvc1", b"\0\x03\x2a\x01\xaf"));
    assert_eq!((cra.keyframe, cra.composition_ms), (false, 0));
    assert_eq!(
        video(&mut demuxer, 0x92, "hvc1", b""),
        Tag::EndOfSequence(TrackKind::Video)
    );
}

#[test]
fn takes_av1_and_its_sequence_header_wherever_it_is() {
    let mut told = Demuxer::default();
    let start = video(&mut told, 0x90, "av01", AV1C);
    assert!(matches!(start, Tag::Config(TrackConfig::Av1(_))));
    assert!(!frame(video(&mut told, 0xa1, "av01", AV1_INTER)).keyframe);

    // FFmpeg begins with an empty sequence header; some never send another one.
    let mut untold = Demuxer::default();
    assert_eq!(video(&mut untold, 0x90, "av01", b""), Tag::Ignored);
    let Tag::ConfiguredFrame(TrackConfig::Av1(config), key) =
        video(&mut untold, 0x91, "av01", AV1_KEY)
    else {
        panic!("no AV1 configuration");
    };
    assert_eq!((config.picture.width, config.picture.height), (854, 480));
    assert!(key.keyframe);
    assert_eq!(key.data, AV1_KEY[2..], "without its temporal delimiter");
    // The same sequence header again is no news.
    assert!(frame(video(&mut untold, 0x91, "av01", AV1_KEY)).keyframe);
}

#[test]
fn takes_vp9_and_the_size_from_its_key_frames() {
    for prefix in [&b""[..], b"\x01\0\0\0"] {
        let mut demuxer = Demuxer::default();
        let record = [prefix, VPCC].concat();
        assert_eq!(video(&mut demuxer, 0x90, "vp09", &record), Tag::Ignored);
        assert!(!frame(video(&mut demuxer, 0xa1, "vp09", VP9_INTER)).keyframe);
        for (key_frame, size) in [(VP9_KEY, (854, 480)), (VP9_KEY_720P, (1280, 720))] {
            let Tag::ConfiguredFrame(TrackConfig::Vp9(config), key) =
                video(&mut demuxer, 0x91, "vp09", key_frame)
            else {
                panic!("no VP9 configuration");
            };
            assert_eq!((config.picture.width, config.picture.height), size);
            assert_eq!((config.record, key.keyframe), (VPCC.into(), true));
            assert!(frame(video(&mut demuxer, 0x91, "vp09", key_frame)).keyframe);
        }
    }
}

#[test]
fn takes_opus() {
    let mut demuxer = Demuxer::default();
    let Ok(Tag::Config(TrackConfig::Opus(config))) = demuxer.audio(tag(b"\x90Opus", OPUS_HEAD))
    else {
        panic!("no Opus configuration");
    };
    assert_eq!((config.channels, config.pre_skip), (2, 312));
    // How channels lie, as FFmpeg tells it.
    let channels = demuxer.audio(tag(b"\x94Opus", b"\x01\x02\0\0\0\x03"));
    assert_eq!(channels, Ok(Tag::Ignored));
    let packet = demuxer.audio(tag(b"\x91Opus", b"\xf8\x72"));
    assert_eq!(frame(packet.unwrap()).data, b"\xf8\x72"[..]);
}

#[test]
fn adds_nanoseconds_to_the_composition_time() {
    let mut demuxer = configured(AVCC);
    // ModEx with 3 bytes, 500,000 ns, then CodedFrames; a modifier nobody knows in front.
    let mut body = b"\x97\x01\xaa\xbb\x17".to_vec();
    body.extend(b"\x02\x07\xa1\x20\x01avc1\0\0\x28\0\0\0\x01\x65");
    let read = frame(demuxer.video(body.into()).unwrap());
    assert_eq!((read.composition_ms, read.composition_ns), (40, 500_000));
    let body = b"\x97\x02\xff\xff\xff\x03avc1\0\0\0\x01\x65";
    let read = frame(demuxer.video(body[..].into()).unwrap());
    assert_eq!(read.composition_ns, 999_999, "never a millisecond");
    let body = b"\x97\x02\0\0\x07\x01Opus\xf8";
    let read = frame(demuxer.audio(body[..].into()).unwrap());
    assert_eq!(read.composition_ns, 7);
    // An offset of two bytes.
    let error = demuxer.video(b"\x97\x01\0\0\x01avc1"[..].into());
    assert!(matches!(error, Err(FlvError::Header { .. })), "{error:?}");
}

#[test]
fn leaves_metadata_and_commands_aside() {
    let mut demuxer = Demuxer::default();
    for body in [&b"\xd4hvc1\x02\0\x09colorInfo"[..], b"\xd0\0", b"\xd1\x01"] {
        assert_eq!(demuxer.video(body.into()), Ok(Tag::Ignored), "{body:?}");
    }
    let error = demuxer.video(b"\x95av01\0"[..].into());
    assert_eq!(error, Err(FlvError::Mpeg2TsSequenceStart));
}

/// A track of several: its id, its length, its bytes.
fn track(id: u8, data: &[u8]) -> Vec<u8> {
    let len = (data.len() as u32).to_be_bytes();
    [&[id], &len[1..], data].concat()
}

fn further(demuxer: &mut Demuxer) -> Vec<(usize, Tag)> {
    let tags = std::iter::from_fn(|| demuxer.poll_track());
    tags.map(|(index, tag)| (index.get(), tag)).collect()
}

#[test]
fn takes_further_tracks_each_in_its_own_coding() {
    let idr = b"\0\0\0\x01\x65";
    let mut demuxer = Demuxer::default();
    // OneTrack: the headers of track 0, and of track 2 with lengths of two bytes.
    let start = [&b"\x96\x00avc1\x00"[..], AVCC].concat();
    let start = demuxer.video(start.into()).unwrap();
    assert!(matches!(start, Tag::Config(TrackConfig::Avc(_))));
    let mut short = AVCC.to_vec();
    short[4] = 0xfd;
    let other = [&b"\x96\x00avc1\x02"[..], &short].concat();
    assert_eq!(demuxer.video(other.into()), Ok(Tag::Ignored));
    let configs = further(&mut demuxer);
    assert!(matches!(
        &configs[..],
        [(2, Tag::Config(TrackConfig::Avc(_)))]
    ));
    // ManyTracks of CodedFramesX, one of which comes twice.
    let two = track(2, b"\0\x01\x65");
    let many = [&b"\x96\x13avc1"[..], &two, &track(0, idr), &two];
    assert_eq!(
        frame(demuxer.video(many.concat().into()).unwrap()).data,
        idr[..]
    );
    let frames = further(&mut demuxer);
    let [(2, Tag::Frame(unit))] = &frames[..] else {
        panic!("{frames:?}")
    };
    assert_eq!((&unit.data[..], unit.keyframe), (&idr[..], true));
    // ManyTracksManyCodecs.
    let codecs = [
        &b"\x96\x20"[..],
        b"avc1",
        &track(0, AVCC),
        b"av01",
        &track(1, AV1C),
    ];
    assert!(matches!(
        demuxer.video(codecs.concat().into()),
        Ok(Tag::Config(_))
    ));
    let configs = further(&mut demuxer);
    assert!(matches!(
        &configs[..],
        [(1, Tag::Config(TrackConfig::Av1(_)))]
    ));
    // Sound in another codec than the first.
    let sound = [&b"\x95\x00Opus\x01"[..], OPUS_HEAD].concat();
    assert_eq!(demuxer.audio(sound.into()), Ok(Tag::Ignored));
    let configs = further(&mut demuxer);
    assert!(matches!(
        &configs[..],
        [(1, Tag::Config(TrackConfig::Opus(_)))]
    ));
    assert_eq!(demuxer.poll_refused_track(), None);
}

#[test]
fn refuses_tracks_that_are_too_many_or_of_no_use_and_goes_on() {
    let idr = b"\0\0\0\x01\x65";
    let mut demuxer = configured(AVCC);
    let codecs = [
        &b"\x96\x23"[..],
        b"vvc1",
        &track(2, b"?"),
        b"avc1",
        &track(0, idr),
        b"avc1",
        &track(8, idr),
    ]
    .concat();
    for _ in 0..2 {
        let read = demuxer.video(codecs.clone().into()).unwrap();
        assert!(frame(read).keyframe);
    }
    let sound = demuxer.audio(b"\x95\x00fLaC\x01?"[..].into());
    assert_eq!(sound, Ok(Tag::Ignored));
    // What was refused stays refused.
    let healed = [&b"\x96\x00avc1\x02"[..], AVCC].concat();
    assert_eq!(demuxer.video(healed.into()), Ok(Tag::Ignored));
    assert_eq!(further(&mut demuxer), []);
    let told: Vec<_> = std::iter::from_fn(|| demuxer.poll_refused_track())
        .map(|track| track.to_string())
        .collect();
    assert_eq!(
        told,
        [
            "video track 2 is not taken: the video is VVC; set the encoder to H.264, HEVC, AV1 or \
             VP9",
            "video track 8 is not taken: tracks 0 to 7 are",
            "audio track 1 is not taken: the audio is FLAC; set the encoder to AAC or Opus",
        ]
    );
    // The first track is held to what it says.
    let lead = demuxer.audio(b"\x95\x00fLaC\x00?"[..].into());
    assert!(
        matches!(lead, Err(FlvError::UnsupportedAudio(_))),
        "{lead:?}"
    );
}

#[test]
fn refuses_tracks_that_do_not_fit() {
    let mut demuxer = Demuxer::default();
    let body = b"\x96\x13avc1\x00\0\0\x09\x65";
    assert_eq!(
        demuxer.video(body[..].into()),
        Err(FlvError::TrackLength {
            kind: TrackKind::Video,
            id: 0,
            declared: 9,
            left: 1
        })
    );
    for body in [&b"\x96\x13avc1\x00\0"[..], b"\x96\x23av", b"\x95\x33"] {
        let read = demuxer.video(body.into());
        assert!(read.is_err(), "{body:?}: {read:?}");
    }
    let nested = demuxer.video(b"\x96\x06avc1"[..].into());
    assert!(matches!(nested, Err(FlvError::Header { .. })), "{nested:?}");
    let unknown = demuxer.audio(b"\x95\x31mp4a\0"[..].into()).unwrap_err();
    assert!(unknown.to_string().contains("multitrack type 3 is unknown"));
}

proptest! {
    /// Random bytes rarely name a codec; these do.
    #[test]
    fn any_packets_are_read_or_refused(
        packets in prop::collection::vec(
            (0u8..8, 0usize..7, prop::collection::vec(any::<u8>(), 0..80)), 1..20)
    ) {
        let mut demuxer = configured(AVCC);
        for (packet_type, codec, rest) in packets {
            let codec = ["avc1", "hvc1", "av01", "vp09", "Opus", "mp4a", "fLaC"][codec];
            let body = Bytes::from([&header(0x90 | packet_type, codec), &rest[..]].concat());
            let _ = demuxer.video(body.clone());
            let _ = demuxer.audio(body);
        }
    }

    #[test]
    fn any_tracks_are_read_or_refused(
        packets in prop::collection::vec(
            (0u8..6, 0u8..4, 0usize..7, 0u8..10, prop::collection::vec(any::<u8>(), 0..60)), 1..20)
    ) {
        let mut demuxer = configured(AVCC);
        for (packet_type, layout, codec, id, rest) in packets {
            let codec = ["avc1", "hvc1", "av01", "vp09", "Opus", "mp4a", "fLaC"][codec].as_bytes();
            let tracks = match layout {
                0 => [codec, &[id], &rest].concat(),
                1 => [codec, &track(id, &rest), &track(0, &rest)].concat(),
                _ => [codec, &track(id, &rest), codec, &track(id ^ 1, &rest)].concat(),
            };
            let body = |first: u8| Bytes::from([&[first, layout << 4 | packet_type], &tracks[..]].concat());
            let _ = demuxer.video(body(0x96));
            let _ = demuxer.audio(body(0x95));
            for (index, tag) in further(&mut demuxer) {
                prop_assert!(index > 0 && tag != Tag::Ignored);
            }
            while let Some(refused) = demuxer.poll_refused_track() {
                prop_assert!(refused.id > 0);
            }
        }
    }
}
