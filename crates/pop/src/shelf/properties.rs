//! What holds of the rules whatever is asked and whenever.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::{prelude::*, sample::Index};
use weir_model::{LiveEdge, Msn};

use super::{Bounds, Life, LiveEdges, Shelf, State, Survivor, Terms};

const BOUNDS: Bounds = Bounds {
    bytes: 1 << 20,
    extent_bytes: 64 << 10,
};

fn terms() -> impl Strategy<Value = Terms> {
    (0u64..5000, 0u64..60_000, 0u64..2000).prop_map(|(fresh, stale, error)| Terms {
        fresh: Duration::from_millis(fresh),
        stale: Duration::from_millis(stale),
        error: Duration::from_millis(error),
    })
}

fn ms() -> impl Strategy<Value = Duration> {
    (0u64..70_000).prop_map(Duration::from_millis)
}

/// Something done with a shelf.
#[derive(Clone, Debug)]
enum Act {
    Keep { n: u8, bytes: u64 },
    Ask { n: u8 },
    StandIn { n: u8 },
    Hold { bytes: u64 },
    Release,
    Pass { time: Duration },
}

fn act() -> impl Strategy<Value = Act> {
    let n = || 0u8..12;
    prop_oneof![
        6 => (n(), 0u64..120_000).prop_map(|(n, bytes)| Act::Keep { n, bytes }),
        6 => n().prop_map(|n| Act::Ask { n }),
        1 => n().prop_map(|n| Act::StandIn { n }),
        1 => (0u64..200_000).prop_map(|bytes| Act::Hold { bytes }),
        1 => Just(Act::Release),
        2 => (0u64..2000).prop_map(|ms| Act::Pass { time: Duration::from_millis(ms) }),
    ]
}

/// What an owner does who copies bodies himself.
#[derive(Clone, Debug)]
enum Step {
    Put { n: u8, bytes: u64 },
    Ask { n: u8 },
    GiveUp,
    Move { which: Index },
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0u8..12;
    prop_oneof![
        4 => (n(), 0u64..40_000).prop_map(|(n, bytes)| Step::Put { n, bytes }),
        6 => n().prop_map(|n| Step::Ask { n }),
        1 => Just(Step::GiveUp),
        2 => any::<Index>().prop_map(|which| Step::Move { which }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is found is the newest answer that was kept: none that it took the place of comes
    /// back.
    #[test]
    fn an_older_answer_never_comes_back(acts in prop::collection::vec(act(), 1..300)) {
        let mut now = Instant::now();
        let mut shelf = Shelf::new(BOUNDS);
        let mut newest: HashMap<u8, usize> = HashMap::new();
        let mut held = 0;
        let key = |n: u8| -> Arc<str> { Arc::from(format!("/{n}")) };
        let terms = Terms {
            fresh: Duration::from_millis(300),
            stale: Duration::from_secs(60),
            ..Terms::default()
        };
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Keep { n, bytes } => {
                    let life = Life::of_answer(&terms, now);
                    if shelf.keep(&key(n), number, life, bytes, now) {
                        newest.insert(n, number);
                    }
                }
                Act::Ask { n } => {
                    if let Some(found) = shelf.fresh(&key(n), now) {
                        prop_assert_eq!(found.life.state(now), State::Fresh);
                        prop_assert_eq!(Some(found.value), newest.get(&n));
                    }
                }
                Act::StandIn { n } => {
                    let life = shelf.life(&key(n)).and_then(|life| life.standing_in(now));
                    if let Some(life) = life {
                        let found = shelf.stand_in(&key(n), life).map(|found| *found.value);
                        prop_assert_eq!(found.as_ref(), newest.get(&n));
                    }
                }
                Act::Hold { bytes } => {
                    shelf.hold(bytes);
                    held += bytes;
                }
                Act::Release => shelf.release(std::mem::take(&mut held)),
                Act::Pass { time } => now += time,
            }
            prop_assert!(shelf.len() <= newest.len());
            // Who holds more than there is has it all.
            if held == 0 {
                prop_assert!(shelf.bytes() <= BOUNDS.bytes);
            }
        }
        shelf.release(held);
        while let Some(given_up) = shelf.give_up(now) {
            given_up.survivors.iter().for_each(|survivor| shelf.let_go(survivor));
        }
        prop_assert_eq!((shelf.len(), shelf.bytes()), (0, 0));
    }

