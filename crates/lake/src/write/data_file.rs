//! One data file after another, each up to a target size.

use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use iceberg::spec::DataFile;
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::async_writer::{AsyncFileWriter, ParquetObjectWriter};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use super::statistics::describe;
use super::target::Target;
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
    target: Target,
    open: Option<Open>,
    closed: Vec<DataFile>,
}

struct Open {
    url: String,
    writer: AsyncArrowWriter<Sink>,
}

impl DataFileWriter {
    pub(super) fn new(stores: Arc<Stores>, target: Target) -> Self {
        Self { stores, target, open: None, closed: Vec::new() }
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

    /// Closes the last file and returns all of them. After an error the others still have to be abandoned.
    pub(super) async fn finish(&mut self) -> Result<Vec<DataFile>> {
        self.close_file().await?;
        Ok(std::mem::take(&mut self.closed))
    }

    /// Gives up: nothing was committed, so nobody can refer to what was written.
    pub(super) async fn abandon(mut self) {
        if let Some(open) = self.open.take() {
            open.discard(&self.stores).await;
        }
        delete_uncommitted(&self.stores, &self.closed).await;
    }

    fn start(&self) -> Result<Open> {
        let table = &self.target.table;
        let url = format!("{}/{}-{}.parquet", data_folder(table), table.uuid(), Uuid::now_v7());
        let Location { store, path } = self.stores.locate(&url)?;
        let upload = BufWriter::with_capacity(store, path, PART_BYTES).with_max_concurrency(PARTS_IN_FLIGHT);
        let sink = Sink { inner: ParquetObjectWriter::from_buf_writer(upload), completing: false };
        let writer = AsyncArrowWriter::try_new(sink, self.target.columns.clone(), Some(properties()))
            .map_err(|e| failed(&url, e))?;
        Ok(Open { url, writer })
    }

    async fn close_file(&mut self) -> Result<()> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        match open.close(&self.target).await {
            Ok(file) => {
                self.closed.push(file);
                Ok(())
            }
            Err(error) => {
                open.discard(&self.stores).await;
                Err(error)
            }
        }
    }
}

impl Open {
    async fn close(&mut self, target: &Target) -> Result<DataFile> {
        let metadata = self.writer.finish().await.map_err(|e| failed(&self.url, e))?;
        let size = self.writer.bytes_written() as u64;
        describe(&metadata, &target.schema, &self.url, size, target.table.default_partition_spec_id())
            .map_err(|reason| Error::inconsistent(format!("cannot describe `{}`: {reason}", self.url)))
    }

    /// Drops what was written, whole or in part. What cannot be dropped now is left to the bucket's own rules for
    /// unfinished uploads, or to the search for orphans.
    async fn discard(self, stores: &Stores) {
        let sink = self.writer.into_inner();
        if sink.completing {
            // The store may have made it an object, whatever it answered.
            delete(stores, &self.url).await;
        } else {
            let _ = sink.inner.into_inner().abort().await;
        }
    }
}

/// The upload of a data file, which knows whether its completion was begun: from then on the upload cannot be
/// aborted here (asking for it panics); it aborts itself if the store refuses to complete it.
struct Sink {
    inner: ParquetObjectWriter,
    completing: bool,
}

impl AsyncFileWriter for Sink {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, parquet::errors::Result<()>> {
        self.inner.write(bytes)
    }

    fn complete(&mut self) -> BoxFuture<'_, parquet::errors::Result<()>> {
        self.completing = true;
        self.inner.complete()
    }
}

/// Deletes data files that no commit was ever sent for. What cannot be deleted stays as an orphan.
pub(crate) async fn delete_uncommitted(stores: &Stores, files: &[DataFile]) {
    for file in files {
        delete(stores, file.file_path()).await;
    }
}

/// Deletes what was written under `url`, or may have been.
pub(super) async fn delete(stores: &Stores, url: &str) {
    let deleted = match stores.locate(url) {
        Ok(at) => match at.store.delete(&at.path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(e.to_string()),
        },
        Err(e) => Err(e.to_string()),
    };
    if let Err(reason) = deleted {
        tracing::warn!(file = url, reason, "an unused data file is left behind");
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

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use arrow_array::Int64Array;
    use iceberg::TableCreation;
    use iceberg::arrow::schema_to_arrow_schema;
    use iceberg::spec::{NestedField, PrimitiveType, Schema, TableMetadata, TableMetadataBuilder, Type};

    use super::*;
    use crate::ErrorKind;

    /// A table with a column of numbers, and a batch for it.
    pub(in crate::write) fn table_at(location: String) -> (Arc<TableMetadata>, RecordBatch) {
        let column = NestedField::optional(1, "a", Type::Primitive(PrimitiveType::Long)).into();
        let schema = Schema::builder().with_fields([column]).build().unwrap();
        let arrow = Arc::new(schema_to_arrow_schema(&schema).unwrap());
        let creation =
            TableCreation::builder().name("t".to_owned()).location(location).schema(schema).build();
        let table = TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata;
        (Arc::new(table), RecordBatch::try_new(arrow, vec![Arc::new(Int64Array::from(vec![1]))]).unwrap())
    }

    fn writer(folder: &Path) -> (DataFileWriter, RecordBatch) {
        let (table, batch) = table_at(format!("file://{}", folder.display()));
        let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
        (DataFileWriter::new(stores, Target::current(table).unwrap()), batch)
    }

    #[tokio::test]
    async fn closed_files_are_gone_after_an_abandoned_attempt() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, batch) = writer(folder.path());
        let files = || std::fs::read_dir(folder.path().join("data")).unwrap().count();
        writer.write(&batch).await.unwrap();
        writer.close_file().await.unwrap();
        assert_eq!(files(), 1);
        writer.write(&batch).await.unwrap();
        writer.abandon().await;
        assert_eq!(files(), 0);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_closed_is_an_error_that_leaves_the_writer_to_be_abandoned() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, batch) = writer(folder.path());
        std::fs::write(folder.path().join("data"), "no folder").unwrap();
        writer.write(&batch).await.unwrap();
        assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(writer.open.is_none() && writer.closed.is_empty());
        writer.abandon().await;
    }
}
