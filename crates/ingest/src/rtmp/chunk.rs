//! The chunk stream (RTMP 1.0, section 5.3): messages cut into chunks and interleaved.
//!
//! What a hostile peer can make a [`Reader`] hold is bounded: chunk streams by
//! [`MAX_CHUNK_STREAMS`], message lengths by a limit per kind of message, the parts of unfinished
//! messages together by the larger of these limits; and nothing is allocated for bytes that were
//! only announced, but for [`FIRST_RESERVE`] each.

use std::collections::HashMap;

use bytes::Bytes;
use thiserror::Error;

use super::message::{Message, kind};

/// Most chunk streams a peer may use. Encoders use two to eight.
pub const MAX_CHUNK_STREAMS: usize = 32;
/// Longest message that is not media, in bytes.
pub const MAX_COMMAND_LEN: usize = 64 * 1024;
/// What is allocated at the first chunk of a longer message, in bytes.
pub const FIRST_RESERVE: usize = 16 * 1024;

const INITIAL_CHUNK_SIZE: usize = 128;
const MAX_CHUNK_SIZE: u32 = 0x7fff_ffff;
const EXTENDED: u32 = 0xff_ffff;
const MAX_BASIC_HEADER_LEN: usize = 3;
const MAX_HEADER_LEN: usize = MAX_BASIC_HEADER_LEN + 11 + 4;

/// A broken or hostile chunk stream.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ChunkError {
    /// A header that repeats an earlier one, where there is none.
    #[error("chunk stream {0} begins without a full header")]
    NoPreviousHeader(u32),
    /// A new message where the one before is unfinished.
    #[error("a message on chunk stream {0} is interrupted by another")]
    Interrupted(u32),
    /// A message longer than is taken.
    #[error("a message of type {kind} announces {len} bytes, at most {max} are taken")]
    TooLong {
        /// Its message type id.
        kind: u8,
        /// Its announced length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// More chunk streams than are taken.
    #[error("more than {MAX_CHUNK_STREAMS} chunk streams")]
    TooManyStreams,
    /// Unfinished messages hold more than is taken.
    #[error("unfinished messages hold more than {0} bytes")]
    TooMuchUnfinished(usize),
    /// A chunk size of zero or with its top bit set.
    #[error("chunk size {0} is out of range")]
    ChunkSize(u32),
    /// A protocol control message without its four bytes.
    #[error("protocol control message of {0} bytes")]
    ShortControl(usize),
}

/// Puts messages together.
#[derive(Debug)]
pub struct Reader {
    chunk_size: usize,
    max_media_len: usize,
    streams: HashMap<u32, ChunkStream>,
    /// Bytes that unfinished messages hold.
    unfinished: usize,
    header: Header,
    /// The chunk stream whose chunk's body is being read, and how many bytes of it are left.
    body: Option<(u32, usize)>,
    extension: Extension,
}

/// Whether the peer repeats a message's extended timestamp in the chunks that continue it, as
/// section 5.3.1.3 has it. Some encoders don't; the first such chunk tells.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Extension {
    Unknown,
    Repeated,
    Omitted,
}

/// Bytes of a header until it is whole.
#[derive(Debug, Default)]
struct Header {
    bytes: [u8; MAX_HEADER_LEN],
    len: usize,
}

#[derive(Debug, Default)]
struct ChunkStream {
    timestamp_ms: u32,
    /// The timestamp field of the last header that had one: a delta, or absolute.
    field: u32,
    extended: bool,
    len: usize,
    kind: u8,
    stream_id: u32,
    /// The message's bytes so far; `None` between messages.
    partial: Option<Vec<u8>>,
}

impl Reader {
    /// A reader that takes media messages of up to `max_media_len` bytes.
    pub fn new(max_media_len: usize) -> Self {
        Self {
            chunk_size: INITIAL_CHUNK_SIZE,
            max_media_len,
            streams: HashMap::new(),
            unfinished: 0,
            header: Header::default(),
            body: None,
            extension: Extension::Unknown,
        }
    }

    /// Changes the limit for messages that begin from now on.
    pub fn set_max_media_len(&mut self, max_media_len: usize) {
        self.max_media_len = max_media_len;
    }

