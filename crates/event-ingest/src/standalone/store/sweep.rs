//! What a killed process left behind is removed at the next start.

use std::collections::HashSet;
use std::ffi::OsString;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Store, StoreError, to_millis};

/// Multipart uploads that were begun longer ago are aborted at start: their client has gone.
const STALE_UPLOAD: TimeDelta = TimeDelta::days(7);

impl Store {
    /// Aborts stale uploads, then removes every blob file that no row names. Holds the names of one of
    /// the 256 directories in memory at a time.
    pub(super) async fn sweep(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM uploads WHERE initiated < ?")
            .bind(to_millis(now - STALE_UPLOAD))
            .execute(self.writer())
            .await?;
        let mut swept = 0_u64;
        for directory in self.blobs.directories() {
            let prefix =
                directory.file_name().expect("a blob directory has a name").to_string_lossy().into_owned();
            let named = self.blobs_with_prefix(&prefix).await?;
            let mut files = tokio::fs::read_dir(&directory).await?;
            while let Some(file) = files.next_entry().await? {
                if !named.contains(&file.file_name()) {
                    tokio::fs::remove_file(file.path()).await?;
                    swept += 1;
                }
            }
        }
        if swept > 0 {
            tracing::info!(
                files = swept,
                "removed files that state.db does not name: of uploads that were cut off, or of an older state.db"
            );
        }
        Ok(())
    }

    async fn blobs_with_prefix(&self, prefix: &str) -> Result<HashSet<OsString>, StoreError> {
        // `g` follows the last hexadecimal digit.
        let named: Vec<String> = sqlx::query_scalar(
            "SELECT blob FROM objects WHERE blob >= ?1 AND blob < ?1 || 'g'
             UNION SELECT blob FROM parts WHERE blob >= ?1 AND blob < ?1 || 'g'",
        )
        .bind(prefix)
        .fetch_all(self.readers())
        .await?;
        Ok(named.into_iter().map(OsString::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standalone::store::Attributes;

    #[tokio::test]
    async fn bytes_whose_names_are_lost_are_not_swept_away() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path(), "us-east-1").await.unwrap();
        let blob = store.begin_blob().await.unwrap().finish().await.unwrap();
        let file = store.blobs.path(&blob.id);
        store.close().await;
        std::fs::remove_file(place.path().join("state.db")).unwrap();

        let refused = Store::open(place.path(), "us-east-1").await.unwrap_err();
        assert!(matches!(refused, StoreError::Unnamed(_)), "{refused}");
        assert!(file.exists());
        std::fs::remove_file(file).unwrap();
        Store::open(place.path(), "us-east-1").await.unwrap();
    }

    #[tokio::test]
    async fn uploads_that_nobody_finishes_are_aborted() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path(), "us-east-1").await.unwrap();
        store.create_bucket("inbox").await.unwrap();
        let id = store.create_upload("inbox", "k", &Attributes::default()).await.unwrap();
        let part = store.begin_blob().await.unwrap().finish().await.unwrap();
        let file = store.blobs.path(&part.id);
        store.put_part(("inbox", "k", &id), 1, part).await.unwrap();

        store.sweep(Utc::now()).await.unwrap();
        assert!(file.exists());
        store.sweep(Utc::now() + STALE_UPLOAD + TimeDelta::seconds(1)).await.unwrap();
        assert!(!file.exists());
        assert!(store.require_upload(("inbox", "k", &id)).await.is_err());
    }
}
