//! What of roll-outs `/metrics` shows.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use crate::guest::{Share, Tally};

/// Counters of one point of presence.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) refused: Counter,
    pub(crate) adopted: Counter,
    pub(crate) rolled_back: Counter,
    calls: Counter,
    failures: Counter,
    share: Gauge<f64, AtomicU64>,
}

impl Counters {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let counters = Self::default();
        for (name, help, counter) in [
            (
                "weir_pop_edge_modules_refused",
                "Edge modules that were not let in",
                &counters.refused,
            ),
            (
                "weir_pop_edge_modules_adopted",
                "Edge modules that became the stable one",
                &counters.adopted,
            ),
            (
                "weir_pop_edge_modules_rolled_back",
                "Edge modules that were worse than the stable one",
                &counters.rolled_back,
            ),
            (
                "weir_pop_edge_candidate_calls",
                "Calls of edge modules on trial",
                &counters.calls,
            ),
            (
                "weir_pop_edge_candidate_failures",
                "Calls of edge modules on trial that failed and were answered by the stable one",
                &counters.failures,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "weir_pop_edge_candidate_share",
            "Part of the videos that the edge module on trial decides for, 0 to 1",
            counters.share.clone(),
        );
        counters
    }

    /// Adds what was counted of a candidate.
    pub(crate) fn add(&self, tally: &Tally) {
        self.calls.inc_by(tally.calls);
        self.failures.inc_by(tally.failures);
    }

    /// Shows a candidate's share; `None` without one.
    pub(crate) fn show(&self, share: Option<Share>) {
        let share = share.map_or(0, Share::ten_thousandths);
        self.share
            .set(f64::from(share) / f64::from(Share::ALL.ten_thousandths()));
    }
}
