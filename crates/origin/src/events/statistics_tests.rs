use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use weir_stats::{
    fold::Fold,
    query::{Function, Number},
    rollup::RollupKey,
};

use super::*;
use crate::events::{
    Entry,
    testing::{Fault, Fixture, VIDEO, VIDEOS, eventually},
};

const NEVER: Duration = Duration::from_secs(86_400);

fn question(video: &str, event: EventType) -> StatsQuery {
    StatsQuery {
        video: video.parse().unwrap(),
        event,
        function: Function::Count,
        start: None,
        end: None,
        step: None,
    }
}

async fn count(statistics: &Statistics, video: &str, event: EventType) -> Option<i64> {
    let answer = statistics.get_stats(question(video, event)).await.ok()?;
    match answer.total {
        Some(Number::Whole(count)) if !answer.stale => Some(count),
        _ => None,
    }
}

/// The `n`th batch of a log made by rule: ten sessions in turn, each viewing and sharing all
/// videos, every number used once.
fn batch(n: u32, time: WallTime) -> Batch {
    let session = format!("session-number-{:04}", n % 10);
    let events: Vec<_> = VIDEOS
        .iter()
        .flat_map(|video| {
            let seq = n / 10 * 2;
            [
                json!({"seq": seq, "video": video, "type": "view", "time": time}),
                json!({"seq": seq + 1, "video": video, "type": "share", "time": time}),
            ]
        })
        .collect();
    let body = json!({"session": session, "events": events}).to_string();
    Batch::parse(body.as_bytes(), time).unwrap()
}

/// Sends a batch as a player does: again and again until it is answered.
async fn send(statistics: &Statistics, n: u32) {
    let batch = batch(n, statistics.now());
    let mut tries = 0;
    while statistics
        .process_events(batch.clone(), statistics.now())
        .await
        .is_err()
    {
        tries += 1;
        assert!(tries < 20, "batch {n} is refused again and again");
    }
}

async fn read_log(fixture: &Fixture, partition: Partition) -> Vec<Entry> {
    let log = fixture.log().await;
    log.read_from(partition, Offset(0), 100_000).await.unwrap()
}

/// Compares what the store serves with the log: folded anew in one go, and counted in plain sets.
async fn audit(fixture: &Fixture) {
    let store = fixture.store().await;
    let now = fixture.clock.now();
    for partition in Partition::all() {
        let entries = read_log(fixture, partition).await;
        let mut fold = Fold::default();
        let (mut shares, mut views) = (BTreeSet::new(), BTreeSet::new());
        for entry in &entries {
            let block = Block::decode(&entry.block).unwrap();
            fold.push(&block);
            for event in block.events() {
                let who = (event.video, block.session().clone());
                match event.event {
                    EventType::View => views.insert((who, 0)),
                    _ => shares.insert((who, event.seq)),
                };
            }
        }
        let mut served = BTreeMap::new();
        for (video, event) in VIDEOS.iter().flat_map(|video| {
            [EventType::View, EventType::Share].map(|event| (video.parse().unwrap(), event))
        }) {
            if Partition::of(video) != partition {
                continue;
            }
            let counted = if event == EventType::View {
                &views
            } else {
                &shares
            };
            let counted = counted.iter().filter(|((of, _), _)| *of == video).count() as i64;
            for tier in Tier::ALL {
                let start = match tier {
                    Tier::Minute => now.0 - 3_600_000,
                    Tier::Hour => now.0 - 30 * 86_400_000,
                    Tier::Day => 0,
                };
                let query = StatsQuery {
                    start: Some(WallTime(start)),
                    ..question(&video.to_string(), event)
                };
                let range = query.resolve(now).unwrap();
                assert_eq!(range.tier, tier);
                let rows = store.query(partition, &range).await.unwrap();
                let end = entries.last().map_or(Offset(0), |entry| entry.offset);
                assert_eq!(rows.offset, end, "everything is applied");
                assert_eq!(
                    rows.rollups.iter().map(|(_, r)| r.count).sum::<i64>(),
                    counted
                );
                let key = |start| RollupKey {
                    tier,
                    video,
                    event,
                    start,
                };
                served.extend(rows.rollups.into_iter().map(|(start, r)| (key(start), r)));
            }
        }
        assert_eq!(&served, fold.rollups(), "served and rebuilt, bit for bit");
    }
    store.close().await;
}

#[tokio::test]
async fn counts_are_there_at_once_and_are_written_on_shutdown() {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics_writing_every(NEVER).await;
    for n in 0..25 {
        send(&statistics, n).await;
    }
    for video in VIDEOS {
        eventually(async || count(&statistics, video, EventType::Share).await == Some(25)).await;
        eventually(async || count(&statistics, video, EventType::View).await == Some(10)).await;
    }
    statistics.shutdown().await;
    audit(&fixture).await;
    let after = statistics
        .get_stats(question(VIDEO, EventType::View))
        .await
        .unwrap();
    assert_eq!(
        after.total,
        Some(Number::Whole(10)),
        "what was counted can still be read"
    );
}

