//! A data file's object, which is written while its bytes come.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::storage::Stores;
use crate::write::data_file::delete;
use crate::write::upload::{self, slots};

/// A begun upload. It is completed or discarded.
pub(super) struct Upload {
    url: String,
    upload: upload::Upload,
    /// Bytes written.
    pub(super) position: u64,
}

impl Upload {
    pub(super) fn begin(stores: &Stores, url: String) -> Result<Self> {
        let upload = upload::Upload::new(stores.locate(&url)?, slots());
        Ok(Self { url, upload, position: 0 })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn put(&mut self, bytes: Bytes) -> Result<()> {
        self.position += bytes.len() as u64;
        self.upload.put(bytes).await.map_err(|e| failed(&self.url).caused_by(e))
    }

    pub(super) async fn complete(&mut self) -> Result<()> {
        self.upload.complete().await.map_err(|e| failed(&self.url).caused_by(e))
    }

    /// Drops what was written, whole or in part. What cannot be dropped now is left to the bucket's own rules for
    /// unfinished uploads, or to the search for orphans.
    pub(super) async fn discard(mut self, stores: &Stores) {
        if self.upload.abort().await {
            delete(stores, &self.url).await;
        }
    }
}

fn failed(url: &str) -> Error {
    Error::unavailable(format!("cannot write data file `{url}`"))
}
