//! The transcoder on sources that ffmpeg coded: as a library ([`ladder`]) and as the origin runs
//! it ([`child`]).

// A helper that fails, fails its test.
#![allow(clippy::unwrap_used)]

mod child;
mod ladder;
mod support;
