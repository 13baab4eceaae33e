//! The cache's rules, without a clock, a socket or a byte of anybody's media: what is fresh, what
//! stands in, what is given up for what, who asks the origin and who waits for whoever does.
//!
//! Everything takes `now: Instant`, so that a simulation can drive the same rules in virtual time:
//! one base instant plus durations. The parts of the PoP around them only move bytes.
//!
//! - [`Terms`], [`Life`]: how long an answer may be served, and how it stands in afterwards
//! - [`judge`]: what becomes of a flight's outcome
//! - [`Board`]: who leads a flight to the origin and who follows
//! - [`Shelf`]: answers by key, bounded in bytes, given up oldest first with a second chance
//! - [`LiveEdges`]: which positions of a live stream are too far ahead to be asked for
//!
//! One request for something cacheable goes so:
//!
//! ```
//! use std::{sync::Arc, time::{Duration, Instant}};
//! use weir_pop::shelf::{Arrival, Board, Boarding, Bounds, Shelf, Terms, Verdict, judge};
//!
//! let now = Instant::now();
//! let key: Arc<str> = Arc::from("/v/oabcdefghijk/1/480p/7.m4s");
//! let terms = Terms { fresh: Duration::from_secs(60), ..Terms::default() };
//! let mut shelf = Shelf::new(Bounds::of_memory(64 << 20));
//! let mut board = Board::default();
//!
//! assert!(shelf.fresh(&key, now).is_none());
//! // The first one leads; whoever comes until the landing follows.
//! assert!(matches!(board.board(&key, || "flight 1"), Boarding::Leads(_)));
//! assert!(matches!(board.board(&key, || "flight 2"), Boarding::Follows("flight 1")));
//! // The origin answers 150 ms later.
//! let now = now + Duration::from_millis(150);
//! let Verdict::Keep(life) = judge(Arrival::Good, shelf.life(&key), &terms, now) else { panic!() };
//! shelf.keep(&key, "the answer", life, 300_000, now);
//! board.land(&key);
//! assert!(shelf.fresh(&key, now + Duration::from_secs(59)).is_some());
//! ```

mod flight;
mod life;
mod live_edge;
mod log;
#[cfg(test)]
mod properties;

pub use flight::{Arrival, Board, Boarding, Verdict, judge};
pub use life::{Life, State, Terms};
pub use live_edge::LiveEdges;
pub use log::{Bounds, ENTRY_BYTES, Found, GivenUp, NoRoom, Shelf, Slot, Survivor};
