//! One data file being written, row group by row group.

use std::sync::Arc;

use arrow_array::RecordBatch;
use iceberg::spec::{DataFile, Struct};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use tokio::runtime::Handle;

use super::blocking_upload::BlockingUpload;
use super::encoding::Encoding;
use super::lanes::Lanes;
use super::nan::{self, NanCounts};
use super::row_group::RowGroup;
use super::sort::Span;
use super::statistics::{Description, Trust, describe, field_ids};
use super::target::Target;
use super::upload::{Slots, Upload};
use super::uuids::marked;
use crate::error::{Error, Result};
use crate::layout::new_data_file;
use crate::storage::Stores;

/// Name of the root of our files' schemas; Iceberg's own writers use it.
const SCHEMA_ROOT: &str = "table";
/// Memory that the metadata of a column chunk takes, with its page indexes: about so much.
const CHUNK_METADATA_BYTES: usize = 1024;

/// A data file that is not closed yet.
pub(super) struct OpenFile {
    url: String,
    writer: SerializedFileWriter<BlockingUpload>,
    factory: ArrowRowGroupWriterFactory,
    row_groups: u32,
    nan_counts: NanCounts,
    order: Order,
}

/// Whether the rows of a file are in the table's order.
enum Order {
    /// There are none yet.
    Empty,
    /// They are, and end with these keys.
    Kept(Span),
    /// They are not, or nobody asked.
    None,
}

impl OpenFile {
    /// Begins a file of `target`, under a name of its own.
    pub(super) fn create(
        stores: &Stores,
        target: &Target,
        encoding: &Encoding,
        runtime: &Handle,
        slots: &Slots,
    ) -> Result<Self> {
        let table = &target.table;
        let url = new_data_file(table);
        let upload = Upload::new(stores.locate(&url)?, slots.clone());
        let upload = BlockingUpload::new(upload, runtime.clone());
        let (writer, factory) = begin(upload, target, encoding).map_err(|e| failed(&url, e))?;
        let (nan_counts, order) = (NanCounts::new(), Order::Empty);
        Ok(Self { url, writer, factory, row_groups: 0, nan_counts, order })
    }

    /// Its URL.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Row groups appended so far: the number of the next one.
    pub(super) fn row_groups(&self) -> u32 {
        self.row_groups
    }

    /// Bytes appended so far.
    pub(super) fn bytes(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Bytes of memory that it takes: what waits to be sent, and what the footer will say of the column chunks.
    pub(super) fn held(&self) -> usize {
        self.writer.inner().held() + self.chunks() * CHUNK_METADATA_BYTES
    }

    /// Column chunks appended so far.
    pub(super) fn chunks(&self) -> usize {
        self.writer.flushed_row_groups().iter().map(|group| group.num_columns()).sum()
    }

    /// A row group that is to be appended next.
    pub(super) fn row_group(&self, target: &Target) -> Result<RowGroup> {
        let index = usize::try_from(self.row_groups).expect("an index fits in memory");
        RowGroup::new(&self.factory, target.columns.clone(), index).map_err(|e| failed(&self.url, e))
    }

    /// Encodes a batch into the row group that is to be appended next.
    pub(super) fn encode(&mut self, group: &mut RowGroup, batch: &RecordBatch, lanes: &Lanes) -> Result<()> {
        if matches!(self.order, Order::Empty) {
            self.order = Order::None;
        }
        nan::count(batch, &mut self.nan_counts);
        group.write(batch, lanes).map_err(|e| failed(&self.url, e))
    }

    /// Takes in that the next rows are sorted and span `next`, or are not sorted.
    pub(super) fn note_order(&mut self, next: Option<&Span>) {
        self.order = match (&self.order, next) {
            (Order::Empty, Some(next)) => Order::Kept(next.clone()),
            (Order::Kept(held), Some(next)) if held.precedes(next) => Order::Kept(next.clone()),
            _ => Order::None,
        };
    }

    /// Appends a row group.
    pub(super) fn append(&mut self, group: RowGroup, lanes: &Lanes) -> Result<()> {
        let columns = group.close(lanes).map_err(|e| failed(&self.url, e))?;
        let append = || -> parquet::errors::Result<()> {
            let mut into = self.writer.next_row_group()?;
            for column in columns {
                column.append_to_row_group(&mut into)?;
            }
            into.close().map(|_| ())
        };
        append().map_err(|e| failed(&self.url, e))?;
        self.row_groups += 1;
        Ok(())
    }

    /// Writes the footer and makes the object. After an error the file still has to be discarded.
    pub(super) fn close(&mut self, target: &Target, partition: &Struct) -> Result<DataFile> {
        let metadata = self.writer.finish().map_err(|e| failed(&self.url, e))?;
        let completed = self.writer.inner_mut().complete();
        completed.map_err(|e| failed(&self.url, ParquetError::External(e.into())))?;
        let sorted = matches!(self.order, Order::Kept(_));
        let ids = field_ids(metadata.file_metadata().schema_descr());
        describe(&Description {
            metadata: &metadata,
            target,
            path: &self.url,
            size: self.writer.bytes_written() as u64,
            partition: Some(partition),
            ids: &ids,
            nan_counts: &self.nan_counts,
            trust: Trust::Ours,
            sort_order_id: sorted.then(|| i32::try_from(target.table.default_sort_order_id()).ok()).flatten(),
        })
        .map_err(|reason| Error::inconsistent(format!("cannot describe `{}`: {reason}", self.url)))
    }

    /// Gives up. What cannot be dropped now is left to the bucket's own rules for unfinished uploads; returns the URL
    /// if there may be an object.
    pub(super) fn discard(mut self) -> Option<String> {
        let there = self.writer.inner_mut().abort();
        there.then_some(self.url)
    }
}

type Begun = (SerializedFileWriter<BlockingUpload>, ArrowRowGroupWriterFactory);

fn begin(upload: BlockingUpload, target: &Target, encoding: &Encoding) -> parquet::errors::Result<Begun> {
    let schema = ArrowSchemaConverter::new().schema_root(SCHEMA_ROOT).convert(&target.columns)?;
    let properties = Arc::new(encoding.parquet.clone());
    let root = marked(&schema.root_schema_ptr(), &target.schema)?;
    let writer = SerializedFileWriter::new(upload, root, properties)?;
    let factory = ArrowRowGroupWriterFactory::new(&writer, target.columns.clone());
    Ok((writer, factory))
}

fn failed(url: &str, error: ParquetError) -> Error {
    Error::unavailable(format!("cannot write data file `{url}`")).caused_by(error)
}
