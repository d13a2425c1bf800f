//! Writing data files: from the rows of source objects to Parquet files that belong to a table.

mod align;
mod data_file;
mod rewrite;
mod schema;
mod statistics;

pub(crate) use data_file::delete_uncommitted;
pub use rewrite::{Placed, RewriteError, Rewritten, rewrite};
pub use schema::{check, schema_for};
