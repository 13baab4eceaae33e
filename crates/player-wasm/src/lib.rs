//! The player's decisions, pure, with a wasm-bindgen adapter for browsers.
//!
//! - [`player`]: the whole: playlists, transfers, the media element and the viewer's wishes in,
//!   [`Command`]s and the next wake-up out
//! - [`clock`]: what time it is for the servers, whatever the viewer's clock says
//! - [`command`]: what the browser shim is asked to do
//! - [`playlist`]: a bounded reader of multivariant and media playlists, LL-HLS included
//! - [`mpd`]: a bounded reader of DASH manifests, in the terms of playlists
//! - [`timeline`]: what is known of one rendition: segments, parts, the live edge; delta updates
//! - [`boxes`]: what is needed of fMP4: timescale, decode time, index, codecs
//! - [`abr`]: throughput and the choice of a rendition
//! - [`latency`]: how near to the live edge to sit, and how to get there
//! - [`meter`]: startup, stalls, time watched
//! - [`outbox`]: events to report, kept until they are answered
//! - [`retry`]: when to ask again
//! - [`url`]: references resolved against the playlist they stand in
//!
//! Nothing but the adapter reads a clock or calls JavaScript, and no media body enters the linear
//! memory: the shim moves the bytes and tells how many they were. Instants are Unix milliseconds
//! from a clock that never goes back (`performance.timeOrigin + performance.now()`).
//!
//! In browsers there is no standard library: its panics and its heap alone would be a quarter of the
//! module.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

pub mod abr;
pub mod boxes;
pub mod clock;
pub mod command;
pub mod latency;
pub mod meter;
pub mod mpd;
pub mod outbox;
pub mod player;
pub mod playlist;
pub mod retry;
pub mod timeline;
pub mod url;

#[cfg(target_arch = "wasm32")]
mod heap;
#[cfg(target_arch = "wasm32")]
mod web;

pub use command::{Body, Command, RequestId, TrackKind};
pub use player::{Config, Failure, Observation, Phase, Player, Sound, Transfer};