    /// Takes bytes from the front of `input` until a message is whole or the input is used up.
    /// Set Chunk Size and Abort are carried out and not returned. Call it again until it returns
    /// `None`.
    ///
    /// # Errors
    /// If the stream is broken or exceeds a limit; the reader is of no use then.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            let (id, left) = match self.body {
                Some(body) => body,
                None => match self.read_header(input)? {
                    Some(body) => body,
                    None => return Ok(None),
                },
            };
            let (taken, rest) = input.split_at(left.min(input.len()));
            *input = rest;
            self.append(id, taken)?;
            if taken.len() < left {
                self.body = Some((id, left - taken.len()));
                return Ok(None);
            }
            self.body = None;
            if let Some(message) = self.finish(id)
                && !self.control(&message)?
            {
                return Ok(Some(message));
            }
        }
    }

    /// The chunk stream and body length of the next chunk, once its header is whole.
    fn read_header(&mut self, input: &mut &[u8]) -> Result<Option<(u32, usize)>, ChunkError> {
        loop {
            let wanted = self.header.wanted(&self.streams, self.extension)?;
            if self.header.len < wanted {
                let count = (wanted - self.header.len).min(input.len());
                let (taken, rest) = input.split_at(count);
                *input = rest;
                self.header.bytes[self.header.len..][..count].copy_from_slice(taken);
                self.header.len += count;
                if self.header.len < wanted {
                    return Ok(None);
                }
            } else {
                break;
            }
        }
        let (id, left, body_start) = self.begin_chunk()?;
        self.header.len = 0;
        self.append(id, &body_start)?;
        Ok(Some((id, left - body_start.len())))
    }

    /// Applies the whole header. Returns the chunk stream, the length of the chunk's body, and the
    /// body's first bytes where they were taken for an extended timestamp and are none.
    fn begin_chunk(&mut self) -> Result<(u32, usize, Vec<u8>), ChunkError> {
        let header = &self.header.bytes[..self.header.len];
        let format = header[0] >> 6;
        let (id, basic_len) = chunk_stream_id(header);
        if format == 0 && !self.streams.contains_key(&id) {
            if self.streams.len() == MAX_CHUNK_STREAMS {
                return Err(ChunkError::TooManyStreams);
            }
            self.streams.insert(id, ChunkStream::default());
        }
        let stream = self
            .streams
            .get_mut(&id)
            .ok_or(ChunkError::NoPreviousHeader(id))?;
        if format != 3 && stream.partial.is_some() {
            return Err(ChunkError::Interrupted(id));
        }
        let fields = &header[basic_len..];
        if format < 3 {
            let field = be_u24(&fields[..3]);
            stream.extended = field == EXTENDED;
            stream.field = if stream.extended {
                be_u32(&fields[message_header_len(format)..])
            } else {
                field
            };
            if format < 2 {
                stream.len = be_u24(&fields[3..6]) as usize;
                stream.kind = fields[6];
            }
            if format == 0 {
                let id = [fields[7], fields[8], fields[9], fields[10]];
                stream.stream_id = u32::from_le_bytes(id);
            }
        }
        if stream.partial.is_none() {
            let max = if kind::is_media(stream.kind) {
                self.max_media_len
            } else {
                MAX_COMMAND_LEN
            };
            if stream.len > max {
                return Err(ChunkError::TooLong {
                    kind: stream.kind,
                    len: stream.len,
                    max,
                });
            }
            stream.timestamp_ms = match format {
                0 => stream.field,
                _ => stream.timestamp_ms.wrapping_add(stream.field),
            };
            stream.partial = Some(Vec::with_capacity(stream.len.min(FIRST_RESERVE)));
        }
        let have = stream.partial.as_ref().map_or(0, Vec::len);
        let left = (stream.len - have).min(self.chunk_size);

        let mut body_start = [].as_slice();
        if format == 3 && !fields.is_empty() && self.extension == Extension::Unknown && left >= 4 {
            if be_u32(fields) == stream.field {
                self.extension = Extension::Repeated;
            } else {
                self.extension = Extension::Omitted;
                body_start = fields;
            }
        }
        Ok((id, left, body_start.to_vec()))
    }

    fn append(&mut self, id: u32, bytes: &[u8]) -> Result<(), ChunkError> {
        let max = self.max_media_len.max(MAX_COMMAND_LEN);
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let Some(partial) = &mut stream.partial else {
            return Ok(());
        };
        self.unfinished += bytes.len();
        if self.unfinished > max {
            return Err(ChunkError::TooMuchUnfinished(max));
        }
        let needed = partial.len() + bytes.len();
        if needed > partial.capacity() {
            // Doubling, but never past the end, so that a whole message wastes nothing.
            let capacity = needed.max(2 * partial.capacity()).min(stream.len);
            partial.reserve_exact(capacity - partial.len());
        }
        partial.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, id: u32) -> Option<Message> {
        let stream = self.streams.get_mut(&id)?;
        let payload = stream
            .partial
            .take_if(|partial| partial.len() == stream.len)?;
        self.unfinished -= payload.len();
        Some(Message {
            timestamp_ms: stream.timestamp_ms,
            kind: stream.kind,
            stream_id: stream.stream_id,
            payload: Bytes::from(payload),
        })
    }

    /// Carries out the messages that concern this layer (section 5.4.1 and 5.4.2).
    fn control(&mut self, message: &Message) -> Result<bool, ChunkError> {
        let argument = || {
            let bytes = message.payload.first_chunk::<4>();
            bytes
                .map(|b| u32::from_be_bytes(*b))
                .ok_or(ChunkError::ShortControl(message.payload.len()))
        };
        match message.kind {
            kind::SET_CHUNK_SIZE => {
                let size = argument()?;
                if !(1..=MAX_CHUNK_SIZE).contains(&size) {
                    return Err(ChunkError::ChunkSize(size));
                }
                self.chunk_size = size as usize;
            }
            kind::ABORT => {
                if let Some(stream) = self.streams.get_mut(&argument()?)
                    && let Some(partial) = stream.partial.take()
                {
                    self.unfinished -= partial.len();
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Header {
    /// How many bytes the header has, as far as those read so far tell.
    fn wanted(
        &self,
        streams: &HashMap<u32, ChunkStream>,
        extension: Extension,
    ) -> Result<usize, ChunkError> {
        let bytes = &self.bytes[..self.len];
        let Some(first) = bytes.first() else {
            return Ok(1);
        };
        let basic_len = basic_header_len(*first);
        if bytes.len() < basic_len {
            return Ok(basic_len);
        }
        let format = first >> 6;
        let len = basic_len + message_header_len(format);
        if format == 3 {
            let (id, _) = chunk_stream_id(bytes);
            let stream = streams.get(&id).ok_or(ChunkError::NoPreviousHeader(id))?;
            let repeated = stream.extended && extension != Extension::Omitted;
            return Ok(if repeated { len + 4 } else { len });
        }
        if bytes.len() < len {
            return Ok(len);
        }
        let extended = be_u24(&bytes[basic_len..][..3]) == EXTENDED;
        Ok(if extended { len + 4 } else { len })
    }
}

fn basic_header_len(first: u8) -> usize {
    match first & 0x3f {
        0 => 2,
        1 => 3,
        _ => 1,
    }
}

/// The chunk stream id of a basic header and the header's length (section 5.3.1.1).
fn chunk_stream_id(header: &[u8]) -> (u32, usize) {
    match header[0] & 0x3f {
        0 => (64 + u32::from(header[1]), 2),
        1 => (64 + u32::from(header[1]) + 256 * u32::from(header[2]), 3),
        id => (u32::from(id), 1),
    }
}

fn message_header_len(format: u8) -> usize {
    match format {
        0 => 11,
        1 => 7,
        2 => 3,
        _ => 0,
    }
}

fn be_u24(bytes: &[u8]) -> u32 {
    bytes[..3]
        .iter()
        .fold(0, |n, byte| n << 8 | u32::from(*byte))
}

fn be_u32(bytes: &[u8]) -> u32 {
    bytes[..4]
        .iter()
        .fold(0, |n, byte| n << 8 | u32::from(*byte))
}

/// Writes messages of time 0 with full headers: all that a server has to say to a publisher.
#[derive(Debug)]
pub struct Writer {
    chunk_size: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            chunk_size: INITIAL_CHUNK_SIZE,
        }
    }
}

impl Writer {
    /// Announces that chunks of up to `size` bytes follow.
    pub fn set_chunk_size(&mut self, out: &mut Vec<u8>, size: u32) {
        self.write(out, 2, kind::SET_CHUNK_SIZE, 0, &size.to_be_bytes());
        self.chunk_size = size as usize;
    }

    /// Appends a message. `chunk_stream` is 2 to 63; the payload shorter than 2^24 bytes.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        chunk_stream: u8,
        kind: u8,
        stream_id: u32,
        payload: &[u8],
    ) {
        out.push(chunk_stream);
        out.extend_from_slice(&[0, 0, 0]);
        out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
        out.push(kind);
        out.extend_from_slice(&stream_id.to_le_bytes());
        for (at, chunk) in payload.chunks(self.chunk_size).enumerate() {
            if at > 0 {
                out.push(0xc0 | chunk_stream);
            }
            out.extend_from_slice(chunk);
        }
    }
}

#[cfg(test)]
mod tests;
