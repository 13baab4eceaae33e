//! What a store of rollups promises.

use futures_util::future::BoxFuture;
use weir_model::{VideoId, WallTime};
use weir_stats::{
    answer::Row,
    cell::Rollup,
    fold::{Changes, ViewerKey},
    query::Range,
    top::TopRange,
    viewer::Viewer,
};

use super::{Offset, Partition};
use crate::store::StoreError;

/// Which consumer of a partition, counted from 1; a later one fences the earlier ones off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseEpoch(pub u64);

/// Where a consumer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Whom it writes as.
    pub epoch: LeaseEpoch,
    /// What the store has applied.
    pub offset: Offset,
}

/// What became of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// They are durable, together with the offset.
    Applied,
    /// Nothing was changed: the store stands at another offset, or has a later consumer.
    Stale,
}

/// The rollups of a range, and what they contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// What was counted in each minute, hour or day, in order, and there for each label if the
    /// range is broken down. Sketches are there if the range needs them.
    pub rows: Vec<Row>,
    /// The partition's entries that are in them.
    pub offset: Offset,
    /// Since when sketches and breakdowns are kept, if there were counts before.
    pub sketched_since: Option<WallTime>,
}

/// The rollups of every video in a range, and what they contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rankings {
    /// In any order. Where events weigh the same whenever they came, those of a video may be one,
    /// with the start of the range.
    pub rollups: Vec<(VideoId, WallTime, Rollup)>,
    /// The entries of each partition that are in them.
    pub offsets: [Offset; Partition::COUNT as usize],
}

/// Rollups, viewers and the offset up to which the log is in them, changed together or not at
/// all.
pub trait StatsStore: Send + Sync {
    /// Makes the caller the partition's only consumer.
    fn claim(&self, partition: Partition) -> BoxFuture<'_, Result<Cursor, StoreError>>;

    /// What is known of these viewers, in their order.
    fn viewers<'a>(
        &'a self,
        keys: &'a [ViewerKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Viewer>>, StoreError>>;

    /// Adds `changes`, which are those of the entries after `expected` up to `new`.
    fn apply<'a>(
        &'a self,
        partition: Partition,
        expected: Offset,
        new: Offset,
        epoch: LeaseEpoch,
        changes: &'a Changes,
    ) -> BoxFuture<'a, Result<Applied, StoreError>>;

    /// The rollups of a range, read at one point between two applies.
    fn query<'a>(
        &'a self,
        partition: Partition,
        range: &'a Range,
    ) -> BoxFuture<'a, Result<Rows, StoreError>>;

    /// The rollups of every video, read at one point between two applies.
    fn rank<'a>(&'a self, range: &'a TopRange) -> BoxFuture<'a, Result<Rankings, StoreError>>;

    /// Forgets what no query at or after `now` reads and no event can change any more. Every block
    /// that was in the log at `now` must have been applied.
    fn prune(&self, now: WallTime) -> BoxFuture<'_, Result<(), StoreError>>;
}
