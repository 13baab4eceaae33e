//! Rollups in one SQLite file.

mod write;

use std::{path::Path, time::Duration};

use futures_util::future::BoxFuture;
use sqlx::{Sqlite, Transaction, migrate::Migrator};
use weir_model::WallTime;
use weir_stats::{
    answer::Row,
    breakdown::Breakdown,
    cell::{Cell, Rollup},
    dimension::{Dimension, Label},
    fold::{Changes, ViewerKey},
    query::Range,
    rollup::{Subject, Tier},
    schema::TABLE,
    top::TopRange,
    viewer::{FORGOTTEN_AFTER, Viewer},
};

use super::{Applied, Cursor, LeaseEpoch, Offset, Partition, Rankings, Rows, StatsStore};
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
            write::changes(&mut tx, partition, changes).await?;
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
            let rows = match range.group_by {
                None => totals(&mut tx, partition, range).await?,
                Some(dimension) => labels(&mut tx, partition, range, dimension).await?,
            };
            let since: Option<i64> = sqlx::query_scalar("SELECT time FROM sketched_since")
                .fetch_optional(&mut *tx)
                .await?;
            let since = since.map(|since| from_sql("sketched_since", since));
            Ok(Rows {
                rows,
                offset,
                sketched_since: since.transpose()?.map(WallTime),
            })
        })
    }

    fn rank<'a>(&'a self, range: &'a TopRange) -> BoxFuture<'a, Result<Rankings, StoreError>> {
        Box::pin(async move {
            let mut tx = self.file.read().await?;
            let mut offsets = [Offset(0); Partition::COUNT as usize];
            for partition in Partition::all() {
                offsets[partition.index()] = cursor(&mut tx, partition).await?.offset;
            }
            let by_time = "SELECT video, start, count, sum FROM rollups \
                WHERE tier = ?1 AND event = ?2 AND start >= ?3 AND start < ?4";
            // A fraction of the rows cross over into this process.
            let by_video = "SELECT video, ?3, SUM(count), SUM(sum) FROM rollups \
                WHERE tier = ?1 AND event = ?2 AND start >= ?3 AND start < ?4 GROUP BY video";
            let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(match range.half_life_ms {
                Some(_) => by_time,
                None => by_video,
            })
            .bind(tier_code(range.tier))
            .bind(range.event.definition().code)
            .bind(to_sql(range.start.0))
            .bind(to_sql(range.end.0))
            .fetch_all(&mut *tx)
            .await?;
            let mut rollups = Vec::with_capacity(rows.len());
            for (video, start, count, sum) in rows {
                // The others are sums of all videos.
                if let Ok(video) = video.parse() {
                    let start = WallTime(from_sql("rollups", start)?);
                    rollups.push((video, start, Rollup { count, sum }));
                }
            }
            Ok(Rankings { rollups, offsets })
        })
    }

    fn prune(&self, now: WallTime) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut tx = self.file.write().await?;
            for tier in Tier::ALL {
                let Some(kept) = tier.kept() else { continue };
                // A query whose start is just young enough still reads the rollup that holds it.
                let oldest = now.since(WallTime(0)).saturating_sub(kept).as_millis() as u64;
                let oldest = to_sql(oldest.saturating_sub(tier.length_ms()));
                for definition in &TABLE {
                    sqlx::query("DELETE FROM rollups WHERE tier = ? AND event = ? AND start < ?")
                        .bind(tier_code(tier))
                        .bind(definition.code)
                        .bind(oldest)
                        .execute(&mut *tx)
                        .await?;
                }
                sqlx::query("DELETE FROM breakdowns WHERE tier = ? AND start < ?")
                    .bind(tier_code(tier))
                    .bind(oldest)
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

/// The rollups of a range, without labels.
async fn totals(
    tx: &mut Transaction<'static, Sqlite>,
    partition: Partition,
    range: &Range,
) -> Result<Vec<Row>, StoreError> {
    let with_sketches = "SELECT start, count, sum, sketches FROM rollups \
        WHERE video = ? AND event = ? AND tier = ? AND start >= ? AND start < ? ORDER BY start";
    let without = "SELECT start, count, sum, x'' FROM rollups \
        WHERE video = ? AND event = ? AND tier = ? AND start >= ? AND start < ? ORDER BY start";
    let rows: Vec<(i64, i64, i64, Vec<u8>)> = sqlx::query_as(if range.needs_sketches() {
        with_sketches
    } else {
        without
    })
    .bind(subject_text(partition, range.subject))
    .bind(range.event.definition().code)
    .bind(tier_code(range.tier))
    .bind(to_sql(range.start.0))
    .bind(to_sql(range.end.0))
    .fetch_all(&mut **tx)
    .await?;
    let rows = rows.into_iter().map(|(start, count, sum, sketches)| {
        Ok(Row {
            start: WallTime(from_sql("rollups", start)?),
            label: Label::UNKNOWN,
            cell: cell(Rollup { count, sum }, &sketches)?,
        })
    });
    rows.collect()
}

/// The rollups of a range for each label of a dimension.
async fn labels(
    tx: &mut Transaction<'static, Sqlite>,
    partition: Partition,
    range: &Range,
    dimension: Dimension,
) -> Result<Vec<Row>, StoreError> {
    let stored: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT start, cells FROM breakdowns \
         WHERE video = ? AND dimension = ? AND tier = ? AND start >= ? AND start < ? \
         ORDER BY start",
    )
    .bind(subject_text(partition, range.subject))
    .bind(dimension.definition().code)
    .bind(tier_code(range.tier))
    .bind(to_sql(range.start.0))
    .bind(to_sql(range.end.0))
    .fetch_all(&mut **tx)
    .await?;
    let mut rows = Vec::new();
    for (start, cells) in stored {
        let start = WallTime(from_sql("breakdowns", start)?);
        let breakdown = breakdown(dimension, &cells)?;
        let cells = breakdown.of(range.event);
        rows.extend(cells.map(|(label, cell)| Row {
            start,
            label,
            cell: cell.clone(),
        }));
    }
    Ok(rows)
}

fn cell(rollup: Rollup, sketches: &[u8]) -> Result<Cell, StoreError> {
    Cell::with_sketches(rollup, sketches).ok_or_else(|| StoreError::Corrupt {
        table: "rollups",
        value: format!("{} bytes of sketches", sketches.len()),
    })
}

fn breakdown(dimension: Dimension, cells: &[u8]) -> Result<Breakdown, StoreError> {
    Breakdown::decode(dimension, cells).map_err(|invalid| StoreError::Corrupt {
        table: "breakdowns",
        value: invalid.to_string(),
    })
}

/// What stands in the column `video`. No two partitions write the same row.
fn subject_text(partition: Partition, subject: Subject) -> String {
    match subject {
        Subject::All => format!("all.{partition}"),
        Subject::Video(video) => video.to_string(),
    }
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
#[path = "sqlite_store_tests.rs"]
mod tests;
