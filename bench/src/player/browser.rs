//! A viewer: a browser of its own that watches a page for a while, and what it has seen.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::process::Command;

const SCRIPT: &str = "bench/player/watch.mjs";
/// Beside the time that it watches: a browser's start and end, and its measuring of memory.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a viewer is told to do.
pub(super) struct Visit<'a> {
    pub(super) page: &'a str,
    /// What is asked for when the time is over.
    pub(super) end: &'a str,
    pub(super) seconds: u64,
    /// Whether the film's marks are read off the screen.
    pub(super) marks: bool,
    /// After how many seconds memory is measured again and again; 0 is never.
    pub(super) memory_every_s: u64,
}

/// What `bench/player/watch.mjs` has seen. Times are in ms since the navigation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    pub(super) ended_ms: f64,
    /// Three of each frame: when it was shown, its time in the media in s, its height.
    pub(super) frames: Vec<f64>,
    /// Three of each look: when it was, the playhead in s, 1 if the video had ended.
    pub(super) ticks: Vec<f64>,
    pub(super) marks: Vec<Mark>,
    /// Errors after which the player gave up.
    pub(super) fatal: Vec<String>,
    /// What went wrong in the page.
    pub(super) errors: Vec<String>,
    /// CPU time of the browser's processes since the navigation.
    pub(super) cpu_s: f64,
    /// The last is of the end.
    pub(super) memory: Vec<Memory>,
}

/// A frame that was read off the screen.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mark {
    pub(super) index: u32,
    /// Unix time.
    pub(super) at_ms: f64,
}

/// Memory after a collection of garbage.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub(super) struct Memory {
    pub(super) at_ms: f64,
    /// JavaScript of the page itself.
    pub(super) heap_bytes: f64,
    pub(super) wasm_bytes: f64,
    /// What the browser counts for the page with its workers.
    pub(super) all_bytes: f64,
}

/// Sends a viewer.
pub(super) async fn watch(visit: &Visit<'_>) -> Result<Seen> {
    ensure!(
        Path::new(SCRIPT).exists(),
        "{SCRIPT} is not here: run it by `cargo xtask bench`"
    );
    let input = json!({
        "page": visit.page,
        "end": visit.end,
        "seconds": visit.seconds,
        "marks": visit.marks,
        "memoryEveryS": visit.memory_every_s,
    });
    let mut node = Command::new("node");
    node.arg(SCRIPT)
        .arg(input.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let deadline = Duration::from_secs(visit.seconds) + PATIENCE;
    let output = tokio::time::timeout(deadline, node.output())
        .await
        .with_context(|| format!("the browser has not ended after {deadline:?}"))?
        .context("cannot run node")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{SCRIPT}: {}: {said}",
        output.status
    );
    let answer = String::from_utf8_lossy(&output.stdout);
    let answer = answer.lines().last().unwrap_or_default();
    serde_json::from_str(answer).with_context(|| format!("{SCRIPT} answered {answer:.200}"))
}
