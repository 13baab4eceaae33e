//! Chat rooms on Cloudflare: a Worker of its own behind a service binding, with a Durable Object
//! per room. The rules are [`weir_edge_worker::room`]'s; here they meet sockets and storage.
//!
//! - [`frame`]: what goes over the sockets, and what the origin posts
//! - `worker`: the Worker's entry point (only where Cloudflare's runtime is)
//! - `object`: the Durable Object (likewise)
//!
//! Viewers connect with `GET /rooms/{video}/socket?after={seq}`; the origin, which numbers the
//! messages, posts each with `POST /rooms/{video}/messages`. Sockets that a Durable Object opens
//! itself would keep it from hibernating, so it is the origin that calls.

pub mod frame;

#[cfg(target_arch = "wasm32")]
mod object;
#[cfg(target_arch = "wasm32")]
mod worker;
