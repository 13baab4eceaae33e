//! Chat rooms on Cloudflare: a Worker of its own behind a service binding, with Durable Objects that
//! hold each room. The rules are [`weir_edge_worker::room`]'s; here they meet sockets and storage.
//!
//! - [`frame`]: what goes over the sockets, and what the origin posts
//! - [`shard`]: which of a room's objects a viewer belongs to
//! - `worker`: the Worker's entry point (only where Cloudflare's runtime is)
//! - `object`: the Durable Object (likewise)
//!
//! Sockets that a Durable Object opens itself would keep it from hibernating, so it is the origin
//! that calls.

pub mod frame;
pub mod shard;

#[cfg(target_arch = "wasm32")]
mod object;
#[cfg(target_arch = "wasm32")]
mod worker;
