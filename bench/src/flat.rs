//! Whether the origin notices how many watch: one live video through one point of presence, watched
//! by more and more low-latency viewers. A counter stands between the two processes, so that what
//! the origin is asked is counted by neither of them. Crowds that this machine cannot play are
//! simulated over the same code.

mod counter;
mod simulated;
mod viewer;

use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use self::counter::Counter;
use crate::{
    packaging::film_tags,
    peer::{Server, Weir},
    process,
    publisher::Feed,
    report::{self, Row},
};

/// The live window is to be full before anyone is counted, so that all that is listed can be had.
const WARM: Duration = Duration::from_secs(8);
/// Viewers come within this time: long enough that a large crowd's first requests are no burst that
/// the machine needs seconds for.
const ARRIVAL: Duration = Duration::from_secs(4);
const START_DEADLINE: Duration = Duration::from_secs(20);

/// What one crowd did.
struct Run {
    viewers: usize,
    /// Requests at the origin, a second.
    origin_rate: f64,
    /// Most requests for one part, segment, initialisation segment or playlist position.
    most_for_one: u64,
    /// Requests of all viewers, a second.
    viewer_rate: f64,
    /// Encoder's clock to the whole of a part at a viewer, in milliseconds, sorted.
    late_ms: Vec<f64>,
    /// CPU of the point of presence per answer, in microseconds.
    cpu_us: f64,
}

/// Runs the benchmark and publishes its rows.
#[expect(clippy::print_stderr, reason = "progress of a long command")]
pub(crate) async fn run(crowds: &[usize], simulated: &[u32], length: Duration) -> Result<()> {
    let mut rows = Vec::new();
    for &viewers in crowds {
        let run = watch(viewers, length).await;
        let run = run.with_context(|| format!("{viewers} viewers"))?;
        eprintln!(
            "{viewers} viewers: origin {:.1} requests/s, at most {} for one name, parts after {:.0} ms \
             (p50) and {:.0} ms (p99)",
            run.origin_rate,
            run.most_for_one,
            percentile(&run.late_ms, 50),
            percentile(&run.late_ms, 99),
        );
        rows.extend(figures(&run));
    }
    rows.extend(simulated::run(simulated));
    report::publish("flat", &rows)
}

fn figures(run: &Run) -> impl Iterator<Item = Row> + use<> {
    let figures = [
        ("origin requests", "1/s", run.origin_rate),
        (
            "most origin requests for one name",
            "",
            run.most_for_one as f64,
        ),
        ("viewers' requests", "1/s", run.viewer_rate),
        (
            "encoder to whole part, p50",
            "ms",
            percentile(&run.late_ms, 50),
        ),
        (
            "encoder to whole part, p99",
            "ms",
            percentile(&run.late_ms, 99),
        ),
        ("CPU of the PoP per answer", "µs", run.cpu_us),
    ];
    rows(format!("{} viewers", run.viewers), figures)
}

fn rows<const N: usize>(
    case: String,
    figures: [(&'static str, &'static str, f64); N],
) -> impl Iterator<Item = Row> {
    figures.into_iter().map(move |(metric, unit, ours)| Row {
        case: case.clone(),
        metric,
        unit,
        ours,
        peers: BTreeMap::new(),
    })
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get(last * percent / 100)
        .copied()
        .unwrap_or(f64::NAN)
}

async fn watch(viewers: usize, length: Duration) -> Result<Run> {
    let origin = Weir::start().await?;
    let video = origin.create_video().await?;
    let counter = Counter::start(origin.viewer()).await?;
    let pop = Pop::start(&counter.url()).await?;

    let feed = Feed::connect(origin.rtmp(), video.stream_key.clone(), film_tags()?).await?;
    let began = feed.began();
    let end = Instant::now() + WARM + ARRIVAL + length;
    let feeding = tokio::spawn(feed.run(end + Duration::from_secs(5)));
    sleep(WARM).await;

    let arrived = Instant::now() + ARRIVAL;
    let mut crowd = JoinSet::new();
    for n in 0..viewers {
        let base = format!("{}/v/{}", pop.viewer, video.id);
        let arrives = Instant::now() + ARRIVAL.mul_f64(n as f64 / viewers as f64);
        crowd.spawn(async move {
            sleep_until(arrives).await;
            let (pictures, sound) = tokio::join!(
                viewer::watch(&base, "source", began, arrived, end),
                viewer::watch(&base, "audio", began, arrived, end),
            );
            anyhow::Ok((pictures?, sound?))
        });
    }
    sleep_until(arrived).await;
    counter.reset();
    let before = process::usage(pop.pid()?)?;
    sleep_until(end).await;
    let asked = counter.counts();
    let cpu = process::usage(pop.pid()?)?.cpu - before.cpu;

    let (mut late_ms, mut requests) = (Vec::new(), 0);
    while let Some(watched) = crowd.join_next().await {
        let (pictures, sound) = watched.context("a viewer panicked")??;
        requests += pictures.requests + sound.requests;
        late_ms.extend(pictures.late_ms);
    }
    feeding.abort();
    ensure!(!late_ms.is_empty(), "no part was seen");
    late_ms.sort_by(f64::total_cmp);
    let seconds = length.as_secs_f64();
    Ok(Run {
        viewers,
        origin_rate: asked.values().sum::<u64>() as f64 / seconds,
        most_for_one: asked.values().copied().max().unwrap_or(0),
        viewer_rate: requests as f64 / seconds,
        late_ms,
        cpu_us: cpu.as_secs_f64() * 1e6 / requests.max(1) as f64,
    })
}

/// `weir pop`, the release build.
struct Pop {
    child: Child,
    viewer: String,
    _folder: TempDir,
}

impl Pop {
    async fn start(origin: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Ready {
            viewer: String,
        }
        let program = Path::new("target/release/weir");
        let folder = TempDir::new()?;
        let mut child = Command::new(std::path::absolute(program)?)
            .args([
                "pop",
                "--listen",
                "127.0.0.1:0",
                "--operator",
                "127.0.0.1:0",
            ])
            .args(["--origin", origin, "--edge-module"])
            .arg(std::path::absolute("target/wasm/edge.wasm")?)
            .current_dir(folder.path())
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("start target/release/weir")?;
        let stdout = child.stdout.take().context("weir pop has no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(START_DEADLINE, lines.next_line()).await;
        let line = line.context("weir pop's start-up")??;
        let line = line.context("weir pop ended before it was ready")?;
        let Ready { viewer } = serde_json::from_str(&line)?;
        Ok(Self {
            child,
            viewer,
            _folder: folder,
        })
    }

    fn pid(&self) -> Result<u32> {
        self.child.id().context("weir pop ended")
    }
}
