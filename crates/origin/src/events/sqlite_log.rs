//! An event log in one SQLite file. One task writes; whatever waits when it begins is one
//! transaction, so the number of syncs doesn't grow with the number of callers.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use sqlx::{Sqlite, Transaction, migrate::Migrator};
use tokio::sync::{mpsc, oneshot};
use weir_model::WallTime;
use weir_stats::block::BatchId;

use super::{AppendError, Entry, EventLog, Offset, Partition, ReadLogError};
use crate::{
    clock::Clock,
    store::{
        StoreError,
        file::{SqliteFile, to_sql},
    },
};

static SCHEMA: Migrator = sqlx::migrate!("migrations/log");

/// Most appends in one transaction.
const MAX_GROUP: usize = 512;

/// An [`EventLog`] in `log.db`.
#[derive(Clone, Debug)]
pub struct SqliteLog {
    file: SqliteFile,
    queue: mpsc::Sender<Append>,
}

#[derive(Debug)]
struct Append {
    partition: Partition,
    id: BatchId,
    block: Bytes,
    answer: oneshot::Sender<Result<Offset, AppendError>>,
}

impl SqliteLog {
    /// Opens or creates the file at `path` and starts the task that writes it, which ends with
    /// the last clone. Up to `waiting` appends wait for the disk; more are refused.
    pub async fn open(path: &Path, clock: Clock, waiting: usize) -> Result<Self, StoreError> {
        Ok(Self::start(
            SqliteFile::open(path, &SCHEMA).await?,
            clock,
            waiting,
        ))
    }

    fn start(file: SqliteFile, clock: Clock, waiting: usize) -> Self {
        let (queue, appends) = mpsc::channel(waiting);
        tokio::spawn(write(file.clone(), appends, clock));
        Self { file, queue }
    }

    /// Waits for what is under way and closes the file.
    pub async fn close(&self) {
        self.file.close().await;
    }
}

async fn write(file: SqliteFile, mut appends: mpsc::Receiver<Append>, clock: Clock) {
    let mut group = Vec::new();
    while appends.recv_many(&mut group, MAX_GROUP).await > 0 {
        match commit(&file, clock.now(), &group).await {
            Ok(offsets) => {
                for (append, offset) in group.drain(..).zip(offsets) {
                    // Whoever gave up waiting will send the batch again, under the same id.
                    let _ = append.answer.send(Ok(offset));
                }
            }
            Err(error) => {
                tracing::error!(%error, appends = group.len(), "event log refused a commit");
                let error = AppendError::Failed(Arc::new(error));
                for append in group.drain(..) {
                    let _ = append.answer.send(Err(error.clone()));
                }
            }
        }
    }
}

/// Writes a group and answers its offsets once they are durable.
async fn commit(
    file: &SqliteFile,
    now: WallTime,
    group: &[Append],
) -> Result<Vec<Offset>, sqlx::Error> {
    let mut tx = file.write().await?;
    let mut ends = [None; Partition::COUNT as usize];
    let mut offsets = Vec::with_capacity(group.len());
    for append in group {
        let end = &mut ends[append.partition.index()];
        let next = match *end {
            Some(end) => end + 1,
            None => end_of(&mut tx, append.partition).await? + 1,
        };
        let inserted = sqlx::query(
            "INSERT INTO blocks (partition, \"offset\", batch, appended_at, block) \
             VALUES (?, ?, ?, ?, ?) ON CONFLICT (partition, batch) DO NOTHING",
        )
        .bind(append.partition.index() as i64)
        .bind(next)
        .bind(&append.id.0[..])
        .bind(to_sql(now.0))
        .bind(&append.block[..])
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 1 {
            *end = Some(next);
            offsets.push(offset(next));
        } else {
            offsets.push(offset_of(&mut tx, append.partition, append.id).await?);
        }
    }
    tx.commit().await?;
    Ok(offsets)
}

async fn end_of(
    tx: &mut Transaction<'static, Sqlite>,
    partition: Partition,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(MAX(\"offset\"), 0) FROM blocks WHERE partition = ?")
        .bind(partition.index() as i64)
        .fetch_one(&mut **tx)
        .await
}

async fn offset_of(
    tx: &mut Transaction<'static, Sqlite>,
    partition: Partition,
    id: BatchId,
) -> Result<Offset, sqlx::Error> {
    sqlx::query_scalar("SELECT \"offset\" FROM blocks WHERE partition = ? AND batch = ?")
        .bind(partition.index() as i64)
        .bind(&id.0[..])
        .fetch_one(&mut **tx)
        .await
        .map(offset)
}

/// Offsets are written from 1 upwards.
fn offset(stored: i64) -> Offset {
    Offset(stored.unsigned_abs())
}

impl EventLog for SqliteLog {
    fn append(
        &self,
        partition: Partition,
        id: BatchId,
        block: Bytes,
    ) -> BoxFuture<'_, Result<Offset, AppendError>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.queue
                .try_send(Append {
                    partition,
                    id,
                    block,
                    answer,
                })
                .map_err(|e| match e {
                    mpsc::error::TrySendError::Full(_) => AppendError::Full {
                        waiting: self.queue.max_capacity(),
                    },
                    mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
                })?;
            answered.await.unwrap_or(Err(AppendError::Closed))
        })
    }

    fn read_from(
        &self,
        partition: Partition,
        after: Offset,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Entry>, ReadLogError>> {
        Box::pin(async move {
            let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
                "SELECT \"offset\", block FROM blocks \
                 WHERE partition = ? AND \"offset\" > ? ORDER BY \"offset\" LIMIT ?",
            )
            .bind(partition.index() as i64)
            .bind(to_sql(after.0))
            .bind(i64::from(limit))
            .fetch_all(&mut *self.file.read().await?)
            .await?;
            let entry = |(at, block)| Entry {
                offset: offset(at),
                block: Bytes::from(block),
            };
            Ok(rows.into_iter().map(entry).collect())
        })
    }

    fn trim(
        &self,
        partition: Partition,
        up_to: Offset,
        older_than: WallTime,
    ) -> BoxFuture<'_, Result<u64, ReadLogError>> {
        Box::pin(async move {
            let mut tx = self.file.write().await?;
            let deleted = sqlx::query(
                "DELETE FROM blocks WHERE partition = ?1 AND \"offset\" <= ?2 \
                 AND appended_at < ?3 \
                 AND \"offset\" < (SELECT MAX(\"offset\") FROM blocks WHERE partition = ?1)",
            )
            .bind(partition.index() as i64)
            .bind(to_sql(up_to.0))
            .bind(to_sql(older_than.0))
            .execute(&mut *tx)
            .await?
            .rows_affected();
            tx.commit().await?;
            Ok(deleted)
        })
    }
}

#[cfg(test)]
#[path = "sqlite_log_tests.rs"]
mod tests;
