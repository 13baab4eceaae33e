//! Statistics without I/O: what an event is, when it counts, and what it adds up to.
//!
//! A batch of events from a player becomes a [`block::Block`] in a durable log, and the log is
//! folded into rollups. Every number is a function of the log alone, so folding it again gives
//! the same numbers bit for bit.
//!
//! - [`schema`]: the types of events, with their units and bounds, as a table
//! - [`dimension`]: what they can be broken down by, as a table
//! - [`describe`]: both tables as JSON
//! - [`agent`]: what a `User-Agent` says of some of that
//! - [`batch`]: the JSON of a batch, and the fate of each event in it
//! - [`ticketed`]: what of a batch its session ticket vouches for
//! - [`block`]: the accepted events of a batch, packed for the log
//! - [`seqs`]: which sequence numbers were seen, as a sliding bitmap
//! - [`viewer`]: what one session has done with one video, and what of it counts
//! - [`uniques`]: how many different sessions, in 4 KB at most
//! - [`quantiles`]: how values are spread, to 1.6%
//! - [`cell`]: count, sum and sketches of the events of one type
//! - [`breakdown`]: cells by the values of one dimension
//! - [`rollup`]: what cells are about: whom, which minute, hour or day
//! - [`fold`]: from blocks to changes of rollups and viewers
//! - [`presence`]: who is watching now
//! - [`query`]: a question about a range, snapped to what is kept
//! - [`answer`]: its answer, as a series and broken down
//! - [`quality`]: how well it played, in one row
//! - [`top`]: which videos have the most of something
//!
//! Times are Unix milliseconds. Nothing here reads a clock: `now` and the time of receipt are
//! arguments, and everything builds for Wasm.

pub mod agent;
pub mod answer;
pub mod batch;
pub mod block;
pub mod breakdown;
pub mod cell;
pub mod describe;
pub mod dimension;
pub mod fold;
pub mod presence;
pub mod quality;
pub mod quantiles;
pub mod query;
pub mod rollup;
pub mod schema;
pub mod seqs;
pub mod ticketed;
pub mod top;
pub mod uniques;
mod varint;
pub mod viewer;
