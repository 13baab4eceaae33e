//! AMF0: what is read can be written and reads back the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_ingest::amf0;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(values) = amf0::read(bytes) {
        let written = amf0::write(&values);
        // Compared as bytes: a number may be NaN.
        let again = amf0::read(&written).map(|values| amf0::write(&values));
        assert!(values.iter().any(has_long_text) || again == Ok(written));
    }
});

/// A string that only fits the long form, which is not written.
fn has_long_text(value: &amf0::Value) -> bool {
    match value {
        amf0::Value::String(text) => text.len() > usize::from(u16::MAX),
        amf0::Value::Object(properties) => properties
            .iter()
            .any(|(key, value)| key.len() > usize::from(u16::MAX) || has_long_text(value)),
        amf0::Value::Array(values) => values.iter().any(has_long_text),
        _ => false,
    }
}
