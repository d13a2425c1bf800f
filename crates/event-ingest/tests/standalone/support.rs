//! A store in a temporary folder, and short ways to fill it.

use bytes::Bytes;
use event_ingest::standalone::inbox::{Inbox, Row};
use event_ingest::standalone::store::{Attributes, Blob, Object, Precondition, Store, StoreError};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

/// A store and the folder that goes away with it.
pub struct Place {
    pub folder: TempDir,
    pub store: Store,
}

impl Place {
    /// With the bucket `inbox`.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "us-east-1").await.unwrap();
        store.create_bucket("inbox").await.unwrap();
        Self { folder, store }
    }

    /// The same folder, as a process finds it that starts after this one was killed.
    pub async fn reopen(self) -> Self {
        self.store.close().await;
        let store = Store::open(self.folder.path(), "us-east-1").await.unwrap();
        Self { folder: self.folder, store }
    }

    pub fn inbox(&self) -> Inbox {
        Inbox::of(&self.store)
    }

    pub async fn blob(&self, content: &str) -> Blob {
        let mut writer = self.store.begin_blob().await.unwrap();
        writer.write(&Bytes::copy_from_slice(content.as_bytes())).await.unwrap();
        writer.finish().await.unwrap()
    }

    pub async fn put(&self, key: &str, content: &str) -> Object {
        self.put_if(key, content, Precondition::None).await.unwrap()
    }

    pub async fn put_if(
        &self,
        key: &str,
        content: &str,
        condition: Precondition,
    ) -> Result<Object, StoreError> {
        let blob = self.blob(content).await;
        self.store.put("inbox", key, blob, Attributes::default(), condition).await
    }

    pub async fn read(&self, key: &str) -> String {
        let (_, mut file) = self.store.read("inbox", key).await.unwrap();
        let mut content = String::new();
        file.read_to_string(&mut content).await.unwrap();
        content
    }

    /// How many blob files there are, finished or not.
    pub fn blob_files(&self) -> usize {
        let directories = std::fs::read_dir(self.folder.path().join("blobs")).unwrap();
        directories.map(|directory| std::fs::read_dir(directory.unwrap().path()).unwrap().count()).sum()
    }

    /// Event names and escaped keys of the inbox.
    pub async fn announced(&self) -> Vec<(String, String)> {
        let rows = self.inbox().read(0, 1000).await.unwrap();
        rows.iter().map(announcement).collect()
    }
}

fn announcement(row: &Row) -> (String, String) {
    let body: Value = serde_json::from_str(&row.body).unwrap();
    let record = &body["Records"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&record["eventName"]), text(&record["s3"]["object"]["key"]))
}
