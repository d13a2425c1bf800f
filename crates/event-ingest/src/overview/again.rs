//! Objects that were set aside, requested again: as they were announced, or as the bucket has them now. The request comes
//! first, the removal of the record second: whatever is cut short between the two is requested once more, and the ledger
//! makes that harmless.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::Utc;
use cloudevents::{Data, Event, EventBuilder, EventBuilderV10};
use ingest_core::event::JSON;
use ingest_core::{FileOutcome, FileStatus, IngestRequest, IngestResult, Lane, Route, TableName, UriError};
use lake::Lake;
use lake::quarantine::{Kept, Quarantine, Record};

use super::quarantine;

/// A record and the quarantine that it is in.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Where it is.
    pub quarantine: Quarantine,
    /// What it is.
    pub kept: Kept,
}

/// The records of these ids, and the ids of which there is none.
///
/// # Errors
/// The catalog or a store does not answer.
pub async fn choose(
    lake: &Lake,
    table: &TableName,
    ids: &[String],
) -> lake::Result<(Vec<Chosen>, Vec<String>)> {
    let quarantines = quarantine::all(lake, table).await?;
    let (mut chosen, mut unknown) = (Vec::new(), Vec::new());
    for id in ids.iter().collect::<BTreeSet<_>>() {
        let mut found = None;
        for quarantine in quarantines.iter().filter(|_| is_name(id)) {
            if let Some(kept) = quarantine.get(id).await? {
                found = Some(Chosen { quarantine: quarantine.clone(), kept });
            }
        }
        match found {
            Some(found) => chosen.push(found),
            None => unknown.push(id.clone()),
        }
    }
    Ok((chosen, unknown))
}

/// A name is a hash in hexadecimal: what is not cannot lead anywhere else.
fn is_name(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What is chosen, by what a request for it says.
#[must_use]
pub fn by_route(table: &TableName, chosen: Vec<Chosen>) -> HashMap<Arc<Route>, Vec<Chosen>> {
    let mut groups: HashMap<Arc<Route>, Vec<Chosen>> = HashMap::new();
    for chosen in chosen {
        groups.entry(route(table, &chosen.kept.record)).or_default().push(chosen);
    }
    groups
}

/// What a request for it says beside the object: one request is for objects of one such route.
#[must_use]
pub fn route(table: &TableName, record: &Record) -> Arc<Route> {
    Arc::new(Route { options: record.options.clone(), ..Route::new(table.clone(), record.format) })
}

/// The request for some objects of one route. `current`: what the bucket has now instead of what was announced.
///
/// # Errors
/// A record that names no object.
pub fn request(route: &Route, some: &[Chosen], current: bool) -> Result<IngestRequest, UriError> {
    let mut objects = Vec::with_capacity(some.len());
    for chosen in some {
        let mut object = chosen.kept.record.requested()?;
        if current {
            object.hint.version_id = None;
        }
        objects.push(object);
    }
    Ok(IngestRequest::new(route.table.clone(), route.format, route.options.clone(), objects, Utc::now()))
}

/// The request as an event for the light worker; `source` says who asks.
#[must_use]
pub fn event(request: &IngestRequest, source: &str) -> Event {
    let table = request.table.to_string();
    EventBuilderV10::new()
        .id(&request.request_id)
        .ty(Lane::Light.event_type())
        .source(source)
        .subject(&table)
        .time(request.timestamp)
        .extension("partitionkey", table.as_str())
        .data(JSON, Data::Binary(request.to_json()))
        .build()
        .expect("all required attributes are given")
}

/// Takes the records away of objects that are in the table by this answer. Says for each whether it is, and what became
/// of it.
///
/// # Errors
/// A record cannot be removed. Those before it are done.
pub async fn settle(
    some: &[Chosen],
    request: &IngestRequest,
    result: &IngestResult,
    current: bool,
) -> lake::Result<Vec<(bool, Option<FileOutcome>)>> {
    let answered = request.objects.iter().zip(&result.files);
    let answers: HashMap<(String, Option<String>), &FileOutcome> =
        answered.map(|(object, file)| ((file.file.clone(), object.hint.version_id.clone()), file)).collect();
    let mut settled = Vec::with_capacity(some.len());
    for Chosen { quarantine, kept } in some {
        let version = kept.record.announced.version_id.clone().filter(|_| !current);
        let outcome = answers.get(&(kept.record.file.clone(), version)).copied().cloned();
        let there = outcome.as_ref().is_some_and(|file| is_there(file.status));
        if there {
            quarantine.remove(&kept.name).await?;
        }
        settled.push((there, outcome));
    }
    Ok(settled)
}

/// Whether a file of this status is where it ought to be.
#[must_use]
pub fn is_there(status: FileStatus) -> bool {
    matches!(status, FileStatus::Processed | FileStatus::Skipped)
}
