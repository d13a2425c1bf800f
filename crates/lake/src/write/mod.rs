//! Writing data files: from the rows of source objects to Parquet files that belong to a table.

mod align;
mod data_file;
mod outcome;
mod rewrite;
pub mod splice;
mod statistics;
mod target;

pub(crate) use data_file::delete_uncommitted;
pub use outcome::{Placed, WriteError, Written};
pub use rewrite::{RewriteInput, rewrite};
pub use target::Target;
