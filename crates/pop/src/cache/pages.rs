//! Memory that is a file as well: what lies in it is read in place, and the kernel sends it to
//! sockets without a copy. The calls that map it; the only module of this crate that is unsafe.
//!
//! Pages are written once and never again, as what was sent may lie in a socket's queue, and be read
//! from there, for as long as its peer likes. The kernel keeps such pages when their file is gone.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileExt,
    },
    ptr::{self, NonNull},
    slice,
    sync::Arc,
};

use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

/// A file in memory, mapped whole.
#[derive(Debug)]
pub(super) struct Pages {
    file: File,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: nothing but reads of what was written goes through the pointer, by any thread.
unsafe impl Send for Pages {}
// SAFETY: likewise.
unsafe impl Sync for Pages {}

impl Pages {
    /// The calls that make it, of which any may fail for want of files, addresses or permission.
    fn map(len: usize) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(memfd_create("weir-cache", flags)?);
        ftruncate(&file, len as u64)?;
        // A mapping of pages that a file does not have any more would end the process when read.
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        let protection = ProtFlags::READ;
        // SAFETY: the system chooses addresses that nobody has.
        let start = unsafe { mmap(ptr::null_mut(), len, protection, MapFlags::SHARED, &file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { file, start, len })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: this is the mapping as it was made, and nobody has a reference into it: whoever has
        // one has an `Arc` of this too.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "a whole mapping can be unmapped");
    }
}

/// Pages that nothing was written to, for their one owner to write to.
#[derive(Debug)]
pub(super) struct Room {
    pages: Arc<Pages>,
    at: usize,
    len: usize,
}

impl Room {
    /// `len` bytes of pages of their own.
    pub(super) fn new(len: usize) -> io::Result<Self> {
        Ok(Self {
            pages: Arc::new(Pages::map(len)?),
            at: 0,
            len,
        })
    }

    pub(super) fn pages(&self) -> &Arc<Pages> {
        &self.pages
    }

    /// Takes the first `len` bytes of it, if it has so many.
    pub(super) fn take(&mut self, len: usize) -> Option<Self> {
        let rest = self.len.checked_sub(len)?;
        let taken = Self {
            pages: self.pages.clone(),
            at: self.at,
            len,
        };
        (self.at, self.len) = (self.at + len, rest);
        Some(taken)
    }

    /// Writes `bytes` at its beginning. An error is that there is no memory for it, or no room.
    pub(super) fn write(self, bytes: &[u8]) -> io::Result<Written> {
        if bytes.len() > self.len {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.pages.file.write_all_at(bytes, self.at as u64)?;
        Ok(Written {
            pages: self.pages,
            at: self.at,
            len: bytes.len(),
        })
    }
}

/// Bytes that were written to pages, which stay as they are until nobody has them.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pages: Arc<Pages>,
    at: usize,
    len: usize,
}

impl Written {
    /// The file that they are in, from byte [`at`](Self::at) on.
    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.pages.file.as_fd()
    }

    /// Where in the file they begin.
    pub(crate) fn at(&self) -> u64 {
        self.at as u64
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Without the first `count`, or as many as there are.
    pub(crate) fn advance(&mut self, count: usize) {
        let count = count.min(self.len);
        (self.at, self.len) = (self.at + count, self.len - count);
    }

    /// The first `len` alone, or as many as there are.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = len.min(self.len);
    }
}

impl AsRef<[u8]> for Written {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the range is within the mapping, which lives as long as `pages`. It was written to
        // by the one owner of its room, who is gone, before this was made, and is written to by
        // nobody else: the file has no name, and cannot be cut.
        unsafe { slice::from_raw_parts(self.pages.start.as_ptr().add(self.at), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_ends_with_its_last_owner() {
        let mut room = Room::new(10_000).unwrap();
        let pages = Arc::downgrade(room.pages());
        let (first, second) = (room.take(6000).unwrap(), room.take(4000).unwrap());
        assert!(room.take(1).is_none());
        drop(room);
        let mut first = first.write(&[1; 6000]).unwrap();
        assert!(second.write(&[2; 4001]).is_err());
        first.advance(10);
        first.truncate(100);
        let copy = first.clone();
        assert_eq!((copy.as_ref(), copy.at()), (&[1; 100][..], 10));
        first.advance(200);
        assert_eq!((first.as_ref(), first.at()), (&[][..], 110));
        drop(first);
        assert!(pages.upgrade().is_some());
        drop(copy);
        assert!(pages.upgrade().is_none());
    }
}
