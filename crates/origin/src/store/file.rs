//! How every SQLite file of a data folder is opened: one writer, several readers that never wait
//! for it, and no commit before the disk has it.

use std::{path::Path, time::Duration};

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::StoreError;

/// How long a call waits for the writer, or for another process that has the file.
const PATIENCE: Duration = Duration::from_secs(5);

const READERS: u32 = 3;

/// An open file.
#[derive(Clone, Debug)]
pub(crate) struct SqliteFile {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteFile {
    /// Opens or creates the file and brings its schema up to date.
    pub(crate) async fn open(path: &Path, schema: &Migrator) -> Result<Self, StoreError> {
        Self::open_with(path, schema, |options| options).await
    }

    /// [`SqliteFile::open`] with other settings of the writer.
    pub(crate) async fn open_with(
        path: &Path,
        schema: &Migrator,
        adjust: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
    ) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(PATIENCE)
                .max_lifetime(None)
        };
        let writer = pool()
            .max_connections(1)
            .connect_with(adjust(options.clone()))
            .await?;
        schema.run(&writer).await?;
        let readers = pool()
            .max_connections(READERS)
            .connect_lazy_with(options.read_only(true));
        Ok(Self { writer, readers })
    }

    /// Begins a transaction that may write. It rolls back unless it is committed.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Begins a transaction that sees the file at one point.
    pub(crate) async fn read(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.readers.begin().await
    }

    /// Waits for what is under way and closes the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A number as SQLite holds it. What exceeds 63 bits is held at the largest, which no time and no
/// counter reaches.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that [`to_sql`] wrote into `table`.
pub(crate) fn from_sql(table: &'static str, number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt {
        table,
        value: number.to_string(),
    })
}
