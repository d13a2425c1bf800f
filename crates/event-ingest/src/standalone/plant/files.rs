//! Lists: objects on their way and in tables, the quarantine, dead letters.

use chrono::{DateTime, Utc};
use ingest_core::TableName;
use operations::PlantError;
use operations::model::{DeadLetter, FileLine, FileState, Page, Quarantined};
use operations::plant::{FilesQuery, ListQuery, MAX_LIMIT, TableQuery};

use super::{StandalonePlant, lake_failed, store_failed};
use crate::overview::{files, quarantine};
use crate::standalone::activity::{FileActivity, Status};
use crate::standalone::flow::Ingest;
use crate::standalone::inbox::Waiting;

impl<I: Ingest> StandalonePlant<I> {
    /// Lines of tables come from their ledgers, a page at a time. Beside the first page of them stands what is in no
    /// table: what waits, was set aside, refused or ignored; that takes at most half of the page.
    pub(super) async fn list_files(&self, query: &FilesQuery) -> Result<Page<FileLine>, PlantError> {
        let wanted = |state: FileState| query.state.is_none_or(|asked| asked == state);
        let tables = self.asked(query.table.as_ref());
        let mut lines = Vec::new();
        if query.list.after.is_none() {
            lines = self.elsewhere(query, &tables).await?;
            lines.retain(|line| wanted(line.state));
            newest(&mut lines, if query.state.is_none() { query.list.limit / 2 } else { query.list.limit });
        }
        if !wanted(FileState::Ingested) {
            return Ok(Page::last(lines));
        }
        let limit = query.list.limit - lines.len();
        let mut next = None;
        for table in &tables {
            let Some(found) = self.lake.inspect(table).await.map_err(lake_failed)? else { continue };
            let after = query.list.after.as_deref();
            let page = files::ingested(table, &found, &query.text, limit, after).await?;
            lines.extend(page.items);
            next = page.next;
        }
        newest(&mut lines, query.list.limit);
        // A place in several tables at once has no name: who wants to see more asks for one.
        Ok(Page { items: lines, next: next.filter(|_| tables.len() == 1) })
    }

    /// What is in no table. Only what is asked for is looked at: tables that do not answer hide nothing of the inbox.
    async fn elsewhere(&self, query: &FilesQuery, tables: &[TableName]) -> Result<Vec<FileLine>, PlantError> {
        let of_table = |table: Option<&str>| match &query.table {
            None => true,
            Some(asked) => table == Some(asked.to_string().as_str()),
        };
        let asks = |state: FileState| query.state.is_none_or(|asked| asked == state);
        let (waits, aside) = (asks(FileState::Waiting), asks(FileState::Quarantined));
        let recent = self.activity.snapshot().1.into_iter();
        let mut lines: Vec<FileLine> = recent
            // Those of the quarantine are told by itself: it forgets nothing at a restart.
            .filter(|file| !matches!(file.status, Status::Processed | Status::Quarantined))
            .filter(|file| file.file.contains(&query.text) && of_table(file.table.as_deref()))
            .map(remembered)
            .collect();
        if waits && query.table.is_none() {
            let announced = self.inbox.announced(&query.text, MAX_LIMIT).await.map_err(store_failed)?;
            lines.extend(announced.into_iter().map(waiting));
        }
        for table in if aside { tables } else { &[] } {
            let inspection = self.lake.inspect(table).await.map_err(lake_failed)?;
            let page = quarantine::page(&self.lake, table, inspection.as_ref(), MAX_LIMIT, "").await;
            let items = page.map_err(lake_failed)?.items.into_iter();
            lines.extend(items.filter(|item| item.file.contains(&query.text)).map(set_aside));
        }
        Ok(lines)
    }

    pub(super) async fn list_quarantined(&self, query: &TableQuery) -> Result<Page<Quarantined>, PlantError> {
        let ListQuery { limit, after } = &query.list;
        // The place is a table and an id in it.
        let (table, id) = match after.as_deref().map(|after| after.split_once(' ')) {
            None => (None, ""),
            Some(Some((table, id))) => (Some(table.to_owned()), id),
            Some(None) => return Err(no_place()),
        };
        let mut tables = self.asked(query.table.as_ref());
        if let Some(table) = table {
            let place = tables.iter().position(|known| known.to_string() == table).ok_or_else(no_place)?;
            tables.drain(..place);
        }
        let (mut items, mut id) = (Vec::new(), id);
        for table in &tables {
            let inspection = self.lake.inspect(table).await.map_err(lake_failed)?;
            let left = limit - items.len();
            let page = quarantine::page(&self.lake, table, inspection.as_ref(), left, id).await;
            let page = page.map_err(lake_failed)?;
            items.extend(page.items);
            if let Some(next) = page.next {
                return Ok(Page { items, next: Some(format!("{table} {next}")) });
            }
            if items.len() == *limit {
                break;
            }
            id = "";
        }
        Ok(Page::last(items))
    }

    pub(super) async fn list_letters(&self, query: &ListQuery) -> Result<Page<DeadLetter>, PlantError> {
        let after = match query.after.as_deref().map(place) {
            None => None,
            Some(Some(place)) => Some(place),
            Some(None) => return Err(no_place()),
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

fn no_place() -> PlantError {
    PlantError::invalid("no page begins there: the list has changed, begin anew")
}

fn newest(lines: &mut Vec<FileLine>, limit: usize) {
    lines.sort_by(|a, b| (b.time, &b.file).cmp(&(a.time, &a.file)));
    lines.truncate(limit);
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

fn set_aside(item: Quarantined) -> FileLine {
    FileLine {
        time: item.time,
        file: item.file,
        state: FileState::Quarantined,
        table: Some(item.table),
        version: item.version,
        rows: None,
        snapshot_id: None,
        mode: None,
        reason: Some(item.reason),
        request_id: Some(item.request_id),
        latency_ms: None,
    }
}
