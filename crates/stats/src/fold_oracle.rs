//! What has to come out of the fold: told again from the rules, in plain maps, sets and lists, all at
//! once and without bitmaps, tiers or incremental states.

use std::collections::{BTreeMap, HashMap, HashSet};

use weir_model::{VideoId, WallTime};

use super::{Breakdowns, Rollups};
use crate::{
    batch::{Event, Session},
    cell::{Cell, Rollup},
    dimension::{Attributes, Dimension, Label},
    rollup::{BreakdownKey, RollupKey, Subject, Tier},
    schema::EventType,
    uniques::SessionHash,
};

/// A batch as it is received.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) session: Session,
    pub(super) attributes: Attributes,
    pub(super) events: Vec<Event>,
}

/// Something that counts.
struct Fact {
    session: Session,
    attributes: Attributes,
    event: Event,
    kind: EventType,
    count: i64,
    sum: i64,
}

/// What counts.
fn facts(blocks: &[Sent]) -> Vec<Fact> {
    let mut seen = HashSet::new();
    let mut viewed = HashSet::new();
    let mut opinions: HashMap<(Session, VideoId), EventType> = HashMap::new();
    let mut claims: HashMap<(Session, VideoId), Vec<(u64, u64)>> = HashMap::new();
    let mut watched: HashMap<(Session, VideoId), u64> = HashMap::new();
    let mut facts = Vec::new();
    for Sent {
        session,
        attributes,
        events,
    } in blocks
    {
        for event in events {
            let mut fact = |kind, count, sum| {
                facts.push(Fact {
                    session: session.clone(),
                    attributes: *attributes,
                    event: *event,
                    kind,
                    count,
                    sum,
                });
            };
            let (kind, time, value) = (event.event, event.time.0, event.value);
            let viewer = (session.clone(), event.video);
            if !seen.insert((viewer.clone(), event.seq)) {
                continue;
            }
            match kind {
                EventType::View => {
                    if viewed.insert(viewer) {
                        fact(kind, 1, 0);
                    }
                }
                EventType::Like | EventType::Dislike => {
                    let held = opinions.get(&viewer).copied();
                    if value == Some(0) {
                        if held == Some(kind) {
                            opinions.remove(&viewer);
                            fact(kind, -1, 0);
                        }
                    } else if held != Some(kind) {
                        opinions.insert(viewer, kind);
                        fact(kind, 1, 0);
                        if let Some(held) = held {
                            fact(held, -1, 0);
                        }
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
                        fact(kind, 1, counted as i64);
                    }
                }
                _ => {
                    let value = value.filter(|_| kind.unit().is_some()).unwrap_or(0);
                    fact(kind, 1, value.into());
                }
            }
        }
    }
    facts
}

/// What a cell has to be: its facts gathered in plain collections, and told at once.
#[derive(Default)]
struct Plain {
    count: i64,
    sum: i64,
    sessions: HashSet<Session>,
    values: Vec<u32>,
}

impl Plain {
    fn add(&mut self, fact: &Fact) {
        self.count += fact.count;
        self.sum += fact.sum;
        if matches!(
            fact.kind,
            EventType::View | EventType::Watch | EventType::Stall | EventType::Error
        ) {
            self.sessions.insert(fact.session.clone());
        }
        if matches!(
            fact.kind,
            EventType::Startup | EventType::Stall | EventType::Bitrate | EventType::Latency
        ) {
            self.values.push(fact.sum as u32);
        }
    }

    fn cell(mut self) -> Cell {
        let rollup = Rollup {
            count: self.count,
            sum: self.sum,
        };
        let mut cell = Cell {
            rollup,
            ..Cell::default()
        };
        for session in &self.sessions {
            cell.uniques.insert(SessionHash::of(session));
        }
        self.values.sort_unstable();
        for value in self.values {
            cell.quantiles.insert(value);
        }
        cell
    }
}

/// Every rollup and breakdown, each from all facts that belong to it.
pub(super) fn count(blocks: &[Sent]) -> (Rollups, Breakdowns) {
    let mut rollups: BTreeMap<RollupKey, Plain> = BTreeMap::new();
    let mut labels: BTreeMap<(BreakdownKey, EventType, Label), Plain> = BTreeMap::new();
    for fact in facts(blocks) {
        let (WallTime(time), event) = (fact.event.time, fact.kind);
        for (tier, length) in [
            (Tier::Minute, 60_000),
            (Tier::Hour, 3_600_000),
            (Tier::Day, 86_400_000),
        ] {
            let start = WallTime(time / length * length);
            for subject in [Subject::All, Subject::Video(fact.event.video)] {
                let key = RollupKey {
                    tier,
                    subject,
                    event,
                    start,
                };
                rollups.entry(key).or_default().add(&fact);
                for dimension in Dimension::ALL {
                    let label = if dimension == Dimension::Rendition {
                        fact.event.rendition
                    } else {
                        fact.attributes.get(dimension)
                    };
                    let key = BreakdownKey {
                        tier,
                        subject,
                        dimension,
                        start,
                    };
                    labels.entry((key, event, label)).or_default().add(&fact);
                }
            }
        }
    }
    let mut breakdowns = Breakdowns::new();
    for ((key, event, label), plain) in labels {
        let cells = &mut breakdowns.entry(key).or_default().0;
        cells.insert((event, label), plain.cell());
    }
    let rollups = rollups.into_iter().map(|(key, plain)| (key, plain.cell()));
    (rollups.collect(), breakdowns)
}
