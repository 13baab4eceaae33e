//! The body of a stored answer.

use std::ops::{Deref, RangeInclusive};

use bytes::Bytes;

use super::pages::Written;

/// A body, or a part of one. Once it is kept it lies in pages that the kernel can send by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    bytes: Bytes,
    /// The same bytes, by their place in a file.
    pages: Option<Written>,
}

impl Body {
    /// This range of it, which must be within it.
    pub(crate) fn part(&self, range: RangeInclusive<usize>) -> Self {
        let (first, last) = (*range.start(), *range.end());
        let pages = self.pages.clone().map(|mut pages| {
            pages.advance(first);
            pages.truncate(last + 1 - first);
            pages
        });
        Self {
            bytes: self.bytes.slice(range),
            pages,
        }
    }

    /// Where the kernel finds it, if it does.
    pub(crate) fn pages(&self) -> Option<&Written> {
        self.pages.as_ref()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, pages: None }
    }
}

impl From<Written> for Body {
    fn from(pages: Written) -> Self {
        Self {
            bytes: Bytes::from_owner(pages.clone()),
            pages: Some(pages),
        }
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
