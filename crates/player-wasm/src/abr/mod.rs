//! Throughput, and the choice of a rendition.
//!
//! - [`throughput`]: what the network gives, from bursts only
//! - [`reserve`]: with a buffer to draw on, what is above a reserve is spent on quality
//! - [`plan`]: looking a few segments ahead, which decides when live or low on buffer, and whether
//!   to give up what is under way
//! - [`params`]: every number in it
//!
//! The rule is told what is the case and answers; asking twice changes nothing. `docs/abr.md`
//! explains it, and says what it came to on recorded networks.

mod params;
mod plan;
mod reserve;
mod throughput;

#[cfg(test)]
mod tests;

pub use params::Params;
pub use throughput::{Sample, Throughput};

use plan::Outlook;

/// One rendition as the choice sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rung {
    /// Bits per second, sound included: the average if it is told, else the peak.
    pub bits_per_s: f64,
    /// Whether it may be chosen now.
    pub usable: bool,
    /// Bits of the next segment, 0 if they are not known.
    pub next_bits: f64,
}

/// Where a viewer of the live edge stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Live {
    /// How far the playhead is behind the encoder, in s.
    pub latency_s: f64,
    /// How far it is meant to be, in s.
    pub target_s: f64,
}

/// What a choice is made from.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The ladder, in rising order of bitrate.
    pub rungs: &'a [Rung],
    /// The rung that a switch would be a switch from.
    pub active: usize,
    /// What is buffered ahead of the playhead, in s.
    pub buffer_s: f64,
    /// The most that will be buffered, in s: [`Abr::forward_s`], or what the target latency allows.
    pub capacity_s: f64,
    /// Length of a segment, in s.
    pub segment_s: f64,
    /// Media still to be fetched until the end, in s; infinite if there is none.
    pub left_s: f64,
    /// How fast it is played.
    pub rate: f64,
    /// Set while the live edge is followed.
    pub live: Option<Live>,
}

/// A transfer under way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Download {
    /// The rung that is fetched.
    pub rung: usize,
    /// Since the request, or since there was something to send, in ms.
    pub since_ms: f64,
    /// Since the first read, in ms; 0 before it.
    pub body_ms: f64,
    /// What has come, in bits.
    pub bits: f64,
    /// What is still to come of the segment, in bits.
    pub bits_left: f64,
}

/// The choice of a rendition.
#[derive(Clone, Debug)]
pub struct Abr {
    /// What the network gives.
    pub throughput: Throughput,
    params: &'static Params,
    wary_until: u64,
}

impl Default for Abr {
    fn default() -> Self {
        Self::new(&Params::CHOSEN)
    }
}

impl Abr {
    /// A rule that knows nothing yet.
    pub fn new(params: &'static Params) -> Self {
        Self {
            throughput: Throughput::new(params),
            params,
            wary_until: 0,
        }
    }

    /// Takes in what [`Throughput::bits_per_s`] was on an earlier visit. It counts as little as one
    /// short transfer, and for nothing once something has been measured.
    pub fn recall(&mut self, bits_per_s: f64) {
        self.throughput.recall(bits_per_s);
    }

    /// The rung to begin with.
    pub fn begin(&self, rungs: &[Rung]) -> usize {
        let budget = match self.throughput.bits_per_s() {
            Some(rate) => self.params.begin_share * rate,
            None => self.params.modest_bits_per_s,
        };
        within(rungs, budget)
            .or_else(|| rungs.iter().position(|rung| rung.usable))
            .unwrap_or(0)
    }

    /// How far ahead of the playhead to fetch a rendition of this bitrate, in s: longer where it
    /// weighs little.
    pub fn forward_s(&self, bits_per_s: f64) -> f64 {
        let affordable_s = self.params.forward_bits / bits_per_s.max(1.0);
        // Not `clamp`, whose panic would bring the formatting of floats into the module.
        affordable_s
            .max(self.params.forward_s)
            .min(self.params.forward_most_s)
    }

    /// The rung to go on with: one that is usable, or `active` if none is.
    pub fn choose(&mut self, now: u64, at: &Situation<'_>) -> usize {
        let Some(active) = nearest_usable(at.rungs, at.active) else {
            return at.active;
        };
        let lowest = at.rungs.iter().find(|rung| rung.usable);
        self.throughput
            .lowest(lowest.map_or(0.0, |rung| rung.bits_per_s));
        let Some(rate) = self.throughput.predicted() else {
            return active;
        };
        let at = &at.sound(active);
        let from_buffer = at.live.is_none() && at.buffer_s >= self.params.reserve_from_s;
        let chosen = if from_buffer {
            reserve::choose(self.params, &self.throughput, at, rate)
        } else {
            self.outlook(at, rate).best()
        };
        let wary = now < self.wary_until;
        if wary { chosen.min(active) } else { chosen }
    }

