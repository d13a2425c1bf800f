//! Lists over tables: objects, and what was set aside.

use ingest_core::TableName;
use lake::Lake;
use operations::PlantError;
use operations::model::{FileLine, FileState, Page, Quarantined};
use operations::plant::{FilesQuery, ListQuery, MAX_LIMIT, TableQuery};

use super::{failed, files, quarantine};

/// Whether lines of this state are asked for.
#[must_use]
pub fn wanted(query: &FilesQuery, state: FileState) -> bool {
    query.state.is_none_or(|asked| asked == state)
}

/// Objects, the newest first. Lines of tables come from their ledgers, a page at a time. Beside the first page stands what
/// is in no table: what was set aside, and what the caller knows of `elsewhere`; that takes at most half of it.
///
/// # Errors
/// No page begins there, or a store does not answer. Only what is asked for is looked at: tables that do not answer hide
/// nothing else.
pub async fn objects(
    lake: &Lake,
    tables: &[TableName],
    query: &FilesQuery,
    elsewhere: Vec<FileLine>,
) -> Result<Page<FileLine>, PlantError> {
    let (limit, after) = (query.list.limit, query.list.after.as_deref());
    let mut lines = Vec::new();
    if after.is_none() {
        lines = elsewhere;
        for table in if wanted(query, FileState::Quarantined) { tables } else { &[] } {
            let page = set_aside(lake, table, MAX_LIMIT, "").await?;
            lines.extend(page.items.into_iter().filter(|item| item.file.contains(&query.text)).map(line));
        }
        lines.retain(|line| wanted(query, line.state));
        newest(&mut lines, if query.state.is_none() { limit / 2 } else { limit });
    }
    if !wanted(query, FileState::Ingested) {
        return Ok(Page::last(lines));
    }
    let left = limit - lines.len();
    let mut next = None;
    for table in tables {
        let Some(found) = lake.inspect(table).await.map_err(|error| failed(&error))? else { continue };
        let page = files::ingested(table, &found, &query.text, left, after).await?;
        lines.extend(page.items);
        next = page.next;
    }
    newest(&mut lines, limit);
    // A place in several tables at once has no name: who wants to see more asks for one.
    Ok(Page { items: lines, next: next.filter(|_| tables.len() == 1) })
}

/// What was set aside, table after table.
///
/// # Errors
/// No page begins there, or a store does not answer.
pub async fn quarantined(
    lake: &Lake,
    mut tables: Vec<TableName>,
    query: &TableQuery,
) -> Result<Page<Quarantined>, PlantError> {
    let ListQuery { limit, after } = &query.list;
    // The place is a table and an id in it.
    let mut id = "";
    if let Some(after) = after {
        let (table, begin) = after.split_once(' ').ok_or_else(no_place)?;
        let place = tables.iter().position(|known| known.to_string() == table).ok_or_else(no_place)?;
        tables.drain(..place);
        id = begin;
    }
    let mut items = Vec::new();
    for table in &tables {
        if items.len() == *limit {
            return Ok(Page { items, next: Some(format!("{table} ")) });
        }
        let page = set_aside(lake, table, limit - items.len(), id).await?;
        items.extend(page.items);
        if let Some(next) = page.next {
            return Ok(Page { items, next: Some(format!("{table} {next}")) });
        }
        id = "";
    }
    Ok(Page::last(items))
}

/// The place that a next page was asked to begin at is not there.
#[must_use]
pub fn no_place() -> PlantError {
    PlantError::invalid("no page begins there: the list has changed, begin anew")
}

async fn set_aside(
    lake: &Lake,
    table: &TableName,
    limit: usize,
    after: &str,
) -> Result<Page<Quarantined>, PlantError> {
    let inspection = lake.inspect(table).await.map_err(|error| failed(&error))?;
    quarantine::page(lake, table, inspection.as_ref(), limit, after).await.map_err(|error| failed(&error))
}

fn newest(lines: &mut Vec<FileLine>, limit: usize) {
    lines.sort_by(|a, b| (b.time, &b.file).cmp(&(a.time, &a.file)));
    lines.truncate(limit);
}

fn line(item: Quarantined) -> FileLine {
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
