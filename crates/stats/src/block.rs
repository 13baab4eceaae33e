//! The accepted events of a batch, packed for the log: about 18 bytes an event instead of 80 as
//! JSON, and found damaged if they are.
//!
//! All numbers are little-endian.
//!
//! ```text
//! offset  size
//!      0     3  "WEB"
//!      3     1  format version, 1
//!      4     4  checksum: first bytes of the SHA-256 of all that follows
//!      8     8  when the batch was received, Unix ms
//!     16     1  length of the session, then the session
//!            2  number of videos, then 12 bytes each
//!            2  number of events, then 18 bytes each:
//!                 1  which of the videos (so that there are at most 256)
//!                 1  code of the type; the top bit says that there is a value
//!                 4  sequence number
//!                 8  time, Unix ms
//!                 4  value, or 0
//! ```

use sha2::{Digest, Sha256};
use thiserror::Error;
use weir_model::{VideoId, WallTime};

use crate::{
    batch::{Event, MAX_EVENTS, MAX_VIDEOS, Session},
    schema::EventType,
};

const MAGIC: &[u8; 4] = b"WEB\x01";
const HEADER_LEN: usize = 8;
const EVENT_LEN: usize = 18;
const HAS_VALUE: u8 = 0x80;

/// Events of one session that were received together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    received: WallTime,
    session: Session,
    events: Vec<Event>,
}

/// Names a block by its content without the time of receipt, so that a batch that is sent again
/// after a lost answer is found in the log: the first 16 bytes of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub [u8; 16]);

/// Too much for one block.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{events} events of {videos} videos do not fit a block of {MAX_EVENTS} of {MAX_VIDEOS}")]
pub struct BlockOverflow {
    /// How many events there are.
    pub events: usize,
    /// How many videos they are about.
    pub videos: usize,
}

/// Bytes that are no block.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidBlock {
    /// It does not begin as a block of this version.
    #[error("not a block of version 1")]
    Unknown,
    /// The checksum does not match the content.
    #[error("the block's checksum is {stored:08x} and its content's is {computed:08x}")]
    Damaged {
        /// What the block says.
        stored: u32,
        /// What its content gives.
        computed: u32,
    },
    /// The checksum matches, but the content is not what this version writes.
    #[error("the block's {0} is malformed")]
    Malformed(&'static str),
}

impl Block {
    /// Events of one session, received at `received`.
    ///
    /// # Errors
    /// If there are more than one batch can hold.
    pub fn new(
        session: Session,
        received: WallTime,
        events: Vec<Event>,
    ) -> Result<Self, BlockOverflow> {
        let videos = videos(&events).len();
        if events.len() > MAX_EVENTS || videos > MAX_VIDEOS {
            return Err(BlockOverflow {
                events: events.len(),
                videos,
            });
        }
        Ok(Self {
            received,
            session,
            events,
        })
    }

    /// When they were received.
    pub fn received(&self) -> WallTime {
        self.received
    }

    /// Whose they are.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The events, in the order sent.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What they are about, in the order of first mention.
    pub fn videos(&self) -> Vec<VideoId> {
        videos(&self.events)
    }

    /// The packed form, and its name.
    pub fn encode(&self) -> (BatchId, Vec<u8>) {
        let videos = self.videos();
        let mut content = Vec::with_capacity(128 + self.events.len() * EVENT_LEN);
        content.extend_from_slice(&self.received.0.to_le_bytes());
        let session = self.session.as_str().as_bytes();
        // `Session` holds at most 64 bytes, and `new` has counted the events and videos.
        content.push(session.len() as u8);
        content.extend_from_slice(session);
        content.extend_from_slice(&(videos.len() as u16).to_le_bytes());
        for video in &videos {
            content.extend_from_slice(video.as_str().as_bytes());
        }
        content.extend_from_slice(&(self.events.len() as u16).to_le_bytes());
        for event in &self.events {
            let video = videos
                .iter()
                .position(|video| *video == event.video)
                .unwrap_or_default();
            let code = event.event.definition().code;
            content.push(video as u8);
            content.push(if event.value.is_some() {
                code | HAS_VALUE
            } else {
                code
            });
            content.extend_from_slice(&event.seq.to_le_bytes());
            content.extend_from_slice(&event.time.0.to_le_bytes());
            content.extend_from_slice(&event.value.unwrap_or(0).to_le_bytes());
        }
        let digest = Sha256::digest(&content[size_of::<WallTime>()..]);
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        (BatchId(id), Self::sealed(&content))
    }

