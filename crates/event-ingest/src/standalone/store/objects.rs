//! Objects: one row each, and the blob that holds the bytes. A copy shares the blob of its source, so a
//! blob is removed only when the last row that names it has gone.

use std::collections::BTreeMap;
use std::io;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use tokio::fs::File;

use super::announce::{Event, announce};
use super::{Blob, Precondition, Store, StoreError, buckets, from_millis, from_row, now, to_millis, to_row};

/// What a client says about an object besides its bytes, given back as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `x-amz-meta-*`, without that prefix.
    pub user: BTreeMap<String, String>,
}

/// An object as it was when its row was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The key, verbatim.
    pub key: String,
    /// Length in bytes.
    pub size: u64,
    /// `ETag` without quotes.
    pub etag: String,
    /// When it was put.
    pub modified: DateTime<Utc>,
    /// What the client said about it.
    pub attributes: Attributes,
    pub(super) blob: String,
}

impl Object {
    pub(super) const COLUMNS: &'static str = "key, size, etag, modified, attributes, blob";

    pub(super) fn from_row(row: &SqliteRow) -> Self {
        Self {
            key: row.get("key"),
            size: from_row(row.get("size")),
            etag: row.get("etag"),
            modified: from_millis(row.get("modified")),
            attributes: attributes_from_row(row),
            blob: row.get("blob"),
        }
    }
}

/// The attributes of a row. Only this program writes them; unreadable ones read as none.
pub(super) fn attributes_from_row(row: &SqliteRow) -> Attributes {
    serde_json::from_str(row.get("attributes")).unwrap_or_default()
}

/// Attributes as a row holds them.
pub(super) fn attributes_to_row(attributes: &Attributes) -> String {
    serde_json::to_string(attributes).expect("a map of strings is JSON")
}

