//! The durable inbox: announcements in the order in which they were committed, and how far they are done.
//!
//! It stands where Kafka stands in the other services: rows are read after a position, the position moves
//! when all rows up to it are dealt with, and a restart reads again from there.

use chrono::{DateTime, Utc};
use ingest_core::IngestRequest;
use sqlx::Row as _;

use super::store::{Store, StoreError, from_millis, to_millis};

/// The inbox of a store. Has one reader.
#[derive(Debug, Clone)]
pub struct Inbox {
    pub(super) store: Store,
}

/// An announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its place; never used twice.
    pub id: i64,
    /// When the object was stored.
    pub arrived: DateTime<Utc>,
    /// A notification in MinIO's format.
    pub body: String,
}

/// An object whose announcement waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The row.
    pub id: i64,
    /// When it was stored.
    pub arrived: DateTime<Utc>,
    /// The object, as `s3://bucket/key`.
    pub file: String,
}

/// What could not be ingested, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// `inbox row <id>` or `request <request id>`.
    pub source: String,
    /// Why.
    pub reason: String,
    /// The notification or the request.
    pub body: String,
}

/// What is not dealt with yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Announcements, at most: ids are counted, and some may never have been used.
    pub rows: i64,
    /// When the oldest came.
    pub oldest: Option<DateTime<Utc>>,
}

impl Inbox {
    /// The inbox of a store.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        Self { store: store.clone() }
    }

    /// The first row that may not be dealt with yet: where reading begins after a restart.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn position(&self) -> Result<i64, StoreError> {
        let position =
            sqlx::query_scalar("SELECT position FROM inbox_position").fetch_one(self.store.readers()).await?;
        Ok(position)
    }

    /// Rows from an id on, ascending, at most `limit`.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn read(&self, from: i64, limit: u32) -> Result<Vec<Row>, StoreError> {
        let rows = sqlx::query("SELECT id, arrived, body FROM inbox WHERE id >= ? ORDER BY id LIMIT ?")
            .bind(from)
            .bind(limit)
            .fetch_all(self.store.readers())
            .await?;
        Ok(rows
            .iter()
            .map(|row| Row {
                id: row.get("id"),
                arrived: from_millis(row.get("arrived")),
                body: row.get("body"),
            })
            .collect())
    }

    /// Waits until rows may have come since the last call. Nothing is missed between two calls.
    pub async fn arrival(&self) {
        self.store.arrivals().notified().await;
    }

    /// Moves the position and deletes the rows before it.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn commit(&self, position: i64) -> Result<(), StoreError> {
        let mut change = self.store.writer().begin().await?;
        sqlx::query("UPDATE inbox_position SET position = max(position, ?)")
            .bind(position)
            .execute(&mut *change)
            .await?;
        sqlx::query("DELETE FROM inbox WHERE id < ?").bind(position).execute(&mut *change).await?;
        Ok(change.commit().await?)
    }

    /// Sets a row aside that is no notification. Doing so again changes nothing.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn bury_row(&self, id: i64, reason: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT OR IGNORE INTO dead_letters (source, buried, reason, body)
             SELECT 'inbox row ' || id, ?, ?, body FROM inbox WHERE id = ?",
        )
        .bind(to_millis(Utc::now()))
        .bind(reason)
        .bind(id)
        .execute(self.store.writer())
        .await?;
        Ok(())
    }

    /// Sets a request aside that was refused. Doing so again changes nothing.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn bury_request(&self, request: &IngestRequest, reason: &str) -> Result<(), StoreError> {
        sqlx::query("INSERT OR IGNORE INTO dead_letters (source, buried, reason, body) VALUES (?, ?, ?, ?)")
            .bind(format!("request {}", request.request_id))
            .bind(to_millis(Utc::now()))
            .bind(reason)
            .bind(String::from_utf8_lossy(&request.to_json()).into_owned())
            .execute(self.store.writer())
            .await?;
        Ok(())
    }

    /// The dead letters, oldest first, at most `limit`.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        let rows =
            sqlx::query("SELECT source, reason, body FROM dead_letters ORDER BY buried, source LIMIT ?")
                .bind(limit)
                .fetch_all(self.store.readers())
                .await?;
        Ok(rows
            .iter()
            .map(|row| DeadLetter {
                source: row.get("source"),
                reason: row.get("reason"),
                body: row.get("body"),
            })
            .collect())
    }

    /// How many rows from this one on there are, and when the oldest of them arrived.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn lag(&self, from: i64) -> Result<(u64, Option<DateTime<Utc>>), StoreError> {
        let row = sqlx::query("SELECT count(*) AS waiting, min(arrived) AS oldest FROM inbox WHERE id >= ?")
            .bind(from)
            .fetch_one(self.store.readers())
            .await?;
        let waiting: i64 = row.get("waiting");
        Ok((waiting.unsigned_abs(), row.get::<Option<i64>, _>("oldest").map(from_millis)))
    }

    /// How many rows there ever were.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn total(&self) -> Result<u64, StoreError> {
        self.count("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'inbox'").await
    }

    /// Objects whose creation is announced in rows that wait, the oldest first: those whose URI has this text in it.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn announced(&self, text: &str, limit: usize) -> Result<Vec<Waiting>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, arrived, 's3://' || json_extract(body, '$.Key') AS file FROM inbox
             WHERE instr(file, ?1) > 0 AND json_extract(body, '$.EventName') LIKE 's3:ObjectCreated:%'
             ORDER BY id LIMIT ?2",
        )
        .bind(text)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.store.readers())
        .await?;
        let waiting = |row: &sqlx::sqlite::SqliteRow| Waiting {
            id: row.get("id"),
            arrived: from_millis(row.get("arrived")),
            file: row.get("file"),
        };
        Ok(rows.iter().map(waiting).collect())
    }

    /// How many rows are not dealt with yet.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn waiting(&self) -> Result<u64, StoreError> {
        self.count("SELECT count(*) FROM inbox").await
    }

    /// How much waits, and since when. Costs the same however much it is, unlike [`Inbox::waiting`].
    ///
    /// # Errors
    /// SQLite's.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let query =
            "SELECT arrived, (SELECT max(id) FROM inbox) - id + 1 AS waiting FROM inbox ORDER BY id LIMIT 1";
        let first = sqlx::query(query).fetch_optional(self.store.readers()).await?;
        Ok(first.map_or(Backlog { rows: 0, oldest: None }, |row| Backlog {
            rows: row.get("waiting"),
            oldest: Some(from_millis(row.get("arrived"))),
        }))
    }

    /// How many rows and requests are set aside.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        self.count("SELECT count(*) FROM dead_letters").await
    }

    async fn count(&self, query: &str) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(query).fetch_one(self.store.readers()).await?;
        Ok(count.unsigned_abs())
    }
}
