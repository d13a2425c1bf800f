//! A data file that is put together from column chunks.

use std::collections::HashMap;

use bytes::Bytes;
use iceberg::spec::{DataFile, Struct};
use parquet::basic::Encoding;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, PageEncodingStats, ParquetMetaData, ParquetMetaDataWriter,
    RowGroupMetaData,
};
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescPtr;

use super::side;
use super::upload::Upload;
use crate::error::{Error, Result};
use crate::layout::{CREATED_BY, new_data_file};
use crate::source::pages::Walked;
use crate::storage::Stores;
use crate::write::statistics::{Description, Trust, describe, field_ids};
use crate::write::{PageBounds, Target};

const MAGIC: &[u8] = b"PAR1";
/// Version of the format that a footer names. All readers take it, whatever the pages are.
const VERSION: i32 = 1;
/// Row groups of a file: Parquet counts them by 16 bits.
const MAX_ROW_GROUPS: usize = i16::MAX as usize;
/// Column chunks of a file: the footer is held in memory until the file is closed.
const MAX_CHUNKS: usize = 64 * 1024;
/// Bytes of page indexes that are held until the file is closed; a file with more has none.
const MAX_INDEX_BYTES: usize = 8 * 1024 * 1024;

/// A data file that is under way.
pub(super) struct Output {
    upload: Upload,
    schema: SchemaDescPtr,
    /// The partition of all its rows.
    partition: Option<Struct>,
    groups: Vec<RowGroupMetaData>,
    /// Of the row group that is under way.
    chunks: Vec<ColumnChunkMetaData>,
    blooms: Vec<(usize, Bytes)>,
    /// None once they were too many.
    indexes: Option<Vec<Indexes>>,
    index_bytes: usize,
}

/// The page indexes of one chunk.
struct Indexes {
    group: usize,
    leaf: usize,
    offsets: Vec<u8>,
    values: Option<Bytes>,
}

/// A chunk whose bytes were put.
pub(super) struct Copied<'a> {
    /// What the source says of it.
    pub(super) source: &'a ColumnChunkMetaData,
    /// What it is.
    pub(super) walked: Walked,
    /// Its first byte in the output, and how many there are.
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) statistics: Option<Statistics>,
    pub(super) column_index: Option<(Bytes, PageBounds)>,
    pub(super) bloom_filter: Option<Bytes>,
}

impl Output {
    pub(super) async fn begin(
        stores: &Stores,
        target: &Target,
        schema: SchemaDescPtr,
        partition: Option<Struct>,
    ) -> Result<Self> {
        let table = &target.table;
        let url = new_data_file(table);
        let mut output = Self {
            upload: Upload::begin(stores, url)?,
            schema,
            partition,
            groups: Vec::new(),
            chunks: Vec::new(),
            blooms: Vec::new(),
            indexes: Some(Vec::new()),
            index_bytes: 0,
        };
        output.upload.put(Bytes::from_static(MAGIC)).await?;
        Ok(output)
    }

    pub(super) fn url(&self) -> &str {
        self.upload.url()
    }

    /// Bytes written.
    pub(super) fn position(&self) -> u64 {
        self.upload.position
    }

    /// Row groups that are done.
    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Whether a row group of `bytes` still goes into a file of `target` bytes.
    pub(super) fn has_room(&self, bytes: u64, target: u64) -> bool {
        let groups = self.groups.len();
        groups == 0
            || (self.upload.position.saturating_add(bytes) <= target
                && groups < MAX_ROW_GROUPS
                && (groups + 1) * self.schema.num_columns() <= MAX_CHUNKS)
    }

    pub(super) async fn put(&mut self, bytes: Bytes) -> Result<()> {
        self.upload.put(bytes).await
    }

    /// The next chunk of the row group is complete.
    pub(super) fn chunk(&mut self, copied: Copied<'_>) -> std::result::Result<(), String> {
        let Copied { source, walked, start, length, statistics, column_index, bloom_filter } = copied;
        let leaf = self.chunks.len();
        let descriptor = self.schema.columns().get(leaf).ok_or("it has more columns than its schema")?;
        let signed = |value: u64| i64::try_from(value).map_err(|_| "it is too large".to_owned());
        let first_page = walked.pages.first().map_or(0, |page| page.offset);
        let mut encodings: Vec<Encoding> =
            walked.encodings.values().map(|(_, encoding, _)| *encoding).collect();
        if descriptor.max_def_level() > 0 || descriptor.max_rep_level() > 0 {
            encodings.push(Encoding::RLE);
        }
        let of_pages = walked.encodings.values().map(|(page_type, encoding, count)| PageEncodingStats {
            page_type: *page_type,
            encoding: *encoding,
            count: *count,
        });
        let mut chunk = ColumnChunkMetaData::builder(descriptor.clone())
            .set_compression(source.compression())
            .set_encodings(encodings)
            .set_page_encoding_stats(of_pages.collect())
            .set_num_values(source.num_values())
            .set_total_compressed_size(signed(length)?)
            .set_total_uncompressed_size(signed(walked.uncompressed)?)
            .set_dictionary_page_offset(walked.dictionary.then_some(signed(start)?))
            .set_data_page_offset(signed(start + first_page)?);
        if let Some(statistics) = statistics {
            chunk = chunk.set_statistics(statistics);
        }
        self.chunks.push(chunk.build().map_err(|e| e.to_string())?);
        let filter = bloom_filter.filter(|filter| side::is_bloom_filter(filter));
        self.blooms.extend(filter.map(|filter| (leaf, filter)));
        if let Some(offsets) = side::offset_index(&walked, start) {
            let pages = walked.pages.len();
            let values = column_index.filter(|(index, bounds)| side::is_column_index(index, pages, *bounds));
            // A copy: a slice would hold all that was read with it.
            let values = values.map(|(index, _)| Bytes::copy_from_slice(&index));
            self.index(Indexes { group: self.groups.len(), leaf, offsets, values });
        }
        Ok(())
    }

