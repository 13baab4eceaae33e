//! How a point of presence does, as it is told.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use serde::{Deserialize, Serialize};
use weir_edge_abi::Class;
use weir_model::rollout;

use crate::{
    Pop,
    metrics::{Bound, Metrics, Outcome, Protocol},
    upstream::{Condition, PeerStatus, Role},
};

/// How a PoP does. All counts are since its start.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Status {
    /// What the origin knows it by.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Seconds since its start.
    pub uptime_s: u64,
    /// Whether it lets nobody in any more.
    pub draining: bool,
    /// Open connections, by protocol (`http/1.1`, `h2`, `h3`).
    pub connections: BTreeMap<String, i64>,
    /// Requests from viewers.
    pub requests: Requests,
    /// Requests to the origin, by class.
    pub origin_requests: BTreeMap<String, u64>,
    /// The way to the origin.
    pub upstream: Upstream,
    /// Calls of the edge module.
    pub guest: Guest,
    /// Which edge modules decide, and how the newest roll-out goes.
    pub edge_modules: rollout::Status,
    /// The cache.
    pub cache: Cache,
    /// What players say of themselves.
    pub players: Players,
    /// Times that viewers ran into a bound, by bound.
    pub bounds_hit: BTreeMap<String, u64>,
    /// Bytes of bodies that went to viewers.
    pub sent_bytes: u64,
}

/// Requests from viewers.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Requests {
    /// How often each outcome came to pass: `hit`, `miss`, `collapsed`, `pass`, `denied`, `error`.
    pub outcomes: BTreeMap<String, u64>,
    /// The share (0 to 1) of cacheable requests that the origin was not asked for: those answered
    /// from the cache, and those that waited with another. None before the first one.
    pub hit_ratio: Option<f64>,
}

/// The way to the origin.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Upstream {
    /// Answers so far.
    pub answers: u64,
    /// Half of them took at most so long, in seconds, held positions included; to the bounds of
    /// the histogram.
    pub median_s: Option<f64>,
    /// 99% of them did.
    pub p99_s: Option<f64>,
    /// Origins and shields, shields first.
    pub peers: Vec<Peer>,
}

/// An origin or a shield.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Peer {
    /// Its address.
    pub name: String,
    /// `origin` or `shield`.
    pub role: String,
    /// Whether it is asked: `up`, `returning` or `down`.
    pub condition: String,
}

/// Calls of the edge module.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Guest {
    /// Calls so far.
    pub calls: u64,
    /// Those that trapped or gave nonsense.
    pub failures: u64,
    /// Microseconds that a call takes on average.
    pub mean_us: f64,
}

/// The cache.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Cache {
    /// Bytes in memory.
    pub bytes: u64,
    /// Most bytes in memory.
    pub max_bytes: u64,
}

/// What players say of themselves (CMCD).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Players {
    /// Requests that came with CMCD.
    pub requests: u64,
    /// Those of players whose buffer ran empty.
    pub starved: u64,
}

impl Pop {
    /// How it does.
    pub fn status(&self) -> Status {
        let metrics = &self.handler.metrics;
        let (answers, median_s, p99_s) = metrics.upstream();
        let (requests, starved) = metrics.players.totals();
        let (calls, seconds) = (metrics.guest_calls.get(), metrics.guest_seconds.get());
        Status {
            name: self.config.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.began.elapsed().as_secs(),
            draining: self.is_draining(),
            connections: named(Protocol::ALL.map(|p| (p.as_str(), metrics.open(p)))),
            requests: requests_of(metrics),
            origin_requests: named(Class::ALL.map(|c| (c.as_str(), metrics.origin_total(c)))),
            upstream: Upstream {
                answers,
                median_s,
                p99_s,
                peers: self.peers(),
            },
            guest: Guest {
                calls,
                failures: metrics.guest_failures.get(),
                mean_us: match calls {
                    0 => 0.0,
                    calls => seconds * 1e6 / calls as f64,
                },
            },
            edge_modules: self.rollouts.status(),
            cache: Cache {
                bytes: metrics.cache_bytes.get().unsigned_abs(),
                max_bytes: self.config.cache_bytes,
            },
            players: Players { requests, starved },
            bounds_hit: named(Bound::ALL.map(|b| (b.as_str(), metrics.bound_total(b)))),
            sent_bytes: metrics.bytes_out.get(),
        }
    }

    fn peers(&self) -> Vec<Peer> {
        let peers = self.handler.upstream.status().into_iter();
        let named = |peer: PeerStatus| Peer {
            name: peer.name,
            role: match peer.role {
                Role::Shield => "shield",
                Role::Origin => "origin",
            }
            .to_owned(),
            condition: match peer.condition {
                Condition::Up => "up",
                Condition::Returning => "returning",
                Condition::Down => "down",
            }
            .to_owned(),
        };
        peers.map(named).collect()
    }

    /// From now on it says that it is not ready.
    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, Relaxed);
    }
}

fn requests_of(metrics: &Metrics) -> Requests {
    let count = |outcome| metrics.total(outcome);
    let spared = count(Outcome::Hit) + count(Outcome::Collapsed);
    let cacheable = spared + count(Outcome::Miss);
    Requests {
        outcomes: named(Outcome::ALL.map(|o| (o.as_str(), count(o)))),
        hit_ratio: (cacheable > 0).then(|| spared as f64 / cacheable as f64),
    }
}

fn named<V>(pairs: impl IntoIterator<Item = (&'static str, V)>) -> BTreeMap<String, V> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
