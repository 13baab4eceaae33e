//! The shelf and the memory that bodies lie in.
//!
//! A body is copied once, into its slot of an extent, and sent from there to any number of viewers.
//! Once the extent is given up and the last viewer has what was read from it, its memory is freed.
//! Until then it is counted as held.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Instant,
};

use bytes::Bytes;

use super::{Body, Hit, Stored, extents::Extents, pages::Room};
use crate::shelf::{Bounds, Found, Life, NoRoom, Shelf, Slot, Survivor};

/// Answers in memory, bounded in bytes.
pub(crate) struct Memory(RwLock<Tier>);

struct Tier {
    shelf: Shelf<Arc<Stored>>,
    extents: Extents,
}

type Survivors = Vec<Survivor<Arc<Stored>>>;

impl Memory {
    /// At most `bytes`, with all that belongs to them.
    pub(crate) fn new(bytes: u64) -> Self {
        let mut bounds = Bounds::of_memory(bytes);
        // While what survives of an extent moves into another one, both are there.
        bounds.bytes = bounds.bytes.saturating_sub(bounds.extent_bytes);
        Self(RwLock::new(Tier {
            shelf: Shelf::new(bounds),
            extents: Extents::default(),
        }))
    }

    /// A fresh answer.
    pub(crate) fn fresh(&self, key: &str, now: Instant) -> Option<Hit> {
        self.read().shelf.fresh(key, now).map(hit)
    }

    /// The life of an answer, fresh or not.
    pub(crate) fn life(&self, key: &str) -> Option<Life> {
        self.read().shelf.life(key)
    }

    /// Has an answer stand in for a newer one.
    pub(crate) fn stand_in(&self, key: &str, life: Life) -> Option<Hit> {
        self.write().shelf.stand_in(key, life).map(hit)
    }

    /// Keeps an answer, if it is not too long. It comes back with its body where it is kept.
    pub(crate) fn keep(&self, key: &Arc<str>, stored: Stored, life: Life, now: Instant) -> Hit {
        let mut survivors = Vec::new();
        let kept = self.copy_in(&stored, now, &mut survivors);
        let stored = match kept {
            Some((slot, stored)) => {
                let shelf = &mut self.write().shelf;
                shelf.put(key.clone(), stored.clone(), life, slot);
                stored
            }
            None => Arc::new(stored),
        };
        loop {
            while let Some(survivor) = survivors.pop() {
                let copied = self.copy_in(&survivor.value, now, &mut survivors);
                let shelf = &mut self.write().shelf;
                match copied {
                    Some((slot, stored)) => shelf.move_to(&survivor, stored, slot),
                    None => shelf.let_go(&survivor),
                }
            }
            self.write().settle(now, &mut survivors);
            if survivors.is_empty() {
                break;
            }
        }
        // Without the lock, as thousands of pages take a while.
        let spent = self.write().extents.take_spent();
        drop(spent);
        Hit { stored, life }
    }

    /// The same answer with its body in a slot.
    fn copy_in(
        &self,
        stored: &Stored,
        now: Instant,
        survivors: &mut Survivors,
    ) -> Option<(Slot, Arc<Stored>)> {
        let body = &stored.body;
        let (slot, room) = self.write().reserve(body.len() as u64, now, survivors)?;
        // Without the lock, so that nobody waits for the copy.
        let written = room.and_then(|room| room.write(body).ok());
        let stored = Stored {
            // What it was read into may be much longer than itself.
            body: written.map_or_else(|| Bytes::copy_from_slice(body).into(), Body::from),
            status: stored.status,
            head: stored.head.clone(),
        };
        Some((slot, Arc::new(stored)))
    }

    /// Bytes that the answers take, with all that belongs to them.
    pub(crate) fn bytes(&self) -> u64 {
        self.read().shelf.bytes()
    }

    fn read(&self) -> RwLockReadGuard<'_, Tier> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tier> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hit(found: Found<'_, Arc<Stored>>) -> Hit {
    Hit {
        stored: found.value.clone(),
        life: found.life,
    }
}

