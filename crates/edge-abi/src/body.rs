//! Checking of a small body before it is sent on.

use crate::{
    DecodeError, Overflow, Response,
    wire::{Reader, Writer},
};

/// What a body is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BodyKind {
    /// A batch of events.
    Events = 0,
    /// A comment.
    Comment = 1,
    /// A session description, a fragment of one, or nothing: what WHIP and WHEP exchange.
    Session = 2,
    /// A reaction.
    Reaction = 3,
}

impl BodyKind {
    pub(crate) fn decode(value: u8) -> Result<Self, DecodeError> {
        match value {
            0 => Ok(Self::Events),
            1 => Ok(Self::Comment),
            2 => Ok(Self::Session),
            3 => Ok(Self::Reaction),
            value => Err(DecodeError::UnknownValue {
                field: "body kind",
                value,
            }),
        }
    }
}

/// A body and what it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyCheck<'a> {
    /// What it is to be.
    pub kind: BodyKind,
    /// At most [`crate::MAX_BODY`] bytes.
    pub body: &'a [u8],
}

impl<'a> BodyCheck<'a> {
    /// Writes it to the start of `buffer`; gives the length.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, Overflow> {
        let mut writer = Writer::new(buffer)?;
        writer.u8(self.kind as u8)?;
        writer.bytes(self.body)?;
        Ok(writer.len())
    }

    /// Reads a whole message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message)?;
        let check = Self {
            kind: BodyKind::decode(reader.u8()?)?,
            body: reader.bytes()?,
        };
        reader.end()?;
        Ok(check)
    }
}

/// What a guest says of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Send it on.
    Accept,
    /// Answer so instead.
    Refuse(Response<'a>),
}

impl<'a> Verdict<'a> {
    /// Writes it to the start of `buffer`; gives the length.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, Overflow> {
        let mut writer = Writer::new(buffer)?;
        match self {
            Self::Accept => writer.u8(0)?,
            Self::Refuse(response) => {
                writer.u8(1)?;
                response.encode(&mut writer)?;
            }
        }
        Ok(writer.len())
    }

    /// Reads a whole message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message)?;
        let verdict = match reader.u8()? {
            0 => Self::Accept,
            1 => Self::Refuse(Response::decode(&mut reader)?),
            value => {
                return Err(DecodeError::UnknownValue {
                    field: "verdict",
                    value,
                });
            }
        };
        reader.end()?;
        Ok(verdict)
    }
}
