//! Packed blocks of the event log of either version, with a checksum that matches: a block has one
//! packed form but for the order of its lists, and folding it never fails.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_stats::{block::Block, fold::Fold};

fuzz_target!(|bytes: &[u8]| {
    let _ = Block::decode(bytes);
    let Some((&version, content)) = bytes.split_first() else {
        return;
    };
    let Ok(block) = Block::decode(&Block::sealed(version, content)) else {
        return;
    };
    assert_eq!(Block::decode(&block.encode().1).as_ref(), Ok(&block));
    let mut fold = Fold::default();
    let folded = fold.push(&block);
    assert_eq!(
        folded.fresh + folded.duplicates,
        block.events().len() as u64
    );
    // What was counted for a label was counted for the total.
    let minutes = fold.minutes();
    assert_eq!(
        minutes.rollups().is_empty(),
        minutes.breakdowns().is_empty()
    );
});
