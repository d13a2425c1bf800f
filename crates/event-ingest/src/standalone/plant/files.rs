//! Lists of what no table tells: objects on their way, dead letters.

use chrono::{DateTime, Utc};
use operations::PlantError;
use operations::model::{DeadLetter, FileLine, FileState, Page};
use operations::plant::{FilesQuery, ListQuery, MAX_LIMIT};

use super::{StandalonePlant, store_failed};
use crate::overview::lists;
use crate::standalone::activity::{FileActivity, Status};
use crate::standalone::flow::Ingest;
use crate::standalone::inbox::Waiting;

impl<I: Ingest> StandalonePlant<I> {
    /// Objects that no table has: what waits, was refused or ignored.
    pub(super) async fn elsewhere(&self, query: &FilesQuery) -> Result<Vec<FileLine>, PlantError> {
        let of_table = |table: Option<&str>| match &query.table {
            None => true,
            Some(asked) => table == Some(asked.to_string().as_str()),
        };
        let recent = self.activity.snapshot().1.into_iter();
        let mut lines: Vec<FileLine> = recent
            // Those of the quarantine are told by itself: it forgets nothing at a restart.
            .filter(|file| !matches!(file.status, Status::Processed | Status::Quarantined))
            .filter(|file| file.file.contains(&query.text) && of_table(file.table.as_deref()))
            .map(remembered)
            .collect();
        if lists::wanted(query, FileState::Waiting) && query.table.is_none() {
            let announced = self.inbox.announced(&query.text, MAX_LIMIT).await.map_err(store_failed)?;
            lines.extend(announced.into_iter().map(waiting));
        }
        Ok(lines)
    }

    pub(super) async fn list_letters(&self, query: &ListQuery) -> Result<Page<DeadLetter>, PlantError> {
        let after = match query.after.as_deref().map(place) {
            None => None,
            Some(Some(place)) => Some(place),
            Some(None) => return Err(lists::no_place()),
        };
        let letters = self.inbox.letters(after.as_ref(), query.limit + 1).await.map_err(store_failed)?;
        let more = letters.len() > query.limit;
        let letters = letters.into_iter().take(query.limit);
        let items: Vec<DeadLetter> = letters
            .map(|letter| DeadLetter {
                id: letter.source.clone(),
                source: letter.source,
                time: Some(letter.buried),
                reason: letter.reason,
                text: letter.text,
                bytes: letter.bytes,
                redriven: false,
                stays: None,
            })
            .collect();
        let last = items.last().filter(|_| more);
        let next = last.and_then(|last| Some(format!("{} {}", last.time?.timestamp_millis(), last.id)));
        Ok(Page { items, next })
    }
}

fn place(text: &str) -> Option<(DateTime<Utc>, String)> {
    let (millis, source) = text.split_once(' ')?;
    Some((DateTime::from_timestamp_millis(millis.parse().ok()?)?, source.to_owned()))
}

/// A line that the process remembers.
pub(super) fn remembered(file: FileActivity) -> FileLine {
    let state = match file.status {
        Status::Processed => FileState::Ingested,
        Status::Skipped => FileState::Skipped,
        Status::Quarantined => FileState::Quarantined,
        Status::Rejected => FileState::Rejected,
        Status::Ignored => FileState::Ignored,
    };
    FileLine {
        time: file.finished_at,
        file: file.file,
        state,
        table: file.table,
        version: None,
        rows: Some(file.rows),
        snapshot_id: file.snapshot_id.map(|id| id.to_string()),
        mode: file.mode,
        reason: file.reason,
        request_id: file.request_id,
        latency_ms: file.milliseconds.and_then(|milliseconds| milliseconds.try_into().ok()),
    }
}

fn waiting(waiting: Waiting) -> FileLine {
    FileLine {
        time: waiting.arrived,
        file: waiting.file,
        state: FileState::Waiting,
        table: None,
        version: None,
        rows: None,
        snapshot_id: None,
        mode: None,
        reason: None,
        request_id: None,
        latency_ms: None,
    }
}
