//! What a passthrough stream costs: N publishers in real time into `weir origin` without a ladder,
//! and into nginx with its RTMP module writing HLS, one after the other in every round.

use std::{
    collections::BTreeMap, net::SocketAddr, path::Path, process::Command, sync::Arc, time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{task::JoinSet, time::Instant};
use weir_tests::flv::{self, Tag};

use crate::{
    peer::{Nginx, Server, Weir},
    process::{self, Usage},
    publisher::Feed,
    report::{self, Row, median},
};

const FILM: &str = "target/film/film.mp4";
const NGINX: &str = "nginx-rtmp";

/// Runs the benchmark and publishes its rows.
#[expect(clippy::print_stderr, reason = "progress of a long command")]
pub(crate) async fn run(counts: &[usize], length: Duration, rounds: usize) -> Result<()> {
    let tags = film_tags()?;
    let bitrate = bitrate(&tags);
    eprintln!("input: {:.2} Mbit/s", bitrate / 1e6);
    let mut rows = Vec::new();
    for &count in counts {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 1..=rounds {
            eprintln!("{count} streams, round {round} of {rounds}: weir");
            ours.push(measure(&mut Weir::start().await?, count, &tags, length).await?);
            eprintln!("{count} streams, round {round} of {rounds}: {NGINX}");
            theirs.push(measure(&mut Nginx::start().await?, count, &tags, length).await?);
        }
        let mut row = |metric, unit, figure: fn(&Cost) -> f64| {
            let over = |costs: &[Cost]| median(costs.iter().map(figure).collect());
            let case = format!("{count} passthrough streams");
            let peers = BTreeMap::from([(NGINX, over(&theirs))]);
            rows.push(Row {
                case,
                metric,
                unit,
                ours: over(&ours),
                peers,
            });
        };
        row("CPU per stream", "ms per s", |cost| cost.cpu_ms_per_s);
        row("resident memory per stream", "MB", |cost| cost.resident_mb);
        row("resident memory of the idle server", "MB", |cost| {
            cost.idle_mb
        });
    }
    let goal_mb = (1.2 * bitrate / 8.0 * LIVE_WINDOW.as_secs_f64() + 5e6) / 1e6;
    eprintln!("memory goal: {goal_mb:.1} MB per stream (1.2 x bitrate x live window + 5 MB)");
    report::publish("packaging", &rows)
}

const LIVE_WINDOW: Duration = Duration::from_secs(60);

struct Cost {
    cpu_ms_per_s: f64,
    resident_mb: f64,
    idle_mb: f64,
}

async fn measure(
    server: &mut dyn Server,
    count: usize,
    tags: &Arc<[Tag]>,
    length: Duration,
) -> Result<Cost> {
    let keys = server.stream_keys(count).await?;
    let address: SocketAddr = server.rtmp();
    let idle: Usage = process::usage(server.pid())?;
    let deadline = Instant::now() + length;
    let mut publishers = JoinSet::new();
    for key in keys {
        let tags = tags.clone();
        publishers
            .spawn(async move { Feed::connect(address, key, tags).await?.run(deadline).await });
    }
    tokio::time::sleep_until(deadline - Duration::from_millis(500)).await;
    ensure!(
        publishers.try_join_next().is_none(),
        "a publisher stopped early"
    );
    let full = process::usage(server.pid())?;
    while let Some(publisher) = publishers.join_next().await {
        publisher??;
    }
    let streams = count as f64;
    let stream_seconds = (length.as_secs_f64() - 0.5) * streams;
    Ok(Cost {
        cpu_ms_per_s: (full.cpu - idle.cpu).as_secs_f64() * 1000.0 / stream_seconds,
        resident_mb: full.resident.saturating_sub(idle.resident) as f64 / 1e6 / streams,
        idle_mb: idle.resident as f64 / 1e6,
    })
}

pub(crate) fn film_tags() -> Result<Arc<[Tag]>> {
    ensure!(
        Path::new(FILM).exists(),
        "{FILM} is missing: run `cargo xtask film` first"
    );
    let flv = Path::new("target/film/film.flv");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i", FILM, "-c", "copy", "-f", "flv"])
        .arg(flv)
        .status()
        .context("run ffmpeg")?;
    ensure!(status.success(), "ffmpeg could not rewrap {FILM}");
    Ok(flv::read(std::fs::read(flv)?.into())?.into())
}

/// Bits per second of the whole film.
fn bitrate(tags: &[Tag]) -> f64 {
    let bytes: usize = tags.iter().map(|tag| tag.body.len()).sum();
    let seconds = tags
        .last()
        .map_or(1.0, |tag| f64::from(tag.time_ms.max(1)) / 1000.0);
    bytes as f64 * 8.0 / seconds
}
