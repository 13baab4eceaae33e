//! The shelf and the memory that bodies lie in.
//!
//! A body is copied once, into its slot of an extent, and sent from there to any number of viewers.
//! Each is a [`Bytes`] that shares the extent's allocation; once the extent is given up and the last
//! viewer has what was read from it, its memory is filled anew. Until then it is counted as held.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Instant,
};

use bytes::{Bytes, BytesMut};

use super::{Hit, Stored};
use crate::shelf::{Bounds, Found, Life, NoRoom, Shelf, Slot, Survivor};

/// Answers in memory, bounded in bytes.
pub(crate) struct Memory(RwLock<Tier>);

struct Tier {
    shelf: Shelf<Arc<Stored>>,
    extents: Extents,
}

impl Memory {
    /// At most `bytes`, with all that belongs to them.
    pub(crate) fn new(bytes: u64) -> Self {
        let mut bounds = Bounds::of_memory(bytes);
        // While what survives of an extent moves into another one, both are there.
        bounds.bytes = bounds.bytes.saturating_sub(bounds.extent_bytes);
        Self(RwLock::new(Tier {
            shelf: Shelf::new(bounds),
            extents: Extents {
                usual_bytes: bounds.extent_bytes,
                in_use: HashMap::new(),
                free: Vec::new(),
                given_up: Vec::new(),
            },
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
        let stored = Arc::new(stored);
        let mut kept = None;
        let mut waiting = vec![Survivor {
            key: key.clone(),
            bytes: stored.body.len() as u64,
            value: stored.clone(),
            life,
        }];
        loop {
            while let Some(next) = waiting.pop() {
                // The first one is the one that came.
                let survives = kept.is_some();
                let copied = self.move_in(next, survives, now, &mut waiting);
                kept.get_or_insert(copied);
            }
            self.write().settle(now, &mut waiting);
            if waiting.is_empty() {
                break;
            }
        }
        Hit {
            stored: kept.flatten().unwrap_or(stored),
            life,
        }
    }

    fn move_in(
        &self,
        answer: Survivor<Arc<Stored>>,
        survives: bool,
        now: Instant,
        survivors: &mut Survivors,
    ) -> Option<Arc<Stored>> {
        let body = &answer.value.body;
        let (slot, room) = self.write().reserve(body.len() as u64, now, survivors)?;
        let stored = Arc::new(Stored {
            // Without the lock, so that nobody waits for the copy.
            body: fill(room, body),
            status: answer.value.status,
            head: answer.value.head.clone(),
        });
        let shelf = &mut self.write().shelf;
        match survives {
            true => shelf.put_back(answer.key, stored.clone(), answer.life, slot),
            false => shelf.put(answer.key, stored.clone(), answer.life, slot),
        }
        Some(stored)
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

fn fill(mut room: BytesMut, body: &[u8]) -> Bytes {
    room.extend_from_slice(body);
    room.freeze()
}

type Survivors = Vec<Survivor<Arc<Stored>>>;

impl Tier {
    fn reserve(
        &mut self,
        bytes: u64,
        now: Instant,
        survivors: &mut Survivors,
    ) -> Option<(Slot, BytesMut)> {
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

/// The memory of the extents.
struct Extents {
    /// Size of an extent that may be used for the next one.
    usual_bytes: u64,
    /// What is left of each, at its end.
    in_use: HashMap<u64, BytesMut>,
    free: Vec<BytesMut>,
    /// Given up, while viewers still read from it, or what survives is still to be moved.
    given_up: Vec<GivenUpMemory>,
}

struct GivenUpMemory {
    rest: BytesMut,
    bytes: u64,
    /// Whether viewers read from it; else something of it is to be moved.
    held: bool,
}

impl Extents {
    fn room(&mut self, slot: &Slot) -> BytesMut {
        if let Some(bytes) = slot.begins {
            let reused = (bytes == self.usual_bytes)
                .then(|| self.free.pop())
                .flatten();
            let extent = reused.unwrap_or_else(|| BytesMut::with_capacity(size(bytes)));
            self.in_use.insert(slot.extent, extent);
        }
        let bytes = size(slot.bytes);
        match self.in_use.get_mut(&slot.extent) {
            Some(rest) if rest.capacity() >= bytes => {
                let after = rest.split_off(bytes);
                mem::replace(rest, after)
            }
            // The shelf gives no room that an extent does not have.
            _ => BytesMut::with_capacity(bytes),
        }
    }

    /// Gives up an extent. Gives its size if its memory cannot be had back, unless that is because
    /// something of it is to be moved.
    fn give_up(&mut self, extent: u64, bytes: u64, moves: bool) -> u64 {
        let Some(rest) = self.in_use.remove(&extent) else {
            return 0;
        };
        let left = self.reuse(GivenUpMemory {
            rest,
            bytes,
            held: !moves,
        });
        let held = left.as_ref().map_or(0, |left| match left.held {
            true => left.bytes,
            false => 0,
        });
        self.given_up.extend(left);
        held
    }

    /// Takes back what nobody reads from any more. If nothing is to be moved now, whatever is still
    /// read from is held by viewers. Gives the bytes that were held, and are.
    fn look_again(&mut self, moving: bool) -> (u64, u64) {
        let held = |given_up: &[GivenUpMemory]| {
            let held = given_up.iter().filter(|given_up| given_up.held);
            held.map(|given_up| given_up.bytes).sum()
        };
        let before = held(&self.given_up);
        for mut given_up in mem::take(&mut self.given_up) {
            given_up.held |= !moving;
            let left = self.reuse(given_up);
            self.given_up.extend(left);
        }
        (before, held(&self.given_up))
    }

    /// Takes an extent's memory back, or gives it back if somebody reads from it.
    fn reuse(&mut self, mut given_up: GivenUpMemory) -> Option<GivenUpMemory> {
        // Whoever has the only handle to an allocation has all of it.
        if !given_up.rest.try_reclaim(size(given_up.bytes)) {
            return Some(given_up);
        }
        if given_up.bytes == self.usual_bytes {
            self.free.push(given_up.rest);
        }
        None
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
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
            body: body.into(),
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
        let tier = memory.read();
        let usual = tier.extents.in_use.len() + tier.extents.free.len();
        let given_up = tier.extents.given_up.iter().map(|memory| memory.bytes);
        usual as u64 * tier.extents.usual_bytes + given_up.sum::<u64>()
    }

    #[test]
    fn bodies_lie_in_extents_that_are_filled_anew() {
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
    fn what_viewers_still_read_is_never_filled_anew() {
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
