//! Columns of a file against columns of a table: which is which, what fits, and the schema of a table made for files.

mod create;
mod fit;
mod mapping;

pub use create::schema_for;
pub use mapping::{Mapping, Matching, Misfit, Node, Origin, map};

/// The key and the value of a map's entries, which Arrow holds as a struct of two.
pub(crate) use create::{entry, join};
