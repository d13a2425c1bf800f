//! One row group in the making: its columns are encoded side by side.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::errors::Result;

use super::lanes::Lanes;

/// A row group that takes batches until it is closed.
pub(super) struct RowGroup {
    schema: SchemaRef,
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

impl RowGroup {
    /// The row group at `index` of the file that `factory` is for.
    ///
    /// # Errors
    /// A column type that Parquet cannot hold.
    pub(super) fn new(factory: &ArrowRowGroupWriterFactory, schema: SchemaRef, index: usize) -> Result<Self> {
        Ok(Self { schema, columns: factory.create_column_writers(index)?, rows: 0 })
    }

    /// Rows taken in.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of memory that it takes: encoded pages, dictionaries, and what is not encoded yet.
    pub(super) fn memory(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::memory_size).sum()
    }

    /// Encodes a batch of the schema. After an error it is of no use any more.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn write(&mut self, batch: &RecordBatch, lanes: &Lanes) -> Result<()> {
        let mut leaves = Vec::with_capacity(self.columns.len());
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            leaves.extend(compute_leaves(field, column)?);
        }
        let columns = std::mem::take(&mut self.columns);
        let work: Vec<(ArrowColumnWriter, ArrowLeafColumn)> = columns.into_iter().zip(leaves).collect();
        self.columns = lanes.share(work, |(mut writer, leaf)| {
            writer.write(&leaf)?;
            Ok(writer)
        })?;
        self.rows += batch.num_rows();
        Ok(())
    }

    /// Encodes what is left; the columns in the schema's order.
    ///
    /// # Errors
    /// What the encoder says.
    pub(super) fn close(self, lanes: &Lanes) -> Result<Vec<ArrowColumnChunk>> {
        lanes.share(self.columns, ArrowColumnWriter::close)
    }
}
