//! What a store has of sketches and breakdowns: whatever is read is written again as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_stats::{breakdown::Breakdown, cell::Cell, dimension::Dimension};

fuzz_target!(|bytes: &[u8]| {
    if let Some(cell) = Cell::with_sketches(Default::default(), bytes) {
        assert_eq!(cell.sketches(), bytes);
        let _ = cell.uniques.estimate();
    }
    for dimension in Dimension::ALL {
        if let Ok(breakdown) = Breakdown::decode(dimension, bytes) {
            assert_eq!(breakdown.encode(), bytes);
        }
    }
});
