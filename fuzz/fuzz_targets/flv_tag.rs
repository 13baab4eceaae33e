//! Bodies of FLV tags: every frame that leaves has sound NAL lengths, if its codec has any.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_ingest::flv::{Demuxer, Tag};
use weir_media::{
    codec::annexb::length_prefixed_nal_units,
    unit::{TrackConfig, TrackKind},
};

fuzz_target!(|bodies: Vec<(bool, Vec<u8>)>| {
    let mut demuxer = Demuxer::default();
    let mut in_nal_units = false;
    for (video, body) in bodies {
        let tag = if video {
            demuxer.video(body.into())
        } else {
            demuxer.audio(body.into())
        };
        while let Some(refused) = demuxer.poll_refused_track() {
            assert_ne!(refused.id, 0, "the first track is an error");
        }
        while let Some((index, tag)) = demuxer.poll_track() {
            assert!(!index.is_lead() && tag != Tag::Ignored);
        }
        match tag {
            Ok(Tag::Config(config)) if config.kind() == TrackKind::Video => {
                in_nal_units = matches!(config, TrackConfig::Avc(_) | TrackConfig::Hevc(_));
            }
            Ok(Tag::ConfiguredFrame(config, frame)) => {
                assert!(matches!(config, TrackConfig::Av1(_) | TrackConfig::Vp9(_)));
                assert!(frame.keyframe);
                in_nal_units = false;
            }
            // What is not known to be in NAL units comes without a configuration at first.
            Ok(Tag::Ignored) if video => in_nal_units = false,
            Ok(Tag::Frame(frame)) if frame.kind == TrackKind::Video && in_nal_units => {
                let nals: Result<Vec<_>, _> = length_prefixed_nal_units(&frame.data).collect();
                assert!(nals.is_ok_and(|nals| nals.iter().all(|nal| !nal.is_empty())));
            }
            _ => {}
        }
    }
});
