//! The player against an LL-HLS origin, a network and a media element on one virtual clock.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod live;
mod recording;
mod sim;
mod sound;
