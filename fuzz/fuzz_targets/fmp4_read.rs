//! The fragmented MP4 reader, and the rebasing of spans.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use weir_media::fmp4::{read, rebase};

fuzz_target!(|input: (u64, Vec<u8>)| {
    let (subtract, mut bytes) = input;
    let data = Bytes::copy_from_slice(&bytes);
    let _ = read::tracks(&data);
    if let Ok(fragments) = read::fragments(&data) {
        let samples: usize = fragments
            .iter()
            .map(|fragment| fragment.samples.len())
            .sum();
        assert!(fragments.len() + samples <= bytes.len());
    }
    let _ = rebase(&mut bytes, subtract);
});
