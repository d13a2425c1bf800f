//! Which statistics of a source go into the output.

use parquet::file::metadata::{ColumnChunkMetaData, FileMetaData};
use parquet::file::statistics::Statistics;

/// The statistics of a chunk that may be carried. None also drops its column index and its Bloom filter: they are
/// the same writer's word, and hide rows when it is wrong.
pub(super) fn carried_statistics(_file: &FileMetaData, chunk: &ColumnChunkMetaData) -> Option<Statistics> {
    chunk.statistics().cloned()
}
