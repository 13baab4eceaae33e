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

/// What is there, counted anew.
fn recount(shelf: &Shelf<u64>) -> u64 {
    let lists = shelf.extents.iter().map(|extent| {
        let listed: u64 = extent.keys.iter().map(|key| listed_bytes(key)).sum();
        assert_eq!(extent.listed, listed);
        // What the allocator has to give for it, but for the first few places.
        let allocated = (extent.keys.capacity() * size_of::<Arc<str>>()) as u64;
        assert!(allocated <= listed || extent.keys.capacity() <= 4);
        extent.bytes + listed
    });
    lists.sum::<u64>() + shelf.len() as u64 * ENTRY_BYTES
}

fn listed_bytes(key: &str) -> u64 {
    key.len() as u64 + LISTED_BYTES
}

#[test]
fn what_was_replaced_is_counted_as_long_as_its_extent_knows_of_it() {
    let now = Instant::now();
    let mut shelf = Shelf::new(BOUNDS);
    let slot = |shelf: &mut Shelf<u64>| shelf.reserve(BOUNDS.extent_bytes / 2 + 1).unwrap();
    // Each fills an extent of its own.
    let (first, second) = (slot(&mut shelf), slot(&mut shelf));
    let empty = shelf.bytes();
    for n in 0..100 {
        shelf.put(key(0), n, life(now), first);
    }
    assert_eq!(shelf.bytes(), empty + ENTRY_BYTES + listed_bytes("/0"));
    for n in 0..100 {
        shelf.put(key(0), n, life(now), [first, second][n as usize % 2]);
    }
    assert_eq!(
        shelf.bytes(),
        empty + ENTRY_BYTES + 100 * listed_bytes("/0")
    );
    assert_eq!(shelf.bytes(), recount(&shelf));
    // All share one copy of the key.
    let (known, _) = shelf.entries.get_key_value("/0").unwrap();
    let mut listed = shelf.extents.iter().flat_map(|extent| &extent.keys);
    assert!(listed.all(|key| Arc::ptr_eq(key, known)));
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
            prop_assert_eq!(shelf.bytes(), recount(&shelf));
        }
        while let Some(given_up) = shelf.give_up(now) {
            given_up.survivors.iter().for_each(|survivor| shelf.let_go(survivor));
        }
        prop_assert!(shelf.is_empty());
        prop_assert_eq!(shelf.bytes(), 0);
    }
}
