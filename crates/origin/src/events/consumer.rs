//! The task that folds one partition of the log into the store.
//!
//! ```text
//! log ──read──> fold in memory ──once a second──> store: rollups + viewers + offset, one commit
//!                     └── read by queries until it is in the store
//! ```
//!
//! Whatever goes wrong, the consumer claims the partition again and reads from the offset that
//! the store has, so every entry is counted once.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use weir_model::{VideoId, WallTime};
use weir_stats::{
    answer::Row,
    block::Block,
    cell::{Cell, Rollup},
    fold::Fold,
    presence::Presence,
    query::Range,
    rollup::Subject,
    top::TopRange,
};

use super::{
    Applied, Cursor, Entry, EventLog, EventMetrics, LeaseEpoch, Offset, Partition, ReadLogError,
    StatsStore,
};
use crate::{clock::Clock, store::StoreError};

/// Entries per read of the log.
const READ_LIMIT: u32 = 256;

/// Viewers to write that make a commit due at once.
const MANY_UNWRITTEN: usize = 10_000;

/// After a commit the next one waits this many times as long as that took, so that a store that is
/// slow gets fewer and larger ones, and the log can be read meanwhile. What is not written yet is
/// answered from memory in any case.
const REST: u32 = 2;

/// Viewers held in memory between commits.
const VIEWERS_HELD: usize = 50_000;

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY_WHEN_CLOSED: Duration = Duration::from_millis(400);

/// What queries see of a consumer: what it has folded and not yet written.
#[derive(Debug, Default)]
pub(super) struct Tail {
    state: Mutex<TailState>,
}

#[derive(Debug, Default)]
struct TailState {
    fold: Fold,
    presence: Presence,
    /// What the store has.
    applied: Offset,
    /// What is in the store or in `fold`.
    folded: Offset,
    /// Everything acknowledged up to this time is in `folded`; and in `applied`.
    complete_until: WallTime,
    applied_until: WallTime,
}

/// The part of a [`Tail`] that a query needs, as it was at one moment.
#[derive(Debug)]
pub(super) struct TailView<T> {
    pub(super) unwritten: Vec<T>,
    /// The last entry that is counted.
    pub(super) folded: Offset,
    /// Everything acknowledged up to this time is counted.
    pub(super) complete_until: WallTime,
}

impl Tail {
    /// Must be taken before the store is read: what is written in between is then in both, and
    /// the store's offset tells.
    pub(super) fn view(&self, range: &Range) -> TailView<Row> {
        let state = self.state();
        let minutes = state.fold.minutes();
        let (subject, event, span) = (range.subject, range.event, (range.start, range.end));
        let minutes = minutes.of(subject, event, range.group_by, span);
        let rows = minutes.into_iter().map(|(start, label, cell)| Row {
            start: range.tier.floor(start),
            label,
            cell: if range.needs_sketches() {
                cell.clone()
            } else {
                Cell {
                    rollup: cell.rollup,
                    ..Cell::default()
                }
            },
        });
        state.view(rows.collect())
    }

    /// The same for a ranking.
    pub(super) fn rank(&self, range: &TopRange) -> TailView<(VideoId, WallTime, Rollup)> {
        let state = self.state();
        let minutes = state.fold.minutes();
        let videos = minutes.of_videos(range.event, (range.start, range.end));
        let videos = videos.map(|(video, start, rollup)| (video, range.tier.floor(start), rollup));
        state.view(videos.collect())
    }

    /// How many sessions are watching.
    pub(super) fn watching(&self, subject: Subject, now: WallTime) -> TailView<u64> {
        let state = self.state();
        state.view(vec![state.presence.watching(subject, now)])
    }

    /// What the store has, and the time up to which that is complete.
    pub(super) fn applied(&self) -> (Offset, WallTime) {
        let state = self.state();
        (state.applied, state.applied_until)
    }

    fn state(&self) -> MutexGuard<'_, TailState> {
        // A panic while it was held has ended the consumer; what is there is as old as that.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TailState {
    fn view<T>(&self, unwritten: Vec<T>) -> TailView<T> {
        TailView {
            unwritten,
            folded: self.folded,
            complete_until: self.complete_until,
        }
    }
}

impl<T> TailView<T> {
    /// What is not in the store, which has the entries up to `offset`.
    pub(super) fn after(self, offset: Offset) -> Vec<T> {
        if offset < self.folded {
            self.unwritten
        } else {
            Vec::new()
        }
    }
}

/// Folds one partition.
pub(super) struct Consumer {
    pub(super) partition: Partition,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) store: Arc<dyn StatsStore>,
    pub(super) clock: Clock,
    pub(super) commit_interval: Duration,
    /// The last acknowledged entry; closed to end the consumer.
    pub(super) acknowledged: watch::Receiver<Offset>,
    pub(super) tail: Arc<Tail>,
    pub(super) metrics: EventMetrics,
}

