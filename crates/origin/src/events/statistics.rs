//! The assembly of log, consumers and store, and its two verbs.

use std::{
    collections::{HashMap, HashSet},
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
    query::{InvalidQuery, Range, StatsAnswer, StatsQuery},
    rollup::{Rollup, Tier},
    schema::EventType,
};

use super::{
    AppendError, EventLog, EventMetrics, Offset, Partition, SqliteLog, SqliteStats, StatsStore,
    consumer::{Consumer, Tail},
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

/// Why there are no numbers.
#[derive(Debug, Error)]
pub enum GetStatsError {
    /// The question has no answer.
    #[error(transparent)]
    Invalid(#[from] InvalidQuery),
    /// No video has this id.
    #[error("there is no video {0}")]
    NoSuchVideo(VideoId),
    /// The store is down and nothing is known from before.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes events and answers how many there were. Clones are handles to the same.
#[derive(Clone)]
pub struct Statistics {
    shared: Arc<Shared>,
}

struct Shared {
    log: Arc<dyn EventLog>,
    store: Arc<dyn StatsStore>,
    videos: Arc<dyn MetaStore>,
    clock: Clock,
    partitions: Vec<PartitionHandle>,
    /// Videos that were found once; none ever goes away.
    known_videos: Mutex<HashSet<VideoId>>,
    last_known: Mutex<LastKnown>,
    tasks: Mutex<JoinSet<()>>,
    metrics: EventMetrics,
}

struct PartitionHandle {
    /// The last entry that was acknowledged since the start; `None` once shut down.
    acknowledged: Mutex<Option<watch::Sender<Offset>>>,
    tail: Arc<Tail>,
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
            partitions,
            known_videos: Mutex::default(),
            last_known: Mutex::default(),
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
            parts[Partition::of(event.video).index()].push(*event);
        }
        let parts = Partition::all()
            .zip(parts)
            .filter(|(_, events)| !events.is_empty());
        try_join_all(parts.map(async |(partition, events)| {
            let block = Block::new(batch.session.clone(), received, events)?;
            let (id, bytes) = block.encode();
            let offset = self.shared.log.append(partition, id, bytes.into()).await?;
            self.shared.partitions[partition.index()].acknowledge(offset);
            Ok::<_, ProcessEventsError>(())
        }))
        .await?;
        Ok(batch.answers())
    }

    /// Answers a question from the store and what is not in it yet; with the store down, the last
    /// known numbers of the range, marked stale.
    pub async fn get_stats(&self, query: StatsQuery) -> Result<StatsAnswer, GetStatsError> {
        let now = self.now();
        let range = query.resolve(now)?;
        match self.exists(range.video).await {
            Ok(true) => {}
            Ok(false) => return Err(GetStatsError::NoSuchVideo(range.video)),
            // The numbers may still be there.
            Err(error) => tracing::warn!(%error, "video looked up in vain"),
        }
        let partition = Partition::of(range.video);
        let handle = &self.shared.partitions[partition.index()];
        let acknowledged = handle.acknowledged();
        let tail = handle.tail.view(&range);
        let as_of = if tail.complete_until > WallTime(0) && tail.folded >= acknowledged {
            now
        } else {
            tail.complete_until
        };
        match self.shared.store.query(partition, &range).await {
            Ok(rows) => {
                let rollups = tail.after(rows);
                let stale = now.since(as_of) > FRESH;
                let answer = range.answer(rollups.iter().copied(), as_of, stale);
                lock(&self.shared.last_known).remember(&range, rollups, as_of);
                Ok(answer)
            }
            Err(error) => {
                tracing::error!(%error, video = %range.video, "counts read in vain");
                lock(&self.shared.last_known)
                    .answer(&range)
                    .ok_or(error.into())
            }
        }
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

    async fn exists(&self, video: VideoId) -> Result<bool, StoreError> {
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

    fn acknowledged(&self) -> Offset {
        lock(&self.acknowledged)
            .as_ref()
            .map_or(Offset(0), |sender| *sender.borrow())
    }
}

/// An answer that is complete up to this long ago counts as fresh.
const FRESH: Duration = Duration::from_secs(2);

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

/// The rollups of the latest ranges asked for, for when the store can't be read.
#[derive(Default)]
struct LastKnown {
    ranges: HashMap<(VideoId, EventType, Tier), Known>,
}

struct Known {
    start: WallTime,
    rollups: Vec<(WallTime, Rollup)>,
    as_of: WallTime,
}

impl LastKnown {
    const MOST_RANGES: usize = 512;
    const MOST_ROLLUPS: usize = 2000;

    fn remember(&mut self, range: &Range, rollups: Vec<(WallTime, Rollup)>, as_of: WallTime) {
        if rollups.len() > Self::MOST_ROLLUPS {
            return;
        }
        let key = (range.video, range.event, range.tier);
        if self.ranges.len() >= Self::MOST_RANGES && !self.ranges.contains_key(&key) {
            let oldest = self.ranges.iter().min_by_key(|(_, known)| known.as_of);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.ranges.remove(&key);
            }
        }
        self.ranges.insert(
            key,
            Known {
                start: range.start,
                rollups,
                as_of,
            },
        );
    }

    fn answer(&self, range: &Range) -> Option<StatsAnswer> {
        let known = self.ranges.get(&(range.video, range.event, range.tier))?;
        let covered = known.start <= range.start;
        covered.then(|| range.answer(known.rollups.iter().copied(), known.as_of, true))
    }
}

/// What is guarded here is whole after every statement, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
