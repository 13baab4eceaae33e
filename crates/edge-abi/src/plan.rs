//! What a host is to do with a request.

use std::borrow::Cow;

use weir_model::{Cmcd, Country};

use crate::{
    BodyKind, DecodeError, Fields, Overflow, Response, Serve,
    extras::Extras,
    request::{decode_country, encode_country},
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
    /// The room of a video: chat, reactions, presence.
    Room = 8,
}

impl Class {
    /// Every class, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Playlist,
        Self::Multivariant,
        Self::Init,
        Self::Segment,
        Self::Part,
        Self::Span,
        Self::Api,
        Self::Web,
        Self::Room,
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
            Self::Room => "room",
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

/// A WebSocket to the hub of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join<'a> {
    /// Which: the video's id.
    pub room: Cow<'a, str>,
    /// The last message that the client has; `None` for a client that comes anew.
    pub after: Option<u64>,
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
    /// Let it join a room.
    Join(Join<'a>),
}

/// How often one client address may do what the request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is counted together: one number per kind of request.
    pub bucket: u8,
    /// How many a minute, in the long run.
    pub per_minute: u32,
    /// How many at once.
    pub burst: u32,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// What was asked for.
    pub class: Class,
    /// What to do.
    pub action: Action<'a>,
    /// What to hand in as [`crate::Request::claims`] with every later request that comes with the
    /// same token, as long as the configuration stays: the token was verified just now. The first
    /// byte is the version of its layout, the rest is the guest's affair.
    pub remember: Option<Cow<'a, [u8]>>,
    /// What the client's address is held to; over it, the answer is 429.
    pub limit: Option<Limit>,
    /// What the player says of itself, to be counted.
    pub cmcd: Option<Cmcd>,
}

impl<'a> Plan<'a> {
    /// A plan to do this, and nothing besides.
    pub fn new(class: Class, action: Action<'a>) -> Self {
        Self {
            class,
            action,
            remember: None,
            limit: None,
            cmcd: None,
        }
    }

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
            Action::Join(join) => {
                writer.u8(4)?;
                join.encode(&mut writer)?;
            }
        }
        Extras {
            remember: self.remember.as_deref(),
            limit: self.limit,
            cmcd: self.cmcd,
        }
        .encode(&mut writer)?;
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
            4 => Action::Join(Join::decode(&mut reader)?),
            value => {
                return Err(DecodeError::UnknownValue {
                    field: "action",
                    value,
                });
            }
        };
        let Extras {
            remember,
            limit,
            cmcd,
        } = Extras::decode(&mut reader)?;
        reader.end()?;
        Ok(Self {
            class,
            action,
            remember: remember.map(Cow::Borrowed),
            limit,
            cmcd,
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
        encode_country(self.country, writer)
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            target: Cow::Borrowed(reader.text()?),
            fields: Fields::decode(reader)?,
            wait_ms: reader.u32()?,
            max_body: reader.u32()?,
            body: BodyKind::decode(reader.u8()?)?,
            country: decode_country(reader)?,
        })
    }
}

impl<'a> Join<'a> {
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.text(&self.room)?;
        writer.u8(u8::from(self.after.is_some()))?;
        self.after.map_or(Ok(()), |after| writer.u64(after))
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            room: Cow::Borrowed(reader.text()?),
            after: match reader.flag("after")? {
                true => Some(reader.u64()?),
                false => None,
            },
        })
    }
}
