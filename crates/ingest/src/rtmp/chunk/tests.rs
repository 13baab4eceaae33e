use proptest::prelude::*;

use super::*;

const MAX: usize = 1 << 20;

fn read_all(reader: &mut Reader, mut input: &[u8]) -> Result<Vec<Message>, ChunkError> {
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut input)? {
        messages.push(message);
    }
    assert!(input.is_empty(), "the reader takes all of its input");
    Ok(messages)
}

/// A chunk with a full header.
fn full(id: u8, timestamp: u32, len: usize, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![id];
    out.extend_from_slice(&timestamp.min(EXTENDED).to_be_bytes()[1..]);
    out.extend_from_slice(&(len as u32).to_be_bytes()[1..]);
    out.push(kind);
    out.extend_from_slice(&1u32.to_le_bytes());
    if timestamp >= EXTENDED {
        out.extend_from_slice(&timestamp.to_be_bytes());
    }
    out.extend_from_slice(body);
    out
}

fn chunk_size(size: u32) -> Vec<u8> {
    full(2, 0, 4, kind::SET_CHUNK_SIZE, &size.to_be_bytes())
}

#[test]
fn reads_interleaved_messages() {
    let (video, audio) = (vec![9; 200], vec![8; 100]);
    let stream = [
        full(6, 40, 200, kind::VIDEO, &video[..128]),
        full(4, 41, 100, kind::AUDIO, &audio),
        [&[0xc6], &video[128..]].concat(),
    ]
    .concat();
    let messages = read_all(&mut Reader::new(MAX), &stream).unwrap();
    assert_eq!(
        messages.iter().map(|m| m.timestamp_ms).collect::<Vec<_>>(),
        [41, 40]
    );
    assert_eq!(
        (&messages[0].payload[..], &messages[1].payload[..]),
        (&audio[..], &video[..])
    );
}

#[test]
fn adds_deltas_once_per_message() {
    let body = [1; 150];
    let stream = [
        full(4, 1000, 1, kind::AUDIO, &[1]),
        // Type 1: delta 20, length 150, in two chunks.
        [&[0x44, 0, 0, 20, 0, 0, 150, kind::AUDIO], &body[..128]].concat(),
        [&[0xc4], &body[128..]].concat(),
        // Type 2: delta 30.
        [&[0x84, 0, 0, 30], &body[..128]].concat(),
        [&[0xc4], &body[128..]].concat(),
        // Type 3: the same delta again.
        [&[0xc4], &body[..128]].concat(),
        [&[0xc4], &body[128..]].concat(),
    ]
    .concat();
    let messages = read_all(&mut Reader::new(MAX), &stream).unwrap();
    let times: Vec<_> = messages.iter().map(|m| m.timestamp_ms).collect();
    assert_eq!(times, [1000, 1020, 1050, 1080]);
}

#[test]
fn reads_extended_timestamps_repeated_or_not() {
    let body: Vec<u8> = (0..=255).collect();
    for time in [EXTENDED, 0x0123_4567, u32::MAX] {
        for repeated in [true, false] {
            let mut stream = full(4, time, 256, kind::AUDIO, &body[..128]);
            stream.push(0xc4);
            if repeated {
                stream.extend_from_slice(&time.to_be_bytes());
            }
            stream.extend_from_slice(&body[128..]);
            // A last chunk shorter than an extended timestamp.
            stream.extend(full(4, time, 130, kind::AUDIO, &body[..128]));
            stream.push(0xc4);
            if repeated {
                stream.extend_from_slice(&time.to_be_bytes());
            }
            stream.extend_from_slice(&body[128..130]);
            let messages = read_all(&mut Reader::new(MAX), &stream).unwrap();
            assert_eq!(messages.len(), 2);
            assert!(messages.iter().all(|m| m.timestamp_ms == time));
            assert_eq!(messages[0].payload, body);
            assert_eq!(messages[1].payload, body[..130]);
        }
    }
}

#[test]
fn reads_all_forms_of_chunk_stream_ids() {
    let mut stream = full(4, 0, 1, kind::AUDIO, b"a");
    stream.splice(..1, [0, 6]);
    let mut long = full(4, 0, 1, kind::AUDIO, b"b");
    long.splice(..1, [1, 6, 1]);
    stream.extend(long);
    stream.extend([0xc0, 6, b'c']);
    stream.extend([0xc1, 6, 1, b'd']);
    let messages = read_all(&mut Reader::new(MAX), &stream).unwrap();
    let bodies: Vec<_> = messages.iter().map(|m| m.payload[0]).collect();
    assert_eq!(bodies, b"abcd");
}

#[test]
fn works_with_chunks_of_one_byte_and_of_any_size() {
    let mut stream = chunk_size(1);
    stream.extend(full(4, 0, 3, kind::AUDIO, b"a"));
    stream.extend(b"\xc4b\xc4c");
    // With chunks of one byte Set Chunk Size itself comes in four.
    stream.extend(full(2, 0, 4, kind::SET_CHUNK_SIZE, &[0x7f]));
    stream.extend([0xc2, 0xff, 0xc2, 0xff, 0xc2, 0xff]);
    let body = vec![7; 300_000];
    stream.extend(full(4, 0, body.len(), kind::VIDEO, &body));
    let messages = read_all(&mut Reader::new(MAX), &stream).unwrap();
    assert_eq!(messages[0].payload, b"abc"[..]);
    assert_eq!(messages[1].payload, body);
}

