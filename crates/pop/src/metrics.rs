//! Counters, in Prometheus's terms.
//!
//! - `disk`: the cache on the disk
//! - `histogram`: distributions
//! - `players`: what CMCD says

mod disk;
mod histogram;
mod players;

use std::{
    array,
    sync::atomic::{AtomicI64, AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{TypedMetric, counter::Counter, family::Family, gauge::Gauge},
    registry::{Metric, Registry},
};
use weir_edge_abi::Class;

pub(crate) use self::disk::DiskMetrics;
use self::{histogram::Histogram, players::Players};

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
    pub(crate) const ALL: [Self; 6] = [
        Self::Hit,
        Self::Miss,
        Self::Collapsed,
        Self::Pass,
        Self::Denied,
        Self::Error,
    ];

    pub(crate) fn as_str(self) -> &'static str {
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

/// What a viewer's connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
    Http3,
}

impl Protocol {
    pub(crate) const ALL: [Self; 3] = [Self::Http1, Self::Http2, Self::Http3];

    /// Its name in ALPN.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
            Self::Http3 => "h3",
        }
    }
}

/// A bound that a viewer ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// More requests than the plan allows an address.
    Rate,
    /// Requests that were taken back faster than they can be meant.
    Resets,
    /// Nothing was taken of an answer for too long.
    Patience,
    /// All connections were taken.
    Connections,
}

impl Bound {
    pub(crate) const ALL: [Self; 4] = [Self::Rate, Self::Resets, Self::Patience, Self::Connections];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Resets => "resets",
            Self::Patience => "patience",
            Self::Connections => "connections",
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProtocolLabel {
    protocol: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BoundLabel {
    bound: &'static str,
}

/// Seconds until the origin's answer was there: a hit of its own cache up to a held position.
const UPSTREAM_SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

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
    connections: [Gauge<i64, AtomicI64>; Protocol::ALL.len()],
    protocol_requests: [Counter; Protocol::ALL.len()],
    bounds: [Counter; Bound::ALL.len()],
    /// Bytes of bodies that went to viewers.
    pub(crate) bytes_out: Counter,
    /// Bytes that cached answers take.
    pub(crate) cache_bytes: Gauge<i64, AtomicI64>,
    /// The cache on the disk.
    pub(crate) disk: DiskMetrics,
    upstream_seconds: Histogram,
    /// What CMCD says.
    pub(crate) players: Players,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let metrics = Self {
            requests: Class::ALL.map(|class| {
                Outcome::ALL.map(|outcome| {
                    requests.get_or_create_owned(&RequestLabels {
                        class: class.as_str(),
                        outcome: outcome.as_str(),
                    })
                })
            }),
            origin_requests: family(
                registry,
                "weir_pop_origin_requests",
                "Requests to the origin",
                |i| ClassLabel {
                    class: Class::ALL[i].as_str(),
                },
            ),
            guest_calls: one(registry, "weir_pop_guest_calls", "Calls of the edge module"),
            guest_seconds: one(
                registry,
                "weir_pop_guest_seconds",
                "Time spent in calls of the edge module",
            ),
            guest_failures: one(
                registry,
                "weir_pop_guest_failures",
                "Calls of the edge module that trapped or gave nonsense",
            ),
            connections: family(
                registry,
                "weir_pop_connections",
                "Open connections of viewers",
                protocol_label,
            ),
            protocol_requests: family(
                registry,
                "weir_pop_protocol_requests",
                "Requests from viewers by protocol",
                protocol_label,
            ),
            bounds: family(
                registry,
                "weir_pop_bounds_hit",
                "Times that a viewer ran into a bound",
                |i| BoundLabel {
                    bound: Bound::ALL[i].as_str(),
                },
            ),
            bytes_out: one(
                registry,
                "weir_pop_sent_bytes",
                "Bytes of bodies that went to viewers",
            ),
            cache_bytes: one(
                registry,
                "weir_pop_cache_bytes",
                "Bytes that cached answers take",
            ),
            disk: DiskMetrics::register(registry),
            upstream_seconds: Histogram::new(UPSTREAM_SECONDS),
            players: Players::register(registry),
        };
        registry.register("weir_pop_requests", "Requests from viewers", requests);
        registry.register(
            "weir_pop_upstream_latency_seconds",
            "Time until an answer of the origin was there, held positions included",
            metrics.upstream_seconds.clone(),
        );
        metrics
    }

    pub(crate) fn answered(&self, class: Class, outcome: Outcome) {
        self.requests[class as usize][outcome as usize].inc();
    }

    pub(crate) fn asked_origin(&self, class: Class) {
        self.origin_requests[class as usize].inc();
    }

    /// The edge module was called, for `span`.
    pub(crate) fn guest_called(&self, span: Duration) {
        self.guest_calls.inc();
        self.guest_seconds.inc_by(span.as_secs_f64());
    }

    /// Cached answers take so many bytes.
    pub(crate) fn set_cache_bytes(&self, bytes: u64) {
        self.cache_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// An answer of the origin was there after `span`.
    pub(crate) fn origin_answered(&self, span: Duration) {
        self.upstream_seconds.observe(span.as_secs_f64());
    }

    /// A request came over `protocol`.
    pub(crate) fn came_over(&self, protocol: Protocol) {
        self.protocol_requests[protocol as usize].inc();
    }

    /// A viewer ran into `bound`.
    pub(crate) fn ran_into(&self, bound: Bound) {
        self.bounds[bound as usize].inc();
    }

    /// Counts a connection until what is given back is dropped.
    pub(crate) fn connected(&self, protocol: Protocol) -> Connected {
        let gauge = self.connections[protocol as usize].clone();
        gauge.inc();
        Connected(gauge)
    }

    /// Requests so far that were answered with `outcome`.
    pub(crate) fn total(&self, outcome: Outcome) -> u64 {
        let of_class = self.requests.iter();
        of_class.map(|by| by[outcome as usize].get()).sum()
    }

    /// Requests of `class` to the origin so far.
    pub(crate) fn origin_total(&self, class: Class) -> u64 {
        self.origin_requests[class as usize].get()
    }

    /// Open connections that speak `protocol`.
    pub(crate) fn open(&self, protocol: Protocol) -> i64 {
        self.connections[protocol as usize].get()
    }

    /// Times that viewers ran into `bound`.
    pub(crate) fn bound_total(&self, bound: Bound) -> u64 {
        self.bounds[bound as usize].get()
    }

    /// Answers of the origin so far, and the seconds that half and 99% of them took at most.
    pub(crate) fn upstream(&self) -> (u64, Option<f64>, Option<f64>) {
        let seconds = &self.upstream_seconds;
        (
            seconds.count(),
            seconds.quantile(0.5),
            seconds.quantile(0.99),
        )
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub(crate) struct Connected(Gauge<i64, AtomicI64>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn protocol_label(i: usize) -> ProtocolLabel {
    ProtocolLabel {
        protocol: Protocol::ALL[i].as_str(),
    }
}

fn one<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// One metric for each of `N` labels.
fn family<L, M, const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: impl Fn(usize) -> L,
) -> [M; N]
where
    L: Clone + Eq + std::hash::Hash + std::fmt::Debug + EncodeLabelSet + Send + Sync + 'static,
    M: Metric + TypedMetric + Clone + Default,
{
    let family = Family::<L, M>::default();
    let metrics = array::from_fn(|i| family.get_or_create_owned(&label(i)));
    registry.register(name, help, family);
    metrics
}
