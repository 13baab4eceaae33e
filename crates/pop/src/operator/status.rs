//! How a PoP does, as it is told.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use weir_edge_abi::Class;
use weir_model::pop::{Cache, Guest, Peer, Players, Requests, Status, Upstream};

use crate::{
    Pop,
    metrics::{Bound, Metrics, Outcome, Protocol},
    upstream::{Condition, PeerStatus, Role},
};

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

    /// From now on it says that it is not ready. Who serves is to end that, and so let viewers go.
    pub fn begin_drain(&self) {
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
