//! Multipart uploads that are under way. Each part is a blob of its own.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::objects::{attributes_from_row, attributes_to_row};
use super::{Attributes, Blob, Store, StoreError, buckets, from_millis, from_row, now, to_millis, to_row};

/// Parts are numbered from 1 to this, as in S3.
pub const MAX_PART_NUMBER: u16 = 10_000;

/// Least size of every part but the last, in bytes, as in S3.
pub const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

/// A multipart upload that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// The key it is for.
    pub key: String,
    /// When it was begun.
    pub initiated: DateTime<Utc>,
}

/// A part of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1.
    pub number: u16,
    /// Length in bytes.
    pub size: u64,
    /// MD5 of its bytes in hexadecimal.
    pub etag: String,
    /// When it was uploaded.
    pub modified: DateTime<Utc>,
    pub(super) blob: String,
}

impl Part {
    const COLUMNS: &'static str = "number, size, etag, modified, blob";

    fn from_row(row: &SqliteRow) -> Self {
        Self {
            number: row.get("number"),
            size: from_row(row.get("size")),
            etag: row.get("etag"),
            modified: from_millis(row.get("modified")),
            blob: row.get("blob"),
        }
    }
}

impl Store {
    /// Begins an upload and names it.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        attributes: &Attributes,
    ) -> Result<String, StoreError> {
        self.require_bucket(bucket).await?;
        let id = Uuid::new_v4().simple().to_string();
        sqlx::query("INSERT INTO uploads (id, bucket, key, initiated, attributes) VALUES (?, ?, ?, ?, ?)")
            .bind(&id)
            .bind(bucket)
            .bind(key)
            .bind(to_millis(Utc::now()))
            .bind(attributes_to_row(attributes))
            .execute(self.writer())
            .await?;
        Ok(id)
    }

    /// Succeeds if the upload is under way, for that key.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUpload`].
    pub async fn require_upload(&self, (bucket, key, id): (&str, &str, &str)) -> Result<(), StoreError> {
        let mut connection = self.readers().acquire().await?;
        fetch_upload(&mut connection, bucket, key, id).await?;
        Ok(())
    }

    /// Adds a part, in place of an earlier one of that number.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUpload`].
    pub async fn put_part(
        &self,
        (bucket, key, upload): (&str, &str, &str),
        number: u16,
        blob: Blob,
    ) -> Result<Part, StoreError> {
        let store = self.clone();
        let (bucket, key, upload) = (bucket.to_owned(), key.to_owned(), upload.to_owned());
        let part =
            Part { number, size: blob.size, etag: hex::encode(blob.md5), modified: now(), blob: blob.id };
        Self::to_the_end(async move {
            let outcome = store.record_part(&bucket, &key, &upload, &part).await;
            store.settle(outcome, &part.blob).await?;
            Ok(part)
        })
        .await
    }

    async fn record_part(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        part: &Part,
    ) -> Result<Vec<String>, StoreError> {
        let mut change = self.writer().begin().await?;
        fetch_upload(&mut change, bucket, key, upload).await?;
        let older = sqlx::query_scalar("SELECT blob FROM parts WHERE upload = ? AND number = ?")
            .bind(upload)
            .bind(part.number)
            .fetch_all(&mut *change)
            .await?;
        sqlx::query(
            "INSERT OR REPLACE INTO parts (upload, number, size, etag, modified, blob)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(upload)
        .bind(part.number)
        .bind(to_row(part.size))
        .bind(&part.etag)
        .bind(to_millis(part.modified))
        .bind(&part.blob)
        .execute(&mut *change)
        .await?;
        change.commit().await?;
        Ok(older)
    }

    /// Drops an upload and its parts.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUpload`].
    pub async fn abort_upload(&self, bucket: &str, key: &str, upload: &str) -> Result<(), StoreError> {
        let mut change = self.writer().begin().await?;
        fetch_upload(&mut change, bucket, key, upload).await?;
        let parts = fetch_parts(&mut change, upload).await?;
        let (store, upload) = (self.clone(), upload.to_owned());
        Self::to_the_end(async move {
            delete_upload(&mut change, &upload).await?;
            change.commit().await?;
            let garbage: Vec<String> = parts.into_iter().map(|part| part.blob).collect();
            store.blobs.remove(&garbage).await;
            Ok(())
        })
        .await
    }

    /// The parts of an upload with a number above `after`, ascending, at most `limit` of them.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUpload`].
    pub async fn list_parts(
        &self,
        (bucket, key, upload): (&str, &str, &str),
        after: u16,
        limit: usize,
    ) -> Result<Vec<Part>, StoreError> {
        let mut connection = self.readers().acquire().await?;
        fetch_upload(&mut connection, bucket, key, upload).await?;
        let mut parts = fetch_parts(&mut connection, upload).await?;
        parts.retain(|part| part.number > after);
        parts.truncate(limit);
        Ok(parts)
    }

    /// The uploads of a bucket whose key begins with `prefix`, by key and id, after the given pair, at
    /// most `limit` of them.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn list_uploads(
        &self,
        bucket: &str,
        prefix: &str,
        (after_key, after_id): (&str, &str),
        limit: usize,
    ) -> Result<Vec<Upload>, StoreError> {
        self.require_bucket(bucket).await?;
        let rows = sqlx::query(
            "SELECT id, key, initiated FROM uploads
             WHERE bucket = ?1 AND substr(key, 1, length(?2)) = ?2 AND (key, id) > (?3, ?4)
             ORDER BY key, id LIMIT ?5",
        )
        .bind(bucket)
        .bind(prefix)
        .bind(after_key)
        .bind(after_id)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.readers())
        .await?;
        Ok(rows
            .iter()
            .map(|row| Upload {
                id: row.get("id"),
                key: row.get("key"),
                initiated: from_millis(row.get("initiated")),
            })
            .collect())
    }
}

/// The attributes that the upload was begun with.
pub(super) async fn fetch_upload(
    connection: &mut SqliteConnection,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<Attributes, StoreError> {
    buckets::require(connection, bucket).await?;
    sqlx::query("SELECT attributes FROM uploads WHERE id = ? AND bucket = ? AND key = ?")
        .bind(id)
        .bind(bucket)
        .bind(key)
        .fetch_optional(connection)
        .await?
        .map(|row| attributes_from_row(&row))
        .ok_or_else(|| StoreError::NoSuchUpload(id.to_owned()))
}

pub(super) async fn fetch_parts(
    connection: &mut SqliteConnection,
    upload: &str,
) -> Result<Vec<Part>, StoreError> {
    let columns = Part::COLUMNS;
    let rows = sqlx::query(&format!("SELECT {columns} FROM parts WHERE upload = ? ORDER BY number"))
        .bind(upload)
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(Part::from_row).collect())
}

pub(super) async fn delete_upload(change: &mut SqliteConnection, upload: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM uploads WHERE id = ?").bind(upload).execute(change).await?;
    Ok(())
}
