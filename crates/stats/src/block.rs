//! The accepted events of a batch, packed for the log: about 19 bytes an event instead of 80 as
//! JSON, and found damaged if they are.
//!
//! All numbers are little-endian.
//!
//! ```text
//! offset  size
//!      0     3  "WEB"
//!      3     1  format version, 2
//!      4     4  checksum: first bytes of the SHA-256 of all that follows
//!      8     8  when the batch was received, Unix ms
//!     16     1  length of the session, then the session
//!            1  number of attributes, each once and in the order of their codes:
//!                 1  code of the dimension
//!                 1  length of the label, then the label
//!            2  number of videos, then 12 bytes each
//!            1  number of renditions, each 1 byte of length, then the name
//!            2  number of events, then 19 bytes each:
//!                 1  which of the videos (so that there are at most 256)
//!                 1  code of the type; the top bit says that there is a value
//!                 1  which of the renditions, from 1; 0 if that is not known
//!                 4  sequence number
//!                 8  time, Unix ms
//!                 4  value, or 0
//! ```
//!
//! Version 1 had neither attributes nor renditions. It is read, and no longer written.

use sha2::{Digest, Sha256};
use thiserror::Error;
use weir_model::{VideoId, WallTime};

use crate::{
    batch::{Event, MAX_EVENTS, MAX_RENDITIONS, MAX_VIDEOS, Session},
    dimension::{Attributes, Dimension, Label},
    schema::EventType,
};

const MAGIC: &[u8; 3] = b"WEB";
const HEADER_LEN: usize = 8;
const EVENT_LEN: usize = 19;
const HAS_VALUE: u8 = 0x80;

/// Events of one session that were received together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    received: WallTime,
    session: Session,
    attributes: Attributes,
    events: Vec<Event>,
}

/// Which fields there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One = 1,
    Two = 2,
}

/// Names a block by its content without the time of receipt, so that a batch that is sent again
/// after a lost answer is found in the log: the first 16 bytes of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub [u8; 16]);

/// Too much for one block.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "{events} events of {videos} videos in {renditions} renditions do not fit a block of \
     {MAX_EVENTS} of {MAX_VIDEOS} in {MAX_RENDITIONS}"
)]
pub struct BlockOverflow {
    /// How many events there are.
    pub events: usize,
    /// How many videos they are about.
    pub videos: usize,
    /// How many renditions they name.
    pub renditions: usize,
}

