//! The fold against an independent count in plain maps, on logs made by chance: shuffled,
//! duplicated, split into other batches, told by other edges, and replayed from any committed
//! offset.

#[path = "fold_oracle.rs"]
mod oracle;

use std::collections::HashSet;

use proptest::prelude::*;
use weir_model::{Access, WallTime};

use self::oracle::{Sent, count};
use super::*;
use crate::dimension::Attributes;

const NOW: u64 = 1_795_000_000_000;

type Rollups = BTreeMap<RollupKey, Cell>;
type Breakdowns = BTreeMap<BreakdownKey, Breakdown>;

/// What a store holds after a commit.
#[derive(Clone, Default)]
struct Committed {
    rollups: Rollups,
    breakdowns: Breakdowns,
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
        for (key, cell) in changes.minutes.rollups() {
            store.rollups.entry(key).or_default().merge(&cell);
        }
        for (key, breakdown) in changes.minutes.breakdowns() {
            store.breakdowns.entry(key).or_default().merge(&breakdown);
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

fn session(n: usize) -> Session {
    format!("session-number-{n:04}").parse().unwrap()
}

fn pack(blocks: &[Sent]) -> Vec<Vec<u8>> {
    let blocks = blocks.iter().map(|sent| {
        let (session, events) = (sent.session.clone(), sent.events.clone());
        let block = Block::new(session, WallTime(NOW), sent.attributes, events);
        block.unwrap().encode().1
    });
    blocks.collect()
}

/// What an edge may know of a viewer: nothing, or where they are and what they hold.
fn attributes(n: usize) -> Attributes {
    let known: &[(Dimension, &str)] = match n {
        0 => &[],
        1 => &[(Dimension::Country, "DE"), (Dimension::Pop, "paris")],
        _ => &[(Dimension::Country, "FR"), (Dimension::Device, "phone")],
    };
    let mut attributes = Attributes::default();
    for (dimension, word) in known {
        attributes.set(*dimension, dimension.label(word).unwrap());
    }
    attributes
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
        (0..9000_u32).prop_map(|ms| (E::Startup, Some(ms))),
        any::<u32>().prop_map(|code| (E::Error, Some(code))),
    ];
    let rendition = prop::sample::select(vec!["", "720p", "source"]);
    let late = 0..200_000_000_u64;
    (0..3_usize, 0..2_u64, 0..40_u32, kinds, late, rendition).prop_map(
        |(session, video, seq, (event, value), late, rendition)| {
            let video = VideoId::from_random(video, Access::Open);
            (
                session,
                Event {
                    seq,
                    video,
                    event,
                    time: WallTime(NOW - late),
                    value,
                    rendition: Dimension::Rendition.label(rendition).unwrap_or_default(),
                },
            )
        },
    )
}

fn blocks() -> impl Strategy<Value = Vec<Sent>> {
    let events = prop::collection::vec(event(), 1..12);
    let sent = (0..3_usize, 0..3_usize, events).prop_map(|(n, edge, events)| Sent {
        session: session(n),
        attributes: attributes(edge),
        events: events.into_iter().map(|(_, event)| event).collect(),
    });
    prop::collection::vec(sent, 1..20)
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
fn split(events: &[(usize, Event)], sizes: &[usize]) -> Vec<Sent> {
    let mut blocks: Vec<Sent> = Vec::new();
    let mut sizes = sizes.iter().cycle();
    let mut left = 0;
    for (n, event) in events {
        match blocks.last_mut() {
            Some(sent) if left > 0 && sent.session == session(*n) => sent.events.push(*event),
            _ => {
                left = *sizes.next().unwrap_or(&1);
                blocks.push(Sent {
                    session: session(*n),
                    attributes: attributes(*n),
                    events: vec![*event],
                });
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
        let folded = stores.last().unwrap();
        let (rollups, breakdowns) = count(&blocks);
        prop_assert_eq!(&folded.rollups, &rollups);
        prop_assert_eq!(&folded.breakdowns, &breakdowns);
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
                prop_assert_eq!(&again.breakdowns, &whole.breakdowns);
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
        prop_assert_eq!(&plain.last().unwrap().breakdowns, &other.last().unwrap().breakdowns);
        let counted: i64 = plain.last().unwrap().rollups.iter()
            .filter(|(key, _)| key.tier == Tier::Day && key.subject == Subject::All)
            .map(|(_, cell)| cell.rollup.count)
            .sum();
        prop_assert_eq!(counted, events.len() as i64, "every honest event counts");
    }

    /// Groups add up to the total, for every type and dimension.
    #[test]
    fn nothing_is_lost_between_the_groups(blocks in blocks()) {
        let stores = fold(&pack(&blocks), Committed::default(), &HashSet::new());
        let folded = stores.last().unwrap();
        for (key, cell) in &folded.rollups {
            for dimension in Dimension::ALL {
                let breakdown = &folded.breakdowns[&BreakdownKey {
                    tier: key.tier,
                    subject: key.subject,
                    dimension,
                    start: key.start,
                }];
                let mut sum = Cell::default();
                for (_, cell) in breakdown.of(key.event) {
                    sum.merge(cell);
                }
                prop_assert_eq!(&sum, cell);
            }
        }
    }

    /// Hours are their minutes added up, and days their hours.
    #[test]
    fn coarse_tiers_are_fine_ones_added_up(blocks in blocks()) {
        let stores = fold(&pack(&blocks), Committed::default(), &HashSet::new());
        let rollups = &stores.last().unwrap().rollups;
        for (fine, coarse) in [(Tier::Minute, Tier::Hour), (Tier::Hour, Tier::Day)] {
            let mut added = Rollups::new();
            for (key, cell) in rollups.iter().filter(|(key, _)| key.tier == fine) {
                let (tier, start) = (coarse, coarse.floor(key.start));
                added.entry(RollupKey { tier, start, ..*key }).or_default().merge(cell);
            }
            let kept: Rollups = rollups
                .iter()
                .filter(|(key, _)| key.tier == coarse)
                .map(|(key, cell)| (*key, cell.clone()))
                .collect();
            prop_assert_eq!(added, kept);
        }
    }
}

/// What a busy minute writes: rows for videos, types and dimensions, and none for their values.
#[test]
fn a_minute_of_a_thousand_videos_is_few_rows() {
    const VIDEOS: u64 = 1000;
    let types = [
        (EventType::View, None),
        (EventType::Watch, Some(10_000)),
        (EventType::Startup, Some(400)),
        (EventType::Stall, Some(900)),
        (EventType::Bitrate, Some(2500)),
        (EventType::Latency, Some(3000)),
    ];
    let mut fold = Fold::default();
    for video in 0..VIDEOS {
        let video = VideoId::from_random(video, Access::Open);
        for n in 0..8 {
            let events = types.iter().enumerate().map(|(seq, (event, value))| Event {
                seq: seq as u32,
                video,
                event: *event,
                time: WallTime(NOW),
                value: value.map(|value| value + 77 * n as u32),
                rendition: Dimension::Rendition.label(["360p", "720p"][n % 2]).unwrap(),
            });
            let events = events.collect();
            let block = Block::new(session(n), WallTime(NOW), attributes(n % 3), events);
            fold.push(&block.unwrap());
        }
    }
    let subjects = VIDEOS as usize + 1;
    let tiers = Tier::ALL.len();
    let (rollups, breakdowns) = (fold.minutes().rollups(), fold.minutes().breakdowns());
    assert_eq!(rollups.len(), subjects * types.len() * tiers);
    assert_eq!(breakdowns.len(), subjects * Dimension::COUNT * tiers);
    let totals = rollups.values().map(|cell| cell.sketches().len()).max();
    let cells = breakdowns.values().map(|cells| cells.encode().len()).max();
    assert!(totals < Some(100), "{totals:?} bytes of sketches");
    assert!(cells < Some(600), "{cells:?} bytes of cells");
}
