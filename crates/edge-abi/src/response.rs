//! Header fields, and answers that need nobody else.

use std::borrow::Cow;

use crate::{
    DecodeError, Overflow,
    wire::{Reader, Writer},
};

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

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.prefixed(|writer| {
            for (name, value) in self.iter() {
                writer.text(name)?;
                writer.text(value)?;
            }
            Ok(())
        })
    }

    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
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
