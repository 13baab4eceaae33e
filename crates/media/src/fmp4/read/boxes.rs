//! The box structure (ISO/IEC 14496-12 section 4.2).

use bytes::{Buf, Bytes};

use super::InvalidFmp4;
use crate::fmp4::boxes::FourCc;

/// A box as it stands in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxRef {
    /// The box's type.
    pub name: FourCc,
    /// Where it starts, within what [`boxes`] was given.
    pub at: usize,
    /// Bytes of size and type.
    pub header: usize,
    /// What follows size and type.
    pub content: Bytes,
}

impl BoxRef {
    /// Where the content starts, within what [`boxes`] was given.
    pub fn content_at(&self) -> usize {
        self.at + self.header
    }
}

/// The boxes that follow each other in `data`. After an error there is nothing more.
pub fn boxes(data: &Bytes) -> impl Iterator<Item = Result<BoxRef, InvalidFmp4>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let left = data.len() - at;
        if left == 0 {
            return None;
        }
        let read = read_box(data, at);
        at = read
            .as_ref()
            .map_or(data.len(), |read| read.content_at() + read.content.len());
        Some(read)
    })
}

fn read_box(data: &Bytes, at: usize) -> Result<BoxRef, InvalidFmp4> {
    const TO_THE_END: u64 = 0;
    const LARGE: u64 = 1;
    let mut rest = &data[at..];
    let left = rest.len();
    let (Ok(size), Ok(name)) = (rest.try_get_u32(), rest.try_get_u32()) else {
        return Err(InvalidFmp4::BoxSize {
            name: *b"    ",
            at,
            size: 8,
            left,
        });
    };
    let name = name.to_be_bytes();
    let (size, header) = match u64::from(size) {
        TO_THE_END => (left as u64, 8),
        LARGE => (
            rest.try_get_u64()
                .map_err(|_| InvalidFmp4::Truncated(name))?,
            16,
        ),
        size => (size, 8),
    };
    if size < header as u64 || size > left as u64 {
        return Err(InvalidFmp4::BoxSize {
            name,
            at,
            size,
            left,
        });
    }
    let content = data.slice(at + header..at + size as usize);
    Ok(BoxRef {
        name,
        at,
        header,
        content,
    })
}

/// The first box of that name.
pub(super) fn find(data: &Bytes, name: &FourCc) -> Result<Bytes, InvalidFmp4> {
    for found in boxes(data) {
        let found = found?;
        if found.name == *name {
            return Ok(found.content);
        }
    }
    Err(InvalidFmp4::Missing(*name))
}

/// A box's fields, read in order.
pub(super) struct Fields {
    name: FourCc,
    rest: Bytes,
}

impl Fields {
    pub(super) fn of(name: &FourCc, content: Bytes) -> Self {
        Self {
            name: *name,
            rest: content,
        }
    }

    pub(super) fn u32(&mut self) -> Result<u32, InvalidFmp4> {
        self.rest
            .try_get_u32()
            .map_err(|_| InvalidFmp4::Truncated(self.name))
    }

    pub(super) fn i32(&mut self) -> Result<i32, InvalidFmp4> {
        self.rest
            .try_get_i32()
            .map_err(|_| InvalidFmp4::Truncated(self.name))
    }

    pub(super) fn u64(&mut self) -> Result<u64, InvalidFmp4> {
        self.rest
            .try_get_u64()
            .map_err(|_| InvalidFmp4::Truncated(self.name))
    }

    pub(super) fn skip(&mut self, bytes: usize) -> Result<(), InvalidFmp4> {
        if bytes > self.rest.len() {
            return Err(InvalidFmp4::Truncated(self.name));
        }
        self.rest.advance(bytes);
        Ok(())
    }

    pub(super) fn rest(self) -> Bytes {
        self.rest
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }
}
