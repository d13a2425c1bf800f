//! Chunks of columns whose values are all the same.

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::properties::WriterProperties;

use super::shape::Constant;

/// Rows that are made at a time.
const BATCH_ROWS: u64 = 8 * 1024;

/// A chunk of `rows` times the value: its bytes, and what a footer says of it.
pub(super) fn chunk(constant: &Constant, rows: u64) -> Result<(Bytes, ColumnChunkMetaData), ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(None)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), constant.schema.clone(), Some(properties))?;
    let mut left = rows;
    while left > 0 {
        let count = usize::try_from(left.min(BATCH_ROWS)).expect("a batch is small");
        let column = take(&constant.value, &UInt32Array::from(vec![0; count]), None)?;
        writer.write(&RecordBatch::try_new(constant.schema.clone(), vec![column])?)?;
        left -= count as u64;
    }
    let footer = writer.finish()?;
    let chunk = footer.row_groups().first().and_then(|group| group.columns().first()).cloned();
    let chunk = chunk.ok_or_else(|| ParquetError::General("no chunk was written".to_owned()))?;
    let (start, length) = chunk.byte_range();
    let file = writer.inner();
    let bounds = usize::try_from(start).ok().zip(usize::try_from(start + length).ok());
    let (start, end) = bounds
        .filter(|(_, end)| *end <= file.len())
        .ok_or(ParquetError::EOF("a chunk that was just written is not where its footer says".to_owned()))?;
    Ok((Bytes::copy_from_slice(&file[start..end]), chunk))
}
