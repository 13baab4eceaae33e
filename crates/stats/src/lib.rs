//! Statistics without I/O: what an event is, when it counts, and what it adds up to.
//!
//! A batch of events from a player becomes a [`block::Block`] in a durable log, and the log is
//! folded into rollups. Every number is a function of the log alone, so folding it again gives
//! the same numbers bit for bit.
//!
//! - [`schema`]: the types of events, with their units and bounds, as a table
//! - [`batch`]: the JSON of a batch, and the fate of each event in it
//! - [`block`]: the accepted events of a batch, packed for the log
//! - [`seqs`]: which sequence numbers were seen, as a sliding bitmap
//! - [`viewer`]: what one session has done with one video, and what of it counts
//! - [`rollup`]: counts and sums by minute, hour and day
//! - [`fold`]: from blocks to changes of rollups and viewers
//! - [`query`]: a question about a range, snapped to what is kept, and its answer
//!
//! Times are Unix milliseconds. Nothing here reads a clock: `now` and the time of receipt are
//! arguments, and everything builds for Wasm.

pub mod batch;
pub mod block;
pub mod fold;
pub mod query;
pub mod rollup;
pub mod schema;
pub mod seqs;
pub mod viewer;
