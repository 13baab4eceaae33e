//! `weir pop status`: how a point of presence does, as a table.

use std::{
    fmt::Write as _,
    fs,
    io::{self, IsTerminal, Write as _},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use weir_model::{
    pop::Status,
    rollout::{Candidate, ModuleRef, Progress},
};

use crate::cli::StatusArgs;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Back to the upper left corner, and away with what is there.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Prints the table, once or until interrupted.
pub(crate) fn print(args: &StatusArgs) -> anyhow::Result<()> {
    let token = fs::read_to_string(&args.token_file)
        .with_context(|| format!("cannot read {} (--token-file)", args.token_file.display()))?;
    let mut out = io::stdout().lock();
    loop {
        let status = ask(&args.operator, token.trim())?;
        let clear = if args.watch.is_some() && out.is_terminal() {
            CLEAR
        } else {
            ""
        };
        write!(out, "{clear}{}", table(&status)).and_then(|()| out.flush())?;
        let Some(pause) = args.watch else {
            return Ok(());
        };
        thread::sleep(pause);
    }
}

fn ask(operator: &http::Uri, token: &str) -> anyhow::Result<Status> {
    let base = operator.to_string();
    let url = format!("{}/api/v1/pop", base.trim_end_matches('/'));
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .build()
        .into();
    let mut response = agent
        .get(&url)
        .header("authorization", format!("Bearer {token}"))
        .call()
        .with_context(|| format!("no answer from {operator} (--operator)"))?;
    let body = response.body_mut().read_to_string()?;
    match response.status().as_u16() {
        200 => serde_json::from_str(&body).context("the answer is no status"),
        401 => bail!("the operator's token is another one (--token-file)"),
        status => bail!("{url} answers {status}"),
    }
}

/// The table: a line for each thing to know.
fn table(status: &Status) -> String {
    let mut table = Table::default();
    let state = if status.draining {
        "draining"
    } else {
        "serving"
    };
    let up = span(status.uptime_s);
    table.line(
        "pop",
        format!("{}, {state}, up {up}, {}", status.name, status.version),
    );
    table.line("connections", counts(&status.connections));
    table.line("requests", counts(&status.requests.outcomes));
    table.line(
        "hit ratio",
        status
            .requests
            .hit_ratio
            .map_or("-".to_owned(), |ratio| format!("{:.2}%", ratio * 100.0)),
    );
    table.line("to the origin", counts(&status.origin_requests));
    let latency = |seconds: Option<f64>| {
        seconds.map_or("-".to_owned(), |seconds| {
            format!("{:.0} ms", seconds * 1000.0)
        })
    };
    let upstream = &status.upstream;
    table.line(
        "upstream",
        format!(
            "{} answer{}, half within {}, 99% within {}",
            upstream.answers,
            if upstream.answers == 1 { "" } else { "s" },
            latency(upstream.median_s),
            latency(upstream.p99_s)
        ),
    );
    for peer in &upstream.peers {
        table.line(&peer.role, format!("{} {}", peer.name, peer.condition));
    }
    let guest = &status.guest;
    table.line(
        "guest",
        format!(
            "{} calls of {:.2} µs, {} failures",
            guest.calls, guest.mean_us, guest.failures
        ),
    );
    let modules = &status.edge_modules;
    table.line("edge module", name(&modules.stable));
    if let Some(Candidate {
        module,
        share,
        calls,
        failures,
    }) = &modules.candidate
    {
        let share = f64::from(*share) / 100.0;
        let heard = format!("{share}% of videos, {calls} calls, {failures} failures");
        table.line("on trial", format!("{}, {heard}", name(module)));
    }
    if let Some(Progress {
        number,
        state,
        reason,
    }) = &modules.rollout
    {
        let reason = reason.as_ref().map(|reason| format!(": {reason}"));
        let reason = reason.unwrap_or_default();
        table.line("roll-out", format!("{number} {}{reason}", state.as_str()));
    }
    let cache = &status.cache;
    table.line(
        "cache",
        format!("{} of {}", bytes(cache.bytes), bytes(cache.max_bytes)),
    );
    let players = &status.players;
    table.line(
        "players",
        format!(
            "{} requests with CMCD, {} starved",
            players.requests, players.starved
        ),
    );
    table.line("bounds hit", counts(&status.bounds_hit));
    table.line("sent", bytes(status.sent_bytes));
    table.0
}

/// What a module is called, and the beginning of its hash.
fn name(module: &ModuleRef) -> String {
    let hash = module.sha256.to_string();
    let hash = hash.get(..12).unwrap_or(&hash);
    match &module.name {
        Some(name) => format!("{name} ({hash})"),
        None => hash.to_owned(),
    }
}

/// Two columns.
#[derive(Default)]
struct Table(String);

impl Table {
    fn line(&mut self, name: &str, value: impl AsRef<str>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{name:<14} {}", value.as_ref());
    }
}

/// Those that are not 0.
fn counts<N: Copy + Default + PartialEq + std::fmt::Display>(
    counts: &std::collections::BTreeMap<String, N>,
) -> String {
    let counted = counts.iter().filter(|(_, count)| **count != N::default());
    let counted: Vec<_> = counted
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    match counted.is_empty() {
        true => "-".to_owned(),
        false => counted.join(", "),
    }
}

fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        ..1024.0 => format!("{bytes} B"),
        ..1_048_576.0 => format!("{:.1} KiB", bytes / 1024.0),
        ..1_073_741_824.0 => format!("{:.1} MiB", bytes / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_what_happened() {
        let status: Status = serde_json::from_value(serde_json::json!({
            "name": "fra-1", "version": "0.1.0", "uptime_s": 3_720, "draining": false,
            "connections": {"http/1.1": 2, "h2": 0, "h3": 1},
            "requests": {"outcomes": {"hit": 9, "miss": 1, "error": 0}, "hit_ratio": 0.9},
            "origin_requests": {"segment": 1},
            "upstream": {"answers": 1, "median_s": 0.025, "p99_s": null, "peers": [
                {"name": "http://10.0.0.2:8082", "role": "origin", "condition": "up"},
            ]},
            "guest": {"calls": 10, "failures": 0, "mean_us": 1.5},
            "edge_modules": {
                "stable": {"sha256": "0123456789abcdef".repeat(4)},
                "candidate": {
                    "module": {"sha256": "f".repeat(64), "name": "edge-2"},
                    "share": 1000, "calls": 5, "failures": 0,
                },
                "rollout": {"number": 3, "state": "on-trial"},
                "refused": 0, "rolled_back": 0,
            },
            "cache": {"bytes": 2_097_152, "max_bytes": 536_870_912},
            "players": {"requests": 3, "starved": 1},
            "bounds_hit": {"rate": 0},
            "sent_bytes": 512,
        }))
        .unwrap();
        let table = table(&status);
        for line in [
            "pop            fra-1, serving, up 1 h 2 min, 0.1.0",
            "connections    h3 1, http/1.1 2",
            "requests       hit 9, miss 1",
            "hit ratio      90.00%",
            "upstream       1 answer, half within 25 ms, 99% within -",
            "origin         http://10.0.0.2:8082 up",
            "guest          10 calls of 1.50 µs, 0 failures",
            "edge module    0123456789ab",
            "on trial       edge-2 (ffffffffffff), 10% of videos, 5 calls, 0 failures",
            "roll-out       3 on-trial",
            "cache          2.0 MiB of 512.0 MiB",
            "bounds hit     -",
            "sent           512 B",
        ] {
            assert!(table.lines().any(|found| found == line), "{line}\n{table}");
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, expected) in [
            (7, "7 s"),
            (60, "1 min 0 s"),
            (7_320, "2 h 2 min"),
            (180_000, "2 d 2 h"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }
}
