//! What a look-up has to know of a run before it reads entries: which row group and which pages can hold a hash.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::{SchemaDescriptor, Type};

use super::columns::{DIGEST, KEY_HASH, LOOK_UP_COLUMNS, SNAPSHOT_ID};

/// Place of the columns that look-ups read, in the file and in what is kept of its footer.
const KEY_HASH_COLUMN: usize = 0;
const DIGEST_COLUMN: usize = 1;

/// The footer of a run, cut down to the columns that look-ups read.
#[derive(Debug)]
pub(super) struct RunIndex {
    footer: ParquetMetaData,
    /// The first and the last key hash of each row group.
    keys: Vec<(i64, i64)>,
    whole: Option<Bytes>,
}

impl RunIndex {
    /// Keeps of a footer what look-ups need; `whole` are the bytes of a small file.
    pub(super) fn of(footer: &ParquetMetaData, whole: Option<Bytes>) -> Result<Self, ParquetError> {
        let footer = look_up_columns(footer)?;
        let keys = footer.row_groups().iter().map(key_range).collect::<Result<_, _>>()?;
        Ok(Self { footer, keys, whole })
    }

    /// Entries in the run.
    pub(super) fn entries(&self) -> u64 {
        self.footer.row_groups().iter().map(|group| group.num_rows() as u64).sum()
    }

    /// The bytes of a small file.
    pub(super) fn whole(&self) -> Option<Bytes> {
        self.whole.clone()
    }

    /// Memory that this takes.
    pub(super) fn bytes(&self) -> usize {
        self.footer.memory_size() + 16 * self.keys.len() + self.whole.as_ref().map_or(0, Bytes::len)
    }

    /// The row groups that can hold a key hash: one, unless a group ends in the middle of an object's versions.
    pub(super) fn groups_of(&self, key_hash: i64) -> Range<usize> {
        let start = self.keys.partition_point(|(_, last)| *last < key_hash);
        let end = self.keys.partition_point(|(first, _)| *first <= key_hash);
        start..end.max(start)
    }

    /// Where the Bloom filter of a row group is.
    pub(super) fn filter_range(&self, group: usize) -> Result<Range<u64>, ParquetError> {
        let column = self.footer.row_group(group).column(DIGEST_COLUMN);
        match (column.bloom_filter_offset(), column.bloom_filter_length()) {
            (Some(offset), Some(length)) if offset >= 0 && length > 0 => {
                Ok(offset as u64..offset as u64 + length as u64)
            }
            _ => Err(ParquetError::General("a row group has no Bloom filter".to_owned())),
        }
    }

    /// The footer as if the file had this row group only.
    pub(super) fn group(&self, group: usize) -> ParquetMetaData {
        only(&self.footer, group)
    }

    /// The same, with the pages of the look-up columns.
    pub(super) fn group_with(&self, group: usize, pages: &Pages) -> ParquetMetaData {
        ParquetMetaDataBuilder::new_from_metadata(self.group(group))
            .set_offset_index(Some(vec![pages.offsets.clone()]))
            .build()
    }
}

/// A footer as if its file had one row group only.
pub(super) fn only(footer: &ParquetMetaData, group: usize) -> ParquetMetaData {
    ParquetMetaData::new(footer.file_metadata().clone(), vec![footer.row_group(group).clone()])
}

/// The pages of one row group.
#[derive(Debug)]
pub(super) struct Pages {
    /// The first key hash of each page of key hashes.
    first_keys: Vec<i64>,
    /// The first row of each of these pages.
    first_rows: Vec<usize>,
    rows: usize,
    /// The pages of the look-up columns; left out for the key hashes, which are never read.
    offsets: Vec<OffsetIndexMetaData>,
}

