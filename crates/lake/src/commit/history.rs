//! Whether an attempt became part of `main`: the only proof of a commit's outcome (invariant 5).

use iceberg::spec::TableMetadata;

use crate::ledger::SUMMARY_SOURCE;

/// The first of `attempts` (snapshot ids) that is in the ancestry of `main`, by its own id or as the source of
/// a copy.
pub fn landed(table: &TableMetadata, attempts: &[i64]) -> Option<i64> {
    let mut next = table.current_snapshot();
    while let Some(snapshot) = next {
        let source = snapshot
            .summary()
            .additional_properties
            .get(SUMMARY_SOURCE)
            .and_then(|id| id.parse::<i64>().ok());
        let hit = |id: &i64| *id == snapshot.snapshot_id() || Some(*id) == source;
        if let Some(id) = attempts.iter().copied().find(hit) {
            return Some(id);
        }
        next = snapshot.parent_snapshot_id().and_then(|id| table.snapshot_by_id(id));
    }
    None
}
