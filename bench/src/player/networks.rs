//! The links that players are watched over.

use std::path::Path;

use anyhow::{Context, Result};

use crate::abr::trace::{self, Trace};

/// What is watched, and over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Case {
    /// A film over 4 Mbit/s.
    Steady,
    /// A film over 4, then 0.9, then 4 Mbit/s, a third of the time each.
    Step,
    /// A film over 3G as it was recorded.
    Hsdpa,
    /// A film over LTE as it was recorded.
    Lte,
    /// A film over a link that loses packets: its rate saws, now and then it stands still.
    Jitter,
    /// A low-latency broadcast over 20 Mbit/s.
    Live,
    /// The broadcast for minutes, with our player alone: what memory it takes.
    Memory,
}

impl Case {
    /// Those that are side by side.
    pub(crate) const SIDE_BY_SIDE: [Self; 6] = [
        Self::Steady,
        Self::Step,
        Self::Hsdpa,
        Self::Lte,
        Self::Jitter,
        Self::Live,
    ];

    /// As it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Step => "step",
            Self::Hsdpa => "HSDPA",
            Self::Lte => "LTE",
            Self::Jitter => "jitter",
            Self::Live => "live",
            Self::Memory => "memory",
        }
    }

    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Live | Self::Memory)
    }

    /// The family of traces that it takes.
    fn family(self) -> Option<&'static str> {
        match self {
            Self::Hsdpa => Some("hsdpa_3g"),
            Self::Lte => Some("nyu_lte"),
            _ => None,
        }
    }
}

/// After so many runs a family's traces come round again.
const SPREAD: usize = 5;

/// The link of a case's run, the same for every player; none where recorded traces are not at hand.
/// Every run is over another of these, spread over the half of their family that no parameter of our
/// player was chosen on.
pub(crate) fn link(
    case: Case,
    run: usize,
    seconds: u64,
    traces: Option<&Path>,
) -> Result<Option<Trace>> {
    let ms = seconds * 1000;
    let rows = match case {
        Case::Steady => vec![(ms, 4000, 40)],
        Case::Step => vec![(ms / 3, 4000, 40), (ms / 3, 900, 40), (ms, 4000, 40)],
        Case::Jitter => jitter(ms, run),
        Case::Live | Case::Memory => vec![(ms, 20_000, 20)],
        Case::Hsdpa | Case::Lte => {
            let (Some(folder), Some(family)) = (traces, case.family()) else {
                return Ok(None);
            };
            let inner = folder.join("traces");
            let folder = if inner.is_dir() {
                inner
            } else {
                folder.to_path_buf()
            };
            let of_family = trace::read(&folder.join(family))
                .with_context(|| format!("read the traces of {}", case.name()))?;
            let held_out: Vec<Trace> = of_family.into_iter().skip(1).step_by(2).collect();
            let at = (2 * (run % SPREAD) + 1) * held_out.len() / (2 * SPREAD);
            return Ok(held_out.get(at).cloned());
        }
    };
    let rows: String = rows
        .into_iter()
        .map(|(ms, kbps, latency_ms)| format!("{ms},{kbps},{latency_ms}\n"))
        .collect();
    let text = format!("duration_ms,bandwidth_kbps,latency_ms\n{rows}");
    Trace::parse("made", case.name(), &text).map(Some)
}

const STEP_MS: u64 = 100;
const MOST_KBPS: f64 = 6000.0;

/// What TCP makes of losses: a rate that grows evenly and is halved at a loss, one loss in ten noticed only
/// by a timer. The answer to a request takes 40 ms and, with what is sent again, up to 160 ms.
fn jitter(ms: u64, run: usize) -> Vec<(u64, u64, u64)> {
    let mut random = fastrand::Rng::with_seed(0x6a17 + run as u64);
    let (mut kbps, mut silent_ms, mut rows) = (MOST_KBPS / 2.0, 0_u64, Vec::new());
    for _ in 0..ms.div_ceil(STEP_MS) {
        kbps = (kbps + 60.0).min(MOST_KBPS);
        if random.f64() < 0.04 {
            kbps = (kbps / 2.0).max(300.0);
            silent_ms = if random.f64() < 0.1 { 600 } else { 0 };
        }
        let latency_ms = 40
            + if random.f64() < 0.2 {
                random.u64(20..120)
            } else {
                0
            };
        rows.push((
            STEP_MS,
            if silent_ms > 0 { 0 } else { kbps as u64 },
            latency_ms,
        ));
        silent_ms = silent_ms.saturating_sub(STEP_MS);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_third_of_the_time() {
        let link = link(Case::Step, 0, 60, None).unwrap().unwrap();
        let kbit = |from: f64, to: f64| (link.bits_by(to) - link.bits_by(from)) / 1000.0;
        assert_eq!(kbit(0.0, 20.0).round(), 80_000.0);
        assert_eq!(kbit(20.0, 40.0).round(), 18_000.0);
        assert_eq!(kbit(40.0, 60.0).round(), 80_000.0);
    }

    #[test]
    fn jitter_is_the_same_for_everyone_and_another_in_each_run() {
        assert_eq!(jitter(60_000, 1), jitter(60_000, 1));
        assert_ne!(jitter(60_000, 1), jitter(60_000, 2));
        for run in 0..20 {
            let rows = jitter(60_000, run);
            let kbps: u64 = rows.iter().map(|(_, kbps, _)| kbps).sum::<u64>() / rows.len() as u64;
            assert!((1500..5500).contains(&kbps), "{kbps}");
        }
    }

    #[test]
    fn without_traces_their_cases_are_left_out() {
        assert!(link(Case::Lte, 0, 60, None).unwrap().is_none());
    }
}
