//! The dead letters of the inbox as an operator sees them, and their way back.

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::inbox::Inbox;
use super::store::{StoreError, from_millis, to_millis};

/// Beginning of the `source` of a row that was no notification, or none that the rules could use.
const OF_ROW: &str = "inbox row ";
/// Characters of a letter that are shown.
const SHOWN: i64 = 2_000;

/// The beginning of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// `inbox row <id>` or `request <request id>`.
    pub source: String,
    /// When it was set aside.
    pub buried: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// How it begins.
    pub text: String,
    /// Its bytes.
    pub bytes: u64,
}

/// What a letter is, for who sends it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is none of this name.
    Nothing,
    /// A row of the inbox: it was put back.
    PutBack,
    /// A request, as JSON: it is still there.
    Request(String),
}

impl Inbox {
    /// Letters after the place, the newest first, at most so many.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn letters(
        &self,
        after: Option<&(DateTime<Utc>, String)>,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let (time, source) = after.map_or((i64::MAX, ""), |(time, source)| (to_millis(*time), source));
        let rows = sqlx::query(
            "SELECT source, buried, reason, substr(body, 1, ?1) AS text, length(CAST(body AS BLOB)) AS bytes
             FROM dead_letters WHERE (buried, source) < (?2, ?3) ORDER BY buried DESC, source DESC LIMIT ?4",
        )
        .bind(SHOWN)
        .bind(time)
        .bind(source)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.store.readers())
        .await?;
        Ok(rows.iter().map(letter).collect())
    }

    /// Puts a row back into the inbox, whose letter is gone with that; or gives out a request.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn put_back(&self, source: &str) -> Result<Found, StoreError> {
        let mut change = self.store.writer().begin().await?;
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM dead_letters WHERE source = ?")
            .bind(source)
            .fetch_optional(&mut *change)
            .await?;
        let Some(body) = body else { return Ok(Found::Nothing) };
        if !source.starts_with(OF_ROW) {
            return Ok(Found::Request(body));
        }
        sqlx::query("INSERT INTO inbox (arrived, body) VALUES (?, ?)")
            .bind(to_millis(Utc::now()))
            .bind(body)
            .execute(&mut *change)
            .await?;
        sqlx::query("DELETE FROM dead_letters WHERE source = ?").bind(source).execute(&mut *change).await?;
        change.commit().await?;
        self.store.arrivals().notify_one();
        Ok(Found::PutBack)
    }

    /// Takes the letter of a request away that was carried out.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn forget_letter(&self, source: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM dead_letters WHERE source = ?")
            .bind(source)
            .execute(self.store.writer())
            .await?;
        Ok(())
    }
}

fn letter(row: &SqliteRow) -> Letter {
    let bytes: i64 = row.get("bytes");
    Letter {
        source: row.get("source"),
        buried: from_millis(row.get("buried")),
        reason: row.get("reason"),
        text: row.get("text"),
        bytes: bytes.unsigned_abs(),
    }
}
