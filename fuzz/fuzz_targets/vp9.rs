//! VPCodecConfigurationRecord and the headers of VP9's frames.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use weir_media::codec::{Vp9Config, vp9::keyframe_size};

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (record, frame) = input;
    if let Some((width, height)) = keyframe_size(&frame) {
        assert!((1..=1 << 16).contains(&width) && (1..=1 << 16).contains(&height));
        if let Ok(config) = Vp9Config::parse(Bytes::from(record), width, height) {
            assert!(config.rfc6381().starts_with("vp09."));
        }
    }
});
