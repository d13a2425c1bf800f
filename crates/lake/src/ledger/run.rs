//! Writing and reading whole runs: Parquet files that any engine can query, laid out for look-ups.

use arrow_array::RecordBatch;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use object_store::buffered::BufWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::arrow::async_writer::{AsyncArrowWriter, ParquetObjectWriter};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{
    BloomFilterPosition, EnabledStatistics, WriterProperties, WriterPropertiesBuilder,
};
use parquet::schema::types::ColumnPath;

use super::columns::{self, DIGEST, KEY_HASH, SCHEMA, SNAPSHOT_ID};
use super::entry::Entry;
use super::file::RunFile;
use crate::error::{Error, Result};
use crate::layout::CREATED_BY;
use crate::storage::Location;

/// Entries of a row group: its Bloom filter takes 32 KiB.
const GROUP_ENTRIES: usize = 25_000;
/// How often a filter lets a look-up pass that finds nothing.
const FALSE_POSITIVES: f64 = 0.01;
/// Rows of a page of the columns that look-ups read: a hit costs one page of each.
const PAGE_ENTRIES: usize = 64;
/// Bytes of a page of the other columns.
const PAGE_BYTES: usize = 8 * 1024;
/// Bytes of a dictionary page, which is read with each page of its column.
const DICTIONARY_BYTES: usize = 32 * 1024;
/// Entries that are turned into columns, or back, at a time.
pub(super) const BATCH_ENTRIES: usize = 1024;
/// Bytes of one part of a multipart upload, of which one is under way at a time.
const PART_BYTES: usize = 5 * 1024 * 1024;

/// Writes a run file. Entries have to come in the order of [`columns::sort`].
pub(super) struct RunWriter {
    url: String,
    file: AsyncArrowWriter<ParquetObjectWriter>,
    entries: u64,
}

impl RunWriter {
    pub(super) fn new(at: Location, url: String) -> Result<Self> {
        let upload = BufWriter::with_capacity(at.store, at.path, PART_BYTES).with_max_concurrency(1);
        let options = ArrowWriterOptions::new().with_properties(properties()).with_skip_arrow_metadata(true);
        let sink = ParquetObjectWriter::from_buf_writer(upload);
        let file = AsyncArrowWriter::try_new_with_options(sink, SCHEMA.clone(), options)
            .map_err(|e| unwritten(&url, e))?;
        Ok(Self { url, file, entries: 0 })
    }

    /// Appends a batch of all columns.
    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.entries += batch.num_rows() as u64;
        self.file.write(batch).await.map_err(|e| unwritten(&self.url, e))
    }

    /// Closes the file and returns its number of entries.
    pub(super) async fn finish(mut self) -> Result<u64> {
        self.file.finish().await.map_err(|e| unwritten(&self.url, e))?;
        Ok(self.entries)
    }

    /// Gives up. Parts that cannot be dropped now are left to the bucket's own rules for unfinished uploads.
    pub(super) async fn abandon(self) {
        let _ = self.file.into_inner().into_inner().abort().await;
    }
}

fn unwritten(url: &str, error: ParquetError) -> Error {
    Error::unavailable(format!("cannot write ledger run `{url}`")).caused_by(error)
}

fn properties() -> WriterProperties {
    let look_up = |builder: WriterPropertiesBuilder, name: &str, value_bytes: usize| {
        builder
            .set_column_dictionary_enabled(ColumnPath::from(name), false)
            .set_column_compression(ColumnPath::from(name), Compression::UNCOMPRESSED)
            .set_column_data_page_size_limit(ColumnPath::from(name), PAGE_ENTRIES * value_bytes)
    };
    let builder = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_max_row_group_row_count(Some(GROUP_ENTRIES))
        // Pages are cut between these batches of values.
        .set_write_batch_size(PAGE_ENTRIES)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_coerce_types(true)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(ColumnPath::from(KEY_HASH), EnabledStatistics::Page)
        // Beside each other at the end, so that many are read by few requests.
        .set_bloom_filter_position(BloomFilterPosition::End)
        .set_column_bloom_filter_enabled(ColumnPath::from(DIGEST), true)
        .set_column_bloom_filter_fpp(ColumnPath::from(DIGEST), FALSE_POSITIVES)
        .set_column_bloom_filter_ndv(ColumnPath::from(DIGEST), GROUP_ENTRIES as u64);
    let builder = look_up(builder, KEY_HASH, 8);
    let builder = look_up(builder, DIGEST, super::hash::DIGEST_BYTES);
    look_up(builder, SNAPSHOT_ID, 8).build()
}

/// The batches of a run, in its order. Holds one row group at a time.
pub(super) async fn batches(file: &RunFile) -> Result<ParquetRecordBatchStream<RunFile>> {
    let opened = ParquetRecordBatchStreamBuilder::new(file.clone()).await;
    opened.and_then(|builder| builder.with_batch_size(BATCH_ENTRIES).build()).map_err(|e| file.error(e))
}

/// The entries of a run, in its order. Holds one row group at a time.
pub(super) async fn entries(file: RunFile) -> Result<impl Stream<Item = Result<Entry>> + Send> {
    let batches = batches(&file).await?;
    Ok(batches
        .map(move |batch| {
            let entries = batch.and_then(|batch| columns::decode(&batch)).map_err(|e| file.error(e))?;
            Ok::<_, Error>(stream::iter(entries.into_iter().map(Ok)))
        })
        .try_flatten())
}
