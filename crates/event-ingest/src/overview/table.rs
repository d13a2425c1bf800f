//! A table as it is now: what its metadata says, and nothing that has to be scanned.

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{SnapshotRef, TableMetadata};
use ingest_core::TableName;
use lake::inspect::Inspection;
use lake::ledger::{Entry, SUMMARY_RUN};
use operations::model::{CommitLine, Count, TableStatus};

/// Latest commits that are told.
const COMMITS: usize = 10;
/// Entries of the latest commits that are looked at.
const ENTRIES: usize = 2_000;

/// A table that is there. `quarantined` is counted elsewhere.
///
/// # Errors
/// The ledger's run of the latest commit cannot be read.
pub async fn status(
    name: &TableName,
    found: &Inspection,
    quarantined: Option<Count>,
) -> lake::Result<TableStatus> {
    let metadata = found.table.metadata();
    let total = |key: &str| number(metadata.current_snapshot()?, key);
    Ok(TableStatus {
        table: name.to_string(),
        exists: Some(true),
        last_commit: metadata.current_snapshot().and_then(time),
        last_file: last_file(found).await?,
        snapshot_id: metadata.current_snapshot().map(|snapshot| snapshot.snapshot_id().to_string()),
        rows: total("total-records"),
        data_files: total("total-data-files"),
        bytes: total("total-files-size"),
        ledger_entries: Some(found.head.runs.iter().map(|run| run.entries).sum()),
        quarantined,
        expect_every_seconds: None,
        fresh: None,
        commits: commits(metadata),
    })
}

/// When a commit last brought files: others, of maintenance say, tell nothing of arrivals.
#[must_use]
pub fn last_arrival(found: &Inspection) -> Option<DateTime<Utc>> {
    ancestry(found.table.metadata()).find(|snapshot| run(snapshot).is_some()).and_then(time)
}

/// A table that is not there, or of which nobody knows (`exists`).
#[must_use]
pub fn absent(name: &TableName, exists: Option<bool>, quarantined: Option<Count>) -> TableStatus {
    TableStatus { table: name.to_string(), exists, quarantined, ..TableStatus::default() }
}

/// From `main`'s snapshot to its oldest ancestor that the table still has.
pub(super) fn ancestry(table: &TableMetadata) -> impl Iterator<Item = &SnapshotRef> {
    std::iter::successors(table.current_snapshot(), |snapshot| {
        snapshot.parent_snapshot_id().and_then(|id| table.snapshot_by_id(id))
    })
}

/// The run of the ledger that a snapshot added, if it says so.
pub(super) fn run(snapshot: &SnapshotRef) -> Option<&str> {
    snapshot.summary().additional_properties.get(SUMMARY_RUN).map(String::as_str)
}

fn commits(metadata: &TableMetadata) -> Vec<CommitLine> {
    let line = |snapshot: &SnapshotRef| {
        Some(CommitLine {
            time: time(snapshot)?,
            snapshot_id: snapshot.snapshot_id().to_string(),
            files: number(snapshot, "added-data-files"),
            rows: number(snapshot, "added-records"),
            request_id: None,
        })
    };
    ancestry(metadata).take(COMMITS).filter_map(line).collect()
}

/// The newest event time of the latest commit that brought files.
async fn last_file(found: &Inspection) -> lake::Result<Option<DateTime<Utc>>> {
    Ok(latest_entries(found, 1).await?.into_iter().filter_map(|entry| entry.event_time).max())
}

/// What so many of the latest commits brought that brought files: some of it, if it was much.
///
/// # Errors
/// A run of the ledger cannot be read.
pub async fn latest_entries(found: &Inspection, commits: usize) -> lake::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for run in ancestry(found.table.metadata()).filter_map(run).take(commits) {
        let some = found.ledger.entries_of(run).await?.take(ENTRIES / commits);
        entries.extend(some.try_collect::<Vec<_>>().await?);
    }
    Ok(entries)
}

fn time(snapshot: &SnapshotRef) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(snapshot.timestamp_ms())
}

fn number(snapshot: &SnapshotRef, key: &str) -> Option<u64> {
    snapshot.summary().additional_properties.get(key)?.parse().ok()
}
