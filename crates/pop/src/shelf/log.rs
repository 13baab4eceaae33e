//! Answers by key, bounded in bytes.
//!
//! Bodies are appended to the newest of a number of *extents*. For room the oldest extent is given
//! up whole, which for live media is what nobody asks for any more; answers in it that were asked
//! for since they came, and are still of use, survive into the newest one, up to half of it, so that
//! giving up always gains room. They are found all the while, where they were or where they are. So
//! memory comes and goes in few large pieces: it cannot fragment, and what the process holds is what
//! is counted here.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use thiserror::Error;

use super::{Life, State};

/// What an answer takes besides its key and its body: head, place in the table, bookkeeping.
pub const ENTRY_BYTES: u64 = 768;
/// What a key takes in the list of an extent besides its text, as the list grows by doubling.
const LISTED_BYTES: u64 = 2 * size_of::<Arc<str>>() as u64;
/// Bodies begin at multiples of this; none takes less.
const ALIGNMENT: u64 = 64;
/// Extents that a shelf is divided into, if they are not too small or too large for that.
const EXTENTS: u64 = 64;
const MIN_EXTENT_BYTES: u64 = 64 << 10;
const MAX_EXTENT_BYTES: u64 = 8 << 20;

/// How much a shelf may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes that are given up at a time.
    pub extent_bytes: u64,
}

impl Bounds {
    /// `bytes` in extents of a size that suits them.
    pub fn of_memory(bytes: u64) -> Self {
        let extent_bytes = (bytes / EXTENTS).clamp(MIN_EXTENT_BYTES, MAX_EXTENT_BYTES);
        Self {
            bytes,
            extent_bytes,
        }
    }

    /// The longest body that is kept: one that leaves room for others.
    pub fn most_of_one(&self) -> u64 {
        self.bytes / 4
    }
}

/// Answers by key. What an answer is (`V`), and where its bytes are, is the owner's business.
#[derive(Debug)]
pub struct Shelf<V, H = RandomState> {
    bounds: Bounds,
    entries: HashMap<Arc<str>, Entry<V>, H>,
    /// The oldest first.
    extents: VecDeque<Extent>,
    next_extent: u64,
    /// Of extents with their lists, and of entries, and held.
    bytes: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    life: Life,
    place: Place,
    bytes: u64,
    asked_for: AtomicBool,
}

/// Where a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In an extent, whose list has its key.
    In(u64),
    /// In one that was given up, and about to move.
    Leaving(u64),
}

#[derive(Debug)]
struct Extent {
    id: u64,
    bytes: u64,
    used: u64,
    /// What was put there. Some of it is there no more: it was forgotten, or a newer answer is
    /// elsewhere.
    keys: Vec<Arc<str>>,
    /// What the list takes, with the keys.
    listed: u64,
}

/// What is on the shelf under a key.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a, V> {
    /// The answer.
    pub value: &'a V,
    /// How long it may be served.
    pub life: Life,
}

/// Room for a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The extent that it is in.
    pub extent: u64,
    /// How much of it.
    pub bytes: u64,
    /// How large the extent is, if it begins with this slot.
    pub begins: Option<u64>,
}

/// Why there is no room for a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoRoom {
    /// It is longer than [`Bounds::most_of_one`].
    #[error("the body would take more than a quarter of the shelf")]
    TooLong,
    /// An extent has to be given up first.
    #[error("the shelf is full")]
    Full,
}

/// An extent that was given up.
#[derive(Debug)]
pub struct GivenUp<V> {
    /// Which one.
    pub extent: u64,
    /// How large it was.
    pub bytes: u64,
    /// What is to be kept anew.
    pub survivors: Vec<Survivor<V>>,
}

/// An answer that is to move to another extent. Until it has, it is found where it was.
#[derive(Debug)]
pub struct Survivor<V> {
    /// Its key.
    pub key: Arc<str>,
    /// The answer.
    pub value: V,
    /// Length of its slot.
    pub bytes: u64,
    /// Where it was.
    extent: u64,
}

impl<V: Clone> Shelf<V> {
    /// An empty shelf.
    pub fn new(bounds: Bounds) -> Self {
        Self::with_hasher(bounds, RandomState::new())
    }
}

