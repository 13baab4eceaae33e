//! From blocks to changes of rollups and viewers. The fold holds the viewers that its host has
//! restored; the host asks for the missing ones before each block, and writes the changes when it
//! is ready.
//!
//! Events are folded by minute. Hours and days are minutes added up, when they are written or asked
//! for: [`Cell::merge`] is associative, so that is exact.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use weir_model::{VideoId, WallTime};

use crate::{
    batch::{Event, Session},
    block::Block,
    breakdown::Breakdown,
    cell::{Cell, Rollup},
    dimension::{Dimension, Label},
    rollup::{BreakdownKey, RollupKey, Subject, Tier},
    schema::EventType,
    uniques::SessionHash,
    viewer::Viewer,
};

/// Whose state: a session and a video.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewerKey {
    /// What is viewed.
    pub video: VideoId,
    /// Who views.
    pub session: Session,
}

/// A minute of a subject and a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TotalMinute {
    subject: Subject,
    event: EventType,
    start: WallTime,
}

/// A minute of a subject, a type and a value of a dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LabelMinute {
    subject: Subject,
    dimension: Dimension,
    event: EventType,
    start: WallTime,
    label: Label,
}

/// What some events add to minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minutes {
    totals: BTreeMap<TotalMinute, Cell>,
    labels: BTreeMap<LabelMinute, Cell>,
}

impl Minutes {
    /// Whether nothing is added.
    pub fn is_empty(&self) -> bool {
        // Whatever counts for a label counts for a total.
        self.totals.is_empty()
    }

    /// What is added to totals, in every tier.
    pub fn rollups(&self) -> BTreeMap<RollupKey, Cell> {
        let mut rollups: BTreeMap<RollupKey, Cell> = BTreeMap::new();
        for (minute, cell) in &self.totals {
            for tier in Tier::ALL {
                let key = RollupKey {
                    tier,
                    subject: minute.subject,
                    event: minute.event,
                    start: tier.floor(minute.start),
                };
                rollups.entry(key).or_default().merge(cell);
            }
        }
        rollups
    }

    /// What is added to breakdowns, in every tier.
    pub fn breakdowns(&self) -> BTreeMap<BreakdownKey, Breakdown> {
        let mut breakdowns: BTreeMap<BreakdownKey, Breakdown> = BTreeMap::new();
        for (minute, cell) in &self.labels {
            for tier in Tier::ALL {
                let key = BreakdownKey {
                    tier,
                    subject: minute.subject,
                    dimension: minute.dimension,
                    start: tier.floor(minute.start),
                };
                let breakdown = breakdowns.entry(key).or_default();
                let cell_of_label = breakdown.0.entry((minute.event, minute.label));
                cell_of_label.or_default().merge(cell);
            }
        }
        breakdowns
    }

    /// The minutes of a subject and a type from `start` until before `end`; by the labels of a
    /// dimension, or all of them together under [`Label::UNKNOWN`].
    pub fn of(
        &self,
        subject: Subject,
        event: EventType,
        group_by: Option<Dimension>,
        (start, end): (WallTime, WallTime),
    ) -> Vec<(WallTime, Label, &Cell)> {
        let Some(dimension) = group_by else {
            let key = |start| TotalMinute {
                subject,
                event,
                start,
            };
            let totals = self.totals.range(key(start)..key(end));
            return totals
                .map(|(minute, cell)| (minute.start, Label::UNKNOWN, cell))
                .collect();
        };
        let key = |start| LabelMinute {
            subject,
            dimension,
            event,
            start,
            label: Label::UNKNOWN,
        };
        let labels = self.labels.range(key(start)..key(end));
        labels
            .map(|(minute, cell)| (minute.start, minute.label, cell))
            .collect()
    }

    /// The totals of every video for one type, from `start` until before `end`.
    pub fn of_videos(
        &self,
        event: EventType,
        (start, end): (WallTime, WallTime),
    ) -> impl Iterator<Item = (VideoId, WallTime, Rollup)> {
        self.totals.iter().filter_map(move |(minute, cell)| {
            let asked = minute.event == event && (start..end).contains(&minute.start);
            let video = minute.subject.video().filter(|_| asked)?;
            Some((video, minute.start, cell.rollup))
        })
    }