impl Store {
    /// Puts an object: from here on the key has these bytes, and the inbox says so.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::PreconditionFailed`], [`StoreError::NoSuchKey`] if a
    /// precondition needs an object and there is none.
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        blob: Blob,
        attributes: Attributes,
        precondition: Precondition,
    ) -> Result<Object, StoreError> {
        let (store, bucket) = (self.clone(), bucket.to_owned());
        let object = Object {
            key: key.to_owned(),
            size: blob.size,
            etag: hex::encode(blob.md5),
            modified: now(),
            attributes,
            blob: blob.id,
        };
        Self::to_the_end(async move {
            let outcome = store.record_put(&bucket, &object, &precondition).await;
            store.settle(outcome, &object.blob).await?;
            Ok(object)
        })
        .await
    }

    async fn record_put(
        &self,
        bucket: &str,
        object: &Object,
        precondition: &Precondition,
    ) -> Result<Vec<String>, StoreError> {
        let mut change = self.writer().begin().await?;
        let garbage = self.write_object(&mut change, Event::Put, bucket, object, precondition).await?;
        change.commit().await?;
        Ok(garbage)
    }

    /// Copies an object by sharing its blob, if it still has the `ETag` that the caller saw.
    /// `attributes` replace those of the source.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::NoSuchKey`], [`StoreError::PreconditionFailed`].
    pub async fn copy(
        &self,
        source: (&str, &str, &str),
        bucket: &str,
        key: &str,
        attributes: Option<Attributes>,
    ) -> Result<Object, StoreError> {
        let (from_bucket, from_key, etag) = source;
        let mut change = self.writer().begin().await?;
        let mut object = fetch(&mut change, from_bucket, from_key).await?;
        if object.etag != etag {
            return Err(StoreError::PreconditionFailed {
                bucket: from_bucket.to_owned(),
                key: from_key.to_owned(),
            });
        }
        key.clone_into(&mut object.key);
        object.modified = now();
        if let Some(attributes) = attributes {
            object.attributes = attributes;
        }
        let (store, bucket) = (self.clone(), bucket.to_owned());
        Self::to_the_end(async move {
            let garbage =
                store.write_object(&mut change, Event::Copy, &bucket, &object, &Precondition::None).await?;
            change.commit().await?;
            store.blobs.remove(&garbage).await;
            store.arrivals.notify_one();
            Ok(object)
        })
        .await
    }

    /// Deletes objects in one transaction. Keys without an object are no error, as in S3.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn delete(&self, bucket: &str, keys: Vec<String>) -> Result<(), StoreError> {
        let (store, bucket) = (self.clone(), bucket.to_owned());
        Self::to_the_end(async move {
            let mut change = store.writer().begin().await?;
            buckets::require(&mut change, &bucket).await?;
            let mut garbage = Vec::new();
            for key in keys {
                let object = match fetch(&mut change, &bucket, &key).await {
                    Ok(object) => object,
                    Err(StoreError::NoSuchKey { .. }) => continue,
                    Err(error) => return Err(error),
                };
                sqlx::query("DELETE FROM objects WHERE bucket = ? AND key = ?")
                    .bind(&bucket)
                    .bind(&key)
                    .execute(&mut *change)
                    .await?;
                announce(&mut change, Event::Delete, &store.region, &bucket, &object, Utc::now()).await?;
                garbage.extend(unshared(&mut change, object.blob).await?);
            }
            change.commit().await?;
            store.blobs.remove(&garbage).await;
            store.arrivals.notify_one();
            Ok(())
        })
        .await
    }

    /// The object of a key.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::NoSuchKey`].
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Object, StoreError> {
        let mut connection = self.readers().acquire().await?;
        fetch(&mut connection, bucket, key).await
    }

    /// The object of a key and its bytes, which stay readable when it is replaced or deleted meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::NoSuchKey`], or a blob that cannot be read.
    pub async fn read(&self, bucket: &str, key: &str) -> Result<(Object, File), StoreError> {
        let mut object = self.head(bucket, key).await?;
        loop {
            let missing = match self.blobs.read(&object.blob).await {
                Ok(file) => return Ok((object, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => error,
                Err(error) => return Err(error.into()),
            };
            // Replaced between the two reads, or lost: the row tells.
            let now = self.head(bucket, key).await?;
            if now.blob == object.blob {
                return Err(missing.into());
            }
            object = now;
        }
    }

    /// Writes the row of an object over an older one and announces it. Returns the blobs to remove
    /// once this is committed.
    pub(super) async fn write_object(
        &self,
        change: &mut SqliteConnection,
        event: Event,
        bucket: &str,
        object: &Object,
        precondition: &Precondition,
    ) -> Result<Vec<String>, StoreError> {
        let older = match fetch(change, bucket, &object.key).await {
            Ok(older) => Some(older),
            Err(StoreError::NoSuchKey { .. }) => None,
            Err(error) => return Err(error),
        };
        precondition.check(older.as_ref(), bucket, &object.key)?;
        sqlx::query(
            "INSERT INTO objects (bucket, key, size, etag, modified, attributes, blob)
             VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (bucket, key) DO UPDATE SET size = excluded.size, etag = excluded.etag,
                 modified = excluded.modified, attributes = excluded.attributes, blob = excluded.blob",
        )
        .bind(bucket)
        .bind(&object.key)
        .bind(to_row(object.size))
        .bind(&object.etag)
        .bind(to_millis(object.modified))
        .bind(attributes_to_row(&object.attributes))
        .bind(&object.blob)
        .execute(&mut *change)
        .await?;
        announce(change, event, &self.region, bucket, object, Utc::now()).await?;
        match older {
            Some(older) => Ok(unshared(change, older.blob).await?.into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }

    /// After a change: removes what it made garbage and wakes the inbox, or, if it was refused, removes
    /// the new blob. After a failure nothing is removed, because the commit may have happened.
    pub(super) async fn settle(
        &self,
        outcome: Result<Vec<String>, StoreError>,
        new_blob: &str,
    ) -> Result<(), StoreError> {
        match outcome {
            Ok(garbage) => {
                self.blobs.remove(&garbage).await;
                self.arrivals.notify_one();
                Ok(())
            }
            Err(refused) if refused.is_refusal() => {
                self.blobs.remove(&[new_blob.to_owned()]).await;
                Err(refused)
            }
            Err(failed) => Err(failed),
        }
    }
}

pub(super) async fn fetch(
    connection: &mut SqliteConnection,
    bucket: &str,
    key: &str,
) -> Result<Object, StoreError> {
    let columns = Object::COLUMNS;
    let row = sqlx::query(&format!("SELECT {columns} FROM objects WHERE bucket = ? AND key = ?"))
        .bind(bucket)
        .bind(key)
        .fetch_optional(&mut *connection)
        .await?;
    match row {
        Some(row) => Ok(Object::from_row(&row)),
        None => {
            buckets::require(connection, bucket).await?;
            Err(StoreError::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned() })
        }
    }
}

/// The blob, if no object names it any more.
async fn unshared(change: &mut SqliteConnection, blob: String) -> Result<Option<String>, StoreError> {
    let shared: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM objects WHERE blob = ?)")
        .bind(&blob)
        .fetch_one(change)
        .await?;
    Ok((!shared).then_some(blob))
}
