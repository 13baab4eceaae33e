use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    codec::{AacConfig, Av1Config, AvcConfig, HevcConfig, OpusConfig, Vp9Config, samples},
    unit::{Timestamp, TrackConfig, TrackKind, Unit},
};

fn units() -> impl Strategy<Value = Frame> {
    let kind = prop_oneof![Just(TrackKind::Video), Just(TrackKind::Audio)];
    let data = prop::collection::vec(any::<u8>(), 0..300);
    (
        "[a-z0-9]{0,8}[a-z]",
        any::<bool>(),
        kind,
        any::<i64>(),
        any::<i64>(),
        any::<bool>(),
        data,
    )
        .prop_map(
            |(rendition, cut, kind, dts, pts, keyframe, data)| Frame::Unit {
                rendition: rendition.parse().unwrap(),
                cut,
                unit: Unit {
                    kind,
                    dts: Timestamp(dts),
                    pts: Timestamp(pts),
                    keyframe,
                    data: Bytes::from(data),
                },
            },
        )
}

/// One of each codec.
fn configs() -> Vec<TrackConfig> {
    let bytes = Bytes::from_static;
    vec![
        TrackConfig::Avc(AvcConfig::parse(bytes(samples::X264_720P)).unwrap()),
        TrackConfig::Hevc(HevcConfig::parse(bytes(samples::X265_1080P_HDR)).unwrap()),
        TrackConfig::Av1(Av1Config::parse(bytes(samples::AOM_480P)).unwrap()),
        TrackConfig::Vp9(Vp9Config::parse(bytes(samples::VPX_480P), 854, 480).unwrap()),
        TrackConfig::Aac(AacConfig::parse(bytes(samples::AAC_48K_STEREO)).unwrap()),
        TrackConfig::Opus(OpusConfig::parse(bytes(samples::OPUS_STEREO)).unwrap()),
    ]
}

fn frames() -> impl Strategy<Value = Frame> {
    let rung = ("[a-z]{1,16}", 1u32..5000, 1u32..50_000).prop_map(|(id, height, bitrate_kbps)| {
        LadderRung {
            id: id.parse().unwrap(),
            height,
            bitrate_kbps,
            fast_bitrate_kbps: bitrate_kbps * 2,
            codec: VideoCodec::Av1,
            encoder: EncoderChoice::SvtAv1,
            preset: Some(height.to_string()),
        }
    });
    let codec = prop_oneof![Just(AudioCodec::Aac), Just(AudioCodec::Opus)];
    let sound = (codec, 32u32..320).prop_map(|(codec, kbps)| SoundRung::new(codec, kbps));
    let rungs = (
        prop::collection::vec(rung, 0..4),
        prop::collection::vec(sound, 0..3),
    );
    let job = rungs.prop_map(|(renditions, sound)| {
        Frame::Job(LadderJob {
            live: renditions.len() > 1,
            renditions,
            sound,
        })
    });
    let state =
        ("[a-z]{1,16}", any::<bool>(), any::<i64>()).prop_map(|(id, made, at)| Frame::Rung {
            rendition: id.parse().unwrap(),
            state: if made {
                RungState::Made
            } else {
                RungState::Shed
            },
            at: Timestamp(at),
        });
    let config = prop::sample::select(configs()).prop_map(|config| Frame::Config {
        rendition: "480p".parse().unwrap(),
        config,
    });
    prop_oneof![
        job,
        config,
        units(),
        state,
        Just(Frame::End),
        Just(Frame::Idle),
        prop::option::of("[ -~]{0,40}").prop_map(|picture| Frame::Slate(SlateJob { picture })),
        any::<i64>().prop_map(|at| Frame::Again {
            rendition: "source".parse().unwrap(),
            at: Timestamp(at),
        }),
        any::<i64>().prop_map(|since| Frame::Undecodable {
            since: Timestamp(since),
        }),
    ]
}

proptest! {
    #[test]
    fn frames_survive_any_cutting(
        sent in prop::collection::vec(frames(), 0..8),
        cuts in prop::collection::vec(1usize..97, 1..20),
    ) {
        let bytes: Vec<u8> = sent.iter().flat_map(|frame| encode(frame).unwrap()).collect();
        let mut decoder = Decoder::default();
        let mut received = Vec::new();
        let mut rest = &bytes[..];
        for &cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            decoder.feed(now);
            while let Some(frame) = decoder.next_frame().unwrap() {
                received.push(frame);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(!decoder.is_mid_frame());
        prop_assert_eq!(received, sent);
    }

    #[test]
    fn any_bytes_are_frames_or_refused(bytes: Vec<u8>) {
        let mut decoder = Decoder::default();
        decoder.feed(&bytes);
        while let Ok(Some(_)) = decoder.next_frame() {}
    }

    /// Random bytes rarely get past the length; these do.
    #[test]
    fn any_payload_is_a_frame_or_refused(kind in 0u8..11, payload: Vec<u8>) {
        let mut decoder = Decoder::default();
        decoder.feed(&(payload.len() as u32 + 1).to_le_bytes());
        decoder.feed(&[kind]);
        decoder.feed(&payload);
        if let Ok(frame) = decoder.next_frame() {
            prop_assert!(frame.is_some());
            prop_assert!(!decoder.is_mid_frame());
        }
    }
}

#[test]
fn a_length_beyond_the_bound_is_refused_before_it_is_awaited() {
    let mut decoder = Decoder::default();
    decoder.feed(&(MAX_FRAME_LEN as u32 + 1).to_le_bytes());
    assert!(matches!(
        decoder.next_frame(),
        Err(InvalidFrame::TooLong(_))
    ));
}

#[test]
fn a_unit_too_large_is_not_sent() {
    let unit = Unit {
        kind: TrackKind::Video,
        dts: Timestamp(0),
        pts: Timestamp(0),
        keyframe: true,
        data: Bytes::from(vec![0; MAX_FRAME_LEN]),
    };
    let frame = Frame::Unit {
        rendition: "source".parse().unwrap(),
        cut: true,
        unit,
    };
    assert!(matches!(encode(&frame), Err(FrameTooLong(_))));
}