    /// Puts header and checksum before any content. [`Block::decode`] is strict about what lies
    /// behind them too, and this is how a fuzzer gets there.
    pub fn sealed(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN + content.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&checksum(content).to_le_bytes());
        out.extend_from_slice(content);
        out
    }

    /// Reads a packed form.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidBlock> {
        let mut reader = Reader(bytes);
        if reader.array() != Some(*MAGIC) {
            return Err(InvalidBlock::Unknown);
        }
        let stored = reader
            .array()
            .map(u32::from_le_bytes)
            .ok_or(InvalidBlock::Unknown)?;
        let computed = checksum(reader.0);
        if stored != computed {
            return Err(InvalidBlock::Damaged { stored, computed });
        }
        let received = reader
            .u64()
            .ok_or(InvalidBlock::Malformed("time of receipt"))?;
        let session = reader.session().ok_or(InvalidBlock::Malformed("session"))?;
        let videos = reader
            .videos()
            .ok_or(InvalidBlock::Malformed("list of videos"))?;
        let events = reader
            .events(&videos)
            .ok_or(InvalidBlock::Malformed("list of events"))?;
        if !reader.0.is_empty() {
            return Err(InvalidBlock::Malformed("length"));
        }
        Self::new(session, WallTime(received), events)
            .map_err(|_| InvalidBlock::Malformed("number of events"))
    }
}

fn videos(events: &[Event]) -> Vec<VideoId> {
    let mut videos = Vec::new();
    for event in events {
        if !videos.contains(&event.video) {
            videos.push(event.video);
        }
    }
    videos
}

fn checksum(bytes: &[u8]) -> u32 {
    let digest = Sha256::digest(bytes);
    u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self, len: usize) -> Option<&'a str> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }

    fn session(&mut self) -> Option<Session> {
        let [len] = self.array()?;
        self.text(len.into())?.parse().ok()
    }

    fn videos(&mut self) -> Option<Vec<VideoId>> {
        let count = self.u16()?;
        (0..count)
            .map(|_| self.text(VideoId::LEN)?.parse().ok())
            .collect()
    }

    fn events(&mut self, videos: &[VideoId]) -> Option<Vec<Event>> {
        let count = self.u16()?;
        (0..count).map(|_| self.event(videos)).collect()
    }

    fn event(&mut self, videos: &[VideoId]) -> Option<Event> {
        let [video, code] = self.array()?;
        let (seq, time, value) = (self.u32()?, self.u64()?, self.u32()?);
        Some(Event {
            seq,
            video: *videos.get(usize::from(video))?,
            event: EventType::from_code(code & !HAS_VALUE)?,
            time: WallTime(time),
            value: (code & HAS_VALUE != 0).then_some(value),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_model::Access;

    use super::*;
    use crate::schema::TABLE;

    fn block() -> impl Strategy<Value = Block> {
        let event = (
            any::<u32>(),
            0..5_u64,
            0..TABLE.len(),
            any::<u64>(),
            any::<Option<u32>>(),
        )
            .prop_map(|(seq, video, event, time, value)| Event {
                seq,
                video: VideoId::from_random(video, Access::Open),
                event: TABLE[event].event,
                time: WallTime(time),
                value,
            });
        (
            "[A-Za-z0-9_-]{16,64}",
            any::<u64>(),
            prop::collection::vec(event, 0..40),
        )
            .prop_map(|(session, received, events)| {
                Block::new(session.parse().unwrap(), WallTime(received), events).unwrap()
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
            let _ = Block::decode(&Block::sealed(&content));
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
            });
            prop_assert_ne!(block.encode().0, other.encode().0);
        }
    }

    /// What is in the logs of others must stay readable: this is a block of version 1.
    #[test]
    fn the_format_stays() {
        let event = |seq, event, value| Event {
            seq,
            video: "oabcdefghijk".parse().unwrap(),
            event,
            time: WallTime(0x0102),
            value,
        };
        let events = vec![
            event(1, EventType::View, None),
            event(2, EventType::Watch, Some(9)),
        ];
        let session = "0123456789abcdef".parse().unwrap();
        let (_, bytes) = Block::new(session, WallTime(0x0a0b), events)
            .unwrap()
            .encode();
        let mut expected = b"WEB\x01".to_vec();
        expected.extend_from_slice(&bytes[4..8]);
        expected.extend_from_slice(b"\x0b\x0a\0\0\0\0\0\0\x100123456789abcdef\x01\0oabcdefghijk");
        expected.extend_from_slice(b"\x02\0");
        expected.extend_from_slice(b"\0\x01\x01\0\0\0\x02\x01\0\0\0\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\0\x87\x02\0\0\0\x02\x01\0\0\0\0\0\0\x09\0\0\0");
        assert_eq!(bytes, expected);
    }
}
