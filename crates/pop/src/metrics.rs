//! Counters, in Prometheus's terms.

use std::{
    array,
    sync::atomic::{AtomicI64, AtomicU64},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use weir_edge_abi::Class;

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// From the cache.
    Hit,
    /// By asking the origin.
    Miss,
    /// By waiting for an answer that another request had asked for.
    Collapsed,
    /// By the origin, past the cache; or by the edge itself.
    Pass,
    /// By a refusal of the edge.
    Denied,
    /// Not at all: the origin or the guest failed.
    Error,
}

impl Outcome {
    const ALL: [Self; 6] = [
        Self::Hit,
        Self::Miss,
        Self::Collapsed,
        Self::Pass,
        Self::Denied,
        Self::Error,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Collapsed => "collapsed",
            Self::Pass => "pass",
            Self::Denied => "denied",
            Self::Error => "error",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    class: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

/// The counters of one PoP. Those of every label are made at the start, so that counting is one
/// atomic addition and that a counter reads 0 before it reads 1.
pub(crate) struct Metrics {
    requests: [[Counter; Outcome::ALL.len()]; Class::ALL.len()],
    origin_requests: [Counter; Class::ALL.len()],
    /// Calls of the guest.
    pub(crate) guest_calls: Counter,
    /// Time spent in them, in seconds.
    pub(crate) guest_seconds: Counter<f64, AtomicU64>,
    /// Calls that trapped or gave nonsense.
    pub(crate) guest_failures: Counter,
    /// Viewers' connections that are open.
    pub(crate) connections: Gauge<i64, AtomicI64>,
    /// Bytes that cached answers take.
    pub(crate) cache_bytes: Gauge<i64, AtomicI64>,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let origin_requests = Family::<ClassLabel, Counter>::default();
        let metrics = Self {
            requests: Class::ALL.map(|class| {
                Outcome::ALL.map(|outcome| {
                    let labels = RequestLabels {
                        class: class.as_str(),
                        outcome: outcome.as_str(),
                    };
                    requests.get_or_create_owned(&labels)
                })
            }),
            origin_requests: array::from_fn(|i| {
                let labels = ClassLabel {
                    class: Class::ALL[i].as_str(),
                };
                origin_requests.get_or_create_owned(&labels)
            }),
            guest_calls: Counter::default(),
            guest_seconds: Counter::default(),
            guest_failures: Counter::default(),
            connections: Gauge::default(),
            cache_bytes: Gauge::default(),
        };
        registry.register("weir_pop_requests", "Requests from viewers", requests);
        registry.register(
            "weir_pop_origin_requests",
            "Requests to the origin",
            origin_requests,
        );
        registry.register(
            "weir_pop_guest_calls",
            "Calls of the edge module",
            metrics.guest_calls.clone(),
        );
        registry.register(
            "weir_pop_guest_seconds",
            "Time spent in calls of the edge module",
            metrics.guest_seconds.clone(),
        );
        registry.register(
            "weir_pop_guest_failures",
            "Calls of the edge module that trapped or gave nonsense",
            metrics.guest_failures.clone(),
        );
        registry.register(
            "weir_pop_connections",
            "Open connections of viewers",
            metrics.connections.clone(),
        );
        registry.register(
            "weir_pop_cache_bytes",
            "Bytes that cached answers take",
            metrics.cache_bytes.clone(),
        );
        metrics
    }

    pub(crate) fn answered(&self, class: Class, outcome: Outcome) {
        self.requests[class as usize][outcome as usize].inc();
    }

    pub(crate) fn asked_origin(&self, class: Class) {
        self.origin_requests[class as usize].inc();
    }
}
