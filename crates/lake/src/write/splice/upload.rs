//! An object that is written while its bytes come.

use bytes::Bytes;
use object_store::buffered::BufWriter;
use tokio::io::AsyncWriteExt;

use crate::error::{Error, Result};
use crate::storage::{Location, Stores};
use crate::write::data_file::delete;

/// Bytes of one part of a multipart upload (S3 takes no smaller ones), and how many are under way at once.
const PART_BYTES: usize = 5 * 1024 * 1024;
const PARTS_IN_FLIGHT: usize = 2;

/// A begun upload. It is completed or discarded.
pub(super) struct Upload {
    url: String,
    writer: BufWriter,
    /// From the start of its completion on it cannot be aborted, and may be an object.
    completing: bool,
    /// Bytes written.
    pub(super) position: u64,
}

impl Upload {
    pub(super) fn begin(stores: &Stores, url: String) -> Result<Self> {
        let Location { store, path } = stores.locate(&url)?;
        let writer = BufWriter::with_capacity(store, path, PART_BYTES).with_max_concurrency(PARTS_IN_FLIGHT);
        Ok(Self { url, writer, completing: false, position: 0 })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn put(&mut self, bytes: Bytes) -> Result<()> {
        self.position += bytes.len() as u64;
        self.writer.put(bytes).await.map_err(|e| failed(&self.url).caused_by(e))
    }

    pub(super) async fn complete(&mut self) -> Result<()> {
        self.completing = true;
        self.writer.shutdown().await.map_err(|e| failed(&self.url).caused_by(e))
    }

    /// Drops what was written, whole or in part. What cannot be dropped now is left to the bucket's own rules for
    /// unfinished uploads, or to the search for orphans.
    pub(super) async fn discard(mut self, stores: &Stores) {
        if self.completing {
            delete(stores, &self.url).await;
        } else {
            let _ = self.writer.abort().await;
        }
    }
}

fn failed(url: &str) -> Error {
    Error::unavailable(format!("cannot write data file `{url}`"))
}
