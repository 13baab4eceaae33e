//! The URL grammar: a path that is taken has one spelling.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_model::{MediaPath, path::delivery_directives};

fuzz_target!(|text: &str| {
    if let Some(path) = MediaPath::parse(text) {
        assert_eq!(path.to_string(), text);
    }
    let _ = delivery_directives(text);
});
