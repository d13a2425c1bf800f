//! What the ledger of `main` is: a pure function of the table's metadata.

use std::collections::BTreeSet;

use iceberg::spec::{Snapshot, TableMetadata};

use super::name::FileKind;

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

/// What the ledger of `main` is made of. It is another whenever the ledger is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// Pointer to the head; none if no snapshot back to the root of `main` has one.
    pub head: Option<String>,
    /// Runs that copied snapshots have added since, newest first.
    pub copied: Vec<String>,
}

impl Lineage {
    /// Whether nothing was ever recorded for this `main`: its ledger has to be begun.
    pub fn is_new(&self) -> bool {
        self.head.is_none() && self.copied.is_empty()
    }
}

/// Where the ledger of `main` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// There.
    At(Lineage),
    /// It cannot be known; the text says why.
    Undecided(String),
}

/// Walks from `main`'s snapshot to its ancestors.
///
/// | the next ancestor | the ledger is |
/// |---|---|
/// | names a head made for it | that head: a rollback is honoured by itself |
/// | was copied from a snapshot that is an ancestor too, or that an ancestor was copied from | its parent's: the rows are known |
/// | was copied from a snapshot that added a run | its parent's and that run, never the source's head |
/// | was copied from a snapshot that added none | its parent's |
/// | was copied from a snapshot that is gone | undecided |
/// | none of these (another writer's commit) | its parent's |
/// | is missing, and the table property is about it | the property's head |
/// | is missing otherwise | undecided |
/// | names no parent, and the table has no ledger property | new |
/// | names no parent, and surely never had one | new: the table was replaced, or rolled back to before our first commit |
/// | names no parent otherwise | undecided: it may have expired, and its id with it |
///
/// A root surely never had a parent if no snapshot before it is missing: sequence numbers are given one by one, so a
/// parent that expired leaves a gap (see `never_had_parent`).
///
/// A snapshot was copied if it says so (`source-snapshot-id`), or if its summary names ledger files that were made
/// for another snapshot.
pub fn locate(table: &TableMetadata) -> Located {
    let mut copied = Vec::new();
    let mut next = table.current_snapshot().map(|snapshot| snapshot.snapshot_id());
    while let Some(id) = next {
        let Some(snapshot) = table.snapshot_by_id(id) else {
            return expired(table, id, copied);
        };
        if let Some(pointer) = own(snapshot, SUMMARY_LEDGER) {
            return Located::At(Lineage { head: Some(pointer.to_owned()), copied });
        }
        match added(table, snapshot) {
            Ok(Some(run)) if !copied.contains(&run) => copied.push(run),
            Ok(_) => {}
            Err(reason) => return Located::Undecided(reason),
        }
        next = snapshot.parent_snapshot_id();
        if next.is_none()
            && table.properties().contains_key(PROPERTY_LEDGER)
            && !never_had_parent(table, snapshot)
        {
            return Located::Undecided(format!(
                "the history of main ends at snapshot {id}: whether the table began anew there or what was before \
                 has expired cannot be told"
            ));
        }
    }
    Located::At(Lineage { head: None, copied })
}

/// Whether a snapshot that names no parent cannot have lost it. PyIceberg, for one, removes the ids of parents that
/// it expires, and what it leaves looks like the first snapshot of a replaced table.
///
/// Every snapshot of a table, on whatever branch, has the next sequence number, and a parent has a lower one than its
/// child. If every number below the root's is still there, none of them is a parent that was lost.
fn never_had_parent(table: &TableMetadata, root: &Snapshot) -> bool {
    let before = 1..root.sequence_number();
    let kept: BTreeSet<i64> =
        table.snapshots().map(|snapshot| snapshot.sequence_number()).filter(|n| before.contains(n)).collect();
    i64::try_from(kept.len()).is_ok_and(|kept| kept >= before.end - before.start)
}

