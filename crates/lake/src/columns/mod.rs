//! Columns of a file against columns of a table: which is which, what fits, and the schema of a table made for files.

mod create;
mod fit;
mod logical;
mod mapping;

pub use create::{column, schema_for};
pub(crate) use logical::{leaves, reading_schema, with_logical_types};
pub use mapping::{Mapping, Matching, Misfit, Node, Origin, map};

/// The key and the value of a map's entries, which Arrow holds as a struct of two.
pub(crate) use create::{entry, join};
