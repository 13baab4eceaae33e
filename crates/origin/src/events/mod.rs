//! Events and their counts: an event is durable in a log before it is acknowledged, and counted
//! from the log exactly once.
//!
//! - [`statistics`]: the assembly, and `process_events`
//! - [`answers`]: `get_stats` and the other questions
//! - [`tickets`]: whose events are taken
//! - [`log`]: what an event log promises
//! - [`sqlite_log`]: a log in one SQLite file, many appends per commit
//! - [`store`]: what a store of rollups promises
//! - [`sqlite_store`]: rollups in one SQLite file
//! - [`consumer`]: the task that folds a partition of the log into the store
//! - [`metrics`]: what the pipeline counts about itself

mod admission;
pub mod answers;
pub mod consumer;
mod last_known;
pub mod log;
pub mod metrics;
pub mod sqlite_log;
pub mod sqlite_store;
pub mod statistics;
pub mod store;
pub mod tickets;

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(crate) mod testing;

pub use answers::GetStatsError;
pub use log::{AppendError, Entry, EventLog, Offset, Partition, ReadLogError};
pub use metrics::EventMetrics;
pub use sqlite_log::SqliteLog;
pub use sqlite_store::SqliteStats;
pub use statistics::{Options, ProcessEventsError, Statistics};
pub use store::{Applied, Cursor, LeaseEpoch, Rankings, Rows, StatsStore};
