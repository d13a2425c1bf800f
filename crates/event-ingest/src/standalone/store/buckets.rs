//! Buckets.

use chrono::{DateTime, Utc};
use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError, from_millis, to_millis};

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: DateTime<Utc>,
}

impl Store {
    /// Creates a bucket.
    ///
    /// # Errors
    /// [`StoreError::BucketExists`].
    pub async fn create_bucket(&self, name: &str) -> Result<(), StoreError> {
        let done = sqlx::query("INSERT INTO buckets VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(to_millis(Utc::now()))
            .execute(self.writer())
            .await?;
        match done.rows_affected() {
            0 => Err(StoreError::BucketExists(name.to_owned())),
            _ => Ok(()),
        }
    }

    /// Succeeds if the bucket exists.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn require_bucket(&self, name: &str) -> Result<(), StoreError> {
        let mut connection = self.readers().acquire().await?;
        require(&mut connection, name).await
    }

    /// All buckets, by name.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn list_buckets(&self) -> Result<Vec<Bucket>, StoreError> {
        let rows =
            sqlx::query("SELECT name, created FROM buckets ORDER BY name").fetch_all(self.readers()).await?;
        Ok(rows
            .iter()
            .map(|row| Bucket { name: row.get("name"), created: from_millis(row.get("created")) })
            .collect())
    }

    /// Deletes an empty bucket.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::BucketNotEmpty`].
    pub async fn delete_bucket(&self, name: &str) -> Result<(), StoreError> {
        let mut change = self.writer().begin().await?;
        require(&mut change, name).await?;
        let used: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?1)
                 OR EXISTS (SELECT 1 FROM uploads WHERE bucket = ?1)",
        )
        .bind(name)
        .fetch_one(&mut *change)
        .await?;
        if used {
            return Err(StoreError::BucketNotEmpty(name.to_owned()));
        }
        sqlx::query("DELETE FROM buckets WHERE name = ?").bind(name).execute(&mut *change).await?;
        Ok(change.commit().await?)
    }
}

/// Refuses a bucket that does not exist.
pub(super) async fn require(connection: &mut SqliteConnection, name: &str) -> Result<(), StoreError> {
    let found: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM buckets WHERE name = ?)")
        .bind(name)
        .fetch_one(connection)
        .await?;
    if found { Ok(()) } else { Err(StoreError::NoSuchBucket(name.to_owned())) }
}