#[test]
fn abort_drops_the_unfinished_message() {
    let mut stream = full(4, 0, 200, kind::AUDIO, &[1; 128]);
    stream.extend(full(2, 0, 4, kind::ABORT, &4u32.to_be_bytes()));
    stream.extend(full(4, 0, 1, kind::AUDIO, b"x"));
    let mut reader = Reader::new(MAX);
    let messages = read_all(&mut reader, &stream).unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(reader.unfinished, 0);
}

#[test]
fn refuses_what_is_broken_or_absurd() {
    let check = |bytes: &[u8], expected| {
        assert_eq!(
            read_all(&mut Reader::new(MAX), bytes),
            Err(expected),
            "{bytes:?}"
        );
    };
    check(&[0xc4], ChunkError::NoPreviousHeader(4));
    check(&chunk_size(0), ChunkError::ChunkSize(0));
    check(&chunk_size(0x8000_0000), ChunkError::ChunkSize(0x8000_0000));
    check(
        &full(2, 0, 2, kind::ABORT, &[0; 2]),
        ChunkError::ShortControl(2),
    );
    check(
        &full(4, 0, 0xff_ffff, kind::VIDEO, &[]),
        ChunkError::TooLong {
            kind: kind::VIDEO,
            len: 0xff_ffff,
            max: MAX,
        },
    );
    check(
        &full(3, 0, MAX_COMMAND_LEN + 1, kind::COMMAND_AMF0, &[]),
        ChunkError::TooLong {
            kind: kind::COMMAND_AMF0,
            len: MAX_COMMAND_LEN + 1,
            max: MAX_COMMAND_LEN,
        },
    );
    let half = full(4, 0, 200, kind::AUDIO, &[1; 128]);
    check(&[half.clone(), half].concat(), ChunkError::Interrupted(4));
    let many: Vec<_> = (3..64)
        .flat_map(|id| full(id, 0, 200, kind::AUDIO, &[1; 128]))
        .collect();
    check(&many, ChunkError::TooManyStreams);
}

#[test]
fn holds_no_more_than_its_limit_in_unfinished_messages() {
    let mut reader = Reader::new(MAX);
    read_all(&mut reader, &chunk_size(64 * 1024)).unwrap();
    let mut result = Ok(Vec::new());
    for id in 3..30 {
        result = read_all(
            &mut reader,
            &full(id, 0, MAX, kind::VIDEO, &vec![0; 64 * 1024]),
        );
        if result.is_err() {
            break;
        }
    }
    assert_eq!(result, Err(ChunkError::TooMuchUnfinished(MAX)));
    let held: usize = reader
        .streams
        .values()
        .filter_map(|s| s.partial.as_ref())
        .map(Vec::capacity)
        .sum();
    assert!(held <= 2 * MAX, "{held} bytes held");
}

#[test]
fn a_whole_message_wastes_no_memory() {
    let body = vec![5; 100_000];
    let mut stream = chunk_size(4096);
    for (at, chunk) in body.chunks(4096).enumerate() {
        match at {
            0 => stream.extend(full(4, 0, body.len(), kind::VIDEO, chunk)),
            _ => stream.extend([&[0xc4], chunk].concat()),
        }
    }
    let mut reader = Reader::new(MAX);
    let message = read_all(&mut reader, &stream).unwrap().remove(0);
    let vec: Vec<u8> = message.payload.into();
    assert_eq!(vec.capacity(), body.len());
}

#[test]
fn written_messages_read_back() {
    let (mut writer, mut out) = (Writer::default(), Vec::new());
    writer.write(&mut out, 3, kind::COMMAND_AMF0, 7, &[1; 300]);
    writer.set_chunk_size(&mut out, 4096);
    writer.write(&mut out, 5, kind::COMMAND_AMF0, 0, &[2; 5000]);
    let messages = read_all(&mut Reader::new(MAX), &out).unwrap();
    assert_eq!(messages[0].payload, [1; 300][..]);
    assert_eq!(messages[0].stream_id, 7);
    assert_eq!(messages[1].payload, [2; 5000][..]);
}

proptest! {
    #[test]
    fn however_the_bytes_are_split_the_messages_are_the_same(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..8),
        cuts in prop::collection::vec(1usize..50, 1..20),
    ) {
        let (writer, mut out) = (Writer::default(), Vec::new());
        for body in &bodies {
            writer.write(&mut out, 6, kind::VIDEO, 1, body);
        }
        let whole = read_all(&mut Reader::new(MAX), &out).unwrap();
        prop_assert_eq!(whole.len(), bodies.len());
        let (mut reader, mut pieces, mut rest) = (Reader::new(MAX), Vec::new(), &out[..]);
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.extend(read_all(&mut reader, piece).unwrap());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(pieces, whole);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let mut reader = Reader::new(MAX);
        let mut input = &bytes[..];
        while let Ok(Some(_)) = reader.read(&mut input) {}
        prop_assert!(reader.unfinished <= bytes.len());
    }
}
