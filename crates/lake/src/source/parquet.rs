//! Reading one Parquet object as a stream of record batches, in bounded memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataReader};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::footer;
use super::held::Held;
use super::int96;
use super::object::SourceObject;
use super::pace::Pace;
use super::window::WindowReader;
use crate::columns::{reading_schema, with_logical_types};
use crate::error::Error;

/// Batches that wait between decoder and encoder: one is encoded while the next is decoded.
const BATCHES_AHEAD: usize = 2;
/// Bytes of raw column data held while decoding.
const WINDOW_BUDGET: u64 = 16 * 1024 * 1024;
/// A footer longer than this is taken for damage. The largest seen in practice are a few MiB.
const MAX_FOOTER: u64 = 64 * 1024 * 1024;
/// What ends a Parquet file: the footer's length (4 bytes) and the magic (4 bytes).
const TAIL: u64 = 8;
/// Bytes that are read to begin with: room for the footers of most files, so that one request is enough.
const FIRST_READ: u64 = 32 * 1024;

/// Why a source could not be read to its end.
#[derive(Debug)]
pub enum ReadError {
    /// Its content is at fault: no retry can mend it. The text says what is wrong.
    Content(String),
    /// The object is no longer the version that was resolved.
    Changed,
    /// The store failed; a retry may help.
    Store(Error),
}

/// An opened Parquet object: its footer was read and understood.
#[derive(Debug, Clone)]
pub struct ParquetSource {
    object: SourceObject,
    footer: ArrowReaderMetadata,
    /// Where it begins.
    footer_start: u64,
    schema: SchemaRef,
}

/// Record batches as they are decoded, in the file's own order.
pub type BatchStream = mpsc::Receiver<Result<RecordBatch, ReadError>>;

