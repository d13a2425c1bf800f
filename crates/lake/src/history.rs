//! Walking a table's snapshots back: parents, and what a snapshot was copied from.

use iceberg::spec::{SnapshotRef, TableMetadata};

use crate::ledger::SUMMARY_SOURCE;

/// From a snapshot to its oldest ancestor that the table still has.
pub(crate) fn lineage<'a>(
    table: &'a TableMetadata,
    from: Option<&'a SnapshotRef>,
) -> impl Iterator<Item = &'a SnapshotRef> {
    std::iter::successors(from, |snapshot| {
        snapshot.parent_snapshot_id().and_then(|id| table.snapshot_by_id(id))
    })
}

/// From `main`'s snapshot to its oldest ancestor that the table still has.
pub(crate) fn ancestry(table: &TableMetadata) -> impl Iterator<Item = &SnapshotRef> {
    lineage(table, table.current_snapshot())
}

/// The snapshot that this one was copied from, if it says so.
pub(crate) fn source(snapshot: &SnapshotRef) -> Option<i64> {
    snapshot.summary().additional_properties.get(SUMMARY_SOURCE)?.parse().ok()
}
