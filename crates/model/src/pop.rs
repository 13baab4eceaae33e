//! How a point of presence does, as it tells its operator.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rollout;

/// How a point of presence does. All counts are since its start.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = PopHealth)]
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
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = PopRequests)]
pub struct Requests {
    /// How often each outcome came to pass: `hit`, `miss`, `collapsed`, `pass`, `denied`, `error`.
    pub outcomes: BTreeMap<String, u64>,
    /// The share (0 to 1) of cacheable requests that the origin was not asked for: those answered
    /// from the cache, and those that waited with another. None before the first one.
    pub hit_ratio: Option<f64>,
}

/// The way to the origin.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = PopUpstream)]
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
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = PopPeer)]
pub struct Peer {
    /// Its address.
    pub name: String,
    /// `origin` or `shield`.
    pub role: String,
    /// Whether it is asked: `up`, `returning` or `down`.
    pub condition: String,
}

/// Calls of the edge module.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = PopGuest)]
pub struct Guest {
    /// Calls so far.
    pub calls: u64,
    /// Those that trapped or gave nonsense.
    pub failures: u64,
    /// Microseconds that a call takes on average.
    pub mean_us: f64,
}

/// The cache.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = PopCache)]
pub struct Cache {
    /// Bytes in memory.
    pub bytes: u64,
    /// Most bytes in memory.
    pub max_bytes: u64,
}

/// What players say of themselves (CMCD).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = PopPlayers)]
pub struct Players {
    /// Requests that came with CMCD.
    pub requests: u64,
    /// Those of players whose buffer ran empty.
    pub starved: u64,
}