impl ParquetSource {
    /// Reads the footer.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn open(object: SourceObject) -> Result<Self, ReadError> {
        let bytes = read_footer(&object).await?;
        let footer_start = object.size - TAIL - bytes.len() as u64;
        let footer = tokio::task::spawn_blocking(move || {
            footer::check(&bytes).map_err(ReadError::Content)?;
            // The types are the file's own: an embedded Arrow schema only says how its writer held them in memory.
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            let decode = || {
                let footer = Arc::new(counted(ParquetMetaDataReader::decode_metadata(&bytes)?)?);
                let footer = ArrowReaderMetadata::try_new(footer, options.clone())?;
                match reading_schema(footer.parquet_schema(), footer.schema()) {
                    Some(schema) => ArrowReaderMetadata::try_new(
                        footer.metadata().clone(),
                        options.with_schema(Arc::new(schema)),
                    ),
                    None => Ok(footer),
                }
            };
            caught(decode)?.map_err(unreadable)
        })
        .await
        .map_err(|e| ReadError::Store(Error::unavailable("reading a footer was cut short").caused_by(e)))??;
        let schema = Arc::new(with_logical_types(footer.parquet_schema(), footer.schema()));
        Ok(Self { object, footer, footer_start, schema })
    }

    /// The object that is read.
    pub fn object(&self) -> &SourceObject {
        &self.object
    }

    /// The file's columns, with what Arrow does not know of their Parquet types as metadata.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The footer.
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.footer.metadata()
    }

    /// Bytes of memory that the decoded footer takes.
    pub fn memory(&self) -> usize {
        self.footer.metadata().memory_size()
    }

    /// Decodes the file to its end, for nothing but to know that it can be done.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn verify(&self) -> Result<(), ReadError> {
        let mut batches = self.batches();
        while let Some(batch) = batches.recv().await {
            batch?;
        }
        Ok(())
    }

    /// The number of rows that the footer claims.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.footer.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Decodes the file on a thread of its own. The stream ends after the last batch or the first error.
    pub fn batches(&self) -> BatchStream {
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let runtime = Handle::current();
        let source = self.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = source.read(runtime, &sender) {
                // A receiver that is gone no longer wants to know.
                let _ = sender.blocking_send(Err(error));
            }
        });
        receiver
    }

    fn read(
        &self,
        runtime: Handle,
        sender: &mpsc::Sender<Result<RecordBatch, ReadError>>,
    ) -> Result<(), ReadError> {
        let held = Held::new(self.metadata(), self.footer_start).map_err(ReadError::Content)?;
        let columns = self.footer.parquet_schema().num_columns();
        let reader = WindowReader::new(self.object.clone(), runtime, columns, WINDOW_BUDGET, held);
        match guarded(&reader, || int96::inexact(&Arc::new(reader.clone()), self.metadata()))? {
            None => guarded(&reader, || self.decode(reader.clone(), sender)),
            Some(reason) => Err(ReadError::Content(reason)),
        }
    }

    fn decode(
        &self,
        reader: WindowReader,
        sender: &mpsc::Sender<Result<RecordBatch, ReadError>>,
    ) -> Result<(), ParquetError> {
        let (mut pace, mut rows) = (Pace::new(self.metadata()), 0);
        loop {
            match self.decode_from(&mut rows, reader.clone(), &mut pace, sender) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if pace.eases(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if rows == self.rows() || sender.is_closed() {
            return Ok(());
        }
        Err(ParquetError::General(format!("the footer promises {} rows, the pages hold {rows}", self.rows())))
    }

    /// Hands on the rows behind the first `rows` ones. Says whether to go on with batches of another size: a reader
    /// has one for good.
    fn decode_from(
        &self,
        rows: &mut u64,
        reader: WindowReader,
        pace: &mut Pace,
        sender: &mpsc::Sender<Result<RecordBatch, ReadError>>,
    ) -> Result<bool, ParquetError> {
        let (group, mut known) = self.row_group_of(*rows);
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(reader, self.footer.clone())
            .with_row_groups((group..self.metadata().num_row_groups()).collect())
            .with_batch_size(pace.rows())
            .build()?;
        for batch in batches {
            let batch = batch?;
            let dropped = batch.num_rows().min(known);
            known -= dropped;
            let fresh = batch.slice(dropped, batch.num_rows() - dropped);
            if fresh.num_rows() == 0 {
                continue;
            }
            *rows += fresh.num_rows() as u64;
            let changes = pace.learn(&batch);
            if sender.blocking_send(Ok(fresh)).is_err() {
                // A receiver that is gone wants no more.
                return Ok(false);
            }
            if changes {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The row group that holds this row, and how many rows stand before it there.
    fn row_group_of(&self, row: u64) -> (usize, usize) {
        let mut before = row;
        for (index, group) in self.metadata().row_groups().iter().enumerate() {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            if before < rows {
                return (index, usize::try_from(before).unwrap_or(usize::MAX));
            }
            before -= rows;
        }
        (self.metadata().num_row_groups(), 0)
    }
}

/// The footer with the number of rows that its row groups have. There are writers that leave it at 0 for the file, and
/// the decoder would believe them.
fn counted(footer: ParquetMetaData) -> Result<ParquetMetaData, ParquetError> {
    let file = footer.file_metadata();
    let rows = footer.row_groups().iter().fold(0i64, |rows, group| rows.saturating_add(group.num_rows()));
    if file.num_rows() == rows {
        return Ok(footer);
    }
    if file.num_rows() != 0 {
        let said = file.num_rows();
        return Err(ParquetError::General(format!("the footer promises {said} rows, its row groups {rows}")));
    }
    let file = FileMetaData::new(
        file.version(),
        rows,
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    Ok(ParquetMetaData::new(file, footer.row_groups().to_vec()))
}

/// Runs decoder code over untrusted bytes: a panic there is the file's fault, and an error is the store's
/// fault if the store failed.
fn guarded<T>(
    reader: &WindowReader,
    decode: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, ReadError> {
    match (caught(decode), reader.failure()) {
        (_, Some(failure)) => Err(failure.into()),
        (Ok(result), None) => result.map_err(unreadable),
        (Err(gave_up), None) => Err(gave_up),
    }
}

fn caught<T>(decode: impl FnOnce() -> T) -> Result<T, ReadError> {
    catch_unwind(AssertUnwindSafe(decode)).map_err(|_| {
        ReadError::Content("not readable as Parquet: the decoder gave up on its data".to_owned())
    })
}

fn unreadable(error: ParquetError) -> ReadError {
    ReadError::Content(format!("not readable as Parquet: {error}"))
}

impl From<object_store::Error> for ReadError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. } => {
                ReadError::Changed
            }
            other => ReadError::Store(Error::unavailable("cannot read a source object").caused_by(other)),
        }
    }
}

/// The bytes of the footer, without what ends the file. Refuses what is no Parquet file before the decoder is asked,
/// with a reason that a person understands.
async fn read_footer(object: &SourceObject) -> Result<Bytes, ReadError> {
    let content = |reason: String| Err(ReadError::Content(reason));
    if object.size < TAIL + 4 {
        return content(format!("not a Parquet file: {} bytes are too few", object.size));
    }
    let read = object.size.min(FIRST_READ);
    let end = object.read(object.size - read..object.size).await?;
    let Some((before, tail)) = end.split_last_chunk::<{ TAIL as usize }>() else {
        return content(format!("not a Parquet file: only {} bytes of it came", end.len()));
    };
    match &tail[4..] {
        b"PAR1" => {}
        b"PARE" => return content("the file is encrypted; encrypted Parquet is not supported".to_owned()),
        _ => return content("not a Parquet file, or a truncated one: it does not end in PAR1".to_owned()),
    }
    let length = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    if u64::from(length) > MAX_FOOTER.min(object.size - TAIL) {
        return content(format!("damaged: a footer of {length} bytes in a file of {} bytes", object.size));
    }
    match before.len().checked_sub(length as usize) {
        Some(start) => Ok(end.slice(start..before.len())),
        None => Ok(object.read(object.size - TAIL - u64::from(length)..object.size - TAIL).await?),
    }
}
