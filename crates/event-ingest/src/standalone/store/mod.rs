//! The object store of the standalone mode: bytes as files, everything else in SQLite.
//!
//! An object and its announcement are one transaction, so an object that a client was told is stored is an
//! object that will be ingested. Keys are data, never paths: they live in SQLite as they are.

mod again;
mod announce;
mod blobs;
mod buckets;
mod complete;
mod error;
mod list;
mod objects;
mod precondition;
mod schema;
mod sweep;
mod uploads;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::Notify;

pub use again::Lost;
pub use blobs::{Blob, BlobWriter};
pub use buckets::Bucket;
pub use error::StoreError;
pub use list::{ListQuery, Listing};
pub use objects::{Attributes, Object};
pub use precondition::Precondition;
pub use uploads::{MAX_PART_NUMBER, MIN_PART_BYTES, Part, Upload};

use blobs::BlobDir;

/// Connections that read at the same time. Writing has one: SQLite allows no more.
const READERS: u32 = 4;

/// How long SQLite waits for a lock that another process holds, such as a person's `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The store: a folder with `state.db` and `blobs/`. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    readers: SqlitePool,
    writer: SqlitePool,
    blobs: BlobDir,
    arrivals: Arc<Notify>,
    region: Arc<str>,
}

impl Store {
    /// Opens or creates the store in a folder and sweeps what a killed process left behind.
    ///
    /// `region` is what the announcements name.
    ///
    /// # Errors
    /// [`StoreError::NewerLayout`], [`StoreError::Unnamed`], or a failure of the file system or of SQLite.
    pub async fn open(folder: &Path, region: &str) -> Result<Self, StoreError> {
        let (state, blobs) = (folder.join("state.db"), folder.join("blobs"));
        if !tokio::fs::try_exists(&state).await? && BlobDir::holds_any(blobs.clone()).await? {
            return Err(StoreError::Unnamed(blobs));
        }
        let options = SqliteConnectOptions::new()
            .filename(state)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode only FULL syncs at every commit, and an answer promises durability.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        schema::apply(&writer).await?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await?;
        let store = Self {
            readers,
            writer,
            blobs: BlobDir::open(blobs).await?,
            arrivals: Arc::new(Notify::new()),
            region: region.into(),
        };
        store.sweep(Utc::now()).await?;
        Ok(store)
    }

    /// Begins to write the bytes of an object or a part.
    ///
    /// # Errors
    /// The file system's.
    pub async fn begin_blob(&self) -> Result<BlobWriter, StoreError> {
        Ok(self.blobs.create().await?)
    }

    /// Closes the database, so that its write-ahead log is folded into one file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    pub(super) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// Wakes when an announcement was added to the inbox.
    pub(super) fn arrivals(&self) -> &Notify {
        &self.arrivals
    }

    /// Runs a change to its end even when the client that asked for it hangs up: between the commit and
    /// the removal of replaced blobs nothing may be cut off.
    async fn to_the_end<T: Send + 'static>(
        change: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match tokio::spawn(change).await {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(StoreError::ShuttingDown),
        }
    }
}

/// The time as a row can hold it: in whole milliseconds.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

/// Milliseconds since the epoch, as rows hold times.
pub(super) fn to_millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

/// The time of a row.
pub(super) fn from_millis(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}

/// A size as SQLite holds it. No file is larger than `i64::MAX`.
fn to_row(size: u64) -> i64 {
    i64::try_from(size).expect("a file is smaller than 2^63 bytes")
}

/// A size of a row.
fn from_row(size: i64) -> u64 {
    u64::try_from(size).expect("state.db holds no negative sizes")
}