#[derive(Debug, Error)]
enum ConsumeError {
    #[error(transparent)]
    Read(#[from] ReadLogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the store has another consumer or stands at another offset than {0}")]
    Stale(Offset),
}

/// The log was closed and all of it is in the store.
struct Drained;

impl Consumer {
    /// Runs until `acknowledged` is closed and everything is in the store, or can't be written.
    pub(super) async fn run(mut self) {
        let mut retry = FIRST_RETRY;
        loop {
            let begun = self.tail.applied().0;
            let error = match self.consume().await {
                Ok(Drained) => return,
                Err(error) => error,
            };
            self.metrics.consumer_restarts.inc();
            tracing::error!(partition = %self.partition, %error, "event consumer begins again");
            if self.acknowledged.has_changed().is_err() && retry > LAST_RETRY_WHEN_CLOSED {
                // Nothing is lost: the log has it, and the next start reads it.
                return;
            }
            if self.tail.applied().0 > begun {
                retry = FIRST_RETRY;
            }
            sleep(retry).await;
            retry = (retry * 2).min(LAST_RETRY);
        }
    }

    async fn consume(&mut self) -> Result<Drained, ConsumeError> {
        let Cursor { epoch, offset } = self.store.claim(self.partition).await?;
        {
            let mut state = self.tail.state();
            let applied_until = state.applied_until;
            // Whoever was there is still there, whatever happened to the store.
            let presence = std::mem::take(&mut state.presence);
            *state = TailState {
                presence,
                applied: offset,
                folded: offset,
                complete_until: applied_until,
                applied_until,
                fold: Fold::default(),
            };
        }
        let mut due = None;
        let mut interval = self.commit_interval;
        loop {
            // Both before the read, which then finds all that was acknowledged until here.
            self.acknowledged.mark_unchanged();
            let closed = self.acknowledged.has_changed().is_err();
            let now = self.clock.now();
            let entries = self
                .log
                .read_from(self.partition, self.folded(), READ_LIMIT)
                .await?;
            let at_end = entries.len() < READ_LIMIT as usize;
            for entry in entries {
                self.fold(entry).await?;
                due.get_or_insert(Instant::now() + interval);
            }
            if at_end {
                let mut state = self.tail.state();
                state.complete_until = now;
                if state.applied == state.folded {
                    state.applied_until = now;
                }
            }
            let many = self.tail.state().fold.unwritten() > MANY_UNWRITTEN;
            if many || due.is_some_and(|due| closed || due <= Instant::now()) {
                let begun = Instant::now();
                self.commit(epoch).await?;
                interval = self.commit_interval.max(begun.elapsed() * REST);
                due = None;
            }
            if !at_end {
                continue;
            }
            if closed {
                return Ok(Drained);
            }
            tokio::select! {
                // An error says that the log is closed: it is read once more, to its end.
                _ = self.acknowledged.changed() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    async fn fold(&self, entry: Entry) -> Result<(), ConsumeError> {
        let block = match Block::decode(&entry.block) {
            Ok(block) => block,
            Err(error) => {
                // There is no other copy to wait for, and the rest of the log still counts.
                self.metrics.blocks_lost.inc();
                let Entry { offset, .. } = entry;
                tracing::error!(partition = %self.partition, %offset, %error, "block lost");
                self.tail.state().folded = offset;
                return Ok(());
            }
        };
        let missing = self.tail.state().fold.missing(&block);
        let viewers = if missing.is_empty() {
            Vec::new()
        } else {
            self.store.viewers(&missing).await?
        };
        let mut state = self.tail.state();
        for (key, viewer) in missing.into_iter().zip(viewers) {
            state.fold.restore(key, viewer);
        }
        self.metrics.folded(state.fold.push(&block));
        state.presence.hear(&block);
        state.folded = entry.offset;
        Ok(())
    }

    async fn commit(&self, epoch: LeaseEpoch) -> Result<(), ConsumeError> {
        // Nobody else folds, so what is folded now is what is written below.
        let (changes, applied, folded) = {
            let state = self.tail.state();
            (state.fold.changes(), state.applied, state.folded)
        };
        match self
            .store
            .apply(self.partition, applied, folded, epoch, &changes)
            .await?
        {
            Applied::Stale => Err(ConsumeError::Stale(applied)),
            Applied::Applied => {
                let mut state = self.tail.state();
                state.fold.written(VIEWERS_HELD);
                state.applied = folded;
                state.applied_until = state.complete_until;
                Ok(())
            }
        }
    }

    fn folded(&self) -> Offset {
        self.tail.state().folded
    }
}
