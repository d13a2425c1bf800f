//! One row group in the making: its columns are encoded side by side.

use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::errors::{ParquetError, Result};

/// Threads that encode one row group. More would wait for the one that decodes.
const MAX_LANES: usize = 4;

/// Threads that encode, on this machine.
pub(super) fn lanes() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_LANES)
}

/// A row group that takes batches until it is closed.
pub(super) struct RowGroup {
    schema: SchemaRef,
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
    lanes: usize,
}

impl RowGroup {
    /// The row group at `index` of the file that `factory` is for.
    ///
    /// # Errors
    /// A column type that Parquet cannot hold.
    pub(super) fn new(
        factory: &ArrowRowGroupWriterFactory,
        schema: SchemaRef,
        index: usize,
        lanes: usize,
    ) -> Result<Self> {
        Ok(Self { schema, columns: factory.create_column_writers(index)?, rows: 0, lanes })
    }

    /// Rows taken in.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of memory that it takes: encoded pages, dictionaries, and what is not encoded yet.
    pub(super) fn memory(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::memory_size).sum()
    }

    /// Encodes a batch of the schema.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut leaves = Vec::with_capacity(self.columns.len());
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            leaves.extend(compute_leaves(field, column)?);
        }
        let work: Vec<(&mut ArrowColumnWriter, ArrowLeafColumn)> =
            self.columns.iter_mut().zip(leaves).collect();
        side_by_side(self.lanes, work, |(writer, leaf)| writer.write(&leaf))?;
        self.rows += batch.num_rows();
        Ok(())
    }

    /// Encodes what is left; the columns in the schema's order.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn close(self) -> Result<Vec<ArrowColumnChunk>> {
        side_by_side(self.lanes, self.columns, ArrowColumnWriter::close)
    }
}

/// Does each piece of work on whichever thread is free; results in the order of the work.
fn side_by_side<I: Send, O: Send>(
    lanes: usize,
    work: Vec<I>,
    task: impl Fn(I) -> Result<O> + Sync,
) -> Result<Vec<O>> {
    let count = work.len();
    let queue = Mutex::new(work.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let lane = || -> Result<Vec<(usize, O)>> {
        let mut done = Vec::new();
        while let Some((place, item)) = next() {
            done.push((place, task(item)?));
        }
        Ok(done)
    };
    let mut done = Vec::with_capacity(count);
    std::thread::scope(|scope| -> Result<()> {
        // This thread is a lane too.
        let others: Vec<_> = (1..lanes.min(count)).map(|_| scope.spawn(lane)).collect();
        let own = lane();
        for other in others {
            let lost = |_| ParquetError::General("the encoder gave up on its data".to_owned());
            done.extend(other.join().map_err(lost)??);
        }
        done.extend(own?);
        Ok(())
    })?;
    done.sort_unstable_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_work_and_a_failure_is_told() {
        let doubled = side_by_side(4, (0..100).collect(), |n: i32| Ok(n * 2)).unwrap();
        assert_eq!(doubled, (0..100).map(|n| n * 2).collect::<Vec<_>>());
        let failed = side_by_side(2, (0..100).collect(), |n: i32| {
            if n == 57 { Err(ParquetError::General("no".to_owned())) } else { Ok(n) }
        });
        assert!(failed.is_err());
        assert_eq!(side_by_side(4, Vec::new(), |n: i32| Ok(n)).unwrap(), Vec::<i32>::new());
    }
}