    /// Whether to stop a transfer, and which lower rung to fetch the same segment from instead.
    pub fn abandon(&self, at: &Situation<'_>, of: &Download) -> Option<usize> {
        let params = self.params;
        let rung = at.rungs.get(of.rung)?;
        let soon = of.since_ms < params.abandon_after_ms;
        if soon
            || [of.since_ms, of.body_ms, of.bits, of.bits_left]
                .iter()
                .any(|n| !n.is_finite())
        {
            return None;
        }
        // Before the first byte the wait speaks, beyond what is usual.
        let waited_ms = of.since_ms - 1000.0 * self.throughput.wait_s();
        let body_ms = if of.body_ms > 0.0 {
            of.body_ms
        } else {
            waited_ms
        };
        let known = self.throughput.bits_per_s().unwrap_or(rung.bits_per_s);
        let prior_s = params.abandon_prior_s;
        let rate = (of.bits + known * prior_s) / (body_ms.max(0.0) / 1000.0 + prior_s);
        let at = &at.sound(of.rung);
        // What comes well in time is left alone.
        if of.bits_left <= params.abandon_share * rate * at.buffer_s / at.rate {
            return None;
        }
        self.outlook(at, rate).instead_of(of)
    }

    /// Notes that playback stalled: nothing rises for a while.
    pub fn stalled(&mut self, now: u64) {
        self.wary_until = now.saturating_add(self.params.wary_ms);
    }

    fn outlook<'a>(&'a self, at: &'a Situation<'a>, rate: f64) -> Outlook<'a> {
        let params = self.params;
        let (end_s, rate, empty_share) = match at.live {
            Some(live) => {
                let doubt = params.live_caution * self.throughput.error();
                let share = (params.live_share - doubt).max(params.live_least_share);
                let end_s = params.live_end_share * live.target_s;
                (end_s, rate * share, params.live_empty_share)
            }
            None => {
                let reserve_s = reserve::seconds(params, &self.throughput, at);
                (reserve_s, rate, params.empty_share)
            }
        };
        let end_s = end_s.max(0.1);
        let fullness = (at.buffer_s / end_s).min(1.0);
        let share = empty_share + (1.0 - empty_share) * fullness;
        Outlook {
            params,
            at,
            bits_per_s: (rate * share).max(1000.0),
            wait_s: self.throughput.wait_s(),
            end_s,
            top: at.top(),
        }
    }
}

impl Situation<'_> {
    /// The same with another rung to switch from, and with numbers that can be reckoned with.
    fn sound(&self, active: usize) -> Self {
        let within = |value: f64, low: f64, high: f64| value.max(low).min(high);
        let buffer_s = within(self.buffer_s, 0.0, 3600.0);
        let live = self.live.map(|live| {
            // A clock that is wrong is so for both, and what will be buffered at the target is not.
            let above_s = within(live.latency_s - live.target_s, -60.0, 60.0);
            let kept_s = (buffer_s - above_s).max(0.1);
            let target_s = within(live.target_s, kept_s, kept_s + 2.0);
            Live {
                latency_s: target_s + above_s,
                target_s,
            }
        });
        Self {
            active,
            buffer_s,
            capacity_s: within(self.capacity_s, 0.1, 3600.0),
            segment_s: within(self.segment_s, 0.1, 60.0),
            left_s: within(self.left_s, 0.0, 1e6),
            rate: within(self.rate, 0.25, 4.0),
            live,
            ..*self
        }
    }

    /// The bitrate of the best rung.
    fn top(&self) -> f64 {
        let highest = |top: f64, rung: &Rung| top.max(rung.bits_per_s);
        self.rungs.iter().fold(1.0, highest)
    }
}

/// The highest usable rung within a budget.
fn within(rungs: &[Rung], bits_per_s: f64) -> Option<usize> {
    let fits = |rung: &Rung| rung.usable && rung.bits_per_s <= bits_per_s;
    rungs.iter().rposition(fits)
}

/// `active` if it is usable, else the next lower one that is, else the next higher one.
fn nearest_usable(rungs: &[Rung], active: usize) -> Option<usize> {
    let usable = |r: &usize| rungs[*r].usable;
    let active = active.min(rungs.len().checked_sub(1)?);
    let lower = (0..=active).rev().find(usable);
    lower.or_else(|| (active..rungs.len()).find(usable))
}
