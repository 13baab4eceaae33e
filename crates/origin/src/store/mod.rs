//! Metadata: what survives a restart apart from media and counts.
//!
//! - [`meta`]: videos and their stream keys
//! - [`comments`]: comments under a video
//! - [`sqlite`]: both of them in one SQLite file
//! - `file`: how SQLite files are opened

pub mod comments;
pub(crate) mod file;
pub mod meta;
pub mod sqlite;

use thiserror::Error;

pub use comments::{CommentRange, Comments, PostCommentError};
pub use meta::{ChangeVideoError, CreateVideoError, MetaStore, VideoRecord, VideoRecords};
pub use sqlite::SqliteMeta;

/// A store that could not do its work: its disk is full, gone or too slow. Nothing was changed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database refused.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Its schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A stored value is not what was written: the file was changed by other hands.
    #[error("table {table} holds {value:?}, which this version never writes")]
    Corrupt {
        /// Where it stands.
        table: &'static str,
        /// The value.
        value: String,
    },
}
