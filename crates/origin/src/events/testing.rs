//! A data folder, and a log and a store that fail when told to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};
use weir_model::WallTime;
use weir_stats::{
    block::BatchId,
    fold::{Changes, ViewerKey},
    query::Range,
    top::TopRange,
    viewer::Viewer,
};

use super::{
    AppendError, Applied, Cursor, Entry, EventLog, LeaseEpoch, Offset, Options, Partition,
    Rankings, ReadLogError, Rows, SqliteLog, SqliteStats, Statistics, StatsStore,
};
use crate::{
    clock::Clock,
    store::{MetaStore, SqliteMeta, StoreError},
};

/// Videos that exist in a [`Fixture`], spread over partitions.
pub(crate) const VIDEOS: [&str; 3] = [VIDEO, "oaaaaaaaaaaa", "oaaaaaaaaaab"];
pub(crate) const VIDEO: &str = "oabcdefghijk";

/// When an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing was done.
    Before,
    /// It was done, and the answer got lost.
    After,
}

impl Fault {
    pub(crate) const ALL: [Self; 2] = [Self::Before, Self::After];
}

/// What will fail next.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Plan>>);

#[derive(Default)]
struct Plan {
    appends: VecDeque<Fault>,
    applies: VecDeque<Fault>,
    reads: u32,
    viewers: u32,
    claims: u32,
    queries_fail: bool,
}

impl Faults {
    pub(crate) fn next_append(&self, fault: Fault) {
        self.plan().appends.push_back(fault);
    }

    pub(crate) fn next_apply(&self, fault: Fault) {
        self.plan().applies.push_back(fault);
    }

    /// Makes the next reads of the log, of viewers, and claims fail.
    pub(crate) fn next_reads(&self, reads: u32, viewers: u32, claims: u32) {
        let mut plan = self.plan();
        (plan.reads, plan.viewers, plan.claims) = (reads, viewers, claims);
    }

    pub(crate) fn fail_queries(&self, fail: bool) {
        self.plan().queries_fail = fail;
    }

    /// Nothing fails from now on.
    pub(crate) fn clear(&self) {
        *self.plan() = Plan::default();
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().expect("no test panics while it holds this")
    }

    fn fails(&self, left: impl FnOnce(&mut Plan) -> &mut u32) -> Result<(), sqlx::Error> {
        let mut plan = self.plan();
        let left = left(&mut plan);
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        Err(broken())
    }
}

fn broken() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other("broken by the test"))
}

/// A log or a store with faults.
pub(crate) struct Faulty<T> {
    inner: T,
    faults: Faults,
}

impl<T> Faulty<T> {
    async fn at<R, E>(
        fault: Option<Fault>,
        operation: impl Future<Output = Result<R, E>>,
        error: impl FnOnce() -> E,
    ) -> Result<R, E> {
        match fault {
            None => operation.await,
            Some(Fault::Before) => Err(error()),
            Some(Fault::After) => {
                operation.await?;
                Err(error())
            }
        }
    }
}

impl<T: EventLog> EventLog for Faulty<T> {
    fn append(
        &self,
        partition: Partition,
        id: BatchId,
        block: Bytes,
    ) -> BoxFuture<'_, Result<Offset, AppendError>> {
        let fault = self.faults.plan().appends.pop_front();
        let error = || AppendError::Failed(Arc::new(broken()));
        Box::pin(Self::at(
            fault,
            self.inner.append(partition, id, block),
            error,
        ))
    }

    fn read_from(
        &self,
        partition: Partition,
        after: Offset,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Entry>, ReadLogError>> {
        Box::pin(async move {
            self.faults.fails(|plan| &mut plan.reads)?;
            self.inner.read_from(partition, after, limit).await
        })
    }

    fn trim(
        &self,
        partition: Partition,
        up_to: Offset,
        older_than: WallTime,
    ) -> BoxFuture<'_, Result<u64, ReadLogError>> {
        self.inner.trim(partition, up_to, older_than)
    }
}

