//! When an answer is late: against what the same kind of answer took lately.

use std::time::Duration;

/// Each bucket's edge is this root of 2 above the one before.
const PER_OCTAVE: u32 = 4;
/// From 1 ms on, 15 octaves: up to half a minute.
const BUCKETS: usize = 60;
/// Answers until there is an opinion.
const ENOUGH: u32 = 50;
/// Answers after which each counts half.
const HALF_LIFE: u32 = 1000;
/// An answer is late beyond so much more than what one in 20 takes.
const SLACK: Duration = Duration::from_millis(250);

/// A running distribution of how long answers take; old ones count less and less.
#[derive(Clone, Debug)]
pub struct Lateness {
    counts: [u32; BUCKETS],
    total: u32,
}

impl Default for Lateness {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            total: 0,
        }
    }
}

impl Lateness {
    /// An answer took so long; or a request was given up after that.
    pub fn took(&mut self, time: Duration) {
        if self.total >= HALF_LIFE {
            for count in &mut self.counts {
                *count /= 2;
            }
            self.total = self.counts.iter().sum();
        }
        self.counts[bucket(time)] += 1;
        self.total += 1;
    }

    /// What the share `of` (0 to 1) of answers takes at most, to a fifth; `None` before there is
    /// enough to tell.
    pub fn quantile(&self, of: f64) -> Option<Duration> {
        if self.total < ENOUGH {
            return None;
        }
        let wanted = f64::from(self.total) * of;
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            f64::from(seen) >= wanted
        });
        Some(upper_edge(at.unwrap_or(BUCKETS - 1)))
    }

    /// After what time a second request is worth its cost: twice the 95th percentile, and at least
    /// a quarter of a second above it, so that jitter alone never causes one.
    pub fn late_after(&self) -> Option<Duration> {
        let usual = self.quantile(0.95)?;
        Some((2 * usual).max(usual + SLACK))
    }
}

fn bucket(time: Duration) -> usize {
    let ms = time.as_secs_f64() * 1000.0;
    let octaves = ms.max(1.0).log2() * f64::from(PER_OCTAVE);
    // Positive, and held at the last bucket.
    (octaves as usize).min(BUCKETS - 1)
}

fn upper_edge(bucket: usize) -> Duration {
    let octaves = (bucket + 1) as f64 / f64::from(PER_OCTAVE);
    Duration::from_secs_f64(octaves.exp2() / 1000.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn there_is_no_opinion_before_there_is_enough() {
        let mut lateness = Lateness::default();
        for _ in 0..49 {
            lateness.took(ms(5));
            assert_eq!(lateness.late_after(), None);
        }
        lateness.took(ms(5));
        assert!(lateness.late_after() > Some(ms(255)));
    }

    #[test]
    fn a_peer_that_grows_slow_is_soon_not_late_any_more() {
        let mut lateness = Lateness::default();
        for _ in 0..5000 {
            lateness.took(ms(5));
        }
        assert!(lateness.late_after() < Some(ms(260)));
        let slow = (1..).find(|_| {
            lateness.took(ms(2000));
            lateness.late_after() > Some(ms(4000))
        });
        assert!(slow < Some(100), "took {slow:?} answers");
    }

    proptest! {
        #[test]
        fn quantiles_are_near_the_true_ones(times in prop::collection::vec(1_u64..30_000, 50..400), of in 0.05_f64..0.99) {
            let mut lateness = Lateness::default();
            for &time in &times {
                lateness.took(ms(time));
            }
            let mut sorted = times;
            sorted.sort_unstable();
            let rank = ((sorted.len() as f64 * of).ceil() as usize).clamp(1, sorted.len());
            let truth = sorted[rank - 1] as f64;
            let found = lateness.quantile(of).unwrap().as_secs_f64() * 1000.0;
            prop_assert!(found >= truth * 0.999 && found <= truth * 1.2, "{found} for {truth}");
        }

        #[test]
        fn any_time_has_a_bucket(nanos in any::<u64>()) {
            Lateness::default().took(Duration::from_nanos(nanos));
        }
    }
}
