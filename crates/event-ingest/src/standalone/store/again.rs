//! Announcing objects again whose announcement was lost on its way.

use std::collections::HashSet;

use sqlx::Row;

use super::announce::{Event, announce};
use super::objects::fetch;
use super::{Store, StoreError};

/// An object version that is to be announced again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The key.
    pub key: String,
    /// The `ETag` without quotes.
    pub etag: String,
}

impl Store {
    /// Those of some keys that an announcement in the inbox is about.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn announced(&self, bucket: &str, keys: &[&str]) -> Result<HashSet<String>, StoreError> {
        let names: Vec<String> = keys.iter().map(|key| format!("{bucket}/{key}")).collect();
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT json_extract(body, '$.Key') AS name FROM inbox
             WHERE name IN (SELECT value FROM json_each(?))",
        )
        .bind(json(&names))
        .fetch_all(self.readers())
        .await?;
        let key = |name: String| name[bucket.len() + 1..].to_owned();
        Ok(found.into_iter().map(key).collect())
    }

    /// Puts announcements of those objects into the inbox that are still there as they were seen, and that no dead
    /// letter holds. Returns how many.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn announce_again(&self, bucket: &str, lost: &[Lost]) -> Result<u64, StoreError> {
        if lost.is_empty() {
            return Ok(0);
        }
        let mut change = self.writer().begin().await?;
        let files: Vec<String> = lost.iter().map(|lost| format!("s3://{bucket}/{}", lost.key)).collect();
        // A dead letter may be a request, which lists files and their ETags side by side, or anything else.
        let refused: HashSet<(String, Option<String>)> = sqlx::query(
            "SELECT file.value AS name, json_extract(body, '$.objects[' || file.key || '].etag') AS etag
             FROM dead_letters, json_each(CASE WHEN json_valid(body) THEN body ELSE '{}' END, '$.files') AS file
             WHERE file.value IN (SELECT value FROM json_each(?))",
        )
        .bind(json(&files))
        .fetch_all(&mut *change)
        .await?
        .iter()
        .map(|row| (row.get("name"), row.get("etag")))
        .collect();

        let mut announced = 0;
        for (lost, file) in lost.iter().zip(files) {
            if refused.contains(&(file, Some(lost.etag.clone()))) {
                continue;
            }
            let object = match fetch(&mut change, bucket, &lost.key).await {
                Ok(object) if object.etag == lost.etag => object,
                Ok(_) | Err(StoreError::NoSuchKey { .. }) => continue,
                Err(error) => return Err(error),
            };
            announce(&mut change, Event::Put, &self.region, bucket, &object, object.modified).await?;
            announced += 1;
        }
        change.commit().await?;
        if announced > 0 {
            self.arrivals().notify_one();
        }
        Ok(announced)
    }
}

fn json(texts: &[String]) -> String {
    serde_json::to_string(texts).expect("strings always have a JSON form")
}