/// The value of [`PROPERTY_LEDGER`].
pub fn property_value(snapshot_id: i64, pointer: &str) -> String {
    format!("{snapshot_id}:{pointer}")
}

/// The pointer of [`PROPERTY_LEDGER`] and the snapshot that it is about.
pub(super) fn property(table: &TableMetadata) -> Option<(i64, &str)> {
    let (id, pointer) = table.properties().get(PROPERTY_LEDGER)?.split_once(':')?;
    let id = id.parse().ok()?;
    (FileKind::of(pointer)?.snapshot_id() == Some(id)).then_some((id, pointer))
}

fn expired(table: &TableMetadata, missing: i64, copied: Vec<String>) -> Located {
    match property(table) {
        Some((id, pointer)) if id == missing => {
            Located::At(Lineage { head: Some(pointer.to_owned()), copied })
        }
        _ => Located::Undecided(format!(
            "the history of main ends at snapshot {missing}, which has expired, and property `{PROPERTY_LEDGER}` is not about it"
        )),
    }
}

/// The run that a snapshot without a head brought to `main`, through however many copies; the text says why that
/// cannot be known.
fn added(table: &TableMetadata, copy: &Snapshot) -> Result<Option<String>, String> {
    let mut snapshot = copy;
    // A chain of copies is no longer than the snapshots are many.
    for _ in 0..table.snapshots().len() {
        if let Some(run) = own(snapshot, SUMMARY_RUN) {
            return Ok(Some(run.to_owned()));
        }
        let Some(source) = source(snapshot)? else { return Ok(None) };
        if known_below(table, copy, source) {
            return Ok(None);
        }
        snapshot = table.snapshot_by_id(source).map(AsRef::as_ref).ok_or_else(|| {
            format!("snapshot {} was copied from snapshot {source}, which is gone", copy.snapshot_id())
        })?;
    }
    Err(format!("snapshot {} was copied from itself", copy.snapshot_id()))
}

/// A ledger file in the summary that was made for this very snapshot.
fn own<'a>(snapshot: &'a Snapshot, key: &str) -> Option<&'a str> {
    let path = snapshot.summary().additional_properties.get(key)?;
    (FileKind::of(path)?.snapshot_id() == Some(snapshot.snapshot_id())).then_some(path)
}

/// Whether a snapshot names a head that was made for it: it is a commit of ours, whatever its source is.
pub(crate) fn is_ours(snapshot: &Snapshot) -> bool {
    own(snapshot, SUMMARY_LEDGER).is_some()
}

/// The snapshot that this one is a copy of.
fn source(snapshot: &Snapshot) -> Result<Option<i64>, String> {
    let summary = &snapshot.summary().additional_properties;
    if let Some(source) = summary.get(SUMMARY_SOURCE) {
        let id = source.parse().map_err(|_| {
            format!("snapshot {} was copied from `{source}`, which is no snapshot id", snapshot.snapshot_id())
        })?;
        return Ok(Some(id));
    }
    let named = [SUMMARY_RUN, SUMMARY_LEDGER].into_iter().filter_map(|key| summary.get(key));
    Ok(named.filter_map(|path| FileKind::of(path)?.snapshot_id()).find(|id| *id != snapshot.snapshot_id()))
}

/// Whether the rows of `source` are below `snapshot` already: as an ancestor, the first one that has expired
/// included, or as another copy. The run of that other copy may long be part of a merged one.
fn known_below(table: &TableMetadata, snapshot: &Snapshot, source: i64) -> bool {
    let mut next = snapshot.parent_snapshot_id();
    while let Some(id) = next {
        if id == source {
            return true;
        }
        let Some(ancestor) = table.snapshot_by_id(id) else { return false };
        if self::source(ancestor) == Ok(Some(source)) {
            return true;
        }
        next = ancestor.parent_snapshot_id();
    }
    false
}

#[cfg(test)]
#[path = "locate_tests.rs"]
pub(super) mod tests;