/// Bytes that are no block.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidBlock {
    /// It does not begin as a block of a known version.
    #[error("not a block of version 1 or 2")]
    Unknown,
    /// The checksum does not match the content.
    #[error("the block's checksum is {stored:08x} and its content's is {computed:08x}")]
    Damaged {
        /// What the block says.
        stored: u32,
        /// What its content gives.
        computed: u32,
    },
    /// The checksum matches, but the content is not what its version writes.
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
        attributes: Attributes,
        events: Vec<Event>,
    ) -> Result<Self, BlockOverflow> {
        let (videos, renditions) = (videos(&events).len(), renditions(&events).len());
        if events.len() > MAX_EVENTS || videos > MAX_VIDEOS || renditions > MAX_RENDITIONS {
            return Err(BlockOverflow {
                events: events.len(),
                videos,
                renditions,
            });
        }
        Ok(Self {
            received,
            session,
            attributes,
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

    /// What holds for all of them.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
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
        let (videos, renditions) = (self.videos(), renditions(&self.events));
        let mut content = Vec::with_capacity(128 + self.events.len() * EVENT_LEN);
        content.extend_from_slice(&self.received.0.to_le_bytes());
        let session = self.session.as_str().as_bytes();
        // `Session` holds at most 64 bytes, and `new` has counted the events and videos.
        content.push(session.len() as u8);
        content.extend_from_slice(session);
        content.push(self.attributes.known().count() as u8);
        for (dimension, label) in self.attributes.known() {
            content.push(dimension.definition().code);
            push_label(&mut content, label);
        }
        content.extend_from_slice(&(videos.len() as u16).to_le_bytes());
        for video in &videos {
            content.extend_from_slice(video.as_str().as_bytes());
        }
        content.push(renditions.len() as u8);
        for rendition in &renditions {
            push_label(&mut content, *rendition);
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
            let rendition = renditions.iter().position(|name| *name == event.rendition);
            content.push(rendition.map_or(0, |at| at as u8 + 1));
            content.extend_from_slice(&event.seq.to_le_bytes());
            content.extend_from_slice(&event.time.0.to_le_bytes());
            content.extend_from_slice(&event.value.unwrap_or(0).to_le_bytes());
        }
        let digest = Sha256::digest(&content[size_of::<WallTime>()..]);
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        (BatchId(id), Self::sealed(Version::Two as u8, &content))
    }

    /// Puts header and checksum before any content of this version. [`Block::decode`] is strict
    /// about what lies behind them too, and this is how a fuzzer gets there.
    pub fn sealed(version: u8, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN + content.len());
        out.extend_from_slice(MAGIC);
        out.push(version);
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
        let version = match reader.array() {
            Some([1]) => Version::One,
            Some([2]) => Version::Two,
            _ => return Err(InvalidBlock::Unknown),
        };
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
        let attributes = match version {
            Version::One => Attributes::default(),
            Version::Two => reader
                .attributes()
                .ok_or(InvalidBlock::Malformed("list of attributes"))?,
        };
        let videos = reader
            .videos()
            .ok_or(InvalidBlock::Malformed("list of videos"))?;
        let renditions = match version {
            Version::One => Vec::new(),
            Version::Two => reader
                .renditions()
                .ok_or(InvalidBlock::Malformed("list of renditions"))?,
        };
        let events = reader
            .events(version, &videos, &renditions)
            .ok_or(InvalidBlock::Malformed("list of events"))?;
        if !reader.0.is_empty() {
            return Err(InvalidBlock::Malformed("length"));
        }
        Self::new(session, WallTime(received), attributes, events)
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

/// Those that are named, in the order of first mention.
fn renditions(events: &[Event]) -> Vec<Label> {
    let mut renditions = Vec::new();
    for Event { rendition, .. } in events {
        if !rendition.is_unknown() && !renditions.contains(rendition) {
            renditions.push(*rendition);
        }
    }
    renditions
}

/// A label holds at most 32 bytes.
fn push_label(out: &mut Vec<u8>, label: Label) {
    let word = label.as_str().as_bytes();
    out.push(word.len() as u8);
    out.extend_from_slice(word);
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

    fn label(&mut self, dimension: Dimension) -> Option<Label> {
        let [len] = self.array()?;
        let word = self.text(len.into())?;
        // Nothing else was written: another word would be counted as what it is not.
        let label = dimension.label(word).ok();
        label.filter(|label| label.as_str() == word)
    }

    fn attributes(&mut self) -> Option<Attributes> {
        let [count] = self.array()?;
        let mut attributes = Attributes::default();
        let mut last = 0;
        for _ in 0..count {
            let [code] = self.array()?;
            let dimension = Dimension::from_code(code).filter(|_| code > last)?;
            if dimension == Dimension::Rendition {
                return None;
            }
            attributes.set(dimension, self.label(dimension)?);
            last = code;
        }
        Some(attributes)
    }

    fn renditions(&mut self) -> Option<Vec<Label>> {
        let [count] = self.array()?;
        (0..count)
            .map(|_| self.label(Dimension::Rendition))
            .collect()
    }

    fn videos(&mut self) -> Option<Vec<VideoId>> {
        let count = self.u16()?;
        (0..count)
            .map(|_| self.text(VideoId::LEN)?.parse().ok())
            .collect()
    }

    fn events(
        &mut self,
        version: Version,
        videos: &[VideoId],
        renditions: &[Label],
    ) -> Option<Vec<Event>> {
        let count = self.u16()?;
        (0..count)
            .map(|_| self.event(version, videos, renditions))
            .collect()
    }

    fn event(
        &mut self,
        version: Version,
        videos: &[VideoId],
        renditions: &[Label],
    ) -> Option<Event> {
        let [video, code] = self.array()?;
        let rendition = match version {
            Version::One => 0,
            Version::Two => self.array::<1>()?[0],
        };
        let (seq, time, value) = (self.u32()?, self.u64()?, self.u32()?);
        Some(Event {
            seq,
            video: *videos.get(usize::from(video))?,
            event: EventType::from_code(code & !HAS_VALUE)?,
            time: WallTime(time),
            value: (code & HAS_VALUE != 0).then_some(value),
            rendition: match rendition {
                0 => Label::UNKNOWN,
                n => *renditions.get(usize::from(n) - 1)?,
            },
        })
    }
}

#[cfg(test)]
#[path = "block_tests.rs"]
mod tests;
