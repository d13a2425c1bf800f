//! The invariants of the design, asserted after every step.

use std::collections::BTreeSet;

use iceberg::spec::TableMetadata;
use lake::ledger::SUMMARY_LEDGER;

use super::catalog::ancestry;
use super::store::{Object, Store};
use super::worker::{Ledger, ledger_of};

/// Invariants 2, 4 and 5 of a table. The text says which does not hold.
pub fn table(table: &TableMetadata, store: &Store) -> Result<(), String> {
    for snapshot in table.snapshots() {
        store.rows(snapshot.manifest_list()).map_err(|gone| {
            format!("invariant 5: snapshot {} lost a file: {gone}", snapshot.snapshot_id())
        })?;
    }
    let rows = match table.current_snapshot() {
        Some(snapshot) => store.rows(snapshot.manifest_list())?,
        None => Vec::new(),
    };
    let once: BTreeSet<Object> = rows.iter().copied().collect();
    if once.len() != rows.len() {
        return Err(format!("invariant 2: main holds rows twice: {rows:?}"));
    }
    let known = match ledger_of(table, store).map_err(|e| format!("invariant 4: {e}"))? {
        Ledger::At { runs, .. } => store.objects(&runs).map_err(|e| format!("invariant 4: {e}"))?,
        Ledger::New => Vec::new(),
        Ledger::Undecided(why) => return Err(format!("invariant 4: the ledger cannot be told: {why}")),
    };
    let known: BTreeSet<Object> = known.into_iter().collect();
    if known != once {
        return Err(format!("invariant 4: main holds {once:?}, its ledger names {known:?}"));
    }
    Ok(())
}

/// Whether expiry has cut the history above our last snapshot, so that only the table's property tells the ledger.
pub fn by_the_property(table: &TableMetadata) -> bool {
    let ancestors = ancestry(table);
    let named = |id: &i64| {
        let snapshot = table.snapshot_by_id(*id).expect("it was just walked over");
        snapshot.summary().additional_properties.contains_key(SUMMARY_LEDGER)
    };
    let root = ancestors.last().and_then(|id| table.snapshot_by_id(*id));
    root.is_some_and(|root| root.parent_snapshot_id().is_some()) && !ancestors.iter().any(named)
}
