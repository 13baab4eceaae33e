//! How fast a point of presence answers, next to nginx's `proxy_cache` and Varnish in front of the
//! same origin: hits of four sizes, misses, and many viewers who wait for one playlist position.
//!
//! The load generator and the origin run on one core, the server under measurement alone on
//! another. All servers are up all the time and take turns within each round.
//!
//! - `origin`: what is behind them
//! - `servers`: how they are started
//! - `wrk`: requests as fast as they are answered
//! - `waiters`: viewers of one position
//! - `table`: what comes of it, as `bench/README.md` shows it

mod origin;
mod servers;
mod table;
mod waiters;
mod wrk;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use self::{
    origin::{Origin, Thing},
    servers::{Kind, Server},
};
use crate::{
    process,
    report::{self, Row, median},
};

/// What is measured, and how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Seconds of each run. With the usual five rounds all takes about six minutes.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Rounds, with every server in each; medians are reported.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections of the load generator.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Viewers who wait for one position.
    #[arg(long, default_value_t = 500)]
    waiters: usize,
    /// The core for the server under measurement.
    #[arg(long, default_value_t = 1)]
    server_core: usize,
    /// The core for load and origin.
    #[arg(long, default_value_t = 0)]
    load_core: usize,
    /// Only cases whose name has this in it.
    #[arg(long, default_value = "")]
    only: String,
}

/// A way to ask.
#[derive(Clone, Copy)]
enum Load {
    /// The same thing again and again.
    Hot(Thing),
    /// The same, under a playback token that is checked on every request. The peers check none.
    HotWithToken(Thing),
    /// Another thing each time.
    Cold,
    /// All at once, before it is there.
    Waiters,
}

impl Load {
    fn is_wait(self) -> bool {
        matches!(self, Self::Waiters)
    }
}

const CASES: [(&str, Load); 7] = [
    ("hot playlist, 1 KiB", Load::Hot(Thing::Playlist)),
    (
        "hot playlist, 1 KiB, token",
        Load::HotWithToken(Thing::Playlist),
    ),
    ("hot part, 40 KiB", Load::Hot(Thing::Part)),
    ("hot segment, 300 KiB", Load::Hot(Thing::Segment)),
    ("hot segment, 2 MiB", Load::Hot(Thing::LargeSegment)),
    ("cold part, 40 KiB", Load::Cold),
    ("waiters on one position", Load::Waiters),
];

/// What a run came to: requests/s (of waiters: none), times in ms, CPU in µs per request.
#[derive(Clone, Copy, Default)]
struct Figures {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
}

/// Figures of the rounds, by case and server.
type Results = BTreeMap<(usize, Kind), Vec<Figures>>;

/// Name, unit, and which figure it is.
type Metric = (&'static str, &'static str, fn(&Figures) -> f64);

/// Metrics in the order of their rows.
const METRICS: [Metric; 4] = [
    ("throughput", "requests/s", |figures| figures.per_second),
    ("median", "ms", |figures| figures.p50_ms),
    ("99th percentile", "ms", |figures| figures.p99_ms),
    ("server CPU", "µs/request", |figures| figures.cpu_us),
];

/// Runs the benchmark and publishes its rows.
#[expect(clippy::print_stderr, reason = "progress of a long command")]
pub(crate) async fn run(options: &Options) -> Result<()> {
    servers::pin_self(options.load_core)?;
    let origin = Origin::start().await?;
    let mut servers = Vec::new();
    for kind in Kind::ALL {
        servers.push(Server::start(kind, origin.address(), options.server_core).await?);
    }
    let mut results = Results::new();
    for round in 1..=options.rounds {
        for (index, (case, load)) in CASES.iter().enumerate() {
            if !case.contains(&options.only) {
                continue;
            }
            for server in &servers {
                let figures = measure(*load, server, &origin, options)
                    .await
                    .with_context(|| format!("{case}: {}", server.kind().name()))?;
                eprintln!(
                    "round {round} of {}: {case}: {}: {:.0}/s, {:.2} ms, {:.2} ms, {:.1} µs",
                    options.rounds,
                    server.kind().name(),
                    figures.per_second,
                    figures.p50_ms,
                    figures.p99_ms,
                    figures.cpu_us
                );
                results
                    .entry((index, server.kind()))
                    .or_default()
                    .push(figures);
            }
        }
        // Nobody always comes after the same one.
        servers.rotate_left(1);
    }
    table::print(&results);
    report::write("edge", &rows(&results))
}

fn rows(results: &Results) -> Vec<Row> {
    let mut rows = Vec::new();
    for (index, (case, load)) in CASES.iter().enumerate() {
        for (metric, unit, figure) in METRICS {
            if load.is_wait() && metric == "throughput" {
                continue;
            }
            let of = |kind| {
                let runs = results.get(&(index, kind))?;
                Some(median(runs.iter().map(figure).collect()))
            };
            let Some(ours) = of(Kind::Weir) else {
                continue;
            };
            let peers = [Kind::Nginx, Kind::Varnish].into_iter();
            rows.push(Row {
                case: (*case).to_owned(),
                metric,
                unit,
                ours,
                peers: peers
                    .filter_map(|kind| Some((kind.name(), of(kind)?)))
                    .collect(),
            });
        }
    }
    rows
}

async fn measure(
    load: Load,
    server: &Server,
    origin: &Origin,
    options: &Options,
) -> Result<Figures> {
    let length = Duration::from_secs(options.seconds);
    let run = |target: String, script: Option<String>| async move {
        let url = format!("http://{}{target}", server.address());
        let before = process::usage(server.pid())?.cpu;
        let run = wrk::run(&url, script, options.connections, length, options.load_core).await?;
        let cpu = process::usage(server.pid())?.cpu - before;
        anyhow::Ok(Figures {
            per_second: run.per_second,
            p50_ms: run.p50_ms,
            p99_ms: run.p99_ms,
            cpu_us: cpu.as_secs_f64() * 1e6 / run.requests as f64,
        })
    };
    match load {
        Load::Hot(thing) => {
            let target = thing.target();
            warm(server, &target, thing).await?;
            run(target, None).await
        }
        Load::HotWithToken(thing) => {
            let target = server.tokened(thing);
            warm(server, &target, thing).await?;
            run(target, None).await
        }
        Load::Cold => run("/".to_owned(), Some(origin.cold_script())).await,
        Load::Waiters => waiters::run(server, origin, options.waiters).await,
    }
}

/// Has the server fetch it, and checks what it serves.
async fn warm(server: &Server, target: &str, thing: Thing) -> Result<()> {
    for _ in 0..2 {
        let len = waiters::get(server.address(), target).await?;
        ensure!(len == thing.len(), "{target} has {len} bytes");
    }
    Ok(())
}
