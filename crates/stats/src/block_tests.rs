use proptest::prelude::*;
use weir_model::Access;

use super::*;
use crate::schema::TABLE;

const ATTRIBUTES: [(Dimension, &str); 5] = [
    (Dimension::Device, "tv"),
    (Dimension::Country, "DE"),
    (Dimension::Pop, "paris-1"),
    (Dimension::Browser, "other"),
    (Dimension::Os, "webos"),
];

fn label(dimension: Dimension, word: &str) -> Label {
    match word {
        "" => Label::UNKNOWN,
        word => dimension.label(word).unwrap(),
    }
}

fn block() -> impl Strategy<Value = Block> {
    let event = (
        any::<u32>(),
        0..5_u64,
        0..TABLE.len(),
        any::<u64>(),
        any::<Option<u32>>(),
        0..3_usize,
    )
        .prop_map(|(seq, video, event, time, value, rendition)| Event {
            seq,
            video: VideoId::from_random(video, Access::Open),
            event: TABLE[event].event,
            time: WallTime(time),
            value,
            rendition: label(Dimension::Rendition, ["", "720p", "source"][rendition]),
        });
    (
        "[A-Za-z0-9_-]{16,64}",
        any::<u64>(),
        prop::sample::subsequence(&ATTRIBUTES[..], 0..=ATTRIBUTES.len()),
        prop::collection::vec(event, 0..40),
    )
        .prop_map(|(session, received, known, events)| {
            let mut attributes = Attributes::default();
            for (dimension, word) in known {
                attributes.set(dimension, label(dimension, word));
            }
            let session = session.parse().unwrap();
            Block::new(session, WallTime(received), attributes, events).unwrap()
        })
}

proptest! {
    #[test]
    fn what_is_packed_is_read_back(block in block()) {
        let (_, bytes) = block.encode();
        prop_assert_eq!(Block::decode(&bytes), Ok(block));
    }

    #[test]
    fn damage_is_noticed(block in block(), at: prop::sample::Index, flip in 1..=255_u8) {
        let (_, mut bytes) = block.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(Block::decode(&bytes).is_err());
        prop_assert!(Block::decode(&bytes[..at]).is_err());
    }

    #[test]
    fn hostile_content_is_refused(content in prop::collection::vec(any::<u8>(), 0..200)) {
        for version in [1, 2] {
            let _ = Block::decode(&Block::sealed(version, &content));
        }
    }

    #[test]
    fn the_name_is_that_of_the_content(block in block(), later: u64) {
        let again = Block { received: WallTime(later), ..block.clone() };
        prop_assert_eq!(block.encode().0, again.encode().0);
        let mut other = block.clone();
        other.events.push(Event {
            seq: 1,
            video: VideoId::from_random(1, Access::Open),
            event: EventType::Share,
            time: WallTime(1),
            value: None,
            rendition: Label::UNKNOWN,
        });
        prop_assert_ne!(block.encode().0, other.encode().0);
    }
}

fn event(seq: u32, event: EventType, value: Option<u32>, rendition: &str) -> Event {
    Event {
        seq,
        video: "oabcdefghijk".parse().unwrap(),
        event,
        time: WallTime(0x0102),
        value,
        rendition: label(Dimension::Rendition, rendition),
    }
}

/// What is in the logs of others must stay readable.
#[test]
fn blocks_of_version_1_are_read() {
    let content = b"\x0b\x0a\0\0\0\0\0\0\x100123456789abcdef\x01\0oabcdefghijk\x02\0\
        \0\x01\x01\0\0\0\x02\x01\0\0\0\0\0\0\0\0\0\0\
        \0\x87\x02\0\0\0\x02\x01\0\0\0\0\0\0\x09\0\0\0";
    let events = vec![
        event(1, EventType::View, None, ""),
        event(2, EventType::Watch, Some(9), ""),
    ];
    let session = "0123456789abcdef".parse().unwrap();
    let block = Block::new(session, WallTime(0x0a0b), Attributes::default(), events);
    assert_eq!(
        Block::decode(&Block::sealed(1, content)),
        Ok(block.unwrap())
    );
}

#[test]
fn the_format_stays() {
    let events = vec![
        event(1, EventType::View, None, ""),
        event(2, EventType::Watch, Some(9), "720p"),
    ];
    let session = "0123456789abcdef".parse().unwrap();
    let mut attributes = Attributes::default();
    attributes.set(Dimension::Pop, label(Dimension::Pop, "paris"));
    attributes.set(Dimension::Device, label(Dimension::Device, "tv"));
    let block = Block::new(session, WallTime(0x0a0b), attributes, events).unwrap();
    let expected = b"\x0b\x0a\0\0\0\0\0\0\x100123456789abcdef\
        \x02\x02\x02tv\x04\x05paris\
        \x01\0oabcdefghijk\x01\x04720p\x02\0\
        \0\x01\0\x01\0\0\0\x02\x01\0\0\0\0\0\0\0\0\0\0\
        \0\x87\x01\x02\0\0\0\x02\x01\0\0\0\0\0\0\x09\0\0\0";
    let (_, bytes) = block.encode();
    assert_eq!(bytes[..4], *b"WEB\x02");
    assert_eq!(bytes[HEADER_LEN..], *expected);
}
