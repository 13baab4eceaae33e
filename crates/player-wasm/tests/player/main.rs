//! The player against an LL-HLS origin, a network and a media element on one virtual clock.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod coding;
mod decoding;
mod live;
mod network;
mod playlists;
mod recording;
mod sim;
mod sleep;
mod sound;
mod speed;
mod watching;
