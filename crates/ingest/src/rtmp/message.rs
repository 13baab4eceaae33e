//! Whole messages.

use bytes::{Buf, Bytes};
use thiserror::Error;

/// Message type ids (RTMP 1.0, sections 5.4, 6.2 and 7.1).
pub mod kind {
    /// Set Chunk Size.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message.
    pub const ABORT: u8 = 2;
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size.
    pub const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
    /// Set Peer Bandwidth.
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// Audio: the body of an FLV audio tag.
    pub const AUDIO: u8 = 8;
    /// Video: the body of an FLV video tag.
    pub const VIDEO: u8 = 9;
    /// Data in AMF3: one byte, then AMF0 as everyone writes it.
    pub const DATA_AMF3: u8 = 15;
    /// Command in AMF3: one byte, then AMF0 as everyone writes it.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data in AMF0.
    pub const DATA_AMF0: u8 = 18;
    /// Command in AMF0.
    pub const COMMAND_AMF0: u8 = 20;
    /// Aggregate of FLV tags.
    pub const AGGREGATE: u8 = 22;

    /// Whether messages of this type carry media, and so may be long.
    pub const fn is_media(kind: u8) -> bool {
        matches!(kind, AUDIO | VIDEO | AGGREGATE)
    }
}

/// One message, put together from its chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// In ms, modulo 2^32.
    pub timestamp_ms: u32,
    /// See [`kind`].
    pub kind: u8,
    /// The message stream, as the client was told by createStream.
    pub stream_id: u32,
    /// The body.
    pub payload: Bytes,
}

/// An aggregate message whose tags don't fit into it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a tag of an aggregate message says {declared} bytes where {left} are left")]
pub struct InvalidAggregate {
    /// Bytes the tag should have, with the four of its back pointer.
    pub declared: usize,
    /// Bytes there are.
    pub left: usize,
}

const TAG_HEADER_LEN: usize = 11;
const BACK_POINTER_LEN: usize = 4;

/// The messages within an aggregate (RTMP 1.0, section 7.1.6). Their times are moved so that the
/// first has the aggregate's.
#[derive(Debug)]
pub struct Aggregate {
    rest: Bytes,
    timestamp_ms: u32,
    stream_id: u32,
    first_ms: Option<u32>,
}

impl Aggregate {
    /// Opens a message of type [`kind::AGGREGATE`].
    pub fn new(message: Message) -> Self {
        Self {
            rest: message.payload,
            timestamp_ms: message.timestamp_ms,
            stream_id: message.stream_id,
            first_ms: None,
        }
    }
}

impl Iterator for Aggregate {
    type Item = Result<Message, InvalidAggregate>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let left = self.rest.len();
        if left < TAG_HEADER_LEN {
            self.rest.clear();
            return Some(Err(InvalidAggregate {
                declared: TAG_HEADER_LEN,
                left,
            }));
        }
        let kind = self.rest.get_u8();
        let len = self.rest.get_uint(3) as usize;
        let low_ms = self.rest.get_uint(3) as u32;
        let tag_ms = u32::from(self.rest.get_u8()) << 24 | low_ms;
        self.rest.advance(3);
        // The last back pointer may be missing; nobody reads it.
        if len > self.rest.len() {
            let left = self.rest.len();
            self.rest.clear();
            return Some(Err(InvalidAggregate {
                declared: len + BACK_POINTER_LEN,
                left,
            }));
        }
        let payload = self.rest.split_to(len);
        self.rest.advance(BACK_POINTER_LEN.min(self.rest.len()));
        let first_ms = *self.first_ms.get_or_insert(tag_ms);
        let timestamp_ms = self
            .timestamp_ms
            .wrapping_add(tag_ms.wrapping_sub(first_ms));
        Some(Ok(Message {
            timestamp_ms,
            kind,
            stream_id: self.stream_id,
            payload,
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tag(kind: u8, ms: u32, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
        out.extend_from_slice(&ms.to_be_bytes()[1..]);
        out.push(ms.to_be_bytes()[0]);
        out.extend_from_slice(&[0, 0, 0]);
        out.extend_from_slice(body);
        out.extend_from_slice(&(body.len() as u32 + 11).to_be_bytes());
        out
    }

    fn aggregate(payload: Vec<u8>) -> Aggregate {
        let payload = payload.into();
        Aggregate::new(Message {
            timestamp_ms: 5000,
            kind: kind::AGGREGATE,
            stream_id: 1,
            payload,
        })
    }

    #[test]
    fn opens_into_messages_at_the_aggregates_time() {
        let payload = [
            tag(8, 0x0100_0000, b"sound"),
            tag(9, 0x0100_0028, b"picture"),
        ]
        .concat();
        let messages: Vec<_> = aggregate(payload).collect::<Result<_, _>>().unwrap();
        let times: Vec<_> = messages.iter().map(|m| (m.kind, m.timestamp_ms)).collect();
        assert_eq!(times, [(8, 5000), (9, 5040)]);
        assert_eq!(messages[1].payload, b"picture"[..]);
    }

    #[test]
    fn refuses_a_tag_that_lies_about_its_length() {
        let mut payload = tag(8, 0, b"sound");
        payload[3] = 200;
        assert_eq!(
            aggregate(payload).next(),
            Some(Err(InvalidAggregate {
                declared: 204,
                left: 9
            }))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end(payload: Vec<u8>) {
            let len = payload.len();
            prop_assert!(aggregate(payload).count() <= len / TAG_HEADER_LEN + 1);
        }
    }
}
