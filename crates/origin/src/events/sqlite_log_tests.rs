use futures_util::future::join_all;

use super::*;
use crate::events::conformance;

fn id(n: u32) -> BatchId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.to_le_bytes());
    BatchId(id)
}

fn partition() -> Partition {
    Partition::of("oabcdefghijk".parse().unwrap())
}

#[tokio::test]
async fn is_an_event_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.db");
    conformance::event_log(async || {
        let log = SqliteLog::open(&path, Clock::anchored(), 100)
            .await
            .unwrap();
        Box::new(log) as Box<dyn EventLog>
    })
    .await;
}

#[tokio::test]
async fn what_waits_together_is_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let file = SqliteFile::open(&dir.path().join("log.db"), &SCHEMA)
        .await
        .unwrap();
    let log = SqliteLog::start(file.clone(), Clock::anchored(), 100);
    // While another holds the writer, the task has taken the first and the rest waits.
    let busy = file.write().await.unwrap();
    let mut appends = Box::pin(join_all(
        (0..50).map(|n| log.append(partition(), id(n), Bytes::from("x"))),
    ));
    assert!(futures_util::poll!(appends.as_mut()).is_pending());
    busy.rollback().await.unwrap();
    let offsets: Vec<_> = appends
        .await
        .into_iter()
        .map(|offset| offset.unwrap().0)
        .collect();
    assert_eq!(offsets, (1..=50).collect::<Vec<_>>());
    let stamps: i64 = sqlx::query_scalar("SELECT COUNT(DISTINCT appended_at) FROM blocks")
        .fetch_one(&mut *file.read().await.unwrap())
        .await
        .unwrap();
    assert!(stamps <= 2, "each commit has one stamp: {stamps}");
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = SqliteFile::open(&dir.path().join("log.db"), &SCHEMA)
        .await
        .unwrap();
    let log = SqliteLog::start(file.clone(), Clock::anchored(), 3);
    let busy = file.write().await.unwrap();
    let mut appends: Vec<_> = (0..3)
        .map(|n| Box::pin(log.append(partition(), id(n), Bytes::from_static(b"x"))))
        .collect();
    for append in &mut appends {
        assert!(futures_util::poll!(append.as_mut()).is_pending());
    }
    let refused = log.append(partition(), id(9), Bytes::new()).await;
    assert!(
        matches!(refused, Err(AppendError::Full { waiting: 3 })),
        "{refused:?}"
    );
    busy.rollback().await.unwrap();
    assert!(
        join_all(appends).await.iter().all(Result::is_ok),
        "what was taken is kept"
    );
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_acknowledged_in_vain() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.db");
    let small = SqliteFile::open_with(&path, &SCHEMA, |options| {
        // SQLite answers SQLITE_FULL at this size, as it does when the disk is full.
        options.pragma("max_page_count", "40")
    });
    let log = SqliteLog::start(small.await.unwrap(), Clock::anchored(), 100);
    let block = Bytes::from(vec![7; 8192]);
    let mut acknowledged = Vec::new();
    let refused = loop {
        let n = acknowledged.len() as u32;
        match log.append(partition(), id(n), block.clone()).await {
            Ok(offset) => acknowledged.push(offset),
            Err(refused) => break refused,
        }
        assert!(n < 100, "40 pages hold no {n} blocks of two pages");
    };
    assert!(matches!(refused, AppendError::Failed(_)), "{refused:?}");
    assert!(!acknowledged.is_empty());
    log.close().await;

    // With space again, what was acknowledged is there, and the log goes on.
    let log = SqliteLog::open(&path, Clock::anchored(), 100)
        .await
        .unwrap();
    let entries = log.read_from(partition(), Offset(0), 1000).await.unwrap();
    let offsets: Vec<_> = entries.iter().map(|entry| entry.offset).collect();
    assert_eq!(offsets, acknowledged);
    let n = acknowledged.len() as u32;
    let next = log.append(partition(), id(n), block.clone()).await.unwrap();
    assert_eq!(next, Offset(u64::from(n) + 1));
}
