//! One object in full, as far as a table is concerned.

use ingest_core::TableName;
use lake::inspect::Explanation;
use lake::ledger::Entry;
use lake::quarantine::Kept;
use lake::source::{ObjectFault, Resolved};
use operations::model::{InBucket, Place, StoryPart, StoryVersion, VersionState};

use super::{latency, version};

/// What the bucket has of it now.
#[must_use]
pub fn in_bucket(found: &Explanation) -> InBucket {
    let nothing =
        InBucket { place: Place::Unknown, version: None, bytes: None, modified: None, reason: None };
    match &found.in_bucket {
        Ok(Resolved::Object(object)) => InBucket {
            place: Place::Present,
            version: Some(version(&object.identity)),
            bytes: Some(object.size),
            ..nothing
        },
        Ok(Resolved::Fault(ObjectFault::Missing)) => InBucket { place: Place::Missing, ..nothing },
        Ok(Resolved::Fault(ObjectFault::Unaddressable(reason))) => {
            InBucket { reason: Some(reason.clone()), ..nothing }
        }
        Err(error) => InBucket { reason: Some(error.to_string()), ..nothing },
    }
}

/// Its versions in this table, the newest first.
#[must_use]
pub fn versions(table: &TableName, found: &Explanation) -> Vec<StoryVersion> {
    let in_main = found
        .ingested
        .iter()
        .map(|(entry, standing)| of_entry(table, entry, VersionState::Ingested, standing.to_string()));
    let rolled_back = found.rolled_back.iter().map(|entry| {
        let standing = "not in main: rolled back, or on a branch".to_owned();
        of_entry(table, entry, VersionState::RolledBack, standing)
    });
    let set_aside = found.quarantined.iter().map(|kept| of_record(kept, found));
    let mut versions: Vec<StoryVersion> = in_main.chain(rolled_back).chain(set_aside).collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.time));
    versions
}

fn of_entry(table: &TableName, entry: &Entry, state: VersionState, standing: String) -> StoryVersion {
    let parts = entry.parts.iter().map(|part| StoryPart {
        file: part.file.clone(),
        first_row_group: part.first_row_group,
        row_groups: part.row_groups,
    });
    StoryVersion {
        table: table.to_string(),
        version: Some(version(&entry.identity)),
        state,
        event_time: entry.event_time,
        time: entry.time,
        latency_ms: latency(entry.event_time, entry.time),
        request_id: entry.request_id.clone(),
        mode: Some(entry.mode.clone()),
        mode_reason: None,
        snapshot_id: Some(entry.snapshot_id.to_string()),
        standing: Some(standing),
        rows: Some(entry.rows),
        parts: parts.collect(),
        reason: None,
        quarantine_id: None,
    }
}

fn of_record(kept: &Kept, found: &Explanation) -> StoryVersion {
    let record = &kept.record;
    let since = found.ingested.iter().any(|(entry, _)| Some(&entry.identity) == record.identity.as_ref());
    StoryVersion {
        table: record.table.clone(),
        version: record.identity.as_ref().map(version),
        state: if since { VersionState::Mended } else { VersionState::Quarantined },
        event_time: record.announced.event_time,
        time: record.time,
        latency_ms: latency(record.announced.event_time, record.time),
        request_id: record.request_id.clone(),
        mode: None,
        mode_reason: None,
        snapshot_id: None,
        standing: None,
        rows: None,
        parts: Vec::new(),
        reason: Some(record.reason.clone()),
        quarantine_id: (!since).then(|| kept.name.clone()),
    }
}
