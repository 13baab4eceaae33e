//! What the processes hold, from `/proc`.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::Weir;

const EVERY: Duration = Duration::from_secs(5);

/// Resident memory at one moment, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Since the first one.
    pub at: Duration,
    /// Of the server.
    pub server: u64,
    /// Of the largest transcoder, if one runs.
    pub transcoder: Option<u64>,
}

/// Looks every 5 s until `end`.
pub async fn watch(weir: &Weir, end: Instant) -> Vec<Sample> {
    let began = Instant::now();
    let mut samples = Vec::new();
    while Instant::now() < end {
        samples.push(Sample {
            at: began.elapsed(),
            server: resident(weir.pid()).expect("the server runs"),
            transcoder: weir.transcoders().into_iter().filter_map(resident).max(),
        });
        let next = end.min(Instant::now() + EVERY);
        tokio::time::sleep_until(next.into()).await;
    }
    samples
}

/// `VmRSS` of proc_pid_status(5).
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}
