//! The stored state of a viewer: what is taken has one spelling.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_stats::viewer::Viewer;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(viewer) = Viewer::decode(bytes) {
        assert_eq!(viewer.encode(), bytes);
    }
});
