//! Answers by key, bounded in bytes.
//!
//! Bodies are appended to the newest of a number of *extents*. For room the oldest extent is given
//! up whole, which for live media is what nobody asks for any more; answers in it that were asked
//! for since they came, and are still of use, survive into the newest one, up to half of it, so that
//! giving up always gains room. So memory that was taken
//! is used again as it is: it cannot fragment, and what the process holds is what is counted here.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
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
    /// Of extents and entries, and held.
    bytes: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    life: Life,
    extent: u64,
    bytes: u64,
    asked_for: AtomicBool,
}

#[derive(Debug)]
struct Extent {
    id: u64,
    bytes: u64,
    used: u64,
    /// What was put there, if it is there still.
    keys: Vec<Arc<str>>,
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

/// An answer that is to be kept anew.
#[derive(Debug)]
pub struct Survivor<V> {
    /// Its key.
    pub key: Arc<str>,
    /// The answer.
    pub value: V,
    /// How long it may be served.
    pub life: Life,
    /// Length of its body.
    pub bytes: u64,
}

impl<V> Shelf<V> {
    /// An empty shelf.
    pub fn new(bounds: Bounds) -> Self {
        Self::with_hasher(bounds, RandomState::new())
    }
}

impl<V, H: BuildHasher> Shelf<V, H> {
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
    /// extents up until there is room, copy, and [put](Self::put).
    pub fn keep(&mut self, key: &Arc<str>, value: V, life: Life, bytes: u64, now: Instant) -> bool {
        let mut waiting = vec![Survivor {
            key: key.clone(),
            value,
            life,
            bytes,
        }];
        let mut kept = None;
        while let Some(next) = waiting.pop() {
            let mut slot = self.reserve(next.bytes);
            while slot == Err(NoRoom::Full)
                && let Some(given_up) = self.give_up(now)
            {
                waiting.extend(given_up.survivors);
                slot = self.reserve(next.bytes);
            }
            // The first one is the one that came.
            let survives = kept.is_some();
            kept.get_or_insert(slot.is_ok());
            if let Ok(slot) = slot {
                match survives {
                    true => self.put_back(next.key, next.value, next.life, slot),
                    false => self.put(next.key, next.value, next.life, slot),
                }
            }
            while self.is_over()
                && let Some(given_up) = self.give_up(now)
            {
                waiting.extend(given_up.survivors);
            }
        }
        kept == Some(true)
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
        // Extents are numbered in their order, without gaps.
        let index = self
            .extents
            .front()
            .and_then(|oldest| slot.extent.checked_sub(oldest.id))
            .and_then(|index| usize::try_from(index).ok());
        let Some(extent) = index.and_then(|index| self.extents.get_mut(index)) else {
            return;
        };
        extent.keys.push(key.clone());
        let weight = entry_bytes(&key);
        let entry = Entry {
            value,
            life,
            extent: slot.extent,
            bytes: slot.bytes,
            asked_for: AtomicBool::new(false),
        };
        if self.entries.insert(key, entry).is_none() {
            self.bytes += weight;
        }
    }

    /// Puts what [survived](GivenUp::survivors) on the shelf again, unless a newer answer has come
    /// meanwhile. Otherwise like [`put`](Self::put).
    pub fn put_back(&mut self, key: Arc<str>, value: V, life: Life, slot: Slot) {
        if !self.entries.contains_key(&*key) {
            self.put(key, value, life, slot);
        }
    }

    /// Whether more is taken than the bounds allow: entries take room too, and so does what is
    /// held.
    pub fn is_over(&self) -> bool {
        self.bytes > self.bounds.bytes && !self.extents.is_empty()
    }

    /// Gives up the oldest extent. At most half of it survives, so that giving up gains room.
    pub fn give_up(&mut self, now: Instant) -> Option<GivenUp<V>> {
        let extent = self.extents.pop_front()?;
        self.bytes -= extent.bytes;
        let mut room = extent.bytes / 2;
        let mut survivors = Vec::new();
        for key in extent.keys {
            let is_here = |entry: &Entry<V>| entry.extent == extent.id;
            if !self.entries.get(&*key).is_some_and(is_here) {
                continue;
            }
            let Some(mut entry) = self.entries.remove(&*key) else {
                continue;
            };
            self.bytes -= entry_bytes(&key);
            let useful = *entry.asked_for.get_mut() && entry.life.state(now) != State::Spent;
            if useful && entry.bytes <= room {
                room -= entry.bytes;
                survivors.push(Survivor {
                    key,
                    value: entry.value,
                    life: entry.life,
                    bytes: entry.bytes,
                });
            }
        }
        Some(GivenUp {
            extent: extent.id,
            bytes: extent.bytes,
            survivors,
        })
    }

