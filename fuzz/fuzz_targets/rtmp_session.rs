//! The session of a publisher, from its first byte, after its handshake, or once it is let in. The
//! bytes mean the same however the network cuts them.

#![no_main]

use std::time::Instant;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use weir_ingest::{
    amf0::{self, Value},
    rtmp::{Event, Limits, Session, chunk::Writer, message::kind},
};

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Start {
    Nothing,
    Handshake,
    Publishing,
}

fn run(start: Start, stream: &[u8], cut: usize) -> Vec<Event> {
    let now = Instant::now();
    let mut session = Session::new(now, "live", Limits::default());
    if start != Start::Nothing {
        let mut hello = vec![3];
        hello.resize(1 + 2 * 1536, 0);
        session.handle_input(now, &hello);
    }
    if start == Start::Publishing {
        let app = Value::object([("app", "live".into())]);
        let connect = ["connect".into(), 1.0.into(), app];
        let publish = ["publish".into(), 2.0.into(), Value::Null, "key".into()];
        for command in [&connect[..], &publish] {
            let mut bytes = Vec::new();
            let payload = amf0::write(command);
            Writer::default().write(&mut bytes, 3, kind::COMMAND_AMF0, 1, &payload);
            session.handle_input(now, &bytes);
        }
        session.accept(now);
        assert!(session.is_publishing());
    }
    let mut events = Vec::new();
    for piece in stream.chunks(cut) {
        session.handle_input(now, piece);
        while let Some(event) = session.poll_event() {
            events.push(event);
        }
        session.take_output();
    }
    events
}

fuzz_target!(|input: (Start, u8, Vec<u8>)| {
    let (start, cut, stream) = input;
    let whole = run(start, &stream, stream.len().max(1));
    assert_eq!(run(start, &stream, usize::from(cut) + 1), whole);
});
