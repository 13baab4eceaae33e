//! Opus identification headers and packets.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use weir_media::codec::{OpusConfig, opus::packet_samples};

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = OpusConfig::parse(Bytes::copy_from_slice(data)) {
        assert!((1..=8).contains(&config.channels));
        let read = OpusConfig::from_specific_box(&config.specific_box());
        assert!(read.is_ok_and(|read| read.pre_skip == config.pre_skip));
    }
    let _ = OpusConfig::from_specific_box(data);
    assert!(packet_samples(data).is_none_or(|samples| (1..=5760).contains(&samples)));
});
