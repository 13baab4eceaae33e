//! What a PoP is told at its start.

use std::{path::PathBuf, time::Duration};

use http::Uri;

/// Settings of one PoP. Every bound has a default that suits one machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of this PoP, sent to the origin as `Weir-Pop`; a few characters of `a-z0-9-`.
    pub name: String,
    /// Where the origin's viewer plane listens: scheme and authority, such as
    /// `http://127.0.0.1:9000`.
    pub origin: Uri,
    /// The edge module, a core Wasm file without imports.
    pub edge_module: PathBuf,
    /// Most bytes that cached answers may take together.
    pub cache_bytes: u64,
    /// Most bytes of one answer from the origin; a longer one is refused with 502.
    pub max_object_bytes: usize,
    /// Most viewers' connections at a time; further ones wait in the listener's backlog.
    pub max_connections: usize,
    /// How long a connection may take to send a request's head or stay idle.
    pub head_timeout: Duration,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How long a viewer may take nothing of an answer before the connection is closed.
    pub write_timeout: Duration,
    /// How long requests under way may take to finish once shutdown was asked for.
    pub drain_timeout: Duration,
}

impl Config {
    /// The defaults around the two things that have none.
    pub fn new(origin: Uri, edge_module: impl Into<PathBuf>) -> Self {
        Self {
            name: "local".to_owned(),
            origin,
            edge_module: edge_module.into(),
            cache_bytes: 512 << 20,
            max_object_bytes: 64 << 20,
            max_connections: 16_384,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(5),
        }
    }
}
