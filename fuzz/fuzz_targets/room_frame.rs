//! Frames of rooms: what is read can be written and reads back the same; whatever messages come, a room
//! numbers them without repeats and keeps its bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_edge_worker::room::{Limits, Message, Room};
use weir_model::room::{Acknowledgement, Frame, PostReaction, Report};

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<Acknowledgement>(bytes);
    let _ = serde_json::from_slice::<PostReaction>(bytes);
    let _ = serde_json::from_slice::<Report>(bytes);
    let Ok(frame) = serde_json::from_slice::<Frame>(bytes) else {
        return;
    };
    let text = serde_json::to_string(&frame).unwrap();
    assert_eq!(serde_json::from_str::<Frame>(&text).unwrap(), frame);
    let Frame::Messages { messages } = frame else {
        return;
    };
    let limits = Limits {
        messages: 10,
        bytes: 1000,
        ..Limits::default()
    };
    let mut room = Room::new(limits);
    let news = room.accept_batch(messages.into_iter().map(|comment| Message {
        seq: comment.seq,
        text: comment.text,
    }));
    assert!(
        news.messages
            .windows(2)
            .all(|pair| pair[0].seq < pair[1].seq)
    );
    assert!(room.backfill(None).messages.len() <= limits.messages);
});