    fn index(&mut self, index: Indexes) {
        self.index_bytes += index.offsets.len() + index.values.as_ref().map_or(0, Bytes::len);
        if self.index_bytes > MAX_INDEX_BYTES {
            self.indexes = None;
        }
        if let Some(held) = &mut self.indexes {
            held.push(index);
        }
    }

    /// The row group is complete.
    pub(super) async fn end_group(&mut self, rows: i64) -> Result<()> {
        let mut chunks = std::mem::take(&mut self.chunks);
        for (leaf, filter) in std::mem::take(&mut self.blooms) {
            let (at, length) = self.place(&filter)?;
            self.put(filter).await?;
            let chunk = chunks[leaf].clone().into_builder();
            let chunk = chunk.set_bloom_filter_offset(Some(at)).set_bloom_filter_length(Some(length));
            chunks[leaf] = chunk.build().map_err(|e| defect(self.url(), &e))?;
        }
        let start =
            chunks.first().map(|chunk| chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset()));
        let group = RowGroupMetaData::builder(self.schema.clone())
            .set_total_byte_size(chunks.iter().map(ColumnChunkMetaData::uncompressed_size).sum())
            .set_column_metadata(chunks)
            .set_num_rows(rows)
            .set_ordinal(i16::try_from(self.groups.len()).map_err(|e| defect(self.url(), &e))?)
            .set_file_offset(start.unwrap_or_default())
            .build()
            .map_err(|e| defect(self.url(), &e))?;
        self.groups.push(group);
        Ok(())
    }

    /// Writes indexes and footer, and describes the file.
    pub(super) async fn close(&mut self, target: &Target) -> Result<DataFile> {
        self.write_indexes().await?;
        let rows = self.groups.iter().map(RowGroupMetaData::num_rows).sum();
        let created_by = CREATED_BY.to_owned();
        let file = FileMetaData::new(VERSION, rows, Some(created_by), None, self.schema.clone(), None);
        let metadata = ParquetMetaData::new(file, std::mem::take(&mut self.groups));
        let mut footer = Vec::new();
        ParquetMetaDataWriter::new(&mut footer, &metadata).finish().map_err(|e| defect(self.url(), &e))?;
        self.put(footer.into()).await?;
        self.upload.complete().await?;
        describe(&Description {
            metadata: &metadata,
            target,
            path: self.url(),
            size: self.position(),
            partition: self.partition.as_ref(),
            ids: &field_ids(&self.schema),
            nan_counts: &HashMap::new(),
            // What could not be trusted was left behind.
            trust: Trust::Ours,
            sort_order_id: None,
        })
        .map_err(|e| defect(self.url(), &e))
    }

    /// Indexes stand together at the end, so that a reader gets them with one request.
    async fn write_indexes(&mut self) -> Result<()> {
        let mut indexes = self.indexes.take().unwrap_or_default();
        for index in &mut indexes {
            let Some(values) = index.values.take() else { continue };
            let (at, length) = self.place(&values)?;
            self.put(values).await?;
            self.amend(index, |chunk| {
                chunk.set_column_index_offset(Some(at)).set_column_index_length(Some(length))
            })?;
        }
        for index in &mut indexes {
            let offsets = Bytes::from(std::mem::take(&mut index.offsets));
            let (at, length) = self.place(&offsets)?;
            self.put(offsets).await?;
            self.amend(index, |chunk| {
                chunk.set_offset_index_offset(Some(at)).set_offset_index_length(Some(length))
            })?;
        }
        Ok(())
    }

    fn amend(
        &mut self,
        index: &Indexes,
        change: impl FnOnce(
            parquet::file::metadata::ColumnChunkMetaDataBuilder,
        ) -> parquet::file::metadata::ColumnChunkMetaDataBuilder,
    ) -> Result<()> {
        let chunk = &mut self.groups[index.group].columns_mut()[index.leaf];
        *chunk = change(chunk.clone().into_builder()).build().map_err(|e| defect(self.upload.url(), &e))?;
        Ok(())
    }

    /// Where the next bytes will stand: offset and length.
    fn place(&self, bytes: &Bytes) -> Result<(i64, i32)> {
        let at = i64::try_from(self.position()).map_err(|e| defect(self.url(), &e))?;
        Ok((at, i32::try_from(bytes.len()).map_err(|e| defect(self.url(), &e))?))
    }

    /// Drops what was written.
    pub(super) async fn discard(self, stores: &Stores) {
        self.upload.discard(stores).await;
    }
}

/// The output's own metadata does not fit: no input may lead here.
pub(super) fn defect(url: &str, reason: &impl std::fmt::Display) -> Error {
    Error::inconsistent(format!("cannot describe `{url}`: {reason}"))
}
