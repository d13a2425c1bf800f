//! Source objects: which version of one is ingested, and reading exactly that version.

mod footer;
mod held;
mod inflate;
mod int96;
mod object;
mod pace;
pub(crate) mod pages;
mod parquet;
mod text;
pub(crate) mod thrift;
mod window;

pub use object::{ObjectFault, Resolved, SourceObject, resolve};
pub use parquet::{BatchStream, ParquetSource, ReadError};
pub use text::{BadRows, Compression, Rejected, RejectedRow, TextFormat, TextOptions, TextSource, sniff};

use arrow_schema::{Schema, SchemaRef};
use ingest_core::FileFormat;

/// An opened object: its columns are known, its rows can be read.
#[derive(Debug, Clone)]
pub enum Source {
    /// Apache Parquet.
    Parquet(ParquetSource),
    /// CSV or JSON lines.
    Text(TextSource),
}

impl Source {
    /// Opens an object of that format. `text` says how text files are read; `table` gives their columns types.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn open(
        object: SourceObject,
        format: FileFormat,
        text: &TextOptions,
        table: Option<&Schema>,
    ) -> Result<Self, ReadError> {
        let layout = match format {
            FileFormat::Parquet => return Ok(Source::Parquet(ParquetSource::open(object).await?)),
            FileFormat::Csv => TextFormat::Csv,
            FileFormat::Json => TextFormat::Json,
        };
        Ok(Source::Text(TextSource::open(object, layout, text.clone(), table).await?))
    }

    /// The object that is read.
    pub fn object(&self) -> &SourceObject {
        match self {
            Source::Parquet(source) => source.object(),
            Source::Text(source) => source.object(),
        }
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        match self {
            Source::Parquet(source) => source.schema(),
            Source::Text(source) => source.schema(),
        }
    }

    /// Bytes of memory that what was read of it takes.
    pub fn memory(&self) -> usize {
        match self {
            Source::Parquet(source) => source.memory(),
            Source::Text(_) => 0,
        }
    }

    /// Its rows, in its own order, decoded on a thread of their own. The stream ends after the last batch or the
    /// first error.
    pub fn batches(&self) -> BatchStream {
        match self {
            Source::Parquet(source) => source.batches(),
            Source::Text(source) => source.batches(),
        }
    }
}
