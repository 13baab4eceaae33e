//! The edge's decisions, pure, built as one zero-import Wasm module.
//!
//! Whoever hosts the module, the PoP or Cloudflare's runtime, does the I/O; see
//! [`weir_edge_abi`] for how they talk. The module keeps nothing between calls but its
//! configuration.
//!
//! - [`mod@decide`]: from a request to a plan: which rules a path comes under
//! - [`admission`]: denied countries and playback tokens
//! - [`media`]: playlists and media under `/v/`
//! - [`api`]: the HTTP API under `/api/v1/`
//! - [`webrtc`]: sessions of WHIP and WHEP
//! - [`web`]: pages and files of the web app
//! - [`steering`]: which of several places a player is to load from
//! - [`session`]: session tickets
//! - [`limit`]: what one address may do how often
//! - [`query`]: query parameters in one spelling
//! - [`device`]: the device class behind a request
//! - [`encoding`]: the content coding that an answer is asked for in
//! - [`answer`]: answers that need nobody else, and the header fields of all others
//! - [`body`]: checking of bodies before they are sent on
//! - [`room`]: numbering, backfill and slow clients of a chat room
//! - [`abi`]: the exports of the module

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

pub mod abi;
pub mod admission;
pub mod answer;
pub mod api;
pub mod body;
pub mod decide;
pub mod device;
pub mod encoding;
pub mod limit;
pub mod media;
pub mod query;
pub mod room;
pub mod session;
pub mod steering;
pub mod web;
pub mod webrtc;

pub use body::check_body;
pub use decide::decide;
