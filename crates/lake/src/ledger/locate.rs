//! Which head is the ledger of `main`: a pure function of the table's metadata.

use iceberg::spec::{Snapshot, TableMetadata};

/// Key in a snapshot's summary: the pointer to the head that is the ledger as of this snapshot.
pub const SUMMARY_LEDGER: &str = "event-ingest.ledger";
/// Key in a snapshot's summary: the run that this snapshot added.
pub const SUMMARY_RUN: &str = "event-ingest.run";
/// Key in a snapshot's summary, set by whoever copies a snapshot: the one that it was copied from.
pub(crate) const SUMMARY_SOURCE: &str = "source-snapshot-id";
/// Table property: `<snapshot id>:<pointer>` of the last commit, for when expiry cuts the history.
pub const PROPERTY_LEDGER: &str = "event-ingest.ledger";
/// Table property: the root below which the table's ledger lives.
pub const PROPERTY_ROOT: &str = "event-ingest.ledger-root";

/// Where the ledger of `main` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// At this pointer.
    At(String),
    /// `main` goes back to its first snapshot and none names a ledger: this table has none yet.
    New,
    /// It cannot be known; the text says why.
    Undecided(String),
}

/// Walks from `main`'s snapshot to its ancestors.
///
/// | the next ancestor | the ledger is |
/// |---|---|
/// | names a pointer | at that pointer: a rollback is honoured by itself |
/// | names none, has a parent | its parent's (another writer's commit) |
/// | was copied from elsewhere (`source-snapshot-id`) and names none | undecided |
/// | is missing, and the table property names it | at the property's pointer |
/// | is missing otherwise | undecided |
/// | names none and has no parent | new; undecided if it had one, and the table had a ledger |
pub fn locate(table: &TableMetadata) -> Located {
    let mut next = table.current_snapshot().map(|snapshot| snapshot.snapshot_id());
    while let Some(id) = next {
        let Some(snapshot) = table.snapshot_by_id(id) else {
            return expired(table, id);
        };
        let summary = &snapshot.summary().additional_properties;
        if let Some(pointer) = summary.get(SUMMARY_LEDGER) {
            return Located::At(pointer.clone());
        }
        if summary.contains_key(SUMMARY_SOURCE) {
            return Located::Undecided(format!(
                "snapshot {id} was copied from another branch and names no ledger"
            ));
        }
        next = snapshot.parent_snapshot_id();
        if next.is_none() && had_parent(snapshot) && table.properties().contains_key(PROPERTY_LEDGER) {
            return Located::Undecided(format!(
                "the history of main ends at snapshot {id}, whose parent has expired and cannot be told"
            ));
        }
    }
    Located::New
}

/// Whether a snapshot that names no parent had one: PyIceberg, for one, removes the ids of parents that it expires.
/// A first snapshot holds what it added and nothing more.
fn had_parent(snapshot: &Snapshot) -> bool {
    let summary = &snapshot.summary().additional_properties;
    let files = |key: &str| summary.get(key).and_then(|count| count.parse().ok()).unwrap_or(0u64);
    files("total-data-files") > files("added-data-files") || files("deleted-data-files") > 0
}

fn expired(table: &TableMetadata, missing: i64) -> Located {
    let property = table.properties().get(PROPERTY_LEDGER);
    match property.and_then(|value| value.split_once(':')) {
        Some((id, pointer)) if id.parse() == Ok(missing) => Located::At(pointer.to_owned()),
        _ => Located::Undecided(format!(
            "the history of main ends at snapshot {missing}, which has expired, and property `{PROPERTY_LEDGER}` is not about it"
        )),
    }
}

/// The value of [`PROPERTY_LEDGER`].
pub fn property_value(snapshot_id: i64, pointer: &str) -> String {
    format!("{snapshot_id}:{pointer}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use iceberg::TableCreation;
    use iceberg::spec::{MAIN_BRANCH, Operation, Schema, Summary, TableMetadataBuilder};

    use super::*;

    fn table() -> TableMetadata {
        let creation = TableCreation::builder()
            .name("t".to_owned())
            .location("file:///t".to_owned())
            .schema(Schema::builder().build().unwrap())
            .build();
        TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata
    }

    fn commit(table: TableMetadata, id: i64, summary: &[(&str, &str)]) -> TableMetadata {
        let additional_properties = summary.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let snapshot = Snapshot::builder()
            .with_snapshot_id(id)
            .with_parent_snapshot_id(table.current_snapshot_id())
            .with_sequence_number(table.next_sequence_number())
            .with_timestamp_ms(table.last_updated_ms() + 1)
            .with_manifest_list(format!("file:///t/{id}.avro"))
            .with_summary(Summary { operation: Operation::Append, additional_properties })
            .with_schema_id(0)
            .build();
        table.into_builder(None).set_branch_snapshot(snapshot, MAIN_BRANCH).unwrap().build().unwrap().metadata
    }

    fn expire(table: TableMetadata, ids: &[i64]) -> TableMetadata {
        table.into_builder(None).remove_snapshots(ids).build().unwrap().metadata
    }

    fn set(table: TableMetadata, value: &str) -> TableMetadata {
        let properties = HashMap::from([(PROPERTY_LEDGER.to_owned(), value.to_owned())]);
        table.into_builder(None).set_properties(properties).unwrap().build().unwrap().metadata
    }

    #[test]
    fn a_table_that_nobody_wrote_a_ledger_for_has_a_new_one() {
        assert_eq!(locate(&table()), Located::New);
        assert_eq!(locate(&commit(commit(table(), 1, &[]), 2, &[])), Located::New);
    }

    #[test]
    fn the_nearest_ancestor_that_names_a_pointer_decides() {
        let table = commit(table(), 1, &[(SUMMARY_LEDGER, "old")]);
        let table = commit(table, 2, &[(SUMMARY_LEDGER, "new")]);
        let table = commit(table, 3, &[]);
        assert_eq!(locate(&table), Located::At("new".into()));
    }

    #[test]
    fn a_copied_snapshot_without_a_pointer_is_undecided() {
        let table = commit(table(), 1, &[(SUMMARY_LEDGER, "old")]);
        let table = commit(table, 2, &[("source-snapshot-id", "9")]);
        assert!(matches!(locate(&table), Located::Undecided(_)));
    }

    #[test]
    fn where_history_is_cut_the_property_decides_only_about_the_missing_parent() {
        let table = commit(table(), 1, &[]);
        let table = commit(table, 2, &[(SUMMARY_LEDGER, "at-2")]);
        let table = expire(commit(table, 3, &[]), &[1, 2]);
        assert!(matches!(locate(&table), Located::Undecided(_)), "no property");
        assert!(
            matches!(locate(&set(table.clone(), "1:at-1")), Located::Undecided(_)),
            "about another snapshot"
        );
        assert_eq!(locate(&set(table, "2:at-2")), Located::At("at-2".into()));
    }

    #[test]
    fn a_parent_whose_id_was_removed_is_no_beginning() {
        let files = |total, added| [("total-data-files", total), ("added-data-files", added)];
        let cut = commit(table(), 3, &files("2", "1"));
        assert_eq!(locate(&cut), Located::New, "nobody ever wrote a ledger for it");
        assert!(matches!(locate(&set(cut, "1:at-1")), Located::Undecided(_)));
        let replaced = commit(table(), 3, &files("1", "1"));
        assert_eq!(locate(&set(replaced, "1:at-1")), Located::New);
    }
}
