//! What is counted of peers, in Prometheus's terms.

use std::{
    sync::atomic::{AtomicI64, AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{Condition, Member, PeerId, PeerStatus, Role};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerLabels {
    peer: String,
    role: &'static str,
}

/// Counters of the way upstream.
pub(super) struct Tally {
    /// Requests that were repeated.
    pub(super) retries: Counter,
    /// Second requests for what was late.
    pub(super) hedges: Counter,
    /// Those that answered first.
    pub(super) hedges_won: Counter,
    peers: Vec<OfPeer>,
}

struct OfPeer {
    answers: Counter,
    seconds: Counter<f64, AtomicU64>,
    up: Gauge<i64, AtomicI64>,
}

impl Tally {
    pub(super) fn register(registry: &mut Registry, members: &[Member]) -> Self {
        let answers = Family::<PeerLabels, Counter>::default();
        let seconds = Family::<PeerLabels, Counter<f64, AtomicU64>>::default();
        let up = Family::<PeerLabels, Gauge<i64, AtomicI64>>::default();
        let of_peer = |member: &Member| {
            let labels = PeerLabels {
                peer: member.name.clone(),
                role: match member.role {
                    Role::Shield => "shield",
                    Role::Origin => "origin",
                },
            };
            let up = up.get_or_create_owned(&labels);
            up.set(1);
            OfPeer {
                answers: answers.get_or_create_owned(&labels),
                seconds: seconds.get_or_create_owned(&labels),
                up,
            }
        };
        let tally = Self {
            retries: Counter::default(),
            hedges: Counter::default(),
            hedges_won: Counter::default(),
            peers: members.iter().map(of_peer).collect(),
        };
        for (name, help, counter) in [
            (
                "weir_pop_upstream_retries",
                "Requests to peers that were repeated",
                &tally.retries,
            ),
            (
                "weir_pop_upstream_hedges",
                "Second requests for what was late",
                &tally.hedges,
            ),
            (
                "weir_pop_upstream_hedges_won",
                "Those that answered first",
                &tally.hedges_won,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "weir_pop_peer_answers",
            "Answers of an origin or a shield",
            answers,
        );
        registry.register(
            "weir_pop_peer_seconds",
            "Time until its answers were whole, waiting for positions included",
            seconds,
        );
        registry.register(
            "weir_pop_peer_up",
            "Whether an origin or a shield is asked",
            up,
        );
        tally
    }

    pub(super) fn answered(&self, peer: PeerId, after: Duration) {
        if let Some(peer) = self.peers.get(peer) {
            peer.answers.inc();
            peer.seconds.inc_by(after.as_secs_f64());
        }
    }

    pub(super) fn conditions(&self, status: &[PeerStatus]) {
        for (peer, status) in self.peers.iter().zip(status) {
            peer.up.set(i64::from(status.condition != Condition::Down));
        }
    }
}
