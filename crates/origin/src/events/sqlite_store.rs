//! Rollups in one SQLite file.

use std::{path::Path, time::Duration};

use futures_util::future::BoxFuture;
use sqlx::{Sqlite, Transaction, migrate::Migrator};
use weir_model::WallTime;
use weir_stats::{
    fold::{Changes, ViewerKey},
    query::Range,
    rollup::{Rollup, Tier},
    viewer::{FORGOTTEN_AFTER, Viewer},
};

use super::{Applied, Cursor, LeaseEpoch, Offset, Partition, Rows, StatsStore};
use crate::store::{
    StoreError,
    file::{SqliteFile, from_sql, to_sql},
};

static SCHEMA: Migrator = sqlx::migrate!("migrations/stats");

/// A block received before `now` may still be on its way through the log, for less than this.
const ON_THE_WAY: Duration = Duration::from_secs(3600);

/// A [`StatsStore`] in `stats.db`.
#[derive(Clone, Debug)]
pub struct SqliteStats {
    file: SqliteFile,
}

impl SqliteStats {
    /// Opens or creates the file at `path`.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            file: SqliteFile::open(path, &SCHEMA).await?,
        })
    }

    /// Waits for what is under way and closes the file.
    pub async fn close(&self) {
        self.file.close().await;
    }
}

impl StatsStore for SqliteStats {
    fn claim(&self, partition: Partition) -> BoxFuture<'_, Result<Cursor, StoreError>> {
        Box::pin(async move {
            let mut tx = self.file.write().await?;
            sqlx::query(
                "INSERT INTO consumers (partition, epoch, \"offset\") VALUES (?, 1, 0) \
                 ON CONFLICT DO UPDATE SET epoch = epoch + 1",
            )
            .bind(partition.index() as i64)
            .execute(&mut *tx)
            .await?;
            let cursor = cursor(&mut tx, partition).await?;
            tx.commit().await?;
            Ok(cursor)
        })
    }

    fn viewers<'a>(
        &'a self,
        keys: &'a [ViewerKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Viewer>>, StoreError>> {
        Box::pin(async move {
            let mut tx = self.file.read().await?;
            let mut viewers = Vec::with_capacity(keys.len());
            for key in keys {
                let state: Option<Vec<u8>> =
                    sqlx::query_scalar("SELECT state FROM viewers WHERE video = ? AND session = ?")
                        .bind(key.video.as_str())
                        .bind(key.session.as_str())
                        .fetch_optional(&mut *tx)
                        .await?;
                let viewer = state.map(|state| Viewer::decode(&state)).transpose();
                viewers.push(viewer.map_err(|invalid| StoreError::Corrupt {
                    table: "viewers",
                    value: invalid.to_string(),
                })?);
            }
            Ok(viewers)
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
        Box::pin(async move {
            let mut tx = self.file.write().await?;
            if cursor(&mut tx, partition).await?
                != (Cursor {
                    epoch,
                    offset: expected,
                })
            {
                return Ok(Applied::Stale);
            }
            write(&mut tx, changes).await?;
            sqlx::query("UPDATE consumers SET \"offset\" = ? WHERE partition = ?")
                .bind(to_sql(new.0))
                .bind(partition.index() as i64)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(Applied::Applied)
        })
    }

    fn query<'a>(
        &'a self,
        partition: Partition,
        range: &'a Range,
    ) -> BoxFuture<'a, Result<Rows, StoreError>> {
        Box::pin(async move {
            let mut tx = self.file.read().await?;
            let offset = cursor(&mut tx, partition).await?.offset;
            let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
                "SELECT start, count, sum FROM rollups \
                 WHERE video = ? AND event = ? AND tier = ? AND start >= ? AND start < ? \
                 ORDER BY start",
            )
            .bind(range.video.as_str())
            .bind(range.event.definition().code)
            .bind(tier_code(range.tier))
            .bind(to_sql(range.start.0))
            .bind(to_sql(range.end.0))
            .fetch_all(&mut *tx)
            .await?;
            let rollups = rows
                .into_iter()
                .map(|(start, count, sum)| {
                    Ok((WallTime(from_sql("rollups", start)?), Rollup { count, sum }))
                })
                .collect::<Result<_, StoreError>>()?;
            Ok(Rows { rollups, offset })
        })
    }

    fn prune(&self, now: WallTime) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut tx = self.file.write().await?;
            for tier in Tier::ALL {
                let Some(kept) = tier.kept() else { continue };
                // A query whose start is just young enough still reads the rollup that holds it.
                let oldest = now.since(WallTime(0)).saturating_sub(kept).as_millis() as u64;
                sqlx::query("DELETE FROM rollups WHERE tier = ? AND start < ?")
                    .bind(tier_code(tier))
                    .bind(to_sql(oldest.saturating_sub(tier.length_ms())))
                    .execute(&mut *tx)
                    .await?;
            }
            let forgotten = now
                .since(WallTime(0))
                .saturating_sub(FORGOTTEN_AFTER + ON_THE_WAY);
            sqlx::query("DELETE FROM viewers WHERE last_received < ?")
                .bind(to_sql(forgotten.as_millis() as u64))
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(())
        })
    }
}

async fn write(
    tx: &mut Transaction<'static, Sqlite>,
    changes: &Changes,
) -> Result<(), sqlx::Error> {
    for (key, rollup) in &changes.rollups {
        sqlx::query(
            "INSERT INTO rollups (video, event, tier, start, count, sum) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE \
             SET count = count + excluded.count, sum = sum + excluded.sum",
        )
        .bind(key.video.as_str())
        .bind(key.event.definition().code)
        .bind(tier_code(key.tier))
        .bind(to_sql(key.start.0))
        .bind(rollup.count)
        .bind(rollup.sum)
        .execute(&mut **tx)
        .await?;
    }
    for (key, viewer) in &changes.viewers {
        sqlx::query(
            "INSERT INTO viewers (video, session, last_received, state) VALUES (?, ?, ?, ?) \
             ON CONFLICT DO UPDATE \
             SET last_received = excluded.last_received, state = excluded.state",
        )
        .bind(key.video.as_str())
        .bind(key.session.as_str())
        .bind(to_sql(viewer.last_received().0))
        .bind(viewer.encode())
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Where the partition's consumer stands; epoch 0 if there never was one.
async fn cursor(
    tx: &mut Transaction<'static, Sqlite>,
    partition: Partition,
) -> Result<Cursor, StoreError> {
    let row: Option<(i64, i64)> =
        sqlx::query_as("SELECT epoch, \"offset\" FROM consumers WHERE partition = ?")
            .bind(partition.index() as i64)
            .fetch_optional(&mut **tx)
            .await?;
    let (epoch, offset) = row.unwrap_or_default();
    Ok(Cursor {
        epoch: LeaseEpoch(from_sql("consumers", epoch)?),
        offset: Offset(from_sql("consumers", offset)?),
    })
}

fn tier_code(tier: Tier) -> u8 {
    match tier {
        Tier::Minute => 0,
        Tier::Hour => 1,
        Tier::Day => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::conformance;

    #[tokio::test]
    async fn is_a_stats_store() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats.db");
        conformance::stats_store(async || {
            let store = SqliteStats::open(&path).await.unwrap();
            Box::new(store) as Box<dyn StatsStore>
        })
        .await;
    }
}
