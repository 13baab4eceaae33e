//! From blocks to changes of rollups and viewers. The fold holds the viewers that its host has
//! restored; the host asks for the missing ones before each block, and writes the changes when it
//! is ready.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use weir_model::VideoId;

use crate::{
    batch::Session,
    block::Block,
    rollup::{Rollup, RollupKey, Tier},
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

/// What some blocks change, to be written as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What is to be added to each rollup, in every tier.
    pub rollups: BTreeMap<RollupKey, Rollup>,
    /// The new states of viewers.
    pub viewers: BTreeMap<ViewerKey, Viewer>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rollups.is_empty() && self.viewers.is_empty()
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
    rollups: BTreeMap<RollupKey, Rollup>,
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
        for key in keys(block) {
            let viewer = self.viewers.entry(key.clone()).or_default();
            for event in block
                .events()
                .iter()
                .filter(|event| event.video == key.video)
            {
                let rollups = &mut self.rollups;
                let fresh = viewer.take(event, block.received(), |counted, rollup| {
                    for tier in Tier::ALL {
                        let start = tier.floor(event.time);
                        let key = RollupKey {
                            tier,
                            video: event.video,
                            event: counted,
                            start,
                        };
                        *rollups.entry(key).or_default() += rollup;
                    }
                });
                *if fresh {
                    &mut folded.fresh
                } else {
                    &mut folded.duplicates
                } += 1;
            }
            self.touched.insert(key);
        }
        folded
    }

    /// What was added to rollups and not yet [written](Self::written).
    pub fn rollups(&self) -> &BTreeMap<RollupKey, Rollup> {
        &self.rollups
    }

    /// What is to be written.
    pub fn changes(&self) -> Changes {
        let touched = self.touched.iter();
        let viewers = touched.filter_map(|key| Some((key.clone(), self.viewers.get(key)?.clone())));
        Changes {
            rollups: self.rollups.clone(),
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
        self.rollups.clear();
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