impl Pages {
    /// Takes them from the metadata of one row group with its column index and its offset index.
    pub(super) fn of(
        column_index: &ParquetMetaData,
        offset_index: &ParquetMetaData,
    ) -> Result<Self, ParquetError> {
        let missing = || ParquetError::General("a row group has no page index".to_owned());
        let keys = column_index.column_index().and_then(|groups| groups.first()?.get(KEY_HASH_COLUMN));
        let Some(ColumnIndexMetaData::INT64(keys)) = keys else { return Err(missing()) };
        let mut offsets =
            offset_index.offset_index().and_then(|groups| groups.first()).ok_or_else(missing)?.clone();
        if offsets.len() != LOOK_UP_COLUMNS {
            return Err(missing());
        }
        let key_pages = std::mem::take(&mut offsets[KEY_HASH_COLUMN].page_locations);
        let first_keys: Vec<i64> = keys.min_values().to_vec();
        let first_rows: Vec<usize> = key_pages.iter().map(|page| page.first_row_index as usize).collect();
        if first_keys.len() != first_rows.len() {
            return Err(missing());
        }
        let rows = offset_index.row_group(0).num_rows() as usize;
        Ok(Self { first_keys, first_rows, rows, offsets })
    }

    /// Memory that this takes.
    pub(super) fn bytes(&self) -> usize {
        let pages: usize = self.offsets.iter().map(|column| column.page_locations.len()).sum();
        16 * self.first_keys.len() + 24 * pages
    }

    /// Rows of the group.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The rows of the pages that can hold a key hash.
    pub(super) fn rows_of(&self, key_hash: i64) -> Range<usize> {
        // A page may end in the middle of an object's versions.
        let first = self.first_keys.partition_point(|first| *first < key_hash).saturating_sub(1);
        let end = self.first_keys.partition_point(|first| *first <= key_hash);
        let row = |page: usize| self.first_rows.get(page).copied().unwrap_or(self.rows);
        row(first)..row(end).max(row(first))
    }
}

fn look_up_columns(footer: &ParquetMetaData) -> Result<ParquetMetaData, ParquetError> {
    let file = footer.file_metadata();
    let root = file.schema();
    let unlike = || ParquetError::General("its columns are not those of a run".to_owned());
    let fields = root.get_fields().get(..LOOK_UP_COLUMNS).ok_or_else(unlike)?.to_vec();
    if fields.iter().map(|field| field.name()).ne([KEY_HASH, DIGEST, SNAPSHOT_ID]) {
        return Err(unlike());
    }
    let schema = Type::group_type_builder(root.name()).with_fields(fields).build()?;
    let schema = Arc::new(SchemaDescriptor::new(Arc::new(schema)));
    let groups = footer.row_groups().iter().map(|group| {
        RowGroupMetaData::builder(schema.clone())
            .set_num_rows(group.num_rows())
            .set_total_byte_size(group.total_byte_size())
            .set_column_metadata(group.columns()[..LOOK_UP_COLUMNS].to_vec())
            .build()
    });
    let groups = groups.collect::<Result<_, _>>()?;
    let file = FileMetaData::new(file.version(), file.num_rows(), None, None, schema, None);
    Ok(ParquetMetaData::new(file, groups))
}

fn key_range(group: &RowGroupMetaData) -> Result<(i64, i64), ParquetError> {
    match group.column(KEY_HASH_COLUMN).statistics() {
        Some(Statistics::Int64(bounds)) => bounds.min_opt().copied().zip(bounds.max_opt().copied()),
        _ => None,
    }
    .ok_or_else(|| ParquetError::General("a row group has no bounds of its key hashes".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(first_keys: &[i64]) -> Pages {
        Pages {
            first_keys: first_keys.to_vec(),
            first_rows: (0..first_keys.len()).map(|page| page * 10).collect(),
            rows: first_keys.len() * 10,
            offsets: Vec::new(),
        }
    }

    #[test]
    fn a_hash_between_two_pages_is_in_the_first_of_them() {
        let pages = pages(&[0, 100, 200]);
        assert_eq!(pages.rows_of(150), 10..20);
        assert_eq!(pages.rows_of(500), 20..30);
        assert_eq!(pages.rows_of(-1), 0..0);
    }

    #[test]
    fn a_hash_that_begins_a_page_may_have_begun_in_the_one_before() {
        assert_eq!(pages(&[0, 100, 200]).rows_of(100), 0..20);
        assert_eq!(pages(&[0, 100, 100, 100, 200]).rows_of(100), 0..40);
        assert_eq!(pages(&[100]).rows_of(100), 0..10);
    }
}
