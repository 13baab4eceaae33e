//! Shaka Player 4 with its defaults: `simple_abr_manager.js`, and what its streaming engine gives
//! up for a switch.
//!
//! Progress is sampled while it comes. A variant is taken if it is below 0.95 of the estimate and
//! the next one is above 0.85 of it; nothing is chosen again within 8 s. On a switch the request
//! under way is given up if more is left of it than the new segment has.

use super::{Progress, Rule, Transfer, View, estimate::Pair};

const DEFAULT: f64 = 1e6;
const UPGRADE: f64 = 0.85;
const DOWNGRADE: f64 = 0.95;
const INTERVAL_S: f64 = 8.0;
const MIN_BITS: f64 = 16e3 * 8.0;
const MIN_TOTAL_BITS: f64 = 128e3 * 8.0;

pub(super) struct Shaka {
    bandwidth: Pair,
    seen: f64,
    chosen_at_s: Option<f64>,
    /// Bits and time of this request that were sampled on the way.
    sampled: (f64, f64),
}

impl Default for Shaka {
    fn default() -> Self {
        Self {
            bandwidth: Pair::new(2.0, 5.0),
            seen: 0.0,
            chosen_at_s: None,
            sampled: (0.0, 0.0),
        }
    }
}

impl Shaka {
    fn sample(&mut self, bits: f64, seconds: f64) {
        if bits >= MIN_BITS {
            self.bandwidth.add(bits, seconds.max(0.001));
            self.seen += bits;
        }
    }

    fn estimate(&self) -> f64 {
        let enough = self.seen >= MIN_TOTAL_BITS;
        self.bandwidth.get().filter(|_| enough).unwrap_or(DEFAULT)
    }

    fn fitting(&self, view: &View<'_>) -> usize {
        let estimate = self.estimate() / view.rate.max(1.0);
        let mut chosen = 0;
        for (r, rate) in view.ladder.iter().enumerate() {
            let next = view
                .ladder
                .get(r + 1)
                .map_or(f64::INFINITY, |next| next / UPGRADE);
            if (rate / DOWNGRADE..=next).contains(&estimate) {
                chosen = r;
            }
        }
        chosen
    }

    fn may_choose(&self, now_s: f64) -> bool {
        self.seen >= MIN_TOTAL_BITS && self.chosen_at_s.is_none_or(|at| now_s - at >= INTERVAL_S)
    }
}

impl Rule for Shaka {
    fn begin(&mut self, view: &View<'_>) -> usize {
        self.fitting(view)
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        if !self.may_choose(view.now_s) {
            return view.last;
        }
        self.chosen_at_s = Some(view.now_s);
        self.fitting(view)
    }

    fn fetched(&mut self, transfer: &Transfer) {
        let (bits, seconds) = std::mem::take(&mut self.sampled);
        // The first sample of a request is from its sending on.
        let took = transfer.body_s
            + if transfer.live_s.is_none() {
                transfer.wait_s
            } else {
                0.0
            };
        self.sample(transfer.bits - bits, took - seconds);
    }

    fn abandon(&mut self, view: &View<'_>, progress: &Progress) -> Option<usize> {
        let (bits, seconds) = self.sampled;
        if progress.bits - bits >= MIN_BITS {
            self.sample(progress.bits - bits, progress.since_s - seconds);
            self.sampled = (progress.bits, progress.since_s);
        }
        if !self.may_choose(view.now_s) {
            return None;
        }
        let chosen = self.fitting(view);
        let smaller = view.ladder[chosen] * progress.media_s < progress.total - progress.bits;
        if chosen == progress.rung || !smaller {
            return None;
        }
        self.chosen_at_s = Some(view.now_s);
        Some(chosen)
    }
}
