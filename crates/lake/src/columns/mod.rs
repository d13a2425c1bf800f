//! Columns of a file against columns of a table: which is which, what fits, and the schema of a table made for files.

mod added;
mod create;
mod evolve;
mod fit;
mod fitting;
mod logical;
mod mapping;

pub use added::{Added, Constant, map_with, with_constants};
pub use create::{column, schema_for};
pub use evolve::evolve;
pub use fitting::Fitting;
pub(crate) use logical::{int96_leaves, reading_schema, with_logical_types};
pub use mapping::{Mapping, Matching, Misfit, Node, Origin, map};

/// The key and the value of a map's entries, which Arrow holds as a struct of two.
pub(crate) use create::{entry, join};
