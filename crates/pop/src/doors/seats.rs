//! Places in the house, and the memory that whoever is inside takes.
//!
//! A connection that waits or is idle keeps its state: next to nothing for plain HTTP/1.1, keys and a
//! buffer for TLS, the buffers of a library for HTTP/2 and HTTP/3. So connections are bounded by their
//! number, and by what they take together, reckoned by kind.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Kinds of connections, by what they keep in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Burden {
    /// HTTP/1.1.
    Plain,
    /// HTTP/1.1 over TLS.
    Secure,
    /// HTTP/2, or what comes over TLS and may be that.
    Http2,
    Http3,
}

impl Burden {
    /// KiB, as measured (docs/pop.md).
    const fn kib(self) -> u32 {
        match self {
            Self::Plain => 3,
            Self::Secure => 13,
            Self::Http2 => 39,
            Self::Http3 => 58,
        }
    }
}

/// All places.
#[derive(Debug)]
pub(crate) struct Seats {
    places: Arc<Semaphore>,
    most_places: usize,
    /// In KiB.
    memory: Arc<Semaphore>,
    most_memory: usize,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _place: OwnedSemaphorePermit,
    memory: OwnedSemaphorePermit,
}

impl Seats {
    /// For `connections`, which together take `bytes` at most; one connection always fits.
    pub(crate) fn new(connections: usize, bytes: u64) -> Self {
        let kib = usize::try_from(bytes / 1024).unwrap_or(usize::MAX);
        let least = Burden::Http3.kib().max(Burden::Http2.kib()) as usize;
        let most_memory = kib.clamp(least, Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(connections)),
            most_places: connections,
            memory: Arc::new(Semaphore::new(most_memory)),
            most_memory,
        }
    }

    /// Waits until there is one. Whoever began to wait first has it first.
    pub(crate) async fn take(&self, burden: Burden) -> Option<Seat> {
        // Neither semaphore is ever closed.
        let place = self.places.clone().acquire_owned().await.ok()?;
        let memory = self.memory.clone().acquire_many_owned(burden.kib());
        Some(Seat {
            _place: place,
            memory: memory.await.ok()?,
        })
    }

    /// The same if there is one now.
    pub(crate) fn try_take(&self, burden: Burden) -> Option<Seat> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        let memory = self.memory.clone().try_acquire_many_owned(burden.kib());
        Some(Seat {
            _place: place,
            memory: memory.ok()?,
        })
    }

    /// Whether there is none.
    pub(crate) fn are_taken(&self, burden: Burden) -> bool {
        let memory = self.memory.available_permits();
        self.places.available_permits() == 0 || memory < burden.kib() as usize
    }

    /// Whether half of the house is taken.
    pub(crate) fn are_half_taken(&self) -> bool {
        self.left_below(2)
    }

    /// Whether so little is left that whoever is idle had better go.
    pub(crate) fn are_scarce(&self) -> bool {
        self.left_below(8)
    }

    /// Whether less than one part in so many is left, of places or of memory.
    fn left_below(&self, parts: usize) -> bool {
        self.places.available_permits() < self.most_places / parts
            || self.memory.available_permits() < self.most_memory / parts
    }
}

impl Seat {
    /// It turned out to be for a smaller burden.
    pub(crate) fn lighten(&mut self, burden: Burden) {
        let kept = burden.kib() as usize;
        let surplus = self.memory.num_permits().saturating_sub(kept);
        drop(self.memory.split(surplus));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn places_and_memory_are_both_bounded() {
        let seats = Seats::new(3, 82 << 10);
        let take = |burden| seats.take(burden).now_or_never().flatten();
        let plain = take(Burden::Plain).unwrap();
        let mut secure = take(Burden::Http2).unwrap();
        // 40 KiB are left.
        assert!(seats.are_half_taken() && !seats.are_scarce());
        let http2 = take(Burden::Http2).unwrap();
        assert!(seats.are_taken(Burden::Plain) && seats.are_scarce());
        drop(plain);
        assert!(seats.try_take(Burden::Secure).is_none(), "4 KiB are left");
        secure.lighten(Burden::Secure);
        assert!(!seats.are_taken(Burden::Secure));
        let more = seats.try_take(Burden::Secure).unwrap();
        assert!(seats.try_take(Burden::Plain).is_none(), "three are there");
        drop((secure, http2, more));
        assert!(!seats.are_half_taken());
    }

    #[test]
    fn one_always_fits() {
        let seats = Seats::new(1, 0);
        assert!(seats.try_take(Burden::Http3).is_some());
        assert!(seats.try_take(Burden::Http2).is_some());
    }
}
