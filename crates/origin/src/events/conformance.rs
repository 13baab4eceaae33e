//! What every event log and every store of rollups must do, whatever they are made of. A backend
//! runs these with a function that opens it, again and again, on the same data.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::join_all;
use weir_model::{VideoId, WallTime};
use weir_stats::{
    answer::Row,
    batch::{Event, Session},
    block::{BatchId, Block},
    cell::{Cell, Rollup},
    dimension::{Attributes, Dimension, Label},
    fold::{Changes, Fold, ViewerKey},
    query::{Function, Range, StatsQuery},
    rollup::{Subject, Tier},
    schema::EventType,
    top::TopQuery,
};

use super::{Applied, Cursor, EventLog, LeaseEpoch, Offset, Partition, StatsStore};

const DAY: u64 = 86_400_000;
const NOW: WallTime = WallTime(20_700 * DAY + 12 * 3_600_000);

fn partitions() -> (Partition, Partition) {
    let mut all = Partition::all();
    all.next()
        .zip(all.next())
        .expect("there are several partitions")
}

fn id(n: u8) -> BatchId {
    BatchId([n; 16])
}

async fn read_all(log: &dyn EventLog, partition: Partition, after: Offset) -> Vec<(Offset, Bytes)> {
    let (mut read, mut at) = (Vec::new(), after);
    loop {
        let entries = log.read_from(partition, at, 3).await.unwrap();
        let Some(last) = entries.last() else {
            return read;
        };
        assert!(entries.len() <= 3);
        at = last.offset;
        read.extend(entries.into_iter().map(|entry| (entry.offset, entry.block)));
    }
}

/// Runs a log through its promises.
pub(crate) async fn event_log(open: impl AsyncFn() -> Box<dyn EventLog>) {
    let log = open().await;
    let (a, b) = partitions();
    assert_eq!(read_all(&*log, a, Offset(0)).await, []);

    // Offsets grow, and what is answered is there.
    let first = log
        .append(a, id(1), Bytes::from_static(b"one"))
        .await
        .unwrap();
    let second = log
        .append(a, id(2), Bytes::from_static(b"two"))
        .await
        .unwrap();
    assert!(Offset(0) < first && first < second);
    let expected = [
        (first, Bytes::from_static(b"one")),
        (second, Bytes::from_static(b"two")),
    ];
    assert_eq!(read_all(&*log, a, Offset(0)).await, expected);
    assert_eq!(read_all(&*log, a, first).await, expected[1..]);
    assert_eq!(read_all(&*log, a, second).await, []);

    // The same id is the same entry in its partition, and another one elsewhere.
    assert_eq!(
        log.append(a, id(1), Bytes::from_static(b"again"))
            .await
            .unwrap(),
        first
    );
    assert_eq!(read_all(&*log, a, Offset(0)).await, expected);
    log.append(b, id(1), Bytes::from_static(b"elsewhere"))
        .await
        .unwrap();
    assert_eq!(read_all(&*log, b, Offset(0)).await.len(), 1);

    // Many at once, with the same id among them: each id has one place.
    let many = (0..60_u8).map(|n| log.append(a, id(10 + n % 40), Bytes::from(vec![n % 40; 8])));
    let offsets: Vec<_> = join_all(many)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        offsets[..20],
        offsets[40..],
        "duplicates are told the first place"
    );
    let read = read_all(&*log, a, second).await;
    assert_eq!(read.len(), 40);
    assert!(read.is_sorted_by_key(|(offset, _)| *offset));
    for (n, offset) in offsets.iter().take(40).enumerate() {
        assert!(read.contains(&(*offset, Bytes::from(vec![n as u8; 8]))));
    }

    // Another opening of the same data goes on where this one was.
    drop(log);
    let log = open().await;
    assert_eq!(read_all(&*log, a, second).await, read);
    assert_eq!(
        log.append(a, id(2), Bytes::new()).await.unwrap(),
        second,
        "ids are durable"
    );
    let last = log
        .append(a, id(100), Bytes::from_static(b"last"))
        .await
        .unwrap();
    assert!(last > read[39].0);

    // Trimming keeps to its bounds, and never gives an offset back.
    let for_ever = WallTime(u64::MAX >> 1);
    assert_eq!(
        log.trim(a, last, WallTime(0)).await.unwrap(),
        0,
        "nothing is that old"
    );
    assert_eq!(log.trim(a, first, for_ever).await.unwrap(), 1);
    assert_eq!(read_all(&*log, a, Offset(0)).await[0].0, second);
    log.trim(a, last, for_ever).await.unwrap();
    assert_eq!(
        read_all(&*log, a, Offset(0)).await,
        [(last, Bytes::from_static(b"last"))]
    );
    assert_eq!(
        read_all(&*log, b, Offset(0)).await.len(),
        1,
        "another partition is left alone"
    );
    drop(log);
    let log = open().await;
    assert!(log.append(a, id(101), Bytes::new()).await.unwrap() > last);
}