impl Tier {
    fn reserve(
        &mut self,
        bytes: u64,
        now: Instant,
        survivors: &mut Survivors,
    ) -> Option<(Slot, Option<Room>)> {
        let mut looked_again = false;
        loop {
            match self.shelf.reserve(bytes) {
                Ok(slot) => return Some((slot, self.extents.room(&slot))),
                Err(NoRoom::TooLong) => return None,
                Err(NoRoom::Full) if !looked_again => {
                    self.look_again(true);
                    looked_again = true;
                }
                Err(NoRoom::Full) => self.give_up(now, survivors)?,
            }
        }
    }

    /// Gives up the oldest extent, if there is one. What viewers still read of it is counted on the
    /// spot; what survives of it is about to be moved.
    fn give_up(&mut self, now: Instant, survivors: &mut Survivors) -> Option<()> {
        let given_up = self.shelf.give_up(now)?;
        let moves = !given_up.survivors.is_empty();
        survivors.extend(given_up.survivors);
        let held = self.extents.give_up(given_up.extent, given_up.bytes, moves);
        self.shelf.hold(held);
        Some(())
    }

    fn look_again(&mut self, moving: bool) {
        let (before, after) = self.extents.look_again(moving);
        self.shelf.release(before);
        self.shelf.hold(after);
    }

    /// Takes back what can be, counts what cannot, and gives up as much as that takes.
    fn settle(&mut self, now: Instant, survivors: &mut Survivors) {
        self.look_again(false);
        while self.shelf.is_over() {
            self.give_up(now, survivors);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::{cache::Head, shelf::Terms};

    const BYTES: u64 = 8 << 20;

    fn stored(body: Vec<u8>) -> Stored {
        Stored {
            status: StatusCode::OK,
            head: Head::new(Arc::default(), &HeaderMap::new()),
            body: Bytes::from(body).into(),
        }
    }

    fn life(now: Instant) -> Life {
        let fresh = Duration::from_secs(60);
        Life::of_answer(
            &Terms {
                fresh,
                ..Terms::default()
            },
            now,
        )
    }

    fn keep(memory: &Memory, n: u8, len: usize) -> Hit {
        let (key, now) = (Arc::from(format!("/{n}")), Instant::now());
        memory.keep(&key, stored(vec![n; len]), life(now), now)
    }

    /// Bytes that are allocated for extents, wherever they are.
    fn allocated(memory: &Memory) -> u64 {
        let usual = Bounds::of_memory(BYTES).extent_bytes;
        memory.read().extents.mapped(usual)
    }

    #[test]
    fn bodies_lie_in_extents_that_are_given_up() {
        let memory = Memory::new(BYTES);
        for round in 0..20 {
            for n in 0..=255 {
                let hit = keep(&memory, n, 40_000);
                assert!(hit.stored.body.iter().all(|&byte| byte == n), "{round}");
                // Number 7 is asked for always.
                if (round, n) > (0, 7) {
                    let seven = memory.fresh("/7", Instant::now()).unwrap();
                    assert!(seven.stored.body.iter().all(|&byte| byte == 7));
                }
                assert!(memory.bytes() <= BYTES && allocated(&memory) <= BYTES);
            }
        }
        assert!(allocated(&memory) > BYTES / 2);
    }

    #[test]
    fn what_viewers_still_read_stays_and_is_counted() {
        let memory = Memory::new(BYTES);
        // Slow viewers of everything.
        let mut viewers: Vec<Hit> = (0..200).map(|n| keep(&memory, n, 100_000)).collect();
        assert!(memory.bytes() <= BYTES && allocated(&memory) <= BYTES);
        for (n, hit) in viewers.iter().enumerate() {
            assert!(hit.stored.body.iter().all(|&byte| usize::from(byte) == n));
        }
        // All room is held, so the last ones were sent from where they were.
        assert!(memory.fresh("/199", Instant::now()).is_none());
        viewers.clear();
        keep(&memory, 200, 100_000);
        assert!(memory.fresh("/200", Instant::now()).is_some());
        assert!(allocated(&memory) <= BYTES);
    }

    #[test]
    fn what_is_too_long_is_passed_on() {
        let memory = Memory::new(BYTES);
        let hit = keep(&memory, 1, 3 << 20);
        assert_eq!(hit.stored.body.len(), 3 << 20);
        assert!(memory.fresh("/1", Instant::now()).is_none());
        // Longer than an extent, it has one of its own.
        keep(&memory, 2, 1 << 20);
        assert!(memory.fresh("/2", Instant::now()).is_some());
    }
}
