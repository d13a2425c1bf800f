//! Lists of objects, and one of them in full.

use ingest_core::rules::Subject;
use ingest_core::{ObjectUri, RuleSet, TableName, Verdict};
use lake::Lake;
use operations::PlantError;
use operations::model::{FileLine, FileState, Page, Place, Quarantined, Routing, Story};
use operations::plant::{FilesQuery, ListQuery, MAX_LIMIT, TableQuery};

use crate::overview::{failed, files, quarantine, story};

/// Lines of tables come from their ledgers, a page at a time. Beside the first page stands what was set aside; that takes
/// at most half of it.
pub(super) async fn list(
    lake: &Lake,
    tables: &[TableName],
    query: &FilesQuery,
) -> Result<Page<FileLine>, PlantError> {
    let wanted = |state: FileState| query.state.is_none_or(|asked| asked == state);
    let fail = |error: lake::Error| failed(&error);
    let (limit, after) = (query.list.limit, query.list.after.as_deref());
    let mut lines = Vec::new();
    if after.is_none() && wanted(FileState::Quarantined) {
        for table in tables {
            let inspection = lake.inspect(table).await.map_err(fail)?;
            let page =
                quarantine::page(lake, table, inspection.as_ref(), MAX_LIMIT, "").await.map_err(fail)?;
            lines
                .extend(page.items.into_iter().filter(|item| item.file.contains(&query.text)).map(set_aside));
        }
        newest(&mut lines, if query.state.is_none() { limit / 2 } else { limit });
    }
    if !wanted(FileState::Ingested) {
        return Ok(Page::last(lines));
    }
    let left = limit - lines.len();
    let mut next = None;
    for table in tables {
        let Some(found) = lake.inspect(table).await.map_err(fail)? else { continue };
        let page = files::ingested(table, &found, &query.text, left, after).await?;
        lines.extend(page.items);
        next = page.next;
    }
    newest(&mut lines, limit);
    // A place in several tables at once has no name: who wants to see more asks for one.
    Ok(Page { items: lines, next: next.filter(|_| tables.len() == 1) })
}

pub(super) async fn set_aside_for(
    lake: &Lake,
    mut tables: Vec<TableName>,
    query: &TableQuery,
) -> Result<Page<Quarantined>, PlantError> {
    let no_place = || PlantError::invalid("no page begins there: the list has changed, begin anew");
    let fail = |error: lake::Error| failed(&error);
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
        let inspection = lake.inspect(table).await.map_err(fail)?;
        let left = limit - items.len();
        let page = quarantine::page(lake, table, inspection.as_ref(), left, id).await.map_err(fail)?;
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

pub(super) async fn tell(
    lake: &Lake,
    rules: &RuleSet,
    tables: &[TableName],
    object: &ObjectUri,
) -> Result<Story, PlantError> {
    let mut versions = Vec::new();
    let mut in_bucket = None;
    for table in tables {
        let found = lake.explain(table, object).await.map_err(|error| failed(&error))?;
        in_bucket.get_or_insert_with(|| story::in_bucket(&found));
        versions.extend(story::versions(table, &found));
    }
    let Some(in_bucket) = in_bucket else {
        return Err(PlantError::invalid("no table is watched that it could be in: name one"));
    };
    versions.sort_by_key(|version| std::cmp::Reverse(version.time));
    if in_bucket.place == Place::Missing && versions.is_empty() {
        return Err(PlantError::not_found(format!("`{object}` is not in the bucket, and was never seen")));
    }
    Ok(Story {
        file: object.to_string(),
        routing: (rules.rules().len() > 0).then(|| routing(rules, object, in_bucket.bytes)),
        in_bucket,
        announced: None,
        versions,
        recent: Vec::new(),
    })
}

fn routing(rules: &RuleSet, object: &ObjectUri, size: Option<u64>) -> Routing {
    let explained = rules.explain(&Subject { uri: object, event: None, size });
    let rule = explained.rule.and_then(|index| rules.rules().nth(index)).map(|rule| rule.name.clone());
    let by =
        |what: &str| rule.as_ref().map_or_else(|| what.to_owned(), |rule| format!("{what} (rule {rule})"));
    match explained.verdict {
        Verdict::Route(route) => Routing { table: Some(route.table.to_string()), reason: by("wanted") },
        Verdict::Ignored(reason) | Verdict::Unmatched(reason) => Routing { table: None, reason: by(reason) },
        Verdict::Refused { reason, text } => Routing { table: None, reason: format!("{reason}: {text}") },
    }
}

fn newest(lines: &mut Vec<FileLine>, limit: usize) {
    lines.sort_by(|a, b| (b.time, &b.file).cmp(&(a.time, &a.file)));
    lines.truncate(limit);
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