    /// Forgets an answer; its body's room comes back with its extent.
    pub fn forget(&mut self, key: &str) {
        if self.entries.remove(key).is_some() {
            self.bytes -= entry_bytes(key);
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

fn entry_bytes(key: &str) -> u64 {
    key.len() as u64 + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::shelf::Terms;

    const BOUNDS: Bounds = Bounds {
        bytes: 1 << 20,
        extent_bytes: 64 << 10,
    };

    fn key(n: u64) -> Arc<str> {
        Arc::from(format!("/{n}"))
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

    #[test]
    fn the_oldest_is_given_up_and_what_is_asked_for_survives() {
        let now = Instant::now();
        let mut shelf = Shelf::new(BOUNDS);
        for n in 0..200 {
            assert!(shelf.keep(&key(n), n, life(now), 20_000, now));
            assert!(shelf.bytes() <= BOUNDS.bytes);
            assert_eq!(shelf.fresh("/0", now).map(|found| *found.value), Some(0));
        }
        assert!(shelf.fresh("/1", now).is_none());
        assert!(shelf.fresh("/199", now).is_some());
        assert!(shelf.len() >= 40, "{} answers", shelf.len());
    }

    #[test]
    fn what_is_spent_does_not_survive() {
        let now = Instant::now();
        let mut shelf = Shelf::new(BOUNDS);
        shelf.keep(&key(0), 0, life(now), 20_000, now);
        assert!(shelf.fresh("/0", now).is_some());
        let later = now + Duration::from_secs(60);
        for n in 1..60 {
            shelf.keep(&key(n), n, life(later), 20_000, later);
        }
        assert_eq!(shelf.life("/0"), None);
    }

    #[test]
    fn an_answer_takes_the_place_of_an_older_one() {
        let now = Instant::now();
        let mut shelf = Shelf::new(BOUNDS);
        for n in 0..10_000 {
            shelf.keep(&key(0), n, life(now), 100, now);
        }
        assert_eq!(shelf.len(), 1);
        assert_eq!(shelf.fresh("/0", now).map(|found| *found.value), Some(9999));
        shelf.forget("/0");
        assert!(shelf.is_empty() && shelf.fresh("/0", now).is_none());
    }

    #[test]
    fn nothing_is_kept_in_what_is_gone_or_too_small() {
        let now = Instant::now();
        let mut shelf = Shelf::new(BOUNDS);
        let slot = shelf.reserve(100).unwrap();
        for n in 1..60 {
            shelf.keep(&key(n), n, life(now), 20_000, now);
        }
        shelf.put(key(0), 0, life(now), slot);
        assert_eq!(shelf.life("/0"), None);
        assert!(!shelf.keep(&key(0), 0, life(now), BOUNDS.most_of_one() + 1, now));
        assert!(shelf.keep(&key(0), 0, life(now), BOUNDS.most_of_one(), now));
    }

    #[test]
    fn what_is_held_counts() {
        let now = Instant::now();
        let mut shelf = Shelf::new(BOUNDS);
        shelf.hold(BOUNDS.bytes - 70_000);
        assert!(shelf.keep(&key(0), 0, life(now), 100, now));
        assert!(shelf.keep(&key(1), 1, life(now), 60_000, now));
        assert!(shelf.bytes() <= BOUNDS.bytes);
        shelf.hold(70_000);
        assert!(!shelf.keep(&key(2), 2, life(now), 65_000, now));
        shelf.release(BOUNDS.bytes);
        assert!(shelf.keep(&key(2), 2, life(now), 65_000, now));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bounds_hold_and_bytes_add_up(
            steps in prop::collection::vec((0u64..40, 0u64..300_000, 0u64..90, any::<bool>()), 1..200)
        ) {
            let mut now = Instant::now();
            let mut shelf = Shelf::new(BOUNDS);
            for (n, bytes, seconds, asks) in steps {
                if asks {
                    if let Some(found) = shelf.fresh(&key(n), now) {
                        prop_assert_eq!(*found.value, n);
                    }
                } else {
                    now += Duration::from_secs(seconds);
                    shelf.keep(&key(n), n, life(now), bytes, now);
                }
                prop_assert!(shelf.bytes() <= BOUNDS.bytes);
            }
            while shelf.give_up(now).is_some() {}
            prop_assert!(shelf.is_empty());
            prop_assert_eq!(shelf.bytes(), 0);
        }
    }
}
