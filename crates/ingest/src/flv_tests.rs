use proptest::prelude::*;
use weir_media::codec::annexb::length_prefixed_nal_units;

use super::*;

/// Tags that name their codec by FourCC.
#[path = "flv/enhanced_tests.rs"]
mod enhanced;

/// What x264 writes for 320x180 in main profile.
const AVCC: &[u8] = b"\x01\x4d\x40\x0c\xff\xe1\x00\x19\
    \x67\x4d\x40\x0c\xec\xa0\xa0\xcf\xcf\x80\x88\x00\x00\x03\x00\x08\x00\x00\x03\x01\x90\x78\xa1\x4c\xb0\
    \x01\x00\x05\x68\xeb\xe3\xcb\x20";
/// AAC-LC, 44.1 kHz, stereo.
const ASC: &[u8] = &[0x12, 0x10];

fn tag(header: &[u8], rest: &[u8]) -> Bytes {
    [header, rest].concat().into()
}

fn configured(avcc: &[u8]) -> Demuxer {
    let mut demuxer = Demuxer::default();
    let tag = demuxer.video(tag(&[0x17, 0, 0, 0, 0], avcc)).unwrap();
    assert!(matches!(tag, Tag::Config(TrackConfig::Avc(_))));
    demuxer
}

fn video_frame(composition_ms: i32, keyframe: bool, data: &'static [u8]) -> Tag {
    let data = Bytes::from_static(data);
    Tag::Frame(Frame {
        kind: TrackKind::Video,
        composition_ms,
        composition_ns: 0,
        keyframe,
        data,
    })
}

#[test]
fn reads_sequence_headers() {
    let mut demuxer = Demuxer::default();
    let Tag::Config(TrackConfig::Avc(avc)) = demuxer.video(tag(&[0x17, 0, 0, 0, 0], AVCC)).unwrap()
    else {
        panic!("no H.264 configuration");
    };
    assert_eq!((avc.width, avc.height, &avc.record[..]), (320, 180, AVCC));
    let Tag::Config(TrackConfig::Aac(aac)) = demuxer.audio(tag(&[0xaf, 0], ASC)).unwrap() else {
        panic!("no AAC configuration");
    };
    assert_eq!((aac.sample_rate, aac.channels), (44_100, 2));
}

#[test]
fn reads_frames_with_their_composition_time() {
    let mut demuxer = configured(AVCC);
    let check = |demuxer: &mut Demuxer, header: &[u8], data: &'static [u8], expected| {
        assert_eq!(demuxer.video(tag(header, data)), Ok(expected));
    };
    let idr = b"\0\0\0\x02\x06\x05\0\0\0\x03\x65\x88\x84";
    check(
        &mut demuxer,
        &[0x17, 1, 0, 0, 80],
        idr,
        video_frame(80, true, idr),
    );
    let inter = b"\0\0\0\x02\x41\x9a";
    check(
        &mut demuxer,
        &[0x27, 1, 0xff, 0xff, 0xff],
        inter,
        video_frame(-1, false, inter),
    );
    // The frame type says key frame, but a decoder can't start at an I picture that is no IDR.
    check(
        &mut demuxer,
        &[0x17, 1, 0, 0, 0],
        inter,
        video_frame(0, false, inter),
    );
    check(
        &mut demuxer,
        &[0x27, 2, 0, 0, 0],
        b"",
        Tag::EndOfSequence(TrackKind::Video),
    );

    let sound = demuxer.audio(tag(&[0xaf, 1], b"\x21\x10")).unwrap();
    let data = Bytes::from_static(b"\x21\x10");
    let kind = TrackKind::Audio;
    assert_eq!(
        sound,
        Tag::Frame(Frame {
            kind,
            composition_ms: 0,
            composition_ns: 0,
            keyframe: true,
            data
        })
    );
}

#[test]
fn takes_h264_and_aac_by_four_cc() {
    let mut demuxer = Demuxer::default();
    let start = demuxer.video(tag(b"\x90avc1", AVCC)).unwrap();
    assert!(matches!(start, Tag::Config(TrackConfig::Avc(_))));
    let idr = b"\0\0\0\x03\x65\x88\x84";
    let frames = [(&b"\x91avc1\0\0\x28"[..], 40), (b"\x93avc1", 0)];
    for (header, composition_ms) in frames {
        let frame = demuxer.video(tag(header, idr)).unwrap();
        assert_eq!(frame, video_frame(composition_ms, true, idr));
    }
    let end = demuxer.video(tag(b"\x92avc1", b"")).unwrap();
    assert_eq!(end, Tag::EndOfSequence(TrackKind::Video));
    let start = demuxer.audio(tag(b"\x90mp4a", ASC)).unwrap();
    assert!(matches!(start, Tag::Config(TrackConfig::Aac(_))));
    assert!(matches!(
        demuxer.audio(tag(b"\x91mp4a", b"\x21")),
        Ok(Tag::Frame(_))
    ));
}

#[test]
fn normalises_nal_units_to_four_byte_lengths() {
    let mut avcc = AVCC.to_vec();
    avcc[4] = 0xfd;
    let mut demuxer = Demuxer::default();
    let Tag::Config(TrackConfig::Avc(avc)) =
        demuxer.video(tag(&[0x17, 0, 0, 0, 0], &avcc)).unwrap()
    else {
        panic!("no H.264 configuration");
    };
    assert_eq!(avc.record, AVCC);
    let frame = demuxer
        .video(tag(&[0x17, 1, 0, 0, 0], b"\0\x02\x06\x05\0\0\0\x01\x65"))
        .unwrap();
    assert_eq!(
        frame,
        video_frame(0, true, b"\0\0\0\x02\x06\x05\0\0\0\x01\x65")
    );
}