impl<V: Clone, H: BuildHasher> Shelf<V, H> {
    /// An empty shelf whose table is hashed so, for simulations that are to be repeated exactly.
    pub fn with_hasher(bounds: Bounds, hasher: H) -> Self {
        Self {
            bounds,
            entries: HashMap::with_hasher(hasher),
            extents: VecDeque::new(),
            next_extent: 0,
            bytes: 0,
        }
    }

    /// A fresh answer.
    pub fn fresh(&self, key: &str, now: Instant) -> Option<Found<'_, V>> {
        let entry = self.entries.get(key)?;
        if entry.life.state(now) != State::Fresh {
            return None;
        }
        // Most often it is set already, and a store would take the cache line from other cores.
        if !entry.asked_for.load(Ordering::Relaxed) {
            entry.asked_for.store(true, Ordering::Relaxed);
        }
        Some(Found {
            value: &entry.value,
            life: entry.life,
        })
    }

    /// The life of an answer, fresh or not.
    pub fn life(&self, key: &str) -> Option<Life> {
        self.entries.get(key).map(|entry| entry.life)
    }

    /// Gives an answer another life, as [`super::Verdict::StandIn`] says.
    pub fn stand_in(&mut self, key: &str, life: Life) -> Option<Found<'_, V>> {
        let entry = self.entries.get_mut(key)?;
        entry.life = life;
        Some(Found {
            value: &entry.value,
            life,
        })
    }

    /// Keeps an answer with a body of `bytes`, and whatever survives of what had to be given up for
    /// it. Whether it is kept: one that takes too much is not.
    ///
    /// For owners whose bodies are nowhere. Others [reserve](Self::reserve) a slot, giving
    /// extents up until there is room, copy, and [put](Self::put), and do likewise with survivors.
    pub fn keep(&mut self, key: &Arc<str>, value: V, life: Life, bytes: u64, now: Instant) -> bool {
        let mut survivors = Vec::new();
        let slot = self.room(bytes, now, &mut survivors);
        if let Some(slot) = slot {
            self.put(key.clone(), value, life, slot);
        }
        loop {
            while let Some(survivor) = survivors.pop() {
                match self.room(survivor.bytes, now, &mut survivors) {
                    Some(slot) => self.move_to(&survivor, survivor.value.clone(), slot),
                    None => self.let_go(&survivor),
                }
            }
            match self.is_over().then(|| self.give_up(now)).flatten() {
                Some(given_up) => survivors.extend(given_up.survivors),
                None => return slot.is_some(),
            }
        }
    }

    /// Room for a body, whatever has to be given up for it.
    fn room(&mut self, bytes: u64, now: Instant, survivors: &mut Vec<Survivor<V>>) -> Option<Slot> {
        loop {
            match self.reserve(bytes) {
                Ok(slot) => return Some(slot),
                Err(NoRoom::TooLong) => return None,
                Err(NoRoom::Full) => survivors.extend(self.give_up(now)?.survivors),
            }
        }
    }

    /// Takes room for a body.
    pub fn reserve(&mut self, bytes: u64) -> Result<Slot, NoRoom> {
        if bytes > self.bounds.most_of_one() {
            return Err(NoRoom::TooLong);
        }
        let bytes = bytes.max(1).next_multiple_of(ALIGNMENT);
        if let Some(open) = self.extents.back_mut()
            && open.bytes - open.used >= bytes
        {
            open.used += bytes;
            return Ok(Slot {
                extent: open.id,
                bytes,
                begins: None,
            });
        }
        let extent_bytes = bytes.max(self.bounds.extent_bytes);
        if self.bytes + extent_bytes > self.bounds.bytes {
            return Err(NoRoom::Full);
        }
        let extent = self.next_extent;
        self.next_extent += 1;
        self.bytes += extent_bytes;
        self.extents.push_back(Extent {
            id: extent,
            bytes: extent_bytes,
            used: bytes,
            keys: Vec::new(),
            listed: 0,
        });
        Ok(Slot {
            extent,
            bytes,
            begins: Some(extent_bytes),
        })
    }

    /// Puts an answer on the shelf whose body is in `slot`, in the place of an older one. Should
    /// the slot's extent have been given up meanwhile, nothing is kept.
    ///
    /// Afterwards extents are to be given up while the shelf [is over](Self::is_over) its bounds.
    pub fn put(&mut self, key: Arc<str>, value: V, life: Life, slot: Slot) {
        // One copy of a key serves table and lists.
        let known = self.entries.get_key_value(&*key);
        let known = known.map(|(known, entry)| (known.clone(), entry.place));
        let place = Place::In(slot.extent);
        let is_listed = known.as_ref().is_some_and(|(_, old)| *old == place);
        let key = known.map_or(key, |(known, _)| known);
        if !is_listed && !self.list(&key, slot.extent) {
            return;
        }
        let entry = Entry {
            value,
            life,
            place,
            bytes: slot.bytes,
            asked_for: AtomicBool::new(false),
        };
        if self.entries.insert(key, entry).is_none() {
            self.bytes += ENTRY_BYTES;
        }
    }

    /// Has a [survivor](GivenUp::survivors) be in `slot` from now on, as `value`, unless a newer
    /// answer has come meanwhile. Otherwise like [`put`](Self::put).
    pub fn move_to(&mut self, survivor: &Survivor<V>, value: V, slot: Slot) {
        if !self.is_where_it_was(survivor) {
            return;
        }
        if !self.list(&survivor.key, slot.extent) {
            return self.forget(&survivor.key);
        }
        if let Some(entry) = self.entries.get_mut(&*survivor.key) {
            (entry.value, entry.bytes) = (value, slot.bytes);
            entry.place = Place::In(slot.extent);
        }
    }

    /// Forgets a [survivor](GivenUp::survivors) for which there is no room, unless a newer answer
    /// has come meanwhile.
    pub fn let_go(&mut self, survivor: &Survivor<V>) {
        if self.is_where_it_was(survivor) {
            self.forget(&survivor.key);
        }
    }

    fn is_where_it_was(&self, survivor: &Survivor<V>) -> bool {
        let entry = self.entries.get(&*survivor.key);
        entry.is_some_and(|entry| entry.place == Place::Leaving(survivor.extent))
    }

    /// Writes down that `key` is in `extent`, unless that is gone.
    fn list(&mut self, key: &Arc<str>, extent: u64) -> bool {
        // Extents are numbered in their order, without gaps.
        let index = self
            .extents
            .front()
            .and_then(|oldest| extent.checked_sub(oldest.id))
            .and_then(|index| usize::try_from(index).ok());
        let Some(extent) = index.and_then(|index| self.extents.get_mut(index)) else {
            return false;
        };
        let bytes = key.len() as u64 + LISTED_BYTES;
        extent.keys.push(key.clone());
        extent.listed += bytes;
        self.bytes += bytes;
        true
    }

    /// Whether more is taken than the bounds allow: entries take room too, and so does what is
    /// held.
    pub fn is_over(&self) -> bool {
        self.bytes > self.bounds.bytes && !self.extents.is_empty()
    }

    /// Gives up the oldest extent. At most half of it survives, so that giving up gains room, and is
    /// to be [moved](Self::move_to) or [let go](Self::let_go).
    pub fn give_up(&mut self, now: Instant) -> Option<GivenUp<V>> {
        let extent = self.extents.pop_front()?;
        self.bytes -= extent.bytes + extent.listed;
        let mut room = extent.bytes / 2;
        let mut survivors = Vec::new();
        for key in extent.keys {
            let entry = self.entries.get_mut(&*key);
            let Some(entry) = entry.filter(|entry| entry.place == Place::In(extent.id)) else {
                continue;
            };
            // Whoever asks from now on has it survive the next time as well.
            let asked_for = mem::take(entry.asked_for.get_mut());
            let useful = asked_for && entry.life.state(now) != State::Spent;
            if useful && entry.bytes <= room {
                room -= entry.bytes;
                entry.place = Place::Leaving(extent.id);
                survivors.push(Survivor {
                    value: entry.value.clone(),
                    bytes: entry.bytes,
                    extent: extent.id,
                    key,
                });
            } else {
                self.forget(&key);
            }
        }
        Some(GivenUp {
            extent: extent.id,
            bytes: extent.bytes,
            survivors,
        })
    }

    fn forget(&mut self, key: &str) {
        if self.entries.remove(key).is_some() {
            self.bytes -= ENTRY_BYTES;
        }
    }

    /// Counts `bytes` of an extent that was given up while somebody still reads from it.
    pub fn hold(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Ends a [`hold`](Self::hold).
    pub fn release(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Bytes that are taken; at most those of the bounds.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many answers there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
