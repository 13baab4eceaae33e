use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use weir_stats::{
    answer::{Number, StatsAnswer},
    cell::Cell,
    dimension::Dimension,
    fold::Fold,
    quality::QualityQuery,
    query::{Function, Range, StatsQuery},
    rollup::{RollupKey, Subject, Tier},
    schema::EventType,
    top::TopQuery,
};

use super::*;
use crate::events::{
    Entry, GetStatsError,
    answers::ViewersQuery,
    testing::{Fault, Fixture, VIDEO, VIDEOS, eventually},
};

const NEVER: Duration = Duration::from_secs(86_400);

fn question(video: &str, event: EventType) -> StatsQuery {
    StatsQuery {
        video: video.parse().ok(),
        event,
        function: Function::Count,
        quantile: None,
        group_by: None,
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
            let rendition = ["720p", "source"][n as usize % 2];
            [
                json!({"seq": seq, "video": video, "type": "view", "time": time}),
                json!({"seq": seq + 1, "video": video, "type": "share", "time": time,
                    "rendition": rendition}),
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

/// What is asked to be broken down when the store is compared with the log.
const BY: Option<Dimension> = Some(Dimension::Rendition);

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
        let minutes = fold.minutes();
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
                let range = Range {
                    function: Function::Unique,
                    ..range
                };
                let rows = store.query(partition, &range).await.unwrap();
                let end = entries.last().map_or(Offset(0), |entry| entry.offset);
                assert_eq!(rows.offset, end, "everything is applied");
                let counts = rows.rows.iter().map(|row| row.cell.rollup.count);
                assert_eq!(counts.sum::<i64>(), counted);
                for subject in [range.subject, Subject::All] {
                    let range = Range { subject, ..range };
                    let rows = store.query(partition, &range).await.unwrap().rows;
                    let key = |start| RollupKey {
                        tier,
                        subject,
                        event,
                        start,
                    };
                    served.extend(rows.into_iter().map(|row| (key(row.start), row.cell)));
                    let range = Range {
                        group_by: BY,
                        ..range
                    };
                    let rows = store.query(partition, &range).await.unwrap().rows;
                    let rows = rows.into_iter();
                    let labels: BTreeMap<_, _> =
                        rows.map(|row| ((row.start, row.label), row.cell)).collect();
                    let mut rebuilt = BTreeMap::new();
                    for (start, label, cell) in
                        minutes.of(subject, event, BY, (range.start, range.end))
                    {
                        let key = (tier.floor(start), label);
                        rebuilt.entry(key).or_insert_with(Cell::default).merge(cell);
                    }
                    assert_eq!(labels, rebuilt, "broken down, bit for bit");
                }
            }
        }
        assert_eq!(served, minutes.rollups(), "served and rebuilt, bit for bit");
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

async fn total(statistics: &Statistics, query: StatsQuery) -> Option<StatsAnswer> {
    let answer = statistics.get_stats(query).await.ok()?;
    (!answer.stale).then_some(answer)
}

#[tokio::test]
async fn all_videos_together_are_asked_for_by_naming_none() {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics().await;
    for n in 0..20 {
        send(&statistics, n).await;
    }
    let shares = StatsQuery {
        video: None,
        ..question(VIDEO, EventType::Share)
    };
    let whole = async |count| {
        let answer = total(&statistics, shares.clone()).await;
        answer.and_then(|answer| answer.total) == Some(Number::Whole(count))
    };
    eventually(async || whole(60).await).await;
    let grouped = StatsQuery {
        group_by: BY,
        ..shares.clone()
    };
    let groups = statistics.get_stats(grouped).await.unwrap().groups.unwrap();
    let groups: Vec<_> = groups
        .iter()
        .map(|group| (group.value.as_deref(), group.total))
        .collect();
    let half = Some(Number::Whole(30));
    assert_eq!(groups, [(Some("720p"), half), (Some("source"), half)]);
    // Ten sessions view three videos each.
    let viewers = StatsQuery {
        event: EventType::View,
        function: Function::Unique,
        ..shares.clone()
    };
    let viewers = statistics.get_stats(viewers).await.unwrap();
    assert_eq!(viewers.total, Some(Number::Whole(10)));
    assert_eq!(viewers.complete_from, None);
    statistics.shutdown().await;
}

#[tokio::test]
async fn leaders_viewers_and_quality_are_told_from_memory_and_from_the_store_alike() {
    let fixture = Fixture::new().await;
    for interval in [NEVER, Duration::ZERO] {
        let statistics = fixture.statistics_writing_every(interval).await;
        // The second time these are all duplicates, and the numbers come from the store.
        for n in 0..10 {
            send(&statistics, n).await;
        }
        for video in VIDEOS {
            eventually(async || count(&statistics, video, EventType::Share).await == Some(10))
                .await;
        }
        let query = TopQuery {
            event: EventType::Share,
            window: None,
            half_life: Some(3600),
            limit: Some(2),
        };
        let top = statistics.top(query.clone()).await.unwrap();
        let mut ids = VIDEOS;
        ids.sort_unstable();
        let leaders: Vec<_> = top
            .videos
            .iter()
            .map(|leader| leader.video.to_string())
            .collect();
        assert_eq!(leaders, ids[..2], "equal ones in the order of their ids");
        assert!(top.videos.iter().all(|leader| leader.count == 10));

        // The counts may be the store's already; who is watching has to be heard anew.
        let watching = async |video: Option<&str>| {
            let video = video.and_then(|video| video.parse().ok());
            let viewers = statistics.viewers(ViewersQuery { video }).await;
            viewers.unwrap().watching
        };
        eventually(async || watching(Some(VIDEO)).await == 10).await;
        // At each of three videos.
        eventually(async || watching(None).await == 30).await;

        let quality = statistics.quality(QualityQuery {
            video: None,
            group_by: None,
            start: None,
            end: None,
        });
        assert_eq!(quality.await.unwrap().total.views, 30);

        fixture.faults.fail_queries(true);
        let stale = statistics
            .top(TopQuery {
                limit: Some(3),
                ..query.clone()
            })
            .await;
        assert!(matches!(stale, Err(GetStatsError::Store(_))), "never asked");
        eventually(async || statistics.top(query.clone()).await.unwrap().stale).await;
        fixture.faults.fail_queries(false);
        statistics.shutdown().await;
    }
    audit(&fixture).await;
}

#[tokio::test]
async fn late_events_count_in_their_minute_and_others_are_set_apart() {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics().await;
    let now = statistics.now();
    let hours = |n: u64| n * 3_600_000;
    let event =
        |seq: u32, time: u64| json!({"seq": seq, "video": VIDEO, "type": "share", "time": time});
    let body = json!({"session": "0123456789abcdef", "events": [
        event(1, now.0 - hours(47)),
        event(2, now.0 - hours(47)),
        event(2, now.0 - hours(47)),
        event(3, now.0 - hours(49)),
        event(4, now.0 + hours(1)),
    ]});
    let batch = Batch::parse(body.to_string().as_bytes(), now).unwrap();
    statistics.process_events(batch, now).await.unwrap();
    let minute = Tier::Minute.floor(WallTime(now.0 - hours(47)));
    let around = StatsQuery {
        start: Some(WallTime(minute.0 - 60_000)),
        end: Some(WallTime(minute.0 + 120_000)),
        step: Some(60),
        ..question(VIDEO, EventType::Share)
    };
    eventually(async || {
        let Some(answer) = total(&statistics, around.clone()).await else {
            return false;
        };
        let values: Vec<_> = answer.points.iter().map(|point| point.value).collect();
        values == [0, 2, 0].map(|count| Some(Number::Whole(count)))
    })
    .await;
    let mut registry = prometheus_client::registry::Registry::default();
    statistics.metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "weir_events_quarantined_late_total 1\n",
        "weir_events_quarantined_early_total 1\n",
        "weir_events_refused_total 2\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    statistics.shutdown().await;
}
