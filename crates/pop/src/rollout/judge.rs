//! Whether a candidate goes on, becomes stable, or goes.
//!
//! The judge hears what was counted of it ([`Tally`]) and rules; it reads no clock. A candidate
//! takes its steps one after the other, each for at least the dwell time, and goes as soon as it
//! is worse than the stable generation beyond doubt. Rates are compared by the bounds between
//! which they lie with near certainty, so that a handful of unlucky calls proves nothing, while
//! a candidate that always fails is gone after three.

use std::time::{Duration, Instant};

use thiserror::Error;

use crate::guest::{Share, Tally};

/// How often the judge is to be asked.
const INTERVAL: Duration = Duration::from_millis(500);
/// The shares that a candidate gets, one after the other.
const STEPS: [Share; 3] = [Share::percent(1), Share::percent(10), Share::ALL];
/// How many dwell times a step takes where there are too few calls to judge by.
const PATIENCE: u32 = 5;
/// Fewest bad calls that say anything.
const FEWEST: u64 = 3;
/// Standard deviations on either side of a rate: one in a thousand lies outside.
const DEVIATIONS: f64 = 3.3;

/// Failed calls that are put up with: one in ten thousand.
const FAILURES: f64 = 0.0001;
/// Answers of 400 and above that the stable generation would not have caused.
const ERRORS: f64 = 0.01;
/// Viewers turned away whom the stable generation would have served.
const REFUSALS: f64 = 0.01;
/// By how much slower calls may outnumber faster ones, as a part of all.
const SLOWER: f64 = 0.05;

/// The pace of a roll-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Least time on each step.
    pub dwell: Duration,
    /// Calls that a step takes; if they do not come, it takes five dwell times.
    pub samples: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            dwell: Duration::from_secs(60),
            samples: 500,
        }
    }
}

/// Why a candidate was rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Worse {
    #[error("{0} of {1} calls failed where the module before answered")]
    Fails(u64, u64),
    #[error("{0} of {1} requests got an error that the module before would have avoided")]
    Errs(u64, u64),
    #[error("{0} of {1} viewers were turned away whom the module before would have served")]
    Refuses(u64, u64),
    #[error("{0} of {1} calls took more than twice as long as by the module before")]
    Slow(u64, u64),
}

/// What is to become of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It decides for this share until the judge is asked again, at `next` or before.
    Goes { share: Share, next: Instant },
    /// It becomes the stable generation.
    Wins,
    /// It goes.
    Loses(Worse),
}

/// The judge of one candidate.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pace: Pace,
    step: usize,
    since: Instant,
    /// Of this step.
    heard: Tally,
    /// Of those before.
    before: Tally,
}

impl Judge {
    /// The share to begin with.
    pub(crate) const FIRST: Share = STEPS[0];

    /// Of a candidate that begins `now`.
    pub(crate) fn new(pace: Pace, now: Instant) -> Self {
        Self {
            pace,
            step: 0,
            since: now,
            heard: Tally::default(),
            before: Tally::default(),
        }
    }

    /// Takes in what was counted since it last heard.
    pub(crate) fn hear(&mut self, tally: Tally) {
        self.heard += tally;
    }

    /// All that it has heard.
    pub(crate) fn heard(&self) -> Tally {
        let mut all = self.before;
        all += self.heard;
        all
    }

    /// Rules. To be asked again at the time that is told, and whenever a call fails.
    pub(crate) fn rule(&mut self, now: Instant) -> Ruling {
        // What shows on one step only, as what is seen often enough over all of them, is enough.
        if let Some(worse) = worse(&self.heard).or_else(|| worse(&self.heard())) {
            return Ruling::Loses(worse);
        }
        let spent = now.saturating_duration_since(self.since);
        let seen_enough = self.heard.calls >= self.pace.samples && spent >= self.least();
        if seen_enough || spent >= self.least() + self.pace.dwell * (PATIENCE - 1) {
            if self.step + 1 == STEPS.len() {
                return Ruling::Wins;
            }
            self.step += 1;
            self.since = now;
            self.before = self.heard();
            self.heard = Tally::default();
        }
        Ruling::Goes {
            share: self.share(now),
            next: now + INTERVAL,
        }
    }

    /// The last step gives the candidate one video after the other, so that what has to be fetched
    /// anew for them does not come at once.
    fn share(&self, now: Instant) -> Share {
        let share = STEPS[self.step];
        if self.step + 1 < STEPS.len() {
            return share;
        }
        let spent = now.saturating_duration_since(self.since);
        let done = spent.as_secs_f64() / self.spread().as_secs_f64();
        STEPS[self.step - 1].towards(share, done)
    }

    fn spread(&self) -> Duration {
        (self.pace.dwell / 2).max(Duration::from_millis(1))
    }

    fn least(&self) -> Duration {
        match self.step + 1 < STEPS.len() {
            true => self.pace.dwell,
            false => self.pace.dwell + self.spread(),
        }
    }
}

/// What of a tally is worse beyond doubt.
fn worse(tally: &Tally) -> Option<Worse> {
    let (calls, timed) = (tally.calls, tally.timed);
    let exceeds = |bad: u64, of: u64, borne: f64| bad >= FEWEST && bounds(bad, of).0 > borne;
    if exceeds(tally.failures, calls, FAILURES) {
        return Some(Worse::Fails(tally.failures, calls));
    }
    if exceeds(tally.errors, calls, ERRORS) {
        return Some(Worse::Errs(tally.errors, calls));
    }
    if exceeds(tally.refusals, calls, REFUSALS) {
        return Some(Worse::Refuses(tally.refusals, calls));
    }
    let faster = bounds(tally.faster, timed).1;
    exceeds(tally.slower, timed, faster + SLOWER).then_some(Worse::Slow(tally.slower, timed))
}

/// Wilson's score interval of a rate of which `hits` of `all` were seen: between what it lies.
fn bounds(hits: u64, all: u64) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    // An answer may be counted after its step, so there may be more of them than calls.
    let (n, z) = (all as f64, DEVIATIONS);
    let rate = (hits as f64 / n).min(1.0);
    let scale = 1.0 + z * z / n;
    let middle = (rate + z * z / (2.0 * n)) / scale;
    let half = z * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt() / scale;
    (middle - half, middle + half)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
