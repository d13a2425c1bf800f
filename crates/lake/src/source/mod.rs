//! Source objects: which version of one is ingested, and reading exactly that version.

mod object;
mod parquet;
mod window;

pub use object::{ObjectFault, Resolved, SourceObject, resolve};
pub use parquet::{BatchStream, ParquetSource, ReadError};
