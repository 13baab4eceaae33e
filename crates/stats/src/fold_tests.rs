//! The fold against an independent count in plain maps, on logs made by chance: shuffled,
//! duplicated, split into other batches, and replayed from any committed offset.

use std::collections::HashSet;

use proptest::prelude::*;
use weir_model::{Access, WallTime};

use super::*;
use crate::{batch::Event, schema::EventType};

const NOW: u64 = 1_795_000_000_000;

type Rollups = BTreeMap<RollupKey, Rollup>;

/// What a store holds after a commit.
#[derive(Clone, Default)]
struct Committed {
    rollups: Rollups,
    viewers: HashMap<ViewerKey, Vec<u8>>,
    /// How many blocks of the log are in it.
    offset: usize,
}

/// Folds the log from where `store` stands, committing before every block in `commits` and at
/// the end. Each commit is followed by a crash: memory is lost, the packed states are not.
fn fold(log: &[Vec<u8>], mut store: Committed, commits: &HashSet<usize>) -> Vec<Committed> {
    let mut stores = vec![store.clone()];
    while store.offset < log.len() {
        let mut fold = Fold::default();
        let begun = store.offset;
        loop {
            let block = Block::decode(&log[store.offset]).unwrap();
            for key in fold.missing(&block) {
                let stored = store
                    .viewers
                    .get(&key)
                    .map(|state| Viewer::decode(state).unwrap());
                fold.restore(key, stored);
            }
            fold.push(&block);
            store.offset += 1;
            let due = commits.contains(&store.offset) && store.offset > begun;
            if due || store.offset == log.len() {
                break;
            }
        }
        let changes = fold.changes();
        for (key, rollup) in changes.rollups {
            *store.rollups.entry(key).or_default() += rollup;
        }
        let viewers = changes
            .viewers
            .into_iter()
            .map(|(key, viewer)| (key, viewer.encode()));
        store.viewers.extend(viewers);
        stores.push(store.clone());
    }
    stores
}

/// What counts, told again without bitmaps, tiers or incremental states.
fn count(blocks: &[(Session, Vec<Event>)]) -> Rollups {
    let mut seen = HashSet::new();
    let mut viewed = HashSet::new();
    let mut opinions: HashMap<(Session, VideoId), EventType> = HashMap::new();
    let mut claims: HashMap<(Session, VideoId), Vec<(u64, u64)>> = HashMap::new();
    let mut watched: HashMap<(Session, VideoId), u64> = HashMap::new();
    let mut facts: Vec<(VideoId, EventType, u64, i64, i64)> = Vec::new();
    for (session, events) in blocks {
        for event in events {
            let Event {
                seq,
                video,
                event: kind,
                time: WallTime(time),
                value,
            } = *event;
            let viewer = (session.clone(), video);
            if !seen.insert((viewer.clone(), seq)) {
                continue;
            }
            match kind {
                EventType::View => {
                    if viewed.insert(viewer) {
                        facts.push((video, kind, time, 1, 0));
                    }
                }
                EventType::Like | EventType::Dislike => {
                    let held = opinions.get(&viewer).copied();
                    if value == Some(0) {
                        if held == Some(kind) {
                            opinions.remove(&viewer);
                            facts.push((video, kind, time, -1, 0));
                        }
                    } else if held != Some(kind) {
                        opinions.insert(viewer, kind);
                        facts.push((video, kind, time, 1, 0));
                        facts.extend(held.map(|held| (video, held, time, -1, 0)));
                    }
                }
                EventType::Watch => {
                    let ms = u64::from(value.unwrap());
                    let claims = claims.entry(viewer.clone()).or_default();
                    claims.push((time - ms, time));
                    let from = claims.iter().map(|claim| claim.0).min().unwrap();
                    let to = claims.iter().map(|claim| claim.1).max().unwrap();
                    let watched = watched.entry(viewer).or_default();
                    let counted = ms.min(to - from - *watched);
                    *watched += counted;
                    if counted > 0 {
                        facts.push((video, kind, time, 1, counted as i64));
                    }
                }
                _ => {
                    let value = value.filter(|_| kind.unit().is_some()).unwrap_or(0);
                    facts.push((video, kind, time, 1, value.into()));
                }
            }
        }
    }
    let mut rollups = Rollups::new();
    for (video, event, time, count, sum) in facts {
        for (tier, length) in [
            (Tier::Minute, 60_000),
            (Tier::Hour, 3_600_000),
            (Tier::Day, 86_400_000),
        ] {
            let start = WallTime(time / length * length);
            let rollup = rollups
                .entry(RollupKey {
                    tier,
                    video,
                    event,
                    start,
                })
                .or_default();
            rollup.count += count;
            rollup.sum += sum;
        }
    }
    rollups
}

fn session(n: usize) -> Session {
    format!("session-number-{n:04}").parse().unwrap()
}

fn pack(blocks: &[(Session, Vec<Event>)]) -> Vec<Vec<u8>> {
    let blocks = blocks.iter().map(|(session, events)| {
        Block::new(session.clone(), WallTime(NOW), events.clone())
            .unwrap()
            .encode()
            .1
    });
    blocks.collect()
}

