//! The pipe between the origin and its transcoder: frames mean the same however the pipe cuts
//! them, and what is read can be written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_media::framing::{Decoder, Frame, InvalidFrame, encode};

fn read(stream: &[u8], cut: usize) -> (Vec<Frame>, Option<InvalidFrame>) {
    let mut decoder = Decoder::default();
    let mut frames = Vec::new();
    for piece in stream.chunks(cut) {
        decoder.feed(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (cut, stream) = input;
    let whole = read(&stream, stream.len().max(1));
    let pieces = read(&stream, usize::from(cut) + 1);
    assert_eq!(pieces.0, whole.0);
    assert_eq!(pieces.1.is_some(), whole.1.is_some());
    for frame in whole.0 {
        let again = read(&encode(&frame).expect("it came in a frame"), usize::MAX);
        assert_eq!(again.0, [frame]);
    }
});
