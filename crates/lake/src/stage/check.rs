//! Whether a snapshot is the one append that its list says: pure rules over the table's metadata.

use iceberg::spec::{Operation, Snapshot, TableMetadata};
use ingest_core::staged::StagedList;

use super::{SUMMARY_REQUEST, SUMMARY_STAGE};
use crate::error::Error;
use crate::history::{ancestry, source};
use crate::ledger::is_ours;

/// Why a stage is not published.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It is not what its list says, and never will be.
    Never(String),
    /// The table has changed since it was made.
    Changed(String),
    /// It could not be looked at.
    Failed(Error),
}

impl From<Error> for Unfit {
    fn from(error: Error) -> Self {
        Unfit::Failed(error)
    }
}

/// Whether a stage's rows are in `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// No ancestor of `main` says so.
    None,
    /// We published it, as this snapshot.
    Published(i64),
    /// Another program took it in, by this snapshot: its rows are there and the ledger does not know.
    ByAnother(i64),
}

/// Looks for a stage in the ancestry of `main`.
pub(crate) fn arrival(table: &TableMetadata, stage: i64) -> Arrival {
    let found =
        ancestry(table).find(|ancestor| ancestor.snapshot_id() == stage || source(ancestor) == Some(stage));
    match found {
        None => Arrival::None,
        Some(ancestor) if ancestor.snapshot_id() != stage && is_ours(ancestor) => {
            Arrival::Published(ancestor.snapshot_id())
        }
        Some(ancestor) => Arrival::ByAnother(ancestor.snapshot_id()),
    }
}

/// Whether the snapshot is one append, of this list, to a snapshot of `main`, at the table's schema.
///
/// A parent that has expired is taken for one of `main`: only what the stage itself added is published, and that has to
/// be what the list says.
pub(crate) fn check(table: &TableMetadata, staged: &Snapshot, list: &StagedList) -> Result<(), Unfit> {
    let id = staged.snapshot_id();
    let never = |what: String| Err(Unfit::Never(format!("snapshot {id} {what}")));
    let summary = staged.summary();
    let said = |key: &str| summary.additional_properties.get(key).map(String::as_str);
    if summary.operation != Operation::Append {
        return never(format!("is no append: {:?}", summary.operation));
    }
    for (key, wanted) in [(SUMMARY_STAGE, &list.digest), (SUMMARY_REQUEST, &list.request_id)] {
        if said(key) != Some(wanted) {
            return never(format!("says `{key}` = {:?}, the list {wanted:?}", said(key).unwrap_or_default()));
        }
    }
    let on_main = |parent| ancestry(table).any(|ancestor| ancestor.snapshot_id() == parent);
    if let Some(parent) = staged.parent_snapshot_id()
        && table.snapshot_by_id(parent).is_some()
        && !on_main(parent)
    {
        return never(format!(
            "does not follow a snapshot of main, but {parent}: it is more than one append"
        ));
    }
    let rows = list.rows().map(|rows| rows.to_string());
    if Some(said("added-records").unwrap_or("0")) != rows.as_deref() {
        return never(format!(
            "added {} rows, the list has {}",
            said("added-records").unwrap_or("0"),
            rows.as_deref().unwrap_or("too many")
        ));
    }
    let schema = staged.schema_id().and_then(|id| table.schema_by_id(id));
    if schema.is_none_or(|schema| schema.as_struct() != table.current_schema().as_struct()) {
        return Err(Unfit::Changed(format!(
            "the schema of the table is another than snapshot {id} was written at"
        )));
    }
    Ok(())
}
