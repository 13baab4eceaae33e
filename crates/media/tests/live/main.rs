//! One live video on a virtual clock: synthetic encoders push through `Live`, a synthetic
//! transcoder answers, and viewers look at every state of every playlist.
//!
//! - `encoder`: pictures and sound with the timing of real encoders
//! - `world`: the clock, the events, and what `Live` asks for
//! - `transcoder`: a child that makes up what it answers
//! - `viewer`: reads each playlist and remembers what it saw; most invariants live here
//! - `playlist`: a playlist reader of its own, so that the writer is not its own judge
//! - `absence`, `steady`, `trouble`, `positions`, `shed`, `sound`, `tracks`:
//!   the tests

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

mod absence;
mod encoder;
mod playlist;
mod positions;
mod shed;
mod sound;
mod steady;
mod tracks;
mod transcoder;
mod trouble;
mod viewer;
mod world;
