//! AV1CodecConfigurationRecord, sequence headers, and temporal units.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use weir_media::codec::{Av1Config, av1::TemporalUnit};

fn check(config: &Av1Config) {
    assert!(config.picture.width > 0 && config.picture.height > 0);
    assert!(config.rfc6381().starts_with("av01."));
}

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = Av1Config::parse(Bytes::copy_from_slice(data)) {
        check(&config);
    }
    if let Ok(config) = Av1Config::from_sequence_header(data) {
        check(&config);
        assert!(config.has_sequence_header(data));
    }
    if let Ok(unit) = TemporalUnit::read(&Bytes::copy_from_slice(data)) {
        let again = TemporalUnit::read(&unit.data).expect("what was read can be read");
        assert_eq!(again, unit);
    }
});
