//! The choice of renditions on recorded networks, in virtual time: the player's own rule and latency
//! control beside models of other players' rules. `docs/abr.md` tells what came out.
//!
//! - [`trace`], [`movie`]: what is read
//! - [`rules`]: what chooses
//! - [`recording`], [`live`]: one session, segment by segment or part by part
//! - [`score`]: what a session came to
//! - [`study`]: every rule on every trace
//! - [`report`], [`chart`]: what is printed, written and drawn

mod chart;
mod live;
mod movie;
mod recording;
mod report;
mod rules;
mod score;
mod study;
pub(crate) mod trace;

#[cfg(test)]
mod tests;

use std::{
    env,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};

use self::{movie::Movie, recording::Buffer, study::Study};

/// Where traces are looked for if no folder is named.
const TRACES: &str = "WEIR_ABR_TRACES";

/// What is simulated.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A folder of traces: a folder for each family, with files of
    /// `duration_ms,bandwidth_kbps,latency_ms`. `WEIR_ABR_TRACES` if it is left out.
    #[arg(long)]
    traces: Option<PathBuf>,
    /// Tables of segment sizes; else those in the folder `movies` beside the traces.
    #[arg(long)]
    movie: Vec<PathBuf>,
    /// Seconds that everybody buffers at most; else 30 s, and up to 120 s of no more than 45 MB.
    #[arg(long, value_parser = clap::value_parser!(u32).range(4..=3600))]
    buffer: Option<u32>,
    /// Count every trace: nothing was chosen on these.
    #[arg(long)]
    all: bool,
    /// Where the charts go.
    #[arg(long, default_value = "docs/abr")]
    charts: PathBuf,
    /// Where a row for each session goes.
    #[arg(long, default_value = "target/bench/sim-abr.csv")]
    csv: PathBuf,
}

/// Runs every rule on every trace.
pub(crate) fn run(options: &Options) -> Result<()> {
    let began = Instant::now();
    let folder = options
        .traces
        .clone()
        .or_else(|| env::var_os(TRACES).map(PathBuf::from));
    let folder = folder.with_context(|| format!("name a folder with --traces or {TRACES}"))?;
    // The folder that has both may be named too.
    let inner = folder.join("traces");
    let folder = if inner.is_dir() { inner } else { folder };
    let study = Study {
        traces: trace::read(&folder)?,
        movies: movies(&folder, &options.movie)?,
        broadcast: Movie::broadcast(),
        buffer: options.buffer.map_or(Buffer::PLAYER, Buffer::fixed),
        all: options.all,
    };
    report::study(&study);
    let sessions = study.run();
    report::tables(&study, &sessions);
    report::csv(&study, &sessions, &options.csv)?;
    chart::draw(&study, &sessions, &options.charts)?;
    report::took(&sessions, began.elapsed());
    Ok(())
}

/// The movies named, or those beside the traces, or the broadcast watched later.
fn movies(traces: &Path, named: &[PathBuf]) -> Result<Vec<Movie>> {
    let beside = [traces.join("movies"), traces.join("../movies")];
    let found = match beside.iter().find(|folder| folder.is_dir()) {
        Some(folder) if named.is_empty() => trace::list(folder)?,
        _ => named.to_vec(),
    };
    let tables = found
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "json"));
    let movies = tables
        .map(|path| Movie::read(path))
        .collect::<Result<Vec<_>>>()?;
    Ok(if movies.is_empty() {
        vec![Movie::broadcast()]
    } else {
        movies
    })
}
