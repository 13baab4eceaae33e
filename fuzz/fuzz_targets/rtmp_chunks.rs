//! The chunk stream. The bytes mean the same however the network cuts them, and what is held is
//! bounded by what came.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_ingest::rtmp::{
    chunk::{ChunkError, Reader},
    message::Message,
};

fn read(stream: &[u8], cut: usize) -> (Vec<Message>, Option<ChunkError>) {
    let mut reader = Reader::new(1 << 20);
    let mut messages = Vec::new();
    for mut piece in stream.chunks(cut) {
        loop {
            match reader.read(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (cut, stream) = input;
    let whole = read(&stream, stream.len().max(1));
    assert_eq!(read(&stream, usize::from(cut) + 1), whole);
    let total: usize = whole.0.iter().map(|message| message.payload.len()).sum();
    assert!(total <= stream.len());
});
