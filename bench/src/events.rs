//! How many events a second one origin makes durable and counts: batches through
//! `Statistics::process_events`, as the HTTP handler calls it, on a data folder of its own.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::task::JoinSet;
use weir_model::{Access, VideoId};
use weir_origin::{
    clock::Clock,
    events::{Options, Statistics},
    store::{MetaStore, SqliteMeta},
};
use weir_stats::{
    answer::Number,
    batch::Batch,
    query::{Function, StatsQuery},
    schema::EventType,
};

use crate::report::{Row, median, publish};

/// Videos that the events are about.
const VIDEOS: u64 = 16;

/// Sessions that each caller speaks for in turn, as an edge does: all of them together are more
/// than a consumer holds in memory.
const SESSIONS: usize = 4000;

/// Figures of one round.
struct Round {
    events_per_s: f64,
    median_ms: f64,
    p99_ms: f64,
    counted_after_ms: f64,
}

/// Measures each number of events per batch with `callers` that wait for their answers.
pub(crate) async fn run(
    per_batch: &[usize],
    callers: usize,
    seconds: Duration,
    rounds: usize,
) -> Result<()> {
    let mut rows = Vec::new();
    for &size in per_batch {
        let mut measured = Vec::new();
        for _ in 0..rounds {
            measured.push(round(size, callers, seconds).await?);
        }
        let case = format!("{callers} callers, {size} events per batch");
        let mut row = |metric, unit, figure: fn(&Round) -> f64| {
            let ours = median(measured.iter().map(figure).collect());
            rows.push(Row {
                case: case.clone(),
                metric,
                unit,
                ours,
                peers: BTreeMap::new(),
            });
        };
        row("durable", "events/s", |round| round.events_per_s);
        row("answer, median", "ms", |round| round.median_ms);
        row("answer, 99th percentile", "ms", |round| round.p99_ms);
        row("last answer to counted", "ms", |round| {
            round.counted_after_ms
        });
    }
    publish("events", &rows)
}

async fn round(size: usize, callers: usize, seconds: Duration) -> Result<Round> {
    let data = tempfile::tempdir()?;
    let clock = Clock::anchored();
    let meta = Arc::new(SqliteMeta::open(&data.path().join("meta.db")).await?);
    let videos: Vec<_> = (0..VIDEOS)
        .map(|n| VideoId::from_random(n, Access::Open))
        .collect();
    for (n, video) in videos.iter().enumerate() {
        meta.create_video(*video, "", [n as u8; 32], clock.now())
            .await?;
    }
    let statistics = Statistics::open(data.path(), meta, clock, Options::default()).await?;

    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let video = videos[caller % videos.len()];
        tasks.spawn(call(
            statistics.clone(),
            caller,
            video,
            size,
            begun + seconds,
        ));
    }
    let mut latencies_ms = Vec::new();
    for latencies in tasks.join_all().await {
        latencies_ms.extend(latencies?);
    }
    let elapsed = begun.elapsed();
    let answered = Instant::now();
    let sent = (latencies_ms.len() * size) as i64;
    while counted(&statistics, &videos).await? < sent {
        ensure!(
            answered.elapsed() < Duration::from_secs(60),
            "counting lags by a minute"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let counted_after = answered.elapsed();
    ensure!(
        counted(&statistics, &videos).await? == sent,
        "an event counted twice"
    );
    statistics.shutdown().await;

    latencies_ms.sort_by(f64::total_cmp);
    let p99_ms = latencies_ms[latencies_ms.len() * 99 / 100];
    Ok(Round {
        events_per_s: sent as f64 / elapsed.as_secs_f64(),
        median_ms: median(latencies_ms),
        p99_ms,
        counted_after_ms: counted_after.as_secs_f64() * 1000.0,
    })
}

/// Sends batch after batch until `deadline`, each for the next of its sessions; answers how long
/// each took, in ms.
async fn call(
    statistics: Statistics,
    caller: usize,
    video: VideoId,
    size: usize,
    deadline: Instant,
) -> Result<Vec<f64>> {
    let mut latencies_ms = Vec::new();
    for n in 0.. {
        let session = format!("bench-session-{caller:04}-{:04}", n % SESSIONS);
        let first = n / SESSIONS * size;
        let time = statistics.now();
        let events: Vec<_> = (first..first + size)
            .map(|seq| json!({"seq": seq, "video": video, "type": "stall", "time": time, "value": 9}))
            .collect();
        let body = json!({"session": session, "events": events}).to_string();
        let sent = Instant::now();
        if sent >= deadline {
            break;
        }
        let batch = Batch::parse(body.as_bytes(), time)?;
        statistics.process_events(batch, time).await?;
        latencies_ms.push(sent.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(latencies_ms)
}

async fn counted(statistics: &Statistics, videos: &[VideoId]) -> Result<i64> {
    let mut sum = 0;
    for &video in videos {
        let event = EventType::Stall;
        let query = StatsQuery {
            video: Some(video),
            event,
            function: Function::Count,
            quantile: None,
            group_by: None,
            start: None,
            end: None,
            step: None,
        };
        if let Some(Number::Whole(count)) = statistics.get_stats(query).await?.total {
            sum += count;
        }
    }
    Ok(sum)
}