fn session(n: u8) -> Session {
    format!("session-number-{n:03}").parse().expect("a session")
}

fn label(dimension: Dimension, word: &str) -> Label {
    dimension.label(word).expect("a label")
}

fn changes(video: VideoId, of: Session, events: &[(EventType, u64, Option<u32>)]) -> Changes {
    let mut attributes = Attributes::default();
    attributes.set(Dimension::Country, label(Dimension::Country, "DE"));
    changes_of(video, of, attributes, events)
}

fn changes_of(
    video: VideoId,
    of: Session,
    attributes: Attributes,
    events: &[(EventType, u64, Option<u32>)],
) -> Changes {
    let events = events
        .iter()
        .enumerate()
        .map(|(i, (event, time, value))| Event {
            seq: i as u32,
            video,
            event: *event,
            time: WallTime(*time),
            value: *value,
            rendition: label(Dimension::Rendition, "720p"),
        });
    let mut fold = Fold::default();
    let block = Block::new(of, NOW, attributes, events.collect());
    fold.push(&block.expect("a small block"));
    fold.changes()
}

/// What a row has counted, without its sketches.
fn rollups(rows: &[Row]) -> Vec<(WallTime, Rollup)> {
    rows.iter()
        .map(|row| (row.start, row.cell.rollup))
        .collect()
}

fn range(video: VideoId, event: EventType, tier: Tier) -> Range {
    let age = match tier {
        Tier::Minute => DAY,
        Tier::Hour => 30 * DAY,
        Tier::Day => 1000 * DAY,
    };
    let query = StatsQuery {
        video: Some(video),
        event,
        function: Function::Count,
        quantile: None,
        group_by: None,
        start: Some(WallTime(NOW.0 - age)),
        end: None,
        step: None,
    };
    let range = query.resolve(NOW).expect("a range");
    assert_eq!(range.tier, tier);
    range
}

/// Runs a store through its promises.
pub(crate) async fn stats_store(open: impl AsyncFn() -> Box<dyn StatsStore>) {
    let store = open().await;
    let (a, b) = partitions();
    let video: VideoId = "oabcdefghijk".parse().expect("an id");
    let other: VideoId = "olllllllllll".parse().expect("an id");
    let minute = Tier::Minute.floor(NOW);
    let views = range(video, EventType::View, Tier::Minute);

    // Nothing yet.
    let rows = store.query(a, &views).await.unwrap();
    assert_eq!((rows.rows, rows.offset), (vec![], Offset(0)));
    assert_eq!(rows.sketched_since, None, "there is nothing older");

    // A consumer claims, and each later one fences off the earlier ones.
    let first = store.claim(a).await.unwrap();
    assert_eq!(
        first,
        Cursor {
            epoch: LeaseEpoch(1),
            offset: Offset(0)
        }
    );
    let Cursor { epoch, offset } = store.claim(a).await.unwrap();
    assert!(epoch > first.epoch);
    let view = (EventType::View, NOW.0, None);
    let watch = (EventType::Watch, NOW.0 - 60_000, Some(2500));
    let one = changes(video, session(1), &[view, watch]);
    let apply = async |epoch, expected, new, changes: &Changes| {
        store.apply(a, expected, new, epoch, changes).await.unwrap()
    };
    assert_eq!(
        apply(first.epoch, offset, Offset(5), &one).await,
        Applied::Stale
    );
    assert_eq!(
        apply(epoch, offset, Offset(5), &one).await,
        Applied::Applied
    );
    assert_eq!(
        apply(epoch, offset, Offset(5), &one).await,
        Applied::Stale,
        "once is enough"
    );
    assert_eq!(
        apply(epoch, Offset(4), Offset(6), &one).await,
        Applied::Stale
    );

    // What was applied is there in every tier, together with the offset.
    let rows = store.query(a, &views).await.unwrap();
    assert_eq!(rollups(&rows.rows), [(minute, Rollup { count: 1, sum: 0 })]);
    assert_eq!(rows.offset, Offset(5));
    for tier in Tier::ALL {
        let watched = range(video, EventType::Watch, tier);
        let rows = store.query(a, &watched).await.unwrap();
        let start = tier.floor(WallTime(NOW.0 - 60_000));
        assert_eq!(
            rollups(&rows.rows),
            [(
                start,
                Rollup {
                    count: 1,
                    sum: 2500
                }
            )],
            "{tier:?}"
        );
    }

    // Applying adds, also downwards, and leaves other videos and partitions alone.
    let two = changes(video, session(2), &[view, (EventType::Like, NOW.0, None)]);
    assert_eq!(
        apply(epoch, Offset(5), Offset(9), &two).await,
        Applied::Applied
    );
    let mut fold = Fold::default();
    let like = |seq, value| Event {
        seq,
        video,
        event: EventType::Like,
        time: NOW,
        value,
        rendition: Label::UNKNOWN,
    };
    for (seq, value) in [(0, None), (1, Some(0))] {
        let block = Block::new(
            session(3),
            NOW,
            Attributes::default(),
            vec![like(seq, value)],
        );
        if seq == 1 {
            // What came before is written with the changes above.
            fold.written(usize::MAX);
        }
        fold.push(&block.expect("a small block"));
    }
    let back = fold.changes();
    assert_eq!(
        apply(epoch, Offset(9), Offset(10), &back).await,
        Applied::Applied
    );
    let count = async |event| {
        let rows = store
            .query(a, &range(video, event, Tier::Day))
            .await
            .unwrap();
        let counts = rows.rows.iter().map(|row| row.cell.rollup.count);
        counts.sum::<i64>()
    };
    assert_eq!(count(EventType::View).await, 2);
    assert_eq!(count(EventType::Like).await, 0);
    let elsewhere = store
        .query(a, &range(other, EventType::View, Tier::Day))
        .await
        .unwrap();
    assert_eq!(elsewhere.rows, []);
    assert_eq!(store.query(b, &views).await.unwrap().offset, Offset(0));

    sketches(&*store, a, video, [&one, &two, &back]).await;

    // Viewers come back as they were written, in the order asked for.
    let key = |n, video| ViewerKey {
        video,
        session: session(n),
    };
    let keys = [key(2, video), key(1, other), key(1, video)];
    let viewers = store.viewers(&keys).await.unwrap();
    let expected = [two.viewers.get(&keys[0]), None, one.viewers.get(&keys[2])];
    assert_eq!(
        viewers.iter().map(Option::as_ref).collect::<Vec<_>>(),
        expected
    );

    // Another opening of the same data knows all this.
    drop(store);
    let store = open().await;
    let again = store.claim(a).await.unwrap();
    assert_eq!(again.offset, Offset(10));
    assert!(again.epoch > epoch);
    assert_eq!(
        store.query(a, &views).await.unwrap().rows[0]
            .cell
            .rollup
            .count,
        2
    );

    // What is pruned is what no query reads any more.
    let later = |ms| WallTime(NOW.0 + ms);
    store.prune(later(7 * DAY - 1)).await.unwrap();
    assert_eq!(store.query(a, &views).await.unwrap().rows.len(), 1);
    assert_eq!(
        store.viewers(&keys[..1]).await.unwrap(),
        [None],
        "silent for too long"
    );
    store.prune(later(8 * DAY)).await.unwrap();
    assert_eq!(store.query(a, &views).await.unwrap().rows, []);
    let by_country = Range {
        group_by: Some(Dimension::Country),
        ..views
    };
    assert_eq!(store.query(a, &by_country).await.unwrap().rows, []);
    store.prune(later(2000 * DAY)).await.unwrap();
    let days = store
        .query(a, &range(video, EventType::View, Tier::Day))
        .await
        .unwrap();
    assert_eq!(
        rollups(&days.rows),
        [(Tier::Day.floor(NOW), Rollup { count: 2, sum: 0 })]
    );
    let hours = store
        .query(a, &range(video, EventType::View, Tier::Hour))
        .await
        .unwrap();
    assert_eq!(hours.rows, []);
}

