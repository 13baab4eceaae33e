//! A browser that publishes over WHIP and watches itself over WHEP.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;

use super::server::{Server, Video};
use crate::{repo, run};

const WATCH_SECONDS: u32 = 15;
/// What p50 is to be at most, in ms.
const GOAL_MS: f64 = 250.0;

/// What `tests/browser/whep.mjs` saw.
#[derive(Deserialize)]
struct Seen {
    latencies: Vec<f64>,
}

/// Publishes, watches, prints; success if p50 from glass to glass is within the goal.
pub(super) fn run(server: &Server, video: &Video) -> Result<ExitCode> {
    run::step(&format!("Publishing and watching for {WATCH_SECONDS} s"));
    let input = json!({
        "viewer": server.ready.viewer,
        "key": video.stream_key,
        "video": video.id,
        "seconds": WATCH_SECONDS,
    });
    let output = Command::new("node")
        .arg(repo::path("tests/browser/whep.mjs"))
        .arg(input.to_string())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run node")?;
    ensure!(output.status.success(), "the browser: {}", output.status);
    let seen: Seen = serde_json::from_slice(&output.stdout).context("what the browser saw")?;
    let mut latencies = seen.latencies;
    latencies.sort_by(f64::total_cmp);
    let percentile = |percent: usize| {
        let last = latencies.len().saturating_sub(1);
        latencies.get(last * percent / 100).copied()
    };
    let p50 = percentile(50).context("no frame was shown")?;
    let p95 = percentile(95).unwrap_or(p50);
    println!(
        "glass to glass     {p50:.0} ms p50, {p95:.0} ms p95, over {} frames read off the screen; \
         the browser's encoder is in it",
        latencies.len()
    );
    if p50 <= GOAL_MS {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("FAILED: p50 is above {GOAL_MS} ms");
    Ok(ExitCode::FAILURE)
}