/// One event of a small world: few sessions and videos, so that they meet often.
fn event() -> impl Strategy<Value = (usize, Event)> {
    use EventType as E;
    let kinds = prop_oneof![
        Just((E::View, None)),
        prop_oneof![Just(None), Just(Some(0)), Just(Some(1))].prop_map(|value| (E::Like, value)),
        prop_oneof![Just(None), Just(Some(0))].prop_map(|value| (E::Dislike, value)),
        Just((E::Share, None)),
        (1..20_000_u32).prop_map(|ms| (E::Watch, Some(ms))),
        (0..9000_u32).prop_map(|ms| (E::Stall, Some(ms))),
        any::<u32>().prop_map(|code| (E::Error, Some(code))),
    ];
    (0..3_usize, 0..2_u64, 0..40_u32, kinds, 0..200_000_000_u64).prop_map(
        |(session, video, seq, (event, value), late)| {
            let video = VideoId::from_random(video, Access::Open);
            (
                session,
                Event {
                    seq,
                    video,
                    event,
                    time: WallTime(NOW - late),
                    value,
                },
            )
        },
    )
}

fn blocks() -> impl Strategy<Value = Vec<(Session, Vec<Event>)>> {
    prop::collection::vec((0..3_usize, prop::collection::vec(event(), 1..12)), 1..20).prop_map(
        |blocks| {
            let block = |(n, events): (usize, Vec<(usize, Event)>)| {
                (
                    session(n),
                    events.into_iter().map(|(_, event)| event).collect(),
                )
            };
            blocks.into_iter().map(block).collect()
        },
    )
}

/// Events of players that tell the truth: numbers are never used for two events, nobody views
/// twice, and what was watched does not overlap.
fn honest() -> impl Strategy<Value = Vec<(usize, Event)>> {
    prop::collection::vec(event(), 1..60).prop_map(|events| {
        let mut next: HashMap<(usize, VideoId), (u32, u64)> = HashMap::new();
        let mut honest = Vec::new();
        for (session, mut event) in events {
            let (seq, watched_until) = next
                .entry((session, event.video))
                .or_insert((0, NOW - 80_000_000));
            let opinion = matches!(event.event, EventType::Like | EventType::Dislike);
            if opinion || (event.event == EventType::View && *seq > 0) {
                continue;
            }
            event.seq = *seq;
            *seq += 1;
            if let (EventType::Watch, Some(ms)) = (event.event, event.value) {
                *watched_until += u64::from(ms) + 500;
                event.time = WallTime(*watched_until);
            }
            honest.push((session, event));
        }
        honest
    })
}

/// Cuts a list of events into blocks of one session each.
fn split(events: &[(usize, Event)], sizes: &[usize]) -> Vec<(Session, Vec<Event>)> {
    let mut blocks: Vec<(Session, Vec<Event>)> = Vec::new();
    let mut sizes = sizes.iter().cycle();
    let mut left = 0;
    for (n, event) in events {
        match blocks.last_mut() {
            Some((of, block)) if left > 0 && *of == session(*n) => block.push(*event),
            _ => {
                left = *sizes.next().unwrap_or(&1);
                blocks.push((session(*n), vec![*event]));
            }
        }
        left = left.saturating_sub(1);
    }
    blocks
}

proptest! {
    #[test]
    fn equals_an_independent_count(blocks in blocks()) {
        let stores = fold(&pack(&blocks), Committed::default(), &HashSet::new());
        let folded = &stores.last().unwrap().rollups;
        prop_assert_eq!(folded, &count(&blocks));
    }

    #[test]
    fn replays_from_any_commit_to_the_same(
        blocks in blocks(), commits in prop::collection::hash_set(0..20_usize, 0..6),
    ) {
        let log = pack(&blocks);
        let whole = fold(&log, Committed::default(), &HashSet::new()).pop().unwrap();
        for store in fold(&log, Committed::default(), &commits) {
            for commits in [&HashSet::new(), &commits] {
                let again = fold(&log, store.clone(), commits).pop().unwrap();
                prop_assert_eq!(&again.rollups, &whole.rollups);
                prop_assert_eq!(&again.viewers, &whole.viewers);
            }
        }
    }

    #[test]
    fn the_way_that_honest_events_came_does_not_matter(
        (events, resent) in honest().prop_flat_map(|events| {
            let doubled: Vec<_> = events.iter().chain(&events).copied().collect();
            let resent = prop::sample::subsequence(doubled.clone(), 0..=doubled.len());
            (Just(events.clone()), resent.prop_map(move |some| {
                let mut all = events.clone();
                all.extend(some);
                all
            }).prop_shuffle())
        }),
        sizes in prop::collection::vec(1..9_usize, 1..5),
    ) {
        let plain = fold(&pack(&split(&events, &[1])), Committed::default(), &HashSet::new());
        let other = fold(&pack(&split(&resent, &sizes)), Committed::default(), &HashSet::new());
        prop_assert_eq!(&plain.last().unwrap().rollups, &other.last().unwrap().rollups);
        let counted: i64 = plain.last().unwrap().rollups.iter()
            .filter(|(key, _)| key.tier == Tier::Day)
            .map(|(_, rollup)| rollup.count)
            .sum();
        prop_assert_eq!(counted, events.len() as i64, "every honest event counts");
    }
}
