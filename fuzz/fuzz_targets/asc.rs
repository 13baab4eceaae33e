//! AudioSpecificConfig.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use weir_media::codec::AacConfig;

fuzz_target!(|asc: &[u8]| {
    if let Ok(config) = AacConfig::parse(Bytes::copy_from_slice(asc)) {
        assert!((7_350..=96_000).contains(&config.sample_rate));
        assert!((1..=8).contains(&config.channels));
    }
});
