//! The self-hosted point of presence: a wasmtime host around the edge module.
//!
//! The module decides, the PoP does the work: sockets, cache, coalescing, upstream requests and
//! bodies. No media body enters the module's memory; only what viewers post, which is small, is
//! checked there.
//!
//! - [`config`]: what a PoP is told at its start
//! - [`pop`]: load, serve, drain
//! - `handler`: one request, from its head to its answer
//! - `policy`: the operator's file: keys of tokens, countries, pathways, limits
//! - `facts`: what the host knows of a request beyond what the viewer says
//! - `guest`: the edge module: its generations, instances, deadlines, memory bound
//! - [`rollout`]: new edge modules: whose are taken, what they have to prove, when they go
//! - `order`: a plan to fetch, kept past the guest call that made it
//! - [`shelf`]: the cache's rules, pure: lives, flights, what is given up for what
//! - `cache`: answers by key, in memory and on a disk, bounded in bytes
//! - `flights`: one upstream request per key at a time
//! - `growth`: bodies that are passed on while they come
//! - [`upstream`]: what is done towards origins and shields
//! - `room`: chat, reactions and presence: rooms over WebSockets
//! - `respond`: answers as they go to viewers: ranges, validators, problems
//! - `doors`: how viewers come in: HTTP/1.1, HTTP/2, HTTP/3
//! - [`operator`]: what an operator sees
//! - `trace`, `timing`: where a request has been, and where its time went
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
mod doors;
mod facts;
mod flights;
mod growth;
mod guest;
mod handler;
mod metrics;
pub mod operator;
mod order;
mod policy;
pub mod pop;
mod respond;
pub mod rollout;
mod room;
pub mod shelf;
mod timing;
mod trace;
pub mod upstream;

pub use cache::disk::OpenError as DiskCacheError;
pub use config::{Config, DiskCache, RoomConfig};
pub use doors::http3::{Http3, Http3Error};
pub use guest::InvalidModule;
pub use operator::Operator;
pub use policy::PolicyError;
pub use pop::{LoadError, Pop, Tls};
