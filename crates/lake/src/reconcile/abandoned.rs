//! Ledgers that `main` has left behind: a pure function of the table's metadata.

use std::collections::HashSet;

use iceberg::spec::{SnapshotRef, TableMetadata};

use crate::history::{ancestry, lineage};
use crate::ledger::SUMMARY_LEDGER;

/// Pointers to the ledgers of snapshots that the table still keeps and that are no ancestors of `main`, as after a
/// rollback. An object that only these have was in the table once, and somebody took it back.
///
/// Each ledger holds those of its ancestors, so only the newest of each line is named. Snapshots of other writers,
/// stages among them, name no ledger. In no particular order.
#[must_use]
pub fn abandoned(table: &TableMetadata) -> Vec<String> {
    let kept: HashSet<i64> = ancestry(table).map(|snapshot| snapshot.snapshot_id()).collect();
    let left: Vec<&SnapshotRef> =
        table.snapshots().filter(|snapshot| !kept.contains(&snapshot.snapshot_id())).collect();
    let mut covered = HashSet::new();
    for snapshot in left.iter().filter(|snapshot| pointer(snapshot).is_some()) {
        // A line that was walked before is not walked again.
        lineage(table, Some(snapshot))
            .skip(1)
            .take_while(|ancestor| covered.insert(ancestor.snapshot_id()))
            .count();
    }
    left.into_iter()
        .filter(|snapshot| !covered.contains(&snapshot.snapshot_id()))
        .filter_map(|snapshot| pointer(snapshot))
        .cloned()
        .collect()
}

fn pointer(snapshot: &SnapshotRef) -> Option<&String> {
    snapshot.summary().additional_properties.get(SUMMARY_LEDGER)
}

#[cfg(test)]
mod tests {
    use iceberg::TableCreation;
    use iceberg::spec::{MAIN_BRANCH, Operation, Schema, Snapshot, Summary, TableMetadataBuilder};

    use super::*;

    fn table() -> TableMetadata {
        let creation = TableCreation::builder()
            .name("t".to_owned())
            .location("file:///t".to_owned())
            .schema(Schema::builder().build().unwrap())
            .build();
        TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata
    }

    /// Moves `main` to a new snapshot upon `parent`, with a ledger if there is one to name.
    fn commit(table: TableMetadata, id: i64, parent: Option<i64>, ledger: Option<&str>) -> TableMetadata {
        let additional_properties =
            ledger.map(|pointer| (SUMMARY_LEDGER.to_owned(), pointer.to_owned())).into_iter().collect();
        let snapshot = Snapshot::builder()
            .with_snapshot_id(id)
            .with_parent_snapshot_id(parent)
            .with_sequence_number(table.next_sequence_number())
            .with_timestamp_ms(table.last_updated_ms() + 1)
            .with_manifest_list(format!("file:///t/{id}.avro"))
            .with_summary(Summary { operation: Operation::Append, additional_properties })
            .with_schema_id(0)
            .build();
        table.into_builder(None).set_branch_snapshot(snapshot, MAIN_BRANCH).unwrap().build().unwrap().metadata
    }

    #[test]
    fn a_straight_history_has_left_nothing_behind() {
        assert!(abandoned(&table()).is_empty());
        let table = commit(table(), 1, None, Some("one"));
        let table = commit(table, 2, Some(1), None);
        assert!(abandoned(&commit(table, 3, Some(2), Some("three"))).is_empty());
    }

    #[test]
    fn of_each_line_that_was_left_the_newest_ledger_is_named() {
        let table = commit(table(), 1, None, Some("one"));
        let table = commit(table, 2, Some(1), Some("two"));
        let table = commit(table, 3, Some(2), Some("three"));
        // Another writer's, on top of ours.
        let table = commit(table, 4, Some(3), None);
        let table = commit(table, 5, Some(1), Some("five"));
        assert_eq!(abandoned(&table), ["three"]);
        let table = commit(table, 6, Some(1), Some("six"));
        let mut left = abandoned(&table);
        left.sort();
        assert_eq!(left, ["five", "three"]);
    }

    #[test]
    fn what_expired_is_forgotten() {
        let table = commit(table(), 1, None, Some("one"));
        let table = commit(table, 2, Some(1), Some("two"));
        let table = commit(table, 3, Some(1), Some("three"));
        let table = table.into_builder(None).remove_snapshots(&[2]).build().unwrap().metadata;
        assert!(abandoned(&table).is_empty());
    }
}
