//! The assembly of log, consumers and store, and how events come in. How they are asked for is in
//! [`super::answers`].

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::try_join_all;
use thiserror::Error;
use tokio::{sync::watch, task::JoinSet, time::interval};
use weir_model::{VideoId, WallTime};
use weir_stats::{
    batch::{Answers, Batch, Event},
    block::{Block, BlockOverflow},
};

use super::{
    AppendError, EventLog, EventMetrics, Offset, Partition, SqliteLog, SqliteStats, StatsStore,
    admission::Admission,
    answers::KeptRankings,
    consumer::{Consumer, Tail},
    last_known::LastKnown,
};
use crate::{
    clock::Clock,
    store::{MetaStore, StoreError},
};

/// How events are kept and counted.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often counts are written. They are answered from memory until then.
    pub commit_interval: Duration,
    /// How long the events themselves are kept after they were counted.
    pub keep_blocks: Duration,
    /// How many batches wait for the disk before more are refused.
    pub waiting: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            commit_interval: Duration::from_secs(1),
            keep_blocks: Duration::from_secs(7 * 86_400),
            waiting: 4096,
        }
    }
}

/// Why events were not taken. The player keeps them and sends them again.
#[derive(Debug, Error)]
pub enum ProcessEventsError {
    /// The log did not make them durable.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// It could not be found out whether their videos exist.
    #[error(transparent)]
    Videos(#[from] StoreError),
    /// The batch is larger than [`Batch::parse`] lets through.
    #[error(transparent)]
    Overflow(#[from] BlockOverflow),
}

/// Takes events and answers how many there were. Clones are handles to the same.
#[derive(Clone)]
pub struct Statistics {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    log: Arc<dyn EventLog>,
    pub(super) store: Arc<dyn StatsStore>,
    videos: Arc<dyn MetaStore>,
    clock: Clock,
    /// When counting began here.
    pub(super) begun: WallTime,
    pub(super) partitions: Vec<PartitionHandle>,
    /// Videos that were found once; none ever goes away.
    known_videos: Mutex<HashSet<VideoId>>,
    admission: Admission,
    pub(super) last_known: Mutex<LastKnown>,
    pub(super) rankings: Mutex<KeptRankings>,
    tasks: Mutex<JoinSet<()>>,
    metrics: EventMetrics,
}

pub(super) struct PartitionHandle {
    /// The last entry that was acknowledged since the start; `None` once shut down.
    acknowledged: Mutex<Option<watch::Sender<Offset>>>,
    pub(super) tail: Arc<Tail>,
}

impl Statistics {
    /// Opens `log.db` and `stats.db` in `data` and starts counting.
    pub async fn open(
        data: &Path,
        videos: Arc<dyn MetaStore>,
        clock: Clock,
        options: Options,
    ) -> Result<Self, StoreError> {
        let log = SqliteLog::open(&data.join("log.db"), clock, options.waiting).await?;
        let store = SqliteStats::open(&data.join("stats.db")).await?;
        Ok(Self::start(
            Arc::new(log),
            Arc::new(store),
            videos,
            clock,
            options,
        ))
    }

    /// Starts counting from `log` into `store`.
    pub fn start(
        log: Arc<dyn EventLog>,
        store: Arc<dyn StatsStore>,
        videos: Arc<dyn MetaStore>,
        clock: Clock,
        options: Options,
    ) -> Self {
        let metrics = EventMetrics::default();
        let mut tasks = JoinSet::new();
        let partitions = Partition::all().map(|partition| {
            let (sender, acknowledged) = watch::channel(Offset::default());
            let tail = Arc::new(Tail::default());
            let consumer = Consumer {
                partition,
                log: log.clone(),
                store: store.clone(),
                clock,
                commit_interval: options.commit_interval,
                acknowledged,
                tail: tail.clone(),
                metrics: metrics.clone(),
            };
            tasks.spawn(consumer.run());
            PartitionHandle {
                acknowledged: Mutex::new(Some(sender)),
                tail,
            }
        });
        let partitions: Vec<_> = partitions.collect();
        let tails = partitions
            .iter()
            .map(|partition| partition.tail.clone())
            .collect();
        tasks.spawn(forget(
            log.clone(),
            store.clone(),
            tails,
            options.keep_blocks,
        ));
        let shared = Shared {
            log,
            store,
            videos,
            clock,
            begun: clock.now(),
            partitions,
            known_videos: Mutex::default(),
            admission: Admission::default(),
            last_known: Mutex::default(),
            rankings: Mutex::default(),
            tasks: Mutex::new(tasks),
            metrics,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The time by which events are received.
    pub fn now(&self) -> WallTime {
        self.shared.clock.now()
    }

    /// What the pipeline counts about itself.
    pub fn metrics(&self) -> &EventMetrics {
        &self.shared.metrics
    }

    /// Makes the good events of a batch that was received at `received` durable and answers the
    /// fate of each.
    ///
    /// # Errors
    /// If it is not known that all good ones are durable. Some may be; sending them again counts
    /// none twice.
    pub async fn process_events(
        &self,
        batch: Batch,
        received: WallTime,
    ) -> Result<Answers, ProcessEventsError> {
        let answers = self.append(batch, received).await;
        self.shared.metrics.answered(answers.as_ref());
        answers
    }

    async fn append(
        &self,
        mut batch: Batch,
        received: WallTime,
    ) -> Result<Answers, ProcessEventsError> {
        for video in batch.videos() {
            if !self.exists(video).await? {
                batch.refuse_video(video);
            }
        }
        let mut parts: Vec<Vec<Event>> = vec![Vec::new(); self.shared.partitions.len()];
        for event in batch.accepted() {
            let event = self.shared.admission.event(*event);
            parts[Partition::of(event.video).index()].push(event);
        }
        let attributes = self.shared.admission.attributes(batch.attributes);
        let parts = Partition::all()
            .zip(parts)
            .filter(|(_, events)| !events.is_empty());
        try_join_all(parts.map(async |(partition, events)| {
            let block = Block::new(batch.session.clone(), received, attributes, events)?;
            let (id, bytes) = block.encode();
            let offset = self.shared.log.append(partition, id, bytes.into()).await?;
            self.shared.partitions[partition.index()].acknowledge(offset);
            Ok::<_, ProcessEventsError>(())
        }))
        .await?;
        self.shared.metrics.quarantined(&batch);
        Ok(batch.answers())
    }

    /// Writes all counts and returns when that is done. Events that come later are still made
    /// durable, and are counted after the next start.
    pub async fn shutdown(&self) {
        for partition in &self.shared.partitions {
            lock(&partition.acknowledged).take();
        }
        let mut tasks = std::mem::take(&mut *lock(&self.shared.tasks));
        while tasks.join_next().await.is_some() {
            // The consumers end by themselves; what is left then is the periodic task.
            if tasks.len() == 1 {
                tasks.abort_all();
            }
        }
    }

    pub(super) async fn exists(&self, video: VideoId) -> Result<bool, StoreError> {
        if lock(&self.shared.known_videos).contains(&video) {
            return Ok(true);
        }
        let exists = self.shared.videos.find_video(video).await?.is_some();
        if exists {
            lock(&self.shared.known_videos).insert(video);
        }
        Ok(exists)
    }
}

impl PartitionHandle {
    fn acknowledge(&self, offset: Offset) {
        if let Some(sender) = &*lock(&self.acknowledged) {
            // A batch sent twice is answered with the place of the first.
            sender.send_modify(|last| *last = offset.max(*last));
        }
    }

    pub(super) fn acknowledged(&self) -> Offset {
        lock(&self.acknowledged)
            .as_ref()
            .map_or(Offset(0), |sender| *sender.borrow())
    }
}

const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// Forgets what is old: blocks that were counted, rollups that a coarser tier holds, viewers that
/// can't come back.
async fn forget(
    log: Arc<dyn EventLog>,
    store: Arc<dyn StatsStore>,
    tails: Vec<Arc<Tail>>,
    keep_blocks: Duration,
) {
    let mut ticks = interval(FORGET_EVERY);
    loop {
        ticks.tick().await;
        let mut complete_until = WallTime(u64::MAX);
        for (partition, tail) in Partition::all().zip(&tails) {
            let (applied, until) = tail.applied();
            complete_until = complete_until.min(until);
            let keep_ms = u64::try_from(keep_blocks.as_millis()).unwrap_or(u64::MAX);
            let older_than = WallTime(until.0.saturating_sub(keep_ms));
            match log.trim(partition, applied, older_than).await {
                Ok(blocks) => tracing::debug!(%partition, blocks, "old blocks forgotten"),
                Err(error) => tracing::warn!(%partition, %error, "old blocks stay"),
            }
        }
        if let Err(error) = store.prune(complete_until).await {
            tracing::warn!(%error, "old rollups stay");
        }
    }
}

/// What is guarded here is whole after every statement, so a panic elsewhere spoils nothing.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