/// Sketches, breakdowns, the sum of all videos and rankings are what the changes add up to.
async fn sketches(
    store: &dyn StatsStore,
    partition: Partition,
    video: VideoId,
    applied: [&Changes; 3],
) {
    for (tier, event) in
        Tier::ALL
            .into_iter()
            .zip([EventType::View, EventType::Watch, EventType::Like])
    {
        let plain = Range {
            function: Function::Unique,
            ..range(video, event, tier)
        };
        for (subject, group_by) in [
            (plain.subject, None),
            (Subject::All, None),
            (plain.subject, Some(Dimension::Country)),
            (Subject::All, Some(Dimension::Rendition)),
        ] {
            let range = Range {
                subject,
                group_by,
                ..plain
            };
            let mut expected: BTreeMap<(WallTime, Label), Cell> = BTreeMap::new();
            for changes in applied {
                let span = (range.start, range.end);
                for (start, label, cell) in changes.minutes.of(subject, event, group_by, span) {
                    let cell_of_label = expected.entry((tier.floor(start), label));
                    cell_of_label.or_default().merge(cell);
                }
            }
            let rows = store.query(partition, &range).await.unwrap().rows;
            let rows = rows
                .into_iter()
                .map(|row| ((row.start, row.label), row.cell));
            assert_eq!(rows.collect::<BTreeMap<_, _>>(), expected, "{range:?}");
        }
    }
    for half_life in [None, Some(3600)] {
        let query = TopQuery {
            event: EventType::View,
            window: Some(3600),
            half_life,
            limit: None,
        };
        let range = query.resolve(NOW).expect("a window");
        let rankings = store.rank(&range).await.unwrap();
        assert_eq!(rankings.offsets[partition.index()], Offset(10));
        let counts = rankings.rollups.iter().map(|(of, start, rollup)| {
            assert_eq!(*of, video, "no sum of all videos");
            assert!(range.start <= *start && *start < range.end);
            rollup.count
        });
        assert_eq!(counts.sum::<i64>(), 2);
    }
}
