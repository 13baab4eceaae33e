//! HEVCDecoderConfigurationRecord and the parameter sets in it.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use weir_media::codec::HevcConfig;

fuzz_target!(|record: &[u8]| {
    if let Ok(config) = HevcConfig::parse(Bytes::copy_from_slice(record)) {
        assert!(config.picture.width > 0 && config.picture.height > 0);
        assert!(config.rfc6381().starts_with("hvc1."));
        assert!(config.parameter_sets().count() >= 3);
        assert_eq!(HevcConfig::parse(config.record.clone()), Ok(config));
    }
});
