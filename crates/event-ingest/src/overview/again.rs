//! Objects that were set aside, requested again: as they were announced, or as the bucket has them now. The request comes
//! first, the removal of the record second: whatever is cut short between the two is requested once more, and the ledger
//! makes that harmless.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::Utc;
use cloudevents::{Data, Event, EventBuilder, EventBuilderV10};
use ingest_core::event::JSON;
use ingest_core::{FileOutcome, FileStatus, IngestRequest, IngestResult, Lane, Route, TableName, UriError};
use lake::quarantine::{Kept, Quarantine, Record};

/// A record and the quarantine that it is in.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Where it is.
    pub quarantine: Quarantine,
    /// What it is.
    pub kept: Kept,
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
