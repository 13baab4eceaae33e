//! What a host is to do with a request.

use std::borrow::Cow;

use crate::{
    BodyKind, Country, DecodeError, Overflow,
    wire::{Reader, Writer},
};

/// What kind of thing was asked for; counters are kept per class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// A media playlist.
    Playlist = 0,
    /// A multivariant playlist.
    Multivariant = 1,
    /// An initialisation segment.
    Init = 2,
    /// A media segment.
    Segment = 3,
    /// A partial segment.
    Part = 4,
    /// A span.
    Span = 5,
    /// The HTTP API.
    Api = 6,
    /// Pages and files of the web app, and whatever else is no media.
    Web = 7,
}

impl Class {
    /// Every class, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Playlist,
        Self::Multivariant,
        Self::Init,
        Self::Segment,
        Self::Part,
        Self::Span,
        Self::Api,
        Self::Web,
    ];

    /// The word used in counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Playlist => "playlist",
            Self::Multivariant => "multivariant",
            Self::Init => "init",
            Self::Segment => "segment",
            Self::Part => "part",
            Self::Span => "span",
            Self::Api => "api",
            Self::Web => "web",
        }
    }

    fn decode(value: u8) -> Result<Self, DecodeError> {
        Self::ALL
            .get(usize::from(value))
            .copied()
            .ok_or(DecodeError::UnknownValue {
                field: "class",
                value,
            })
    }
}

/// Header fields that a plan adds to an answer.
#[derive(Clone, Copy)]
pub struct Fields<'a>(Repr<'a>);

#[derive(Clone, Copy)]
enum Repr<'a> {
    Listed(&'a [(&'a str, &'a str)]),
    // Checked when it was decoded, so that a cache hit, which has its header ready, skips it whole.
    Encoded(&'a [u8]),
}

impl<'a> Fields<'a> {
    /// These (name, value) pairs.
    pub const fn new(pairs: &'a [(&'a str, &'a str)]) -> Self {
        Self(Repr::Listed(pairs))
    }

    /// The (name, value) pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let (listed, mut encoded) = match self.0 {
            Repr::Listed(pairs) => (pairs, Reader::bare(&[])),
            Repr::Encoded(bytes) => (&[] as &[_], Reader::bare(bytes)),
        };
        let decoded = std::iter::from_fn(move || {
            let name = encoded.text().ok()?;
            Some((name, encoded.text().ok()?))
        });
        listed.iter().copied().chain(decoded)
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.prefixed(|writer| {
            for (name, value) in self.iter() {
                writer.text(name)?;
                writer.text(value)?;
            }
            Ok(())
        })
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let len = reader.u16()?;
        let bytes = reader.raw(usize::from(len))?;
        let mut pairs = Reader::bare(bytes);
        while !pairs.is_empty() {
            pairs.text()?;
            pairs.text()?;
        }
        Ok(Self(Repr::Encoded(bytes)))
    }
}

impl PartialEq for Fields<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields<'_> {}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// An answer that needs nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// HTTP status.
    pub status: u16,
    /// Header fields, `Content-Type` among them if there is a body.
    pub fields: Fields<'a>,
    /// The body.
    pub body: Cow<'a, [u8]>,
}

impl<'a> Response<'a> {
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.u16(self.status)?;
        self.fields.encode(writer)?;
        writer.bytes(&self.body)
    }

    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            status: reader.u16()?,
            fields: Fields::decode(reader)?,
            body: Cow::Borrowed(reader.bytes()?),
        })
    }
}

/// An answer out of the cache, or else from the origin into the cache. Requests with the same
/// target that come while the origin is asked share its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve<'a> {
    /// Path and query to ask the origin for, in the only spelling that this answer has: it is the
    /// cache key too.
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
}

/// A request that goes to the origin each time: its method, its body, and of its header fields
/// `Content-Type`, `Authorization` and `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward<'a> {
    /// Path and query to send it to.
    pub target: Cow<'a, str>,
    /// Header fields of every answer.
    pub fields: Fields<'a>,
    /// How long the origin may take to answer, in milliseconds.
    pub wait_ms: u32,
    /// Longest body in bytes; a longer one is answered with 413.
    pub max_body: u32,
    /// What the body must pass as ([`crate::BodyCheck`]) before it is sent on.
    pub body: BodyKind,
    /// Country to tell the origin, as `Weir-Country`.
    pub country: Option<Country>,
}

/// What a host is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Answer so.
    Respond(Response<'a>),
    /// Answer so, and count it as denied.
    Deny(Response<'a>),
    /// Answer from the cache.
    Serve(Serve<'a>),
    /// Send it to the origin.
    Forward(Forward<'a>),
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// What was asked for.
    pub class: Class,
    /// What to do.
    pub action: Action<'a>,
}

impl<'a> Plan<'a> {
    /// Writes it to the start of `buffer`; gives the length.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, Overflow> {
        let mut writer = Writer::new(buffer)?;
        writer.u8(self.class as u8)?;
        match &self.action {
            Action::Respond(response) => {
                writer.u8(0)?;
                response.encode(&mut writer)?;
            }
            Action::Deny(response) => {
                writer.u8(1)?;
                response.encode(&mut writer)?;
            }
            Action::Serve(serve) => {
                writer.u8(2)?;
                serve.encode(&mut writer)?;
            }
            Action::Forward(forward) => {
                writer.u8(3)?;
                forward.encode(&mut writer)?;
            }
        }
        Ok(writer.len())
    }

    /// Reads a whole message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message)?;
        let class = Class::decode(reader.u8()?)?;
        let action = match reader.u8()? {
            0 => Action::Respond(Response::decode(&mut reader)?),
            1 => Action::Deny(Response::decode(&mut reader)?),
            2 => Action::Serve(Serve::decode(&mut reader)?),
            3 => Action::Forward(Forward::decode(&mut reader)?),
            value => {
                return Err(DecodeError::UnknownValue {
                    field: "action",
                    value,
                });
            }
        };
        reader.end()?;
        Ok(Self { class, action })
    }
}

impl<'a> Serve<'a> {
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.text(&self.target)?;
        writer.text(self.cache_control)?;
        self.fields.encode(writer)?;
        writer.u32(self.fresh_ms)?;
        writer.u32(self.error_ms)?;
        writer.u32(self.stale_ms)?;
        writer.u32(self.wait_ms)?;
        writer.u8(u8::from(self.held))
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            target: Cow::Borrowed(reader.text()?),
            cache_control: reader.text()?,
            fields: Fields::decode(reader)?,
            fresh_ms: reader.u32()?,
            error_ms: reader.u32()?,
            stale_ms: reader.u32()?,
            wait_ms: reader.u32()?,
            held: reader.flag("held")?,
        })
    }
}

impl<'a> Forward<'a> {
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.text(&self.target)?;
        self.fields.encode(writer)?;
        writer.u32(self.wait_ms)?;
        writer.u32(self.max_body)?;
        writer.u8(self.body as u8)?;
        Country::encode(self.country, writer)
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            target: Cow::Borrowed(reader.text()?),
            fields: Fields::decode(reader)?,
            wait_ms: reader.u32()?,
            max_body: reader.u32()?,
            body: BodyKind::decode(reader.u8()?)?,
            country: Country::decode(reader)?,
        })
    }
}
