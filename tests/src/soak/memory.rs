//! What the processes hold, from `/proc`.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::encoder;
use crate::Weir;

const EVERY: Duration = Duration::from_secs(5);
const LOOKS_A_MINUTE: usize = 12;

/// Resident memory at one moment, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Since the first one.
    pub at: Duration,
    /// Of the origin.
    pub origin: u64,
    /// Of the point of presence, if it has a process of its own.
    pub pop: Option<u64>,
    /// Of the largest transcoder, if one runs.
    pub transcoder: Option<u64>,
}

/// Looks every 5 s until `end`, and tells each minute.
pub async fn watch(weir: &Weir, end: Instant, talks: bool) -> Vec<Sample> {
    let began = Instant::now();
    let mut samples = Vec::new();
    while Instant::now() < end {
        let sample = Sample {
            at: began.elapsed(),
            origin: resident(weir.pid()).expect("the origin runs"),
            pop: weir.pop_pid().and_then(resident),
            transcoder: weir.transcoders().into_iter().filter_map(resident).max(),
        };
        if samples.len() % LOOKS_A_MINUTE == 0 {
            let mb = |bytes: Option<u64>| bytes.unwrap_or(0) / 1_000_000;
            let (origin, pop) = (mb(Some(sample.origin)), mb(sample.pop));
            encoder::say(
                talks,
                &format!("origin {origin} MB, point of presence {pop} MB"),
            );
        }
        samples.push(sample);
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