#[tokio::test]
async fn every_event_counts_once_whatever_fails() {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics().await;
    for n in 0..40 {
        match n % 8 {
            1 => fixture.faults.next_append(Fault::Before),
            2 => fixture.faults.next_append(Fault::After),
            3 => fixture.faults.next_apply(Fault::Before),
            4 => fixture.faults.next_apply(Fault::After),
            5 => fixture.faults.next_reads(1, 0, 0),
            6 => fixture.faults.next_reads(0, 1, 1),
            _ => {}
        }
        send(&statistics, n).await;
    }
    for video in VIDEOS {
        eventually(async || count(&statistics, video, EventType::Share).await == Some(40)).await;
        eventually(async || count(&statistics, video, EventType::View).await == Some(10)).await;
    }
    fixture.faults.clear();
    statistics.shutdown().await;
    audit(&fixture).await;
}

#[tokio::test]
async fn a_crash_between_append_and_apply_loses_and_doubles_nothing() {
    let fixture = Fixture::new().await;
    for round in 0..6 {
        // Some rounds write at once, others never get there; some lose the answer to a write.
        let interval = if round % 2 == 0 {
            NEVER
        } else {
            Duration::ZERO
        };
        let statistics = fixture.statistics_writing_every(interval).await;
        if round % 3 == 2 {
            fixture.faults.next_apply(Fault::After);
        }
        for n in 0..7 {
            send(&statistics, round * 7 + n).await;
            if n == 3 {
                // Sent again, as after a lost answer.
                send(&statistics, round * 7 + n).await;
            }
        }
        if round % 3 == 1 {
            let expected = i64::from(round + 1) * 7;
            eventually(async || {
                count(&statistics, VIDEO, EventType::Share).await == Some(expected)
            })
            .await;
        }
        // Nothing is written on the way out.
        drop(statistics);
    }
    let statistics = fixture.statistics().await;
    for video in VIDEOS {
        eventually(async || count(&statistics, video, EventType::Share).await == Some(42)).await;
        eventually(async || count(&statistics, video, EventType::View).await == Some(10)).await;
    }
    statistics.shutdown().await;
    audit(&fixture).await;
}

#[tokio::test]
async fn many_at_once_are_all_counted() {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics().await;
    futures_util::future::join_all((0..200).map(|n| send(&statistics, n))).await;
    for video in VIDEOS {
        eventually(async || count(&statistics, video, EventType::Share).await == Some(200)).await;
    }
    statistics.shutdown().await;
    audit(&fixture).await;
}

#[tokio::test]
async fn with_the_store_down_the_last_known_numbers_are_told_as_such() {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics().await;
    send(&statistics, 0).await;
    let ask = async |event| statistics.get_stats(question(VIDEO, event)).await;
    eventually(async || count(&statistics, VIDEO, EventType::Share).await == Some(1)).await;
    let before = ask(EventType::Share).await.unwrap();

    fixture.faults.fail_queries(true);
    send(&statistics, 1).await;
    let stale = ask(EventType::Share).await.unwrap();
    assert!(stale.stale);
    assert_eq!((stale.total, stale.as_of), (before.total, before.as_of));
    let unknown = ask(EventType::View).await;
    assert!(
        matches!(unknown, Err(GetStatsError::Store(_))),
        "{unknown:?}"
    );

    fixture.faults.fail_queries(false);
    eventually(async || count(&statistics, VIDEO, EventType::Share).await == Some(2)).await;
    statistics.shutdown().await;
}

#[tokio::test]
async fn a_consumer_that_stands_still_makes_no_claim_to_be_fresh() {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics().await;
    send(&statistics, 0).await;
    eventually(async || count(&statistics, VIDEO, EventType::Share).await == Some(1)).await;
    // It reads no more of the log, and events go on being taken.
    fixture.faults.next_reads(u32::MAX, 0, 0);
    send(&statistics, 1).await;
    let answer = statistics
        .get_stats(question(VIDEO, EventType::Share))
        .await
        .unwrap();
    assert_eq!(answer.total, Some(Number::Whole(1)));
    assert!(answer.as_of < statistics.now(), "the second is not in it");
    eventually(async || {
        statistics
            .get_stats(question(VIDEO, EventType::Share))
            .await
            .unwrap()
            .stale
    })
    .await;
    fixture.faults.next_reads(0, 0, 0);
    eventually(async || count(&statistics, VIDEO, EventType::Share).await == Some(2)).await;
    statistics.shutdown().await;
}
