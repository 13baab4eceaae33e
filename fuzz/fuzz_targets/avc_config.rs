//! AVCDecoderConfigurationRecord and the parameter sets in it.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use weir_media::codec::AvcConfig;

fuzz_target!(|record: &[u8]| {
    if let Ok(config) = AvcConfig::parse(Bytes::copy_from_slice(record)) {
        assert!(config.width > 0 && config.height > 0);
        assert_eq!(config.rfc6381().len(), "avc1.64001f".len());
        assert!(config.parameter_sets().count() >= 2);
        config.display_width();
    }
});
