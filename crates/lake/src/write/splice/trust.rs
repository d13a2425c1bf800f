//! Which statistics of a source go into the output.

use parquet::file::metadata::{ColumnChunkMetaData, FileMetaData};
use parquet::file::statistics::Statistics;

use crate::write::statistics::{PageBounds, trusted, trusted_pages};

/// What of a source's word on a chunk is passed on. The output bears our name: readers will believe all of it.
pub(super) struct Carried {
    /// Its statistics.
    pub(super) statistics: Option<Statistics>,
    /// By what its column index is judged, if that is passed on.
    pub(super) column_index: Option<PageBounds>,
    /// Whether its Bloom filter is.
    pub(super) bloom_filter: bool,
}

/// What is passed on of chunk `chunk` of leaf `leaf`.
pub(super) fn carried(file: &FileMetaData, leaf: usize, chunk: &ColumnChunkMetaData) -> Carried {
    let statistics = trusted(file, leaf, chunk);
    Carried {
        column_index: trusted_pages(file, leaf)
            .filter(|_| statistics.as_ref().is_some_and(|held| held.min_bytes_opt().is_some())),
        bloom_filter: statistics.is_some(),
        statistics,
    }
}
