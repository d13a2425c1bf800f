//! How data files are encoded: our settings, and those of the table that are sane.

use std::collections::HashMap;

use iceberg::spec::TableMetadata;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::layout::CREATED_BY;

const CODEC: &str = "write.parquet.compression-codec";
const LEVEL: &str = "write.parquet.compression-level";
const TARGET_FILE: &str = "write.target-file-size-bytes";
const ROW_GROUP: &str = "write.parquet.row-group-size-bytes";

/// A row group is closed when its encoded pages take this much memory: enough for readers to read in large requests,
/// small enough for the memory that a worker has.
const ROW_GROUP_BYTES: usize = 32 * 1024 * 1024;
/// A row group smaller than this is of no use to anybody; nor is a file.
const MIN_BYTES: usize = 1024 * 1024;
/// A data file is closed at this size; Iceberg's own default.
const TARGET_FILE_BYTES: usize = 512 * 1024 * 1024;
/// The largest that a table may ask for: an upload of more would have too many parts.
const MAX_FILE_BYTES: usize = 32 * 1024 * 1024 * 1024;
/// Rows in a row group: what readers split their work by.
const ROW_GROUP_ROWS: usize = 1024 * 1024;
/// Encoded bytes of a page, and of a dictionary before its column goes on without one.
const PAGE_BYTES: usize = 1024 * 1024;
/// Bytes of a minimum or maximum in the footer and in the page index: a bound of 16 characters, which Iceberg keeps,
/// can be made of it, whatever the characters.
const BOUND_BYTES: usize = 64;
/// The level at which zstd is nearly as fast as Snappy.
const ZSTD_LEVEL: i32 = 3;

/// Settings of one table's data files.
#[derive(Debug, Clone)]
pub(super) struct Encoding {
    /// For the Parquet encoder.
    pub(super) parquet: WriterProperties,
    /// A row group is closed when it takes this much memory.
    pub(super) row_group_bytes: usize,
    /// A row group is closed when it has so many rows.
    pub(super) row_group_rows: usize,
    /// A file is closed when it has so many bytes.
    pub(super) file_bytes: usize,
}

impl Encoding {
    /// What the table's properties ask for. A value that means nothing counts as not set: a wrong setting must not
    /// stop the rows.
    pub(super) fn of(table: &TableMetadata) -> Self {
        let properties = table.properties();
        let bytes = |name: &str| properties.get(name).and_then(|value| value.parse::<usize>().ok());
        Self {
            parquet: WriterProperties::builder()
                .set_compression(compression(properties))
                .set_data_page_size_limit(PAGE_BYTES)
                .set_dictionary_page_size_limit(PAGE_BYTES)
                .set_statistics_truncate_length(Some(BOUND_BYTES))
                .set_column_index_truncate_length(Some(BOUND_BYTES))
                .set_created_by(CREATED_BY.to_owned())
                .build(),
            // Larger ones would not fit the memory that a worker has.
            row_group_bytes: bytes(ROW_GROUP).unwrap_or(ROW_GROUP_BYTES).clamp(MIN_BYTES, ROW_GROUP_BYTES),
            row_group_rows: ROW_GROUP_ROWS,
            file_bytes: bytes(TARGET_FILE).unwrap_or(TARGET_FILE_BYTES).clamp(MIN_BYTES, MAX_FILE_BYTES),
        }
    }
}

fn compression(properties: &HashMap<String, String>) -> Compression {
    let level = properties.get(LEVEL).and_then(|value| value.parse::<i32>().ok());
    let zstd = |level: Option<i32>| {
        let wanted = level.and_then(|level| ZstdLevel::try_new(level).ok());
        Compression::ZSTD(wanted.or_else(|| ZstdLevel::try_new(ZSTD_LEVEL).ok()).unwrap_or_default())
    };
    match properties.get(CODEC).map(|codec| codec.to_lowercase()).as_deref() {
        Some("uncompressed" | "none") => Compression::UNCOMPRESSED,
        Some("snappy") => Compression::SNAPPY,
        Some("gzip") => {
            let wanted = level.and_then(|level| u32::try_from(level).ok());
            Compression::GZIP(wanted.and_then(|level| GzipLevel::try_new(level).ok()).unwrap_or_default())
        }
        Some("zstd") => zstd(level),
        // Not every reader reads the others (LZ4, Brotli, LZO); a level without a codec is of the default codec.
        _ => zstd(level),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec(list: &[(&str, &str)]) -> Compression {
        compression(&list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn the_tables_codec_is_used_and_nonsense_is_not() {
        let zstd = |level| Compression::ZSTD(ZstdLevel::try_new(level).unwrap());
        assert_eq!(codec(&[]), zstd(3));
        assert_eq!(codec(&[(CODEC, "Snappy")]), Compression::SNAPPY);
        assert_eq!(codec(&[(CODEC, "zstd"), (LEVEL, "7")]), zstd(7));
        assert_eq!(codec(&[(CODEC, "zstd"), (LEVEL, "700")]), zstd(3));
        assert_eq!(codec(&[(CODEC, "gzip"), (LEVEL, "-3")]), Compression::GZIP(GzipLevel::default()));
        assert_eq!(codec(&[(CODEC, "lzo")]), zstd(3));
    }
}
