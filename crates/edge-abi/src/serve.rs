//! Answers out of the cache.

use std::borrow::Cow;

use crate::{
    DecodeError, Fields, Overflow,
    wire::{Reader, Writer},
};

/// An answer out of the cache, or else from the origin into the cache. Requests with the same
/// target that come while the origin is asked share its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve<'a> {
    /// Path and query to ask the origin for, in the only spelling that this answer has: with the
    /// encoding it is the cache key too.
    pub target: Cow<'a, str>,
    /// `Cache-Control` of an answer that is no error; errors are `no-store`.
    pub cache_control: &'a str,
    /// Header fields of every answer.
    pub fields: Fields<'a>,
    /// How long an answer that is no error is fresh, in milliseconds.
    pub fresh_ms: u32,
    /// How long an error (status 400 and above) is kept, in milliseconds.
    pub error_ms: u32,
    /// How long after `fresh_ms` the old answer may stand in when the origin fails, in
    /// milliseconds.
    pub stale_ms: u32,
    /// How long the origin may take to answer, in milliseconds.
    pub wait_ms: u32,
    /// Whether the origin holds the request until the position or part exists. If it goes away
    /// meanwhile it is asked again within `wait_ms`; when that ends, the answer is 503.
    pub held: bool,
    /// What to ask of the origin as `Accept-Encoding`; it joins the cache key.
    pub encoding: Encoding,
    /// Where in its stream this is, of what may not exist yet. A host that knows the live edge
    /// answers a position far beyond it itself, so that made-up ones never reach the origin.
    pub position: Option<Position<'a>>,
}

/// A content coding (RFC 9110 section 8.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Encoding {
    /// None.
    #[default]
    Identity = 0,
    /// `gzip`.
    Gzip = 1,
    /// `br` (RFC 7932).
    Brotli = 2,
}

impl Encoding {
    /// The word in `Accept-Encoding` and `Content-Encoding`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }

    fn decode(value: u8) -> Result<Self, DecodeError> {
        match value {
            0 => Ok(Self::Identity),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Brotli),
            value => Err(DecodeError::UnknownValue {
                field: "encoding",
                value,
            }),
        }
    }
}

/// A place in a live stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position<'a> {
    /// `{video}/{rendition}`.
    pub stream: Cow<'a, str>,
    /// Media sequence number of the segment.
    pub msn: u64,
    /// The part of it; without one, the whole segment.
    pub part: Option<u32>,
}

impl<'a> Serve<'a> {
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.text(&self.target)?;
        writer.text(self.cache_control)?;
        self.fields.encode(writer)?;
        writer.u32(self.fresh_ms)?;
        writer.u32(self.error_ms)?;
        writer.u32(self.stale_ms)?;
        writer.u32(self.wait_ms)?;
        writer.u8(u8::from(self.held))?;
        writer.u8(self.encoding as u8)?;
        match &self.position {
            None => writer.u8(0),
            Some(position) => position.encode(writer),
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            target: Cow::Borrowed(reader.text()?),
            cache_control: reader.text()?,
            fields: Fields::decode(reader)?,
            fresh_ms: reader.u32()?,
            error_ms: reader.u32()?,
            stale_ms: reader.u32()?,
            wait_ms: reader.u32()?,
            held: reader.flag("held")?,
            encoding: Encoding::decode(reader.u8()?)?,
            position: Position::decode(reader)?,
        })
    }
}

impl<'a> Position<'a> {
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.u8(1 + u8::from(self.part.is_some()))?;
        writer.text(&self.stream)?;
        writer.u64(self.msn)?;
        self.part.map_or(Ok(()), |part| writer.u32(part))
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        let with_part = match reader.u8()? {
            0 => return Ok(None),
            1 => false,
            2 => true,
            value => {
                return Err(DecodeError::UnknownValue {
                    field: "position",
                    value,
                });
            }
        };
        Ok(Some(Self {
            stream: Cow::Borrowed(reader.text()?),
            msn: reader.u64()?,
            part: with_part.then(|| reader.u32()).transpose()?,
        }))
    }
}
