//! dash.js's ThroughputRule: the highest rung below 0.9 of the average, bounded by its
//! InsufficientBufferRule. It gives nothing up.

use super::{Rule, Transfer, View, estimate::Pair, within};

pub(super) const SAFETY: f64 = 0.9;

pub(super) struct Throughput {
    bandwidth: Pair,
}

impl Default for Throughput {
    fn default() -> Self {
        Self {
            bandwidth: Pair::new(3.0, 8.0),
        }
    }
}

/// The InsufficientBufferRule: half of what could come before the buffer is empty.
pub(super) fn bounded(view: &View<'_>, estimate: f64, chosen: usize) -> usize {
    let budget = estimate * 0.5 * view.buffer_s / view.segment_s;
    chosen.min(within(view.ladder, budget))
}

impl Rule for Throughput {
    fn begin(&mut self, view: &View<'_>) -> usize {
        within(view.ladder, 1e6)
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        match self.bandwidth.get() {
            Some(estimate) => bounded(view, estimate, within(view.ladder, SAFETY * estimate)),
            None => view.last,
        }
    }

    fn fetched(&mut self, transfer: &Transfer) {
        self.bandwidth
            .add(transfer.bits, transfer.body_s.max(0.001));
    }
}
