//! What a table's metadata says of a snapshot: is it part of `main`?

use std::collections::HashSet;
use std::fmt;

use iceberg::spec::TableMetadata;

use crate::history::{ancestry, source};

/// Where a snapshot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is in the ancestry of `main`.
    Main,
    /// Not itself, but this copy of it is.
    CopiedAs(i64),
    /// The table still has it, outside of `main`: rolled back, or on a branch.
    OffMain,
    /// The table does not have it any more.
    Expired,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main => f.write_str("in main"),
            Self::CopiedAs(id) => write!(f, "in main as snapshot {id}"),
            Self::OffMain => f.write_str("not in main: rolled back, or on a branch"),
            Self::Expired => f.write_str("expired"),
        }
    }
}

/// Where a snapshot stands in a table.
pub fn standing(table: &TableMetadata, snapshot_id: i64) -> Standing {
    for ancestor in ancestry(table) {
        if ancestor.snapshot_id() == snapshot_id {
            return Standing::Main;
        }
        if source(ancestor) == Some(snapshot_id) {
            return Standing::CopiedAs(ancestor.snapshot_id());
        }
    }
    match table.snapshot_by_id(snapshot_id) {
        Some(_) => Standing::OffMain,
        None => Standing::Expired,
    }
}

/// Every ancestor of `main` that the table still has, and what each was copied from.
pub(crate) fn in_main(table: &TableMetadata) -> HashSet<i64> {
    ancestry(table)
        .flat_map(|snapshot| std::iter::once(snapshot.snapshot_id()).chain(source(snapshot)))
        .collect()
}

/// Every snapshot that the table has, on any branch, and what each was copied from.
pub(super) fn known(table: &TableMetadata) -> HashSet<i64> {
    table
        .snapshots()
        .flat_map(|snapshot| std::iter::once(snapshot.snapshot_id()).chain(source(snapshot)))
        .collect()
}
