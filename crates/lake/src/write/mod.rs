//! Writing data files: from the rows of source objects to Parquet files that belong to a table.

mod align;
mod data_file;
mod encoding;
mod lanes;
mod nan;
mod open_file;
mod outcome;
mod partition;
mod rewrite;
mod row_group;
mod run;
mod sort;
mod statistics;
mod target;
mod upload;

pub(crate) use data_file::delete_uncommitted;
pub use outcome::{Placed, WriteError, Written};
pub use partition::single_partition;
pub use rewrite::{RewriteInput, rewrite};
pub use target::Target;
