//! How many rows of a file make a batch.
//!
//! The footer says how long rows are as they stand in the file. Decoded they may be a thousand times as long, for a
//! text that a dictionary has once is there for each row. So the first batch is small and shows how long they are.

use arrow_array::RecordBatch;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

/// Rows in a batch: enough to keep the cost a batch small, few enough that wide rows stay small in memory.
const BATCH_ROWS: usize = 8 * 1024;
/// Rows of the first batch.
const FIRST_ROWS: usize = 64;
/// Bytes that a batch should have at most, as rows stand in the file and once they are decoded.
const ENCODED_BYTES: usize = 8 * 1024 * 1024;
const DECODED_BYTES: usize = 16 * 1024 * 1024;
/// What a value takes in memory whatever it takes in the file, about.
const VALUE_BYTES: usize = 16;
/// A batch of more than so many times the bytes makes the next ones smaller, and as many times smaller ones larger:
/// what was decoded of the row group is decoded anew for it.
const TOLERANCE: usize = 4;
/// How the decoder says that the texts of one column of a batch take more than the 2 GiB that Arrow's offsets reach.
const OVERFLOW: &str = "index overflow decoding byte array";

/// The number of rows in a batch, and what was learned of it.
#[derive(Debug)]
pub(super) struct Pace {
    rows: usize,
    most: usize,
    /// Whether batches may still become larger.
    grows: bool,
}

impl Pace {
    /// Of a file of which nothing but the footer is known.
    pub(super) fn new(footer: &ParquetMetaData) -> Self {
        let columns = footer.file_metadata().schema_descr().num_columns();
        let widest = footer.row_groups().iter().filter(|group| group.num_rows() > 0).map(|group| {
            let bytes = usize::try_from(group.total_byte_size()).unwrap_or(usize::MAX);
            bytes / usize::try_from(group.num_rows()).unwrap_or(1)
        });
        let row = widest.max().unwrap_or(0).max(columns * VALUE_BYTES).max(1);
        let most = (ENCODED_BYTES / row).clamp(1, BATCH_ROWS);
        Self { rows: most.min(FIRST_ROWS), most, grows: true }
    }

    /// Rows of the next batch.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Looks at a batch; says whether the next ones are to have another number of rows.
    pub(super) fn learn(&mut self, batch: &RecordBatch) -> bool {
        if batch.num_rows() < self.rows {
            return false;
        }
        let row = batch.get_array_memory_size() / self.rows.max(1);
        let fitting = (DECODED_BYTES / row.max(1)).clamp(1, self.most);
        let grown = std::mem::take(&mut self.grows) && fitting / TOLERANCE >= self.rows;
        let changes = grown || fitting < self.rows / TOLERANCE;
        if changes {
            self.rows = fitting;
        }
        changes
    }

    /// Makes batches smaller if that is what an error asks for; says whether it does.
    pub(super) fn eases(&mut self, error: &ParquetError) -> bool {
        let eases = self.rows > 1 && error.to_string().contains(OVERFLOW);
        if eases {
            self.grows = false;
            self.rows = (self.rows / TOLERANCE).max(1);
        }
        eases
    }
}
