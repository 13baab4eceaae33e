use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    codec::{AacConfig, AvcConfig, samples},
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

fn frames() -> impl Strategy<Value = Frame> {
    let rung = ("[a-z]{1,16}", 1u32..5000, 1u32..50_000).prop_map(|(id, height, bitrate_kbps)| {
        LadderRung {
            id: id.parse().unwrap(),
            height,
            bitrate_kbps,
        }
    });
    let job = prop::collection::vec(rung, 0..4)
        .prop_map(|renditions| Frame::Job(LadderJob { renditions }));
    let video = AvcConfig::parse(Bytes::from_static(samples::X264_720P)).unwrap();
    let audio = AacConfig::parse(Bytes::from_static(samples::AAC_48K_STEREO)).unwrap();
    let config = prop_oneof![Just(TrackConfig::Avc(video)), Just(TrackConfig::Aac(audio))]
        .prop_map(|config| Frame::Config {
            rendition: "480p".parse().unwrap(),
            config,
        });
    prop_oneof![job, config, units(), Just(Frame::End)]
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
    fn any_payload_is_a_frame_or_refused(kind in 0u8..6, payload: Vec<u8>) {
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