impl<T: StatsStore> StatsStore for Faulty<T> {
    fn claim(&self, partition: Partition) -> BoxFuture<'_, Result<Cursor, StoreError>> {
        Box::pin(async move {
            self.faults.fails(|plan| &mut plan.claims)?;
            self.inner.claim(partition).await
        })
    }

    fn viewers<'a>(
        &'a self,
        keys: &'a [ViewerKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Viewer>>, StoreError>> {
        Box::pin(async move {
            self.faults.fails(|plan| &mut plan.viewers)?;
            self.inner.viewers(keys).await
        })
    }

    fn apply<'a>(
        &'a self,
        partition: Partition,
        expected: Offset,
        new: Offset,
        epoch: LeaseEpoch,
        changes: &'a Changes,
    ) -> BoxFuture<'a, Result<Applied, StoreError>> {
        let fault = self.faults.plan().applies.pop_front();
        let apply = self.inner.apply(partition, expected, new, epoch, changes);
        Box::pin(Self::at(fault, apply, || broken().into()))
    }

    fn query<'a>(
        &'a self,
        partition: Partition,
        range: &'a Range,
    ) -> BoxFuture<'a, Result<Rows, StoreError>> {
        Box::pin(async move {
            if self.faults.plan().queries_fail {
                return Err(broken().into());
            }
            self.inner.query(partition, range).await
        })
    }

    fn rank<'a>(&'a self, range: &'a TopRange) -> BoxFuture<'a, Result<Rankings, StoreError>> {
        Box::pin(async move {
            if self.faults.plan().queries_fail {
                return Err(broken().into());
            }
            self.inner.rank(range).await
        })
    }

    fn prune(&self, now: WallTime) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.prune(now)
    }
}

/// A data folder with [`VIDEOS`] in it.
pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let fixture = Self {
            dir: tempfile::tempdir().expect("a folder for temporary files"),
            clock: Clock::anchored(),
            faults: Faults::default(),
        };
        let meta = fixture.meta().await;
        for (n, video) in VIDEOS.iter().enumerate() {
            let id = video.parse().expect("an id");
            meta.create_video(id, "", [n as u8; 32], fixture.clock.now())
                .await
                .expect("a video");
        }
        meta.close().await;
        fixture
    }

    /// Statistics that write at once.
    pub(crate) async fn statistics(&self) -> Statistics {
        self.statistics_writing_every(Duration::ZERO).await
    }

    /// Statistics on the folder as it is, with the fixture's faults.
    pub(crate) async fn statistics_writing_every(&self, commit_interval: Duration) -> Statistics {
        let faults = &self.faults;
        let log = Faulty {
            inner: self.log().await,
            faults: faults.clone(),
        };
        let store = Faulty {
            inner: self.store().await,
            faults: faults.clone(),
        };
        let videos = Arc::new(self.meta().await);
        let options = Options {
            commit_interval,
            ..Options::default()
        };
        Statistics::start(Arc::new(log), Arc::new(store), videos, self.clock, options)
    }

    pub(crate) async fn log(&self) -> SqliteLog {
        let path = self.dir.path().join("log.db");
        SqliteLog::open(&path, self.clock, 1000)
            .await
            .expect("a log")
    }

    pub(crate) async fn store(&self) -> SqliteStats {
        SqliteStats::open(&self.dir.path().join("stats.db"))
            .await
            .expect("a store")
    }

    async fn meta(&self) -> SqliteMeta {
        SqliteMeta::open(&self.dir.path().join("meta.db"))
            .await
            .expect("a store of videos")
    }
}

/// Waits until `holds`, for at most 30 s.
#[track_caller]
pub(crate) fn eventually(mut holds: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !holds().await {
            assert!(
                Instant::now() < deadline,
                "what {caller} waits for did not come"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }
}
