//! One data file after another, each up to a target size.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use iceberg::spec::{DataFile, TableMetadata};
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::async_writer::ParquetObjectWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use super::statistics::describe;
use crate::error::{Error, Result};
use crate::layout::data_folder;
use crate::ledger::Part;
use crate::storage::{Location, Stores};

/// A row group is closed when its encoded pages take this much memory.
const ROW_GROUP_BYTES: usize = 32 * 1024 * 1024;
/// A data file is closed at this size; Iceberg's own default (`write.target-file-size-bytes`).
const TARGET_FILE_BYTES: usize = 512 * 1024 * 1024;
/// Bytes of one part of a multipart upload, and how many are under way at once.
const PART_BYTES: usize = 8 * 1024 * 1024;
const PARTS_IN_FLIGHT: usize = 2;

/// Writes batches of one schema into data files of one table.
pub(super) struct DataFileWriter {
    stores: Arc<Stores>,
    table: Arc<TableMetadata>,
    schema: SchemaRef,
    open: Option<Open>,
    closed: Vec<DataFile>,
}

struct Open {
    url: String,
    writer: AsyncArrowWriter<ParquetObjectWriter>,
}

impl DataFileWriter {
    pub(super) fn new(stores: Arc<Stores>, table: Arc<TableMetadata>, schema: SchemaRef) -> Self {
        Self { stores, table, schema, open: None, closed: Vec::new() }
    }

    /// Appends a batch and returns the row groups that it went into.
    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<Part> {
        if self.open.is_none() {
            self.open = Some(self.start()?);
        }
        let open = self.open.as_mut().expect("opened just above");
        let first = open.writer.flushed_row_groups().len();
        open.writer.write(batch).await.map_err(|e| failed(&open.url, e))?;
        // The writer closes a row group by itself when it has enough rows.
        let unfinished = usize::from(open.writer.in_progress_rows() > 0);
        let end = open.writer.flushed_row_groups().len() + unfinished;
        let count = |n: usize| u32::try_from(n).expect("a file of the target size has few row groups");
        let part =
            Part { file: open.url.clone(), first_row_group: count(first), row_groups: count(end - first) };
        if open.writer.memory_size() >= ROW_GROUP_BYTES {
            open.writer.flush().await.map_err(|e| failed(&open.url, e))?;
        }
        if open.writer.bytes_written() >= TARGET_FILE_BYTES {
            self.close_file().await?;
        }
        Ok(part)
    }

    /// Closes the last file and returns all of them.
    pub(super) async fn finish(mut self) -> Result<Vec<DataFile>> {
        self.close_file().await?;
        Ok(self.closed)
    }

    /// Gives up: nothing was committed, so nobody can refer to what was written.
    pub(super) async fn abandon(self) {
        if let Some(open) = self.open {
            // An upload that cannot be aborted now is left to the bucket's own rules for unfinished uploads.
            let _ = open.writer.into_inner().into_inner().abort().await;
        }
        delete_uncommitted(&self.stores, &self.closed).await;
    }

    fn start(&self) -> Result<Open> {
        let url = format!("{}/{}-{}.parquet", data_folder(&self.table), self.table.uuid(), Uuid::now_v7());
        let Location { store, path } = self.stores.locate(&url)?;
        let upload = BufWriter::with_capacity(store, path, PART_BYTES).with_max_concurrency(PARTS_IN_FLIGHT);
        let sink = ParquetObjectWriter::from_buf_writer(upload);
        let writer = AsyncArrowWriter::try_new(sink, self.schema.clone(), Some(properties()))
            .map_err(|e| failed(&url, e))?;
        Ok(Open { url, writer })
    }

    async fn close_file(&mut self) -> Result<()> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let metadata = open.writer.finish().await.map_err(|e| failed(&open.url, e))?;
        let size = open.writer.bytes_written() as u64;
        let schema = self.table.current_schema();
        let file = describe(&metadata, schema, &open.url, size, self.table.default_partition_spec_id())
            .map_err(|reason| Error::inconsistent(format!("cannot describe `{}`: {reason}", open.url)))?;
        self.closed.push(file);
        Ok(())
    }
}

/// Deletes data files that no commit was ever sent for. What cannot be deleted stays as an orphan.
pub(crate) async fn delete_uncommitted(stores: &Stores, files: &[DataFile]) {
    for file in files {
        let deleted = match stores.locate(file.file_path()) {
            Ok(at) => at.store.delete(&at.path).await.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        if let Err(reason) = deleted {
            tracing::warn!(file = file.file_path(), reason, "an unused data file is left behind");
        }
    }
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(concat!("event-ingest ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}

fn failed(url: &str, error: parquet::errors::ParquetError) -> Error {
    Error::unavailable(format!("cannot write data file `{url}`")).caused_by(error)
}
