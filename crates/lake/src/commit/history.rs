//! Whether an attempt became part of `main`: the only proof of a commit's outcome (invariant 5).

use iceberg::spec::TableMetadata;

use crate::history::{ancestry, source};

/// The first of `attempts` (snapshot ids) that is in the ancestry of `main`, by its own id or as the source of
/// a copy.
pub fn landed(table: &TableMetadata, attempts: &[i64]) -> Option<i64> {
    ancestry(table).find_map(|snapshot| {
        let source = source(snapshot);
        attempts.iter().copied().find(|id| *id == snapshot.snapshot_id() || Some(*id) == source)
    })
}
