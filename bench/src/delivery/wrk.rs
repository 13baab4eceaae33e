//! Requests as fast as they are answered, by wrk on one thread.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::servers::on_core;

/// What a run came to.
pub(super) struct Run {
    pub(super) requests: u64,
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Asks for `url`, or for what `script` says.
pub(super) async fn run(
    url: &str,
    script: Option<String>,
    connections: usize,
    length: Duration,
    core: usize,
) -> Result<Run> {
    let folder = TempDir::new()?;
    let mut command = on_core(core, "wrk");
    command.args(["--threads", "1", "--latency", "--timeout", "10s"]);
    command.args(["--connections", &connections.to_string()]);
    command.args(["--duration", &format!("{}s", length.as_secs())]);
    if let Some(script) = script {
        let file = folder.path().join("load.lua");
        fs::write(&file, script)?;
        command.arg("--script").arg(file);
    }
    command.arg(url);
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .context("start wrk (package wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "wrk: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&text).with_context(|| format!("wrk said {text:?}"))
}

fn parse(text: &str) -> Option<Run> {
    let after = |label: &str| {
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(label))?;
        line.split_whitespace().next()
    };
    let requests = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))?;
    Some(Run {
        requests: requests.0.parse().ok()?,
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50_ms: ms(after("50%")?)?,
        p99_ms: ms(after("99%")?)?,
    })
}

fn ms(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    match unit {
        "us" => Some(number / 1000.0),
        "ms" => Some(number),
        "s" => Some(number * 1000.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_wrk_says() {
        let run = parse(
            "Running 4s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n\
             \x20 Latency Distribution\n     50%  612.00us\n     75%    0.98ms\n     99%    1.20s\n\
             \x20 389012 requests in 4.10s, 481.23MB read\nRequests/sec:  94881.77\n",
        )
        .unwrap();
        assert_eq!((run.requests, run.per_second), (389_012, 94_881.77));
        assert_eq!((run.p50_ms, run.p99_ms), (0.612, 1200.0));
    }
}