    /// What survives is found all the while, wherever it is, until it has moved or there was no room
    /// for it; and what took its place on the way stays.
    #[test]
    fn survivors_are_found_on_their_way(steps in prop::collection::vec(step(), 1..300)) {
        let now = Instant::now();
        let mut shelf = Shelf::new(BOUNDS);
        let mut newest: HashMap<u8, usize> = HashMap::new();
        let mut leaving: Vec<(u8, Survivor<usize>)> = Vec::new();
        let key = |n: u8| -> Arc<str> { Arc::from(format!("/{n}")) };
        let terms = Terms {
            fresh: Duration::from_secs(60),
            ..Terms::default()
        };
        let life = Life::of_answer(&terms, now);
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Put { n, bytes } => {
                    if let Ok(slot) = shelf.reserve(bytes) {
                        shelf.put(key(n), number, life, slot);
                        newest.insert(n, number);
                    }
                }
                Step::Ask { n } => {
                    if let Some(found) = shelf.fresh(&key(n), now) {
                        prop_assert_eq!(Some(found.value), newest.get(&n));
                    }
                }
                Step::GiveUp => {
                    let given_up = shelf.give_up(now).map(|given_up| given_up.survivors);
                    for survivor in given_up.into_iter().flatten() {
                        let n = survivor.key[1..].parse().unwrap();
                        prop_assert_eq!(Some(&survivor.value), newest.get(&n));
                        leaving.push((n, survivor));
                    }
                }
                Step::Move { which } if !leaving.is_empty() => {
                    let (_, survivor) = leaving.swap_remove(which.index(leaving.len()));
                    match shelf.reserve(survivor.bytes) {
                        Ok(slot) => shelf.move_to(&survivor, survivor.value, slot),
                        Err(_) => shelf.let_go(&survivor),
                    }
                }
                Step::Move { .. } => {}
            }
            for (n, survivor) in &leaving {
                let found = shelf.fresh(&survivor.key, now).map(|found| *found.value);
                // Unless what took its place was itself given up since.
                if newest[n] == survivor.value {
                    prop_assert_eq!(found, Some(survivor.value));
                }
                prop_assert!(found.is_none() || found == Some(newest[n]));
            }
        }
        leaving.iter().for_each(|(_, survivor)| shelf.let_go(survivor));
        while let Some(given_up) = shelf.give_up(now) {
            given_up.survivors.iter().for_each(|survivor| shelf.let_go(survivor));
        }
        prop_assert_eq!((shelf.len(), shelf.bytes()), (0, 0));
    }

    /// An answer only gets older, and one that was kept elsewhere is as old as it would be here.
    #[test]
    fn a_life_has_one_direction(terms in terms(), age in ms(), first in ms(), second in ms()) {
        let now = Instant::now();
        let here = Life::of_answer(&terms, now);
        let elsewhere = Life::restored(terms.fresh, terms.stale, age, now + age);
        let (early, late) = (now + first, now + first + second);
        let rank = |life: &Life, at| match life.state(at) {
            State::Fresh => 0,
            State::Stale => 1,
            State::Spent => 2,
        };
        prop_assert!(rank(&here, early) <= rank(&here, late));
        prop_assert_eq!(here.age(late), first + second);
        prop_assert!(here.ttl(late) <= here.use_left(late));
        if first >= age {
            prop_assert_eq!(here.state(early), elsewhere.state(early));
            prop_assert_eq!(here.age(early), elsewhere.age(early));
        }
    }

    /// Standing in makes an answer fresh again for a second, and never adds to the end of its life,
    /// however often it does.
    #[test]
    fn standing_in_adds_nothing(terms in terms(), pauses in prop::collection::vec(ms(), 1..20)) {
        let mut now = Instant::now();
        let end = now + terms.fresh + terms.stale;
        let mut life = Life::of_answer(&terms, now);
        for pause in pauses {
            now += pause;
            let Some(next) = life.standing_in(now) else {
                prop_assert!(now >= end);
                break;
            };
            prop_assert!(next.stands_in() && next.state(now) == State::Fresh);
            prop_assert_eq!(next.use_left(now), end - now);
            prop_assert!(next.ttl(now) <= Duration::from_secs(1));
            life = next;
        }
    }

    /// The segment that grows, and the next one, may always be asked for, however long ago the edge
    /// was heard of, and however long the answer took that tells of it.
    #[test]
    fn what_may_come_is_never_refused(
        segments in prop::collection::vec(
            (500u64..4000, 0u64..8000, 0u64..4000, 0u64..9000),
            1..60,
        ),
    ) {
        let mut now = Instant::now();
        let mut edges = LiveEdges::new(4);
        let mut heard = vec![(0, now)];
        let edge = |msn| LiveEdge { msn: Msn(msn), parts: 0 };
        edges.note("a", edge(0), now);
        // What the origin said, when it was asked, and when the answer is whole.
        let mut under_way: Vec<(u64, Instant, Instant)> = Vec::new();
        for (msn, (takes, heard_after, asked_after, slow)) in (0u64..).zip(segments) {
            let during = |after: u64| now + Duration::from_millis(after);
            // Of every other segment nothing is heard while it grows.
            if heard_after < takes {
                let sent = during(heard_after);
                under_way.push((msn, sent, sent + Duration::from_millis(slow)));
                heard.push((msn, sent));
                let (old, then) = heard[heard.len() / 2];
                edges.note("a", edge(old), then);
            }
            let asked = during(asked_after.max(heard_after).min(takes - 1));
            for (said, sent, _) in under_way.extract_if(.., |(_, _, whole)| *whole <= asked) {
                edges.note("a", edge(said), sent);
            }
            prop_assert!(!edges.is_beyond("a", msn + 1, asked));
            prop_assert!(edges.is_beyond("a", msn + 1_000_000, asked));
            now += Duration::from_millis(takes);
        }
    }
}
