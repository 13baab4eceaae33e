//! How changes get into the tables: many rows per statement, because what a statement costs is for
//! the most part its way to SQLite's thread and back.

use sqlx::{QueryBuilder, Sqlite, Transaction};
use weir_stats::{
    breakdown::Breakdown,
    cell::Cell,
    fold::{Changes, ViewerKey},
    rollup::{BreakdownKey, RollupKey},
    viewer::Viewer,
};

use super::{StoreError, breakdown, cell, subject_text, tier_code, to_sql};
use crate::events::Partition;

/// Rows per statement.
const CHUNK: usize = 64;

/// Adds all changes.
pub(super) async fn changes(
    tx: &mut Transaction<'static, Sqlite>,
    partition: Partition,
    changes: &Changes,
) -> Result<(), StoreError> {
    let rollups: Vec<_> = changes.minutes.rollups().into_iter().collect();
    for chunk in rollups.chunks(CHUNK) {
        add_rollups(tx, partition, chunk).await?;
    }
    let breakdowns: Vec<_> = changes.minutes.breakdowns().into_iter().collect();
    for chunk in breakdowns.chunks(CHUNK) {
        add_breakdowns(tx, partition, chunk).await?;
    }
    let viewers: Vec<_> = changes.viewers.iter().collect();
    for chunk in viewers.chunks(CHUNK) {
        put_viewers(tx, chunk).await?;
    }
    Ok(())
}

async fn add_rollups(
    tx: &mut Transaction<'static, Sqlite>,
    partition: Partition,
    chunk: &[(RollupKey, Cell)],
) -> Result<(), StoreError> {
    let mut merged: Vec<_> = chunk.to_vec();
    let sketched = chunk.iter().enumerate();
    let sketched = sketched.filter(|(_, (key, _))| {
        let definition = key.event.definition();
        definition.unique || definition.quantile
    });
    let sketched: Vec<_> = sketched.collect();
    if !sketched.is_empty() {
        let mut query =
            QueryBuilder::<Sqlite>::new("WITH wanted (n, video, event, tier, start) AS (");
        query.push_values(&sketched, |mut row, (n, (key, _))| {
            row.push_bind(*n as i64)
                .push_bind(subject_text(partition, key.subject))
                .push_bind(key.event.definition().code)
                .push_bind(tier_code(key.tier))
                .push_bind(to_sql(key.start.0));
        });
        // The join is written so that each wanted row is looked up, and nothing is scanned.
        query.push(
            ") SELECT wanted.n, kept.sketches FROM wanted CROSS JOIN rollups AS kept \
             ON kept.video = wanted.video AND kept.event = wanted.event \
             AND kept.tier = wanted.tier AND kept.start = wanted.start",
        );
        let kept: Vec<(i64, Vec<u8>)> = query
            .build_query_as()
            .persistent(sketched.len() == CHUNK)
            .fetch_all(&mut **tx)
            .await?;
        for (n, sketches) in kept {
            // The numbers are those given out above.
            if let Some((_, cell_of_n)) = usize::try_from(n).ok().and_then(|n| merged.get_mut(n)) {
                // Count and sum are added by the statement below.
                let kept = cell(Default::default(), &sketches)?;
                cell_of_n.merge(&kept);
            }
        }
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO rollups (video, event, tier, start, count, sum, sketches) ",
    );
    query.push_values(&merged, |mut row, (key, cell)| {
        row.push_bind(subject_text(partition, key.subject))
            .push_bind(key.event.definition().code)
            .push_bind(tier_code(key.tier))
            .push_bind(to_sql(key.start.0))
            .push_bind(cell.rollup.count)
            .push_bind(cell.rollup.sum)
            .push_bind(cell.sketches());
    });
    query.push(
        " ON CONFLICT DO UPDATE SET count = count + excluded.count, sum = sum + excluded.sum, \
         sketches = excluded.sketches",
    );
    let insert = query.build().persistent(merged.len() == CHUNK);
    insert.execute(&mut **tx).await?;
    Ok(())
}

async fn add_breakdowns(
    tx: &mut Transaction<'static, Sqlite>,
    partition: Partition,
    chunk: &[(BreakdownKey, Breakdown)],
) -> Result<(), StoreError> {
    let mut query =
        QueryBuilder::<Sqlite>::new("WITH wanted (n, video, dimension, tier, start) AS (");
    query.push_values(chunk.iter().enumerate(), |mut row, (n, (key, _))| {
        row.push_bind(n as i64)
            .push_bind(subject_text(partition, key.subject))
            .push_bind(key.dimension.definition().code)
            .push_bind(tier_code(key.tier))
            .push_bind(to_sql(key.start.0));
    });
    query.push(
        ") SELECT wanted.n, kept.cells FROM wanted CROSS JOIN breakdowns AS kept \
         ON kept.video = wanted.video AND kept.dimension = wanted.dimension \
         AND kept.tier = wanted.tier AND kept.start = wanted.start",
    );
    let kept: Vec<(i64, Vec<u8>)> = query
        .build_query_as()
        .persistent(chunk.len() == CHUNK)
        .fetch_all(&mut **tx)
        .await?;
    let mut merged: Vec<_> = chunk.to_vec();
    for (n, cells) in kept {
        if let Some((key, sum)) = usize::try_from(n).ok().and_then(|n| merged.get_mut(n)) {
            sum.merge(&breakdown(key.dimension, &cells)?);
        }
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO breakdowns (video, dimension, tier, start, cells) ",
    );
    query.push_values(&merged, |mut row, (key, sum)| {
        row.push_bind(subject_text(partition, key.subject))
            .push_bind(key.dimension.definition().code)
            .push_bind(tier_code(key.tier))
            .push_bind(to_sql(key.start.0))
            .push_bind(sum.encode());
    });
    query.push(" ON CONFLICT DO UPDATE SET cells = excluded.cells");
    let insert = query.build().persistent(merged.len() == CHUNK);
    insert.execute(&mut **tx).await?;
    Ok(())
}

async fn put_viewers(
    tx: &mut Transaction<'static, Sqlite>,
    chunk: &[(&ViewerKey, &Viewer)],
) -> Result<(), StoreError> {
    let mut query =
        QueryBuilder::<Sqlite>::new("INSERT INTO viewers (video, session, last_received, state) ");
    query.push_values(chunk, |mut row, (key, viewer)| {
        row.push_bind(key.video.to_string())
            .push_bind(key.session.to_string())
            .push_bind(to_sql(viewer.last_received().0))
            .push_bind(viewer.encode());
    });
    query.push(
        " ON CONFLICT DO UPDATE \
         SET last_received = excluded.last_received, state = excluded.state",
    );
    let insert = query.build().persistent(chunk.len() == CHUNK);
    insert.execute(&mut **tx).await?;
    Ok(())
}
