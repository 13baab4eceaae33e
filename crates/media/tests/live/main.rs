//! One live video on a virtual clock: synthetic encoders push through `Live`, a synthetic
//! transcoder answers, and viewers look at every state of every playlist.
//!
//! - `encoder`: pictures and sound with the timing of real encoders
//! - `world`: the clock, the events, and what `Live` asks for
//! - `viewer`: reads each playlist and remembers what it saw; most invariants live here
//! - `playlist`: a playlist reader of its own, so that the writer is not its own judge
//! - `steady`, `trouble`, `positions`, `shed`: the tests

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

mod encoder;
mod playlist;
mod positions;
mod shed;
mod steady;
mod trouble;
mod viewer;
mod world;
