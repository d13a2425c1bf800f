//! Writing data files: from the rows of source objects to Parquet files that belong to a table.

mod align;
mod blocking_upload;
mod data_file;
mod encoding;
mod lanes;
mod name_mapping;
mod nan;
mod open_file;
mod outcome;
mod partition;
mod register;
mod rewrite;
mod row_group;
mod run;
mod sort;
pub mod splice;
mod statistics;
mod target;
mod unclaimed;
mod upload;
mod uuids;

pub(crate) use data_file::delete_uncommitted;
pub use name_mapping::{name_mapping, needed_mapping};
pub use outcome::{Placed, WriteError, Written};
pub use partition::single_partition;
pub use register::{Registered, register};
pub use rewrite::{RewriteInput, rewrite};
pub use splice::{Shape, SpliceInput, SpliceLimits, shape, splice};
pub use statistics::{Description, PageBounds, Trust, describe, field_ids, trusted, trusted_pages};
pub use target::Target;
pub(crate) use unclaimed::Unclaimed;
