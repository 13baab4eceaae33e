//! Packed blocks of the event log, with a checksum that matches: a block has one packed form but
//! for the order of its list of videos, and folding it never fails.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_stats::{block::Block, fold::Fold};

fuzz_target!(|bytes: &[u8]| {
    let _ = Block::decode(bytes);
    let Ok(block) = Block::decode(&Block::sealed(bytes)) else {
        return;
    };
    assert_eq!(Block::decode(&block.encode().1).as_ref(), Ok(&block));
    let mut fold = Fold::default();
    let folded = fold.push(&block);
    assert_eq!(
        folded.fresh + folded.duplicates,
        block.events().len() as u64
    );
});
