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
    // Checked when it was decoded, so that a cache hit, which has its header ready, skips it whole;
    // or encoded by the compiler, so that a plan takes it whole.
    Encoded(&'a [u8]),
}

/// [`Fields`] of (name, value) pairs that are constants, encoded when the guest is compiled: a plan
/// that names them copies bytes.
#[macro_export]
macro_rules! constant_fields {
    ($($pair:expr),* $(,)?) => {{
        const PAIRS: &[(&str, &str)] = &[$($pair),*];
        const BYTES: [u8; $crate::response::encoded_len(PAIRS)] =
            $crate::response::encoded(PAIRS);
        $crate::Fields::of_encoded(&BYTES)
    }};
}

/// How many bytes [`encoded`] pairs take.
#[doc(hidden)]
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which checks"
)]
pub const fn encoded_len(pairs: &[(&str, &str)]) -> usize {
    let (mut len, mut pair) = (0, 0);
    while pair < pairs.len() {
        len += 2 + pairs[pair].0.len() + 2 + pairs[pair].1.len();
        pair += 1;
    }
    len
}

/// Pairs as [`Fields`] are encoded, behind their length.
#[doc(hidden)]
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which checks"
)]
pub const fn encoded<const LEN: usize>(pairs: &[(&str, &str)]) -> [u8; LEN] {
    let (mut bytes, mut at, mut pair) = ([0; LEN], 0, 0);
    while pair < pairs.len() {
        let texts = [pairs[pair].0.as_bytes(), pairs[pair].1.as_bytes()];
        let mut text = 0;
        while text < texts.len() {
            let len = (texts[text].len() as u16).to_le_bytes();
            (bytes[at], bytes[at + 1]) = (len[0], len[1]);
            at += 2;
            let mut byte = 0;
            while byte < texts[text].len() {
                bytes[at] = texts[text][byte];
                (at, byte) = (at + 1, byte + 1);
            }
            text += 1;
        }
        pair += 1;
    }
    bytes
}

impl<'a> Fields<'a> {
    /// These (name, value) pairs.
    pub const fn new(pairs: &'a [(&'a str, &'a str)]) -> Self {
        Self(Repr::Listed(pairs))
    }

    /// What [`encoded`] made.
    #[doc(hidden)]
    pub const fn of_encoded(bytes: &'a [u8]) -> Self {
        Self(Repr::Encoded(bytes))
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
        writer.prefixed(|writer| match self.0 {
            Repr::Encoded(bytes) => writer.raw(bytes),
            Repr::Listed(pairs) => pairs.iter().try_for_each(|(name, value)| {
                writer.text(name)?;
                writer.text(value)
            }),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_compiler_encodes_is_the_same() {
        const VALUE: &str = "application/json";
        let constant = crate::constant_fields!(("content-type", VALUE), ("a", ""));
        let listed = Fields::new(&[("content-type", VALUE), ("a", "")]);
        assert_eq!(constant, listed);
        let bytes = |fields: Fields<'_>| {
            let mut buffer = [0; 64];
            let mut writer = Writer::new(&mut buffer).unwrap();
            fields.encode(&mut writer).unwrap();
            let len = writer.len();
            buffer[..len].to_vec()
        };
        assert_eq!(bytes(constant), bytes(listed));
    }
}
