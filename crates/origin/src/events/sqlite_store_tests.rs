use sqlx::Connection;
use weir_stats::{
    batch::Event,
    block::Block,
    dimension::Attributes,
    fold::Fold,
    query::{Function, StatsQuery},
    schema::EventType,
};

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

const DAY: u64 = 86_400_000;
/// Noon of some day.
const NOW: WallTime = WallTime(20_700 * DAY + DAY / 2);
const VIDEOS: [&str; 2] = ["oabcdefghijk", "oaaaaaaaaaaa"];

/// What the first version wrote: three views of each video this minute, and who has viewed.
async fn write_first_version(path: &Path) {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut old = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let first = Migrator {
        migrations: SCHEMA.migrations[..1].to_vec().into(),
        ..Migrator::DEFAULT
    };
    first.run_direct(None, &mut old, false).await.unwrap();
    for video in VIDEOS {
        for tier in Tier::ALL {
            sqlx::query("INSERT INTO rollups VALUES (?, 1, ?, ?, 3, 0)")
                .bind(video)
                .bind(tier_code(tier))
                .bind(to_sql(tier.floor(NOW).0))
                .execute(&mut old)
                .await
                .unwrap();
        }
    }
    sqlx::query("INSERT INTO viewers VALUES (?, ?, ?, ?)")
        .bind(VIDEOS[0])
        .bind("session-number-001")
        .bind(to_sql(NOW.0))
        .bind(viewed().encode())
        .execute(&mut old)
        .await
        .unwrap();
    let partition = Partition::of(VIDEOS[0].parse().unwrap());
    sqlx::query("INSERT INTO consumers VALUES (?, 4, 17)")
        .bind(partition.index() as i64)
        .execute(&mut old)
        .await
        .unwrap();
    old.close().await.unwrap();
}

fn view(seq: u32) -> Event {
    Event {
        seq,
        video: VIDEOS[0].parse().unwrap(),
        event: EventType::View,
        time: NOW,
        value: None,
        rendition: Default::default(),
    }
}

fn viewed() -> Viewer {
    let mut viewer = Viewer::default();
    assert!(viewer.take(&view(1), NOW, |_, _| {}));
    viewer
}

/// Views of a video, or of all, today; and since when sketches are kept.
async fn views(store: &SqliteStats, video: Option<&str>, function: Function) -> (f64, bool) {
    let query = StatsQuery {
        video: video.map(|video| video.parse().unwrap()),
        event: EventType::View,
        function,
        quantile: None,
        group_by: None,
        start: Some(NOW),
        end: None,
        step: None,
    };
    let range = query.resolve(NOW).unwrap();
    let (mut rows, mut since) = (Vec::new(), None);
    for partition in Partition::all() {
        if range
            .subject
            .video()
            .is_none_or(|video| Partition::of(video) == partition)
        {
            let read = store.query(partition, &range).await.unwrap();
            rows.extend(read.rows);
            since = read.sketched_since;
        }
    }
    let known = weir_stats::answer::Known {
        as_of: NOW,
        stale: false,
        sketched_since: since,
    };
    let answer = range.answer(&rows, known);
    (answer.total.unwrap().into(), since.is_some())
}

#[tokio::test]
async fn a_file_of_the_first_version_goes_on_counting() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stats.db");
    write_first_version(&path).await;
    let store = SqliteStats::open(&path).await.unwrap();
    assert_eq!(
        views(&store, Some(VIDEOS[0]), Function::Count).await,
        (3.0, true)
    );
    assert_eq!(
        views(&store, None, Function::Count).await,
        (6.0, true),
        "the sum was made"
    );

    let partition = Partition::of(VIDEOS[0].parse().unwrap());
    let cursor = store.claim(partition).await.unwrap();
    let expected = Cursor {
        epoch: LeaseEpoch(5),
        offset: Offset(17),
    };
    assert_eq!(cursor, expected);
    let mut fold = Fold::default();
    // One who viewed before, and two who come now.
    for n in 1..=3 {
        let session = format!("session-number-{n:03}").parse().unwrap();
        let block = Block::new(session, NOW, Attributes::default(), vec![view(n + 10)]).unwrap();
        let missing = fold.missing(&block);
        let viewers = store.viewers(&missing).await.unwrap();
        for (key, viewer) in missing.into_iter().zip(viewers) {
            assert_eq!(viewer.is_some(), key.session.as_str().ends_with("001"));
            fold.restore(key, viewer);
        }
        fold.push(&block);
    }
    let (changes, new) = (fold.changes(), Offset(20));
    let applied = store.apply(partition, cursor.offset, new, cursor.epoch, &changes);
    assert_eq!(applied.await.unwrap(), Applied::Applied);
    assert_eq!(
        views(&store, Some(VIDEOS[0]), Function::Count).await,
        (5.0, true)
    );
    assert_eq!(views(&store, None, Function::Count).await, (8.0, true));
    // Only those who came since sketches are kept.
    assert_eq!(
        views(&store, Some(VIDEOS[0]), Function::Unique).await,
        (2.0, true)
    );
    store.close().await;
}