#[test]
fn drops_empty_nal_units_and_empty_bodies() {
    let mut demuxer = configured(AVCC);
    let frame = demuxer
        .video(tag(&[0x17, 1, 0, 0, 0], b"\0\0\0\0\0\0\0\x01\x65"))
        .unwrap();
    assert_eq!(frame, video_frame(0, true, b"\0\0\0\x01\x65"));
    for body in [
        &b""[..],
        b"\x17\x01\0\0\0",
        b"\x17\x01\0\0\0\0\0\0\0",
        b"\x57\0",
    ] {
        assert_eq!(demuxer.video(tag(body, b"")), Ok(Tag::Ignored), "{body:?}");
    }
    for body in [&b""[..], b"\xaf\x01"] {
        assert_eq!(demuxer.audio(tag(body, b"")), Ok(Tag::Ignored), "{body:?}");
    }
}

#[test]
fn refuses_lying_lengths() {
    let mut demuxer = configured(AVCC);
    let frame = demuxer.video(tag(&[0x17, 1, 0, 0, 0], b"\xff\xff\xff\xff\x65"));
    assert_eq!(
        frame,
        Err(FlvError::NalLength {
            declared: 0xffff_ffff,
            left: 1
        })
    );
    let frame = demuxer.video(tag(&[0x17, 1, 0, 0, 0], b"\0\0\0\x01\x65\0\0"));
    assert_eq!(
        frame,
        Err(FlvError::NalLength {
            declared: 4,
            left: 2
        })
    );
    let header = demuxer.video(tag(&[0x17, 0, 0, 0, 0], &AVCC[..12]));
    assert_eq!(header, Err(FlvError::Avc(InvalidAvc::Truncated(12))));
    let header = demuxer.video(tag(&[0x17, 0, 0], b""));
    assert_eq!(
        header,
        Err(FlvError::Truncated {
            kind: TrackKind::Video,
            len: 3
        })
    );
    // Modifiers chained for as long as the tag is.
    let chain = b"\x97"
        .iter()
        .chain(b"\0\0\x17".iter().cycle().take(30_000));
    let body = Bytes::from_iter(chain.copied());
    assert_eq!(
        demuxer.video(body),
        Err(FlvError::Truncated {
            kind: TrackKind::Video,
            len: 30_001
        })
    );
}

#[test]
fn names_what_is_not_taken() {
    let video = |body: &[u8]| {
        Demuxer::default()
            .video(tag(body, b""))
            .unwrap_err()
            .to_string()
    };
    let audio = |body: &[u8]| {
        Demuxer::default()
            .audio(tag(body, b""))
            .unwrap_err()
            .to_string()
    };
    const VIDEO: &str = "set the encoder to H.264, HEVC, AV1 or VP9";
    const AUDIO: &str = "set the encoder to AAC or Opus";
    for (body, name) in [
        (&b"\x1c\0\0\0\0"[..], "HEVC without Enhanced RTMP"),
        (b"\x22", "Sorenson H.263"),
        (b"\x24", "On2 VP6"),
        (b"\x90vp08", "VP8"),
        (b"\x91vp08\x10", "VP8"),
        (b"\x90xyz\x1b", "of FourCC xyz\\x1b"),
    ] {
        assert_eq!(video(body), format!("the video is {name}; {VIDEO}"));
    }
    for (body, name) in [
        (&b"\x2f"[..], "MP3"),
        (b"\xbf", "Speex"),
        (b"\x7f", "G.711"),
        (b"\x90fLaC", "FLAC"),
        (b"\x91.mp3\xff", "MP3"),
        (b"\x90ac-3", "AC-3"),
        (b"\x90ec-3", "E-AC-3"),
    ] {
        assert_eq!(audio(body), format!("the audio is {name}; {AUDIO}"));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bodies: Vec<(bool, Vec<u8>)>) {
        let mut demuxer = configured(AVCC);
        for (video, body) in bodies {
            let _ = if video { demuxer.video(body.into()) } else { demuxer.audio(body.into()) };
        }
    }

    #[test]
    fn frames_leave_with_sound_lengths(
        length_size in prop::sample::select(vec![1usize, 2, 4]),
        nals in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..6),
    ) {
        let mut avcc = AVCC.to_vec();
        avcc[4] = 0xfc | (length_size as u8 - 1);
        let mut body = vec![0x27, 1, 0, 0, 0];
        for nal in &nals {
            body.extend_from_slice(&(nal.len() as u32).to_be_bytes()[4 - length_size..]);
            body.extend_from_slice(nal);
        }
        let kept: Vec<_> = nals.iter().filter(|nal| !nal.is_empty()).collect();
        match configured(&avcc).video(body.into()).unwrap() {
            Tag::Frame(frame) => {
                let read: Vec<_> = length_prefixed_nal_units(&frame.data).map(Result::unwrap).collect();
                prop_assert_eq!(read, kept);
            }
            other => {
                prop_assert_eq!(other, Tag::Ignored);
                prop_assert!(kept.is_empty());
            }
        }
    }
}
