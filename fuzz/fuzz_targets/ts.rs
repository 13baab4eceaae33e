//! A transport stream: as it is, and behind tables that name its PIDs, so that its packets are
//! looked into. The bytes mean the same however the network cuts them.

#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use weir_ingest::ts::{Demuxer, Event};

/// Packets of a program association table and a program map table: H.264 on PID 0x100, AAC on
/// PID 0x101.
const TABLES: [(&[u8], &[u8]); 2] = [
    (
        &[0x47, 0x40, 0x00, 0x10, 0],
        b"\x00\xb0\x0d\x00\x01\xc1\x00\x00\x00\x01\xf0\x00\x2a\xb1\x04\xb2",
    ),
    (
        &[0x47, 0x50, 0x00, 0x10, 0],
        b"\x02\xb0\x17\x00\x01\xc1\x00\x00\xe1\x00\xf0\x00\x1b\xe1\x00\xf0\x00\x0f\xe1\x01\xf0\x00\x2f\x44\xb9\x9b",
    ),
];

fn tables() -> Vec<u8> {
    let mut stream = Vec::new();
    for (header, section) in TABLES {
        let end = stream.len() + 188;
        stream.extend_from_slice(header);
        stream.extend_from_slice(section);
        stream.resize(end, 0xff);
    }
    stream
}

fn run(stream: &[u8], cut: usize) -> Vec<Event> {
    let now = Instant::now();
    let mut demuxer = Demuxer::default();
    let mut events = Vec::new();
    for piece in stream.chunks(cut) {
        demuxer.handle_input(now, piece);
        events.extend(std::iter::from_fn(|| demuxer.poll_event()));
    }
    demuxer.finish(now);
    events.extend(std::iter::from_fn(|| demuxer.poll_event()));
    events
}

fuzz_target!(|input: (u8, bool, Vec<u8>)| {
    let (cut, bare, packets) = input;
    let mut stream = if bare { Vec::new() } else { tables() };
    if bare {
        stream.extend(packets);
    } else {
        // What a packet holds after its sync byte, the PID one of those that matter.
        for packet in packets.chunks(187) {
            let end = stream.len() + 188;
            stream.push(0x47);
            stream.extend_from_slice(packet);
            stream.resize(end, 0xff);
            let second = end - 188 + 1;
            stream[second] = stream[second] & 0xe0 | 1;
            stream[second + 1] &= 1;
        }
    }
    let whole = run(&stream, stream.len().max(1));
    assert_eq!(run(&stream, usize::from(cut) + 1), whole);
});
