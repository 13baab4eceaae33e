//! The JSON of a batch of events: every event has one answer, and what is accepted fits a block.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_model::WallTime;
use weir_stats::{batch::Batch, block::Block};

fuzz_target!(|body: &[u8]| {
    let now = WallTime(1_795_000_000_000);
    let Ok(batch) = Batch::parse(body, now) else {
        return;
    };
    assert_eq!(batch.answers().results.len(), batch.events.len());
    let events = batch.accepted().copied().collect();
    let block =
        Block::new(batch.session, now, batch.attributes, events).expect("a batch fits a block");
    assert_eq!(Block::decode(&block.encode().1), Ok(block));
});
