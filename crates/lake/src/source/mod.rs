//! Source objects: which version of one is ingested, and reading exactly that version.

mod footer;
mod object;
pub(crate) mod pages;
mod parquet;
pub(crate) mod thrift;
mod window;

pub use object::{ObjectFault, Resolved, SourceObject, resolve};
pub use parquet::{BatchStream, ParquetSource, ReadError};

use arrow_schema::SchemaRef;
use ingest_core::FileFormat;

/// An opened object: its columns are known, its rows can be read.
#[derive(Debug, Clone)]
pub enum Source {
    /// Apache Parquet.
    Parquet(ParquetSource),
}

impl Source {
    /// Opens an object of that format.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn open(object: SourceObject, format: FileFormat) -> Result<Self, ReadError> {
        match format {
            FileFormat::Parquet => Ok(Source::Parquet(ParquetSource::open(object).await?)),
            FileFormat::Csv | FileFormat::Json => {
                Err(ReadError::Content(format!("format `{format}` is not supported yet; send parquet")))
            }
        }
    }

    /// The object that is read.
    pub fn object(&self) -> &SourceObject {
        match self {
            Source::Parquet(source) => source.object(),
        }
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        match self {
            Source::Parquet(source) => source.schema(),
        }
    }

    /// Bytes of memory that what was read of it takes.
    pub fn memory(&self) -> usize {
        match self {
            Source::Parquet(source) => source.memory(),
        }
    }

    /// Its rows, in its own order, decoded on a thread of their own. The stream ends after the last batch or the
    /// first error.
    pub fn batches(&self) -> BatchStream {
        match self {
            Source::Parquet(source) => source.batches(),
        }
    }
}
