//! What a PoP is told at its start.

use std::{path::PathBuf, time::Duration};

use http::Uri;
use tokio::sync::watch;
use weir_model::ticket::TicketKeys;

use crate::{rollout, upstream};

/// A cache on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskCache {
    /// The folder, which no other process may use; made if it is missing.
    pub folder: PathBuf,
    /// Most bytes that its files may take together.
    pub bytes: u64,
}

/// Who may open sockets of rooms, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomConfig {
    /// Most sockets at a time.
    pub max_clients: usize,
    /// Most sockets at a time from one IPv4 address, or one network of 64 bits of IPv6. Whole towns
    /// share an address at times.
    pub max_clients_per_address: usize,
    /// Origins (RFC 6454) of pages besides the PoP's own that may open sockets, such as
    /// `https://example.org`.
    pub page_origins: Vec<String>,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            max_clients: 16_384,
            max_clients_per_address: 1024,
            page_origins: Vec::new(),
        }
    }
}

/// Settings of one PoP. Every bound has a default that suits one machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of this PoP, sent on as `Weir-Pop`: 1 to 32 characters of `a-z0-9-`.
    pub name: String,
    /// Origins and shields.
    pub upstream: upstream::Settings,
    /// The edge module, a core Wasm file without imports.
    pub edge_module: PathBuf,
    /// The operator's policy, if there is one: keys of tokens, countries, pathways, limits.
    pub edge_policy: Option<PathBuf>,
    /// What session tickets are signed with, the first one of them, where the policy names no key; the
    /// latest.
    pub ticket_keys: Option<watch::Receiver<TicketKeys>>,
    /// Most bytes of memory that cached answers may take together.
    pub cache_bytes: u64,
    /// What outlives the process of them, if anything does.
    pub disk_cache: Option<DiskCache>,
    /// Most bytes of one answer from the origin; a longer one is refused with 502.
    pub max_object_bytes: usize,
    /// Most viewers' connections at a time; further ones wait in the listener's backlog.
    pub max_connections: usize,
    /// Most bytes of memory that those may keep, reckoned by their kind: HTTP/2 keeps a dozen times
    /// what plain HTTP/1.1 does. Further ones wait or are refused, and idle ones are closed sooner.
    pub connection_bytes: u64,
    /// How long a connection may take to send a request's head or stay idle.
    pub head_timeout: Duration,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How long a viewer may take nothing of an answer before the connection is closed.
    pub write_timeout: Duration,
    /// How long requests under way may take to finish once shutdown was asked for.
    pub drain_timeout: Duration,
    /// How new edge modules are taken; without it, the one above is all there is.
    pub rollout: Option<rollout::Config>,
    /// Bounds of rooms.
    pub rooms: RoomConfig,
    /// The share (0 to 1) of requests without a trace of their own that are followed through logs.
    pub trace_rate: f64,
}

impl Config {
    /// The defaults around the two things that have none: the address of an origin's viewer plane,
    /// such as `http://127.0.0.1:9000`, and the edge module.
    pub fn new(origin: Uri, edge_module: impl Into<PathBuf>) -> Self {
        Self::behind(upstream::Settings::of_origin(origin), edge_module)
    }

    /// The defaults behind these origins and shields.
    pub fn behind(upstream: upstream::Settings, edge_module: impl Into<PathBuf>) -> Self {
        Self {
            name: "local".to_owned(),
            upstream,
            edge_module: edge_module.into(),
            edge_policy: None,
            ticket_keys: None,
            cache_bytes: 512 << 20,
            disk_cache: None,
            max_object_bytes: 64 << 20,
            max_connections: 16_384,
            connection_bytes: 256 << 20,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(5),
            rollout: None,
            rooms: RoomConfig::default(),
            trace_rate: 0.001,
        }
    }
}
