//! What a decoder holds at once: of each column a page, and the dictionary that it refers to.

use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::pages::PageHeader;

/// Bytes that the pages of all columns may take together, decompressed. Pages of one MiB, which is what writers aim at,
/// make that some hundred columns whose pages all are full.
const MAX_HELD: u64 = 384 * 1024 * 1024;
/// What stands before the first chunk of a file.
const MAGIC: u64 = 4;

/// Counts the pages that are held while the columns of a file are read in turns.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Where a chunk begins, of which column it is, and how its pages are compressed; in the order of the file.
    chunks: Vec<(u64, usize, Compression)>,
    columns: Vec<Column>,
    total: u64,
}

/// What is held of a column, in bytes.
#[derive(Debug, Clone, Default)]
struct Column {
    /// Where the chunk begins that was read last.
    chunk: u64,
    dictionary: u64,
    page: u64,
}

impl Held {
    /// Of a file of which nothing is held yet, and whose footer begins at `end`.
    ///
    /// # Errors
    /// Column chunks overlap: then a page of a small file could be held as often as it has columns. Or they reach into
    /// the footer: then some of the data is gone.
    pub(super) fn new(footer: &ParquetMetaData, end: u64) -> Result<Self, String> {
        let columns = vec![Column::default(); footer.file_metadata().schema_descr().num_columns()];
        let mut ranges = Vec::new();
        // Of a row group without rows nothing is read, and its offsets may be anything.
        for group in footer.row_groups().iter().filter(|group| group.num_rows() > 0) {
            let chunks = group.columns().iter().enumerate();
            ranges.extend(chunks.filter_map(|(column, chunk)| {
                let (start, length) = range(chunk)?;
                Some((start, start.saturating_add(length), column, chunk.compression()))
            }));
        }
        ranges.sort_unstable_by_key(|(start, end, column, _)| (*start, *end, *column));
        if ranges.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            return Err("damaged: its column chunks overlap".to_owned());
        }
        if ranges.last().is_some_and(|last| last.1 > end) {
            return Err("damaged: a column chunk ends behind the data".to_owned());
        }
        let chunks = ranges.into_iter().map(|(start, _, column, codec)| (start, column, codec)).collect();
        Ok(Self { chunks, columns, total: 0 })
    }

    /// Notes the page at `at`, before room is made for it; the answer is how it is compressed.
    ///
    /// # Errors
    /// With it too much is held.
    pub(super) fn page(&mut self, at: u64, header: &PageHeader) -> Result<Compression, String> {
        let Some(before) = self.chunks.partition_point(|(start, ..)| *start <= at).checked_sub(1) else {
            return Ok(Compression::UNCOMPRESSED);
        };
        let (chunk, column, codec) = self.chunks[before];
        let Some(column) = self.columns.get_mut(column) else { return Ok(codec) };
        self.total -= column.dictionary + column.page;
        if column.chunk != chunk {
            *column = Column { chunk, ..Column::default() };
        }
        let bytes = u64::from(header.uncompressed.max(header.compressed));
        *(if header.is_dictionary() { &mut column.dictionary } else { &mut column.page }) = bytes;
        self.total += column.dictionary + column.page;
        if self.total > MAX_HELD {
            return Err(format!(
                "the pages of its columns take {} MiB at once, more than {}: write smaller pages",
                self.total >> 20,
                MAX_HELD >> 20
            ));
        }
        Ok(codec)
    }
}

/// Where a chunk begins, and how long it is; none if it has no bytes, or if the decoder will refuse it anyway.
fn range(chunk: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let data = u64::try_from(chunk.data_page_offset()).ok()?;
    let dictionary = chunk.dictionary_page_offset().and_then(|at| u64::try_from(at).ok());
    let start = dictionary.filter(|at| (MAGIC..data).contains(at)).unwrap_or(data);
    let length = u64::try_from(chunk.compressed_size()).ok().filter(|length| *length > 0)?;
    Some((start, length))
}

#[cfg(test)]
mod tests {
    use super::super::pages::Page;
    use super::*;

    fn page(uncompressed: u32, page: Page) -> PageHeader {
        PageHeader { length: 10, compressed: 10, uncompressed, crc: None, page }
    }

    fn data(mib: u32) -> PageHeader {
        page(mib << 20, Page::Other)
    }

    fn dictionary(mib: u32) -> PageHeader {
        page(mib << 20, Page::Dictionary { values: 1, encoding: None })
    }

    /// Two columns in two row groups, each chunk of 100 bytes.
    fn held() -> Held {
        let chunks = [(4, 0), (104, 1), (204, 0), (304, 1)];
        let chunks = chunks.map(|(start, column)| (start, column, Compression::SNAPPY)).to_vec();
        Held { chunks, columns: vec![Column::default(); 2], total: 0 }
    }

    #[test]
    fn a_page_takes_the_place_of_the_one_before() {
        let mut held = held();
        for at in 4..100 {
            held.page(at, &data(200)).unwrap();
        }
        held.page(104, &data(100)).unwrap();
        // The next row group; the same chunk once more is nothing new.
        held.page(204, &data(250)).unwrap();
        held.page(204, &data(250)).unwrap();
        assert_eq!(held.total, 350 << 20);
    }

    #[test]
    fn dictionaries_stay_until_their_chunk_ends() {
        let mut held = held();
        held.page(4, &dictionary(200)).unwrap();
        held.page(50, &data(150)).unwrap();
        assert!(held.page(104, &data(50)).unwrap_err().contains("400 MiB"));
        let mut held = self::held();
        held.page(4, &dictionary(200)).unwrap();
        held.page(204, &data(50)).unwrap();
        assert_eq!(held.total, 50 << 20);
    }
}