    fn add(&mut self, block: &Block, video: VideoId, staged: &[Staged]) {
        for part in staged {
            let (event, start) = (part.event, part.start);
            for subject in [Subject::All, Subject::Video(video)] {
                let total = TotalMinute {
                    subject,
                    event,
                    start,
                };
                self.totals.entry(total).or_default().merge(&part.cell);
                for dimension in Dimension::ALL {
                    let label = match dimension {
                        Dimension::Rendition => part.rendition,
                        other => block.attributes().get(other),
                    };
                    let minute = LabelMinute {
                        subject,
                        dimension,
                        event,
                        start,
                        label,
                    };
                    self.labels.entry(minute).or_default().merge(&part.cell);
                }
            }
        }
    }
}

/// What a block adds to one minute of a video. Most of its events are of few types and minutes, and
/// each of these goes into fourteen cells.
#[derive(Debug)]
struct Staged {
    event: EventType,
    start: WallTime,
    rendition: Label,
    cell: Cell,
}

fn stage<'a>(staged: &'a mut Vec<Staged>, event: &Event, counted: EventType) -> &'a mut Cell {
    let (start, rendition) = (Tier::Minute.floor(event.time), event.rendition);
    let key = (counted, start, rendition);
    let found = staged
        .iter()
        .position(|part| (part.event, part.start, part.rendition) == key);
    let at = found.unwrap_or_else(|| {
        staged.push(Staged {
            event: counted,
            start,
            rendition,
            cell: Cell::default(),
        });
        staged.len() - 1
    });
    &mut staged[at].cell
}

/// What some blocks change, to be written as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What is to be added to minutes, and to the hours and days that they are in.
    pub minutes: Minutes,
    /// The new states of viewers.
    pub viewers: BTreeMap<ViewerKey, Viewer>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty() && self.viewers.is_empty()
    }
}

/// What became of a block's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// Events that came for the first time.
    pub fresh: u64,
    /// Events that had come before.
    pub duplicates: u64,
}

/// Folds blocks in the order of the log.
#[derive(Debug, Default)]
pub struct Fold {
    viewers: HashMap<ViewerKey, Viewer>,
    touched: BTreeSet<ViewerKey>,
    minutes: Minutes,
}

impl Fold {
    /// The viewers of `block` that must be [restored](Self::restore) before it is pushed.
    pub fn missing(&self, block: &Block) -> Vec<ViewerKey> {
        keys(block)
            .filter(|key| !self.viewers.contains_key(key))
            .collect()
    }

    /// Tells what is stored of a viewer; `None` is a new one.
    pub fn restore(&mut self, key: ViewerKey, viewer: Option<Viewer>) {
        self.viewers.insert(key, viewer.unwrap_or_default());
    }

    /// Folds the next block of the log. A viewer that was not restored is a new one.
    pub fn push(&mut self, block: &Block) -> Folded {
        let mut folded = Folded::default();
        let session = SessionHash::of(block.session());
        let mut staged = Vec::new();
        for key in keys(block) {
            let viewer = self.viewers.entry(key.clone()).or_default();
            for event in block
                .events()
                .iter()
                .filter(|event| event.video == key.video)
            {
                let fresh = viewer.take(event, block.received(), |counted, rollup| {
                    stage(&mut staged, event, counted).add(counted, rollup, session);
                });
                *if fresh {
                    &mut folded.fresh
                } else {
                    &mut folded.duplicates
                } += 1;
            }
            self.minutes.add(block, key.video, &staged);
            staged.clear();
            self.touched.insert(key);
        }
        folded
    }

    /// What was added to minutes and not yet [written](Self::written).
    pub fn minutes(&self) -> &Minutes {
        &self.minutes
    }

    /// What is to be written.
    pub fn changes(&self) -> Changes {
        let touched = self.touched.iter();
        let viewers = touched.filter_map(|key| Some((key.clone(), self.viewers.get(key)?.clone())));
        Changes {
            minutes: self.minutes.clone(),
            viewers: viewers.collect(),
        }
    }

    /// How many viewers there are to write.
    pub fn unwritten(&self) -> usize {
        self.touched.len()
    }

    /// The last [`Fold::changes`] are written. More than `most` viewers are not held any longer;
    /// they will be missing again.
    pub fn written(&mut self, most: usize) {
        self.touched.clear();
        self.minutes = Minutes::default();
        if self.viewers.len() > most {
            self.viewers.clear();
        }
    }
}

fn keys(block: &Block) -> impl Iterator<Item = ViewerKey> {
    let videos = block.videos().into_iter();
    videos.map(|video| ViewerKey {
        video,
        session: block.session().clone(),
    })
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
