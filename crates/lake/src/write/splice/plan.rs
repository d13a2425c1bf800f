//! What of a source is copied, and in which order it is read.

use std::ops::Range;

use parquet::basic::{Compression, Type};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::schema::types::ColumnDescriptor;

use super::reads::{self, Read};
use super::shape::{Leaf, Shape};
use crate::source::pages::Expected;

/// Page indexes or Bloom filters of a source are read at once if they take no more bytes than this, together with
/// what lies between them; else they are dropped.
const MAX_SIDE_BYTES: u64 = 2 * 1024 * 1024;
/// The magic at the start of a file, and the footer's length and the magic at its end.
const HEAD: u64 = 4;
const TAIL: u64 = 8;

/// A column chunk that is copied.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Place of its row group in the source.
    pub(super) group: usize,
    /// Place of the leaf in the output.
    pub(super) leaf: usize,
    /// Place of the leaf in the source.
    pub(super) column: usize,
    pub(super) range: Range<u64>,
    pub(super) expected: Expected,
}

/// How a source is copied.
#[derive(Debug)]
pub(super) struct Plan {
    /// In the output's order.
    pub(super) chunks: Vec<Chunk>,
    /// Reads of the chunks, by their places in `chunks`.
    pub(super) reads: Vec<Read>,
    /// Where all column indexes are.
    pub(super) indexes: Option<Range<u64>>,
    /// Where all Bloom filters are.
    pub(super) blooms: Option<Range<u64>>,
}

/// Plans a source of `size` bytes. Row groups without rows are left out.
///
/// # Errors
/// How the footer contradicts itself.
pub(super) fn plan(footer: &ParquetMetaData, size: u64, shape: &Shape) -> Result<Plan, String> {
    let mut chunks = Vec::new();
    let (mut rows, mut bytes) = (0u64, 0u64);
    let [mut indexes, mut blooms] = [const { Vec::new() }; 2];
    for (place, group) in footer.row_groups().iter().enumerate() {
        let group_rows = number(group.num_rows()).ok_or("a row group has fewer than no rows")?;
        if group_rows == 0 {
            continue;
        }
        rows = rows.saturating_add(group_rows);
        for (leaf, from) in shape.leaves.iter().enumerate() {
            let Leaf::File(column) = from else { continue };
            let found = group.columns().get(*column).ok_or("a row group lacks columns")?;
            let chunk = chunk(found, place, leaf, *column, group_rows, size)
                .map_err(|e| format!("row group {place}, column `{}`: {e}", found.column_path().string()))?;
            bytes = bytes.saturating_add(chunk.expected.length);
            indexes.extend(side(found.column_index_offset(), found.column_index_length(), size));
            blooms.extend(side(found.bloom_filter_offset(), found.bloom_filter_length(), size));
            chunks.push(chunk);
        }
    }
    if number(footer.file_metadata().num_rows()) != Some(rows) {
        return Err(format!(
            "the footer promises {} rows, its row groups {rows}",
            footer.file_metadata().num_rows()
        ));
    }
    // A footer whose chunks overlap could make a small file fill a disk.
    if bytes > size {
        return Err("its column chunks overlap".to_owned());
    }
    let reads = reads::plan(chunks.iter().map(|chunk| chunk.range.clone()));
    Ok(Plan { chunks, reads, indexes: together(&indexes), blooms: together(&blooms) })
}

fn chunk(
    found: &ColumnChunkMetaData,
    group: usize,
    leaf: usize,
    column: usize,
    rows: u64,
    size: u64,
) -> Result<Chunk, String> {
    let data = number(found.data_page_offset()).ok_or("it begins before the file")?;
    // Some writers leave the dictionary's place out, or give one that is none: then it comes first in the data.
    let dictionary = found.dictionary_page_offset().and_then(number);
    let start = dictionary.filter(|at| (HEAD..data).contains(at)).unwrap_or(data);
    let length = number(found.compressed_size()).filter(|length| *length > 0).ok_or("it has no bytes")?;
    let end = start.checked_add(length).filter(|end| start >= HEAD && end + TAIL <= size);
    let end = end.ok_or_else(|| format!("its {length} bytes at {start} are not within the file"))?;
    let values = number(found.num_values()).ok_or("it has fewer than no values")?;
    let descriptor = found.column_descr();
    let (definition, repetition) = (descriptor.max_def_level(), descriptor.max_rep_level());
    if (repetition == 0 && values != rows) || values < rows {
        return Err(format!("it has {values} values for {rows} rows"));
    }
    let compressed = found.compression() != Compression::UNCOMPRESSED;
    let bits = bits(found.column_descr());
    let expected = Expected { length, values, rows, compressed, definition, repetition, bits };
    Ok(Chunk { group, leaf, column, range: start..end, expected })
}

/// Bits of a plain value of a column, if all take as many.
pub(super) fn bits(column: &ColumnDescriptor) -> Option<u64> {
    match column.physical_type() {
        Type::BOOLEAN => Some(1),
        Type::INT32 | Type::FLOAT => Some(32),
        Type::INT64 | Type::DOUBLE => Some(64),
        Type::INT96 => Some(96),
        Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(column.type_length()).ok().map(|bytes| 8 * bytes),
        Type::BYTE_ARRAY => None,
    }
}

/// Where something stands that belongs to a chunk and is not part of it, if the footer's word can be followed.
pub(super) fn side(offset: Option<i64>, length: Option<i32>, size: u64) -> Option<Range<u64>> {
    let start = number(offset?)?;
    let end = start.checked_add(u64::try_from(length?).ok()?)?;
    (start >= HEAD && start < end && end <= size).then_some(start..end)
}

fn together(sides: &[Range<u64>]) -> Option<Range<u64>> {
    let start = sides.iter().map(|side| side.start).min()?;
    let end = sides.iter().map(|side| side.end).max()?;
    (end - start <= MAX_SIDE_BYTES).then_some(start..end)
}

fn number(value: i64) -> Option<u64> {
    u64::try_from(value).ok()
}
