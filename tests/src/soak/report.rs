//! What came of a soak, as Markdown.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{Failure, Watched, memory::Sample, viewer::View};

/// What came of a soak.
#[derive(Clone, Debug)]
pub struct Report {
    /// How long it was.
    pub length: Duration,
    /// From a failure to the next of the same kind.
    pub round: Duration,
    /// How the encoder failed, in order.
    pub failures: Vec<Failure>,
    /// How many transcoders were killed.
    pub transcoder_deaths: u32,
    /// What the viewers saw.
    pub views: Vec<View>,
    /// What must never happen, and did.
    pub violations: Vec<String>,
    /// What the browser saw, if one watched.
    pub watched: Option<Watched>,
    /// What the processes held.
    pub samples: Vec<Sample>,
}

/// The first minutes fill the live window and the caches.
const WARM: Duration = Duration::from_secs(180);

impl Report {
    /// What `of` a sample was at most, in the first round of failures after the first three minutes and
    /// in the last round, in bytes. What is held depends on the film, which failures exchange: so a round
    /// is compared with a round, by its highest minute (a median, lest a moment's peak decides). None if
    /// the two rounds would overlap.
    pub fn memory(&self, of: impl Fn(&Sample) -> Option<u64>) -> Option<(u64, u64)> {
        let end = self.samples.last()?.at;
        let last = end.checked_sub(self.round)?;
        let highest = |from: Duration| {
            let mut minutes: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            for sample in &self.samples {
                let within = sample.at >= from && sample.at < from + self.round;
                if let Some(held) = of(sample).filter(|_| within) {
                    minutes
                        .entry(sample.at.as_secs() / 60)
                        .or_default()
                        .push(held);
                }
            }
            let medians = minutes.into_values().filter_map(|mut held| {
                held.sort_unstable();
                held.get(held.len() / 2).copied()
            });
            medians.max()
        };
        (last >= WARM + self.round).then(|| highest(WARM).zip(highest(last)))?
    }

    /// The most that a transcoder held, in bytes.
    pub fn transcoder_memory(&self) -> u64 {
        let held = self.samples.iter().filter_map(|sample| sample.transcoder);
        held.max().unwrap_or(0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut failed: BTreeMap<String, u32> = BTreeMap::new();
        for failure in &self.failures {
            *failed.entry(format!("{failure:?}")).or_default() += 1;
        }
        let failed: Vec<String> = failed
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        writeln!(f, "| | |\n| --- | --- |")?;
        writeln!(
            f,
            "| length | {:.1} min |",
            self.length.as_secs_f64() / 60.0
        )?;
        writeln!(
            f,
            "| the encoder failed | {} times: {} |",
            self.failures.len(),
            failed.join(", ")
        )?;
        writeln!(f, "| transcoders killed | {} |", self.transcoder_deaths)?;
        let origin = self.memory(|sample| Some(sample.origin));
        let pop = self.memory(|sample| sample.pop);
        for (name, held) in [("origin", origin), ("point of presence", pop)] {
            let Some((early, late)) = held else {
                continue;
            };
            let (early, late) = (early as f64 / 1e6, late as f64 / 1e6);
            let more = (late / early - 1.0) * 100.0;
            writeln!(
                f,
                "| memory of the {name}, highest minute of the first round and of the last | {early:.1} MB, {late:.1} MB ({more:+.1}%) |"
            )?;
        }
        let transcoder = self.transcoder_memory() as f64 / 1e6;
        writeln!(f, "| a transcoder's memory at most | {transcoder:.0} MB |")?;
        if let Some(watched) = &self.watched {
            writeln!(
                f,
                "| the player in Chromium | {:.0} s played, {} stalls, {:.1} s the longest, {} errors |",
                watched.played_seconds,
                watched.stalls,
                watched.longest_still_seconds,
                watched.errors.len(),
            )?;
        }
        writeln!(
            f,
            "| what must never happen | {} times |",
            self.violations.len()
        )?;
        writeln!(
            f,
            "\n| rendition | segments | GAPs | MB | longest wait for a segment |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- |")?;
        for view in &self.views {
            writeln!(
                f,
                "| {} | {} | {} | {:.1} | {:.1} s |",
                view.rendition,
                view.segments,
                view.gaps,
                view.bytes as f64 / 1e6,
                view.longest_wait.as_secs_f64(),
            )?;
        }
        for violation in &self.violations {
            writeln!(f, "\n- {violation}")?;
        }
        if let Some(watched) = &self.watched {
            for error in &watched.errors {
                writeln!(f, "\n- player: {error}")?;
            }
        }
        Ok(())
    }
}
