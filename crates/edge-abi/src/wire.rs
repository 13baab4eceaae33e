//! Writing and reading of little-endian, length-prefixed fields.

use thiserror::Error;

use crate::{ABI_VERSION, config::MAX_NAME};

/// A message that does not fit the buffer, or a field longer than its length prefix can tell.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the message does not fit the buffer")]
pub struct Overflow;

/// Why bytes are not the message that they were read as.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end within a field.
    #[error("a field of {needed} bytes begins where {left} are left")]
    Truncated {
        /// Bytes that the field takes.
        needed: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// The message was written by another version of the codec.
    #[error("the message has layout {0}, this side has {ABI_VERSION}")]
    Version(u8),
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A number stands for none of the values that its field can have.
    #[error("{value} is no {field}")]
    UnknownValue {
        /// Which field.
        field: &'static str,
        /// What it held.
        value: u8,
    },
    /// A list or a name is longer than it may be.
    #[error("{field}: {len} are more than {most}")]
    TooMany {
        /// Which field.
        field: &'static str,
        /// How many items or bytes it has.
        len: usize,
        /// How many it may have.
        most: usize,
    },
    /// The message goes on after its last field.
    #[error("{0} bytes follow the last field")]
    Trailing(usize),
}

/// Writes one message into a buffer.
pub(crate) struct Writer<'b> {
    buffer: &'b mut [u8],
    at: usize,
}

impl<'b> Writer<'b> {
    /// Begins a message: writes the version.
    pub(crate) fn new(buffer: &'b mut [u8]) -> Result<Self, Overflow> {
        let mut writer = Self { buffer, at: 0 };
        writer.u8(ABI_VERSION as u8)?;
        Ok(writer)
    }

    /// Length of what was written.
    pub(crate) fn len(&self) -> usize {
        self.at
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        let end = self.at.checked_add(bytes.len()).ok_or(Overflow)?;
        self.buffer
            .get_mut(self.at..end)
            .ok_or(Overflow)?
            .copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    pub(crate) fn u8(&mut self, value: u8) -> Result<(), Overflow> {
        self.raw(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> Result<(), Overflow> {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> Result<(), Overflow> {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> Result<(), Overflow> {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn text(&mut self, value: &str) -> Result<(), Overflow> {
        self.u16(u16::try_from(value.len()).map_err(|_| Overflow)?)?;
        self.raw(value.as_bytes())
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> Result<(), Overflow> {
        self.u32(u32::try_from(value.len()).map_err(|_| Overflow)?)?;
        self.raw(value)
    }

    /// How many items follow.
    pub(crate) fn count(&mut self, count: usize) -> Result<(), Overflow> {
        self.u8(u8::try_from(count).map_err(|_| Overflow)?)
    }

    /// Writes what `write` writes, behind its length in bytes.
    pub(crate) fn prefixed(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Overflow>,
    ) -> Result<(), Overflow> {
        let prefix = self.at;
        self.u16(0)?;
        let start = self.at;
        write(self)?;
        let len = u16::try_from(self.at - start).map_err(|_| Overflow)?;
        self.buffer
            .get_mut(prefix..start)
            .ok_or(Overflow)?
            .copy_from_slice(&len.to_le_bytes());
        Ok(())
    }
}

/// Reads one message.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins a message: checks the version.
    pub(crate) fn new(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Self::bare(message);
        match reader.u8()? {
            version if u32::from(version) == ABI_VERSION => Ok(reader),
            version => Err(DecodeError::Version(version)),
        }
    }

    /// Reads fields that have no version before them.
    pub(crate) fn bare(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the message.
    pub(crate) fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing(self.rest.len()))
        }
    }

    pub(crate) fn raw(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let truncated = DecodeError::Truncated {
            needed: len,
            left: self.rest.len(),
        };
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let truncated = DecodeError::Truncated {
            needed: N,
            left: self.rest.len(),
        };
        let (taken, rest) = self.rest.split_first_chunk().ok_or(truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A byte that is 0 or 1.
    pub(crate) fn flag(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(DecodeError::UnknownValue { field, value }),
        }
    }

    /// A byte of which only the bits of `known` may be set.
    pub(crate) fn flags(&mut self, field: &'static str, known: u8) -> Result<u8, DecodeError> {
        match self.u8()? {
            value if value & !known == 0 => Ok(value),
            value => Err(DecodeError::UnknownValue { field, value }),
        }
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, DecodeError> {
        let len = self.u16()?;
        std::str::from_utf8(self.raw(usize::from(len))?).map_err(|_| DecodeError::NotUtf8)
    }

    /// A text of at most [`MAX_NAME`] bytes.
    pub(crate) fn name(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let name = self.text()?;
        bounded(field, name.len(), MAX_NAME)?;
        Ok(name)
    }

    /// As many items as the count before them says, and that is at most `most`.
    pub(crate) fn list<T>(
        &mut self,
        field: &'static str,
        most: usize,
        item: impl Fn(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let len = usize::from(self.u8()?);
        bounded(field, len, most)?;
        (0..len).map(|_| item(self)).collect()
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u32()?;
        self.raw(usize::try_from(len).unwrap_or(usize::MAX))
    }
}

fn bounded(field: &'static str, len: usize, most: usize) -> Result<(), DecodeError> {
    if len <= most {
        Ok(())
    } else {
        Err(DecodeError::TooMany { field, len, most })
    }
}
