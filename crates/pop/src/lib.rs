//! The self-hosted point of presence: a wasmtime host around the edge module.
//!
//! The module decides, the PoP does the work: sockets, cache, coalescing, upstream requests and
//! bodies. No media body enters the module's memory; only what viewers post, which is small, is
//! checked there.
//!
//! - [`config`]: what a PoP is told at its start
//! - [`pop`]: load, serve, drain
//! - `handler`: one request, from its head to its answer
//! - `guest`: the edge module: instances, deadlines, memory bound
//! - `order`: a plan to fetch, kept past the guest call that made it
//! - `cache`: answers by target, bounded in bytes
//! - `flights`: one upstream request per target at a time
//! - `growth`: bodies that are passed on while they come
//! - `origin`: the client towards the origin
//! - `respond`: answers as they go to viewers: ranges, validators, problems
//! - `patience`: sockets of viewers who read too slowly
//! - `metrics`: counters, in Prometheus's terms
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut registry = prometheus_client::registry::Registry::default();
//! let origin = "http://127.0.0.1:9000".parse()?;
//! let pop = weir_pop::Pop::load(weir_pop::Config::new(origin, "edge.wasm"), &mut registry)?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! pop.serve(listener, None, async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await;
//! # Ok(())
//! # }
//! ```

mod cache;
pub mod config;
mod flights;
mod growth;
mod guest;
mod handler;
mod metrics;
mod order;
mod origin;
mod patience;
pub mod pop;
mod respond;

pub use config::Config;
pub use guest::InvalidModule;
pub use pop::{LoadError, Pop};
