//! Bodies of FLV tags: every frame that leaves has sound NAL lengths.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_ingest::flv::{Demuxer, Tag};
use weir_media::{codec::annexb::length_prefixed_nal_units, unit::TrackKind};

fuzz_target!(|bodies: Vec<(bool, Vec<u8>)>| {
    let mut demuxer = Demuxer::default();
    let mut configured = false;
    for (video, body) in bodies {
        let tag = if video {
            demuxer.video(body.into())
        } else {
            demuxer.audio(body.into())
        };
        match tag {
            Ok(Tag::Config(config)) => configured |= config.kind() == TrackKind::Video,
            Ok(Tag::Frame(frame)) if frame.kind == TrackKind::Video && configured => {
                let nals: Result<Vec<_>, _> = length_prefixed_nal_units(&frame.data).collect();
                assert!(nals.is_ok_and(|nals| nals.iter().all(|nal| !nal.is_empty())));
            }
            _ => {}
        }
    }
});
