//! A request comes in: what of it is in the table already, and who owns the rest from now on.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use ingest_core::{FileOutcome, FileStatus, IngestRequest, IngestResult};
use lake::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::backend::AttemptName;
use crate::launcher::{Launcher, lock};
use crate::record::Record;
use crate::record::documents::Taken;
use crate::record::store::Found;
use crate::sink::Standing;

/// How often a request is taken anew because its record came to an end meanwhile.
const TAKES: usize = 5;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Every object of it is in the table already, or may not be read.
    In(IngestResult),
    /// A record owns it.
    Owned(Owned),
}

/// A record owns a request: the data of the CloudEvent `dev.eventingest.accepted.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owned {
    /// The request id that the sender gave.
    pub request_id: String,
    /// The record's id.
    pub record_id: String,
    /// The table.
    pub table: String,
    /// The newest attempt as an application, or what the next one will be.
    pub application: String,
    /// Files of the request.
    pub files: usize,
    /// How many of them are in the table already.
    pub files_skipped: usize,
    /// Whether a person has to mend something first: see `event-ingest heavy show`.
    pub failed: bool,
}

impl Launcher {
    /// Takes a request, which may belong to a trace. Afterwards its objects are in the table, or a record owns it.
    ///
    /// # Errors
    /// It is not owned: it may not be (forbidden), or a store or the table does not answer.
    pub async fn accept(&self, request: &IngestRequest, traceparent: Option<&str>) -> Result<Accepted> {
        let id = content_id(request);
        let mut found = self.parts.records.find(&id).await?;
        // After that: what a record that ends meanwhile has seen is seen here, too.
        let standings = self.parts.sink.outstanding(request).await?;
        if standings.iter().all(|standing| *standing == Standing::Forbidden) {
            let none = "none of the files is in an allowed bucket and prefix";
            return Err(Error::new(ErrorKind::Forbidden, none));
        }
        if standings.iter().all(|standing| matches!(standing, Standing::InTable | Standing::Forbidden)) {
            return Ok(Accepted::In(all_in(request, &standings)));
        }
        let mut taken = false;
        for _ in 0..TAKES {
            let first = match found {
                Found::Live(record) if record.cancelled => return Err(ending(&id)),
                Found::Live(record) if !counts_as_done(&record, &standings) => {
                    if taken {
                        self.first_steps(&record).await;
                    }
                    return Ok(Accepted::Owned(owned(&record, request, &standings)));
                }
                Found::Live(record) if record.newest().is_some_and(|newest| newest.ended.is_none()) => {
                    return Err(ending(&id));
                }
                // One that was given up before its first attempt has used its number all the same.
                Found::Live(record) if record.failed => record.next().max(record.first + 1),
                Found::Live(record) => record.next(),
                Found::Vacant(first) => first,
            };
            self.room()?;
            let (received, set_aside_before) = ((self.clock)(), set_aside(&standings));
            let traceparent = traceparent.map(str::to_owned);
            let note = Taken { record_id: id.clone(), received, set_aside_before, traceparent };
            // Whoever wrote it: whether that record will do for this request is seen when it is found.
            taken = self.parts.records.take(request, first, &note).await?;
            found = self.parts.records.find(&id).await?;
        }
        Err(ending(&id))
    }

    /// From its taking on the record owns the request: what fails here is tried again by the scan.
    async fn first_steps(&self, record: &Record) {
        let Record { id, request, .. } = record;
        let (files, bytes) = (request.file_count(), request.total_bytes());
        tracing::info!(record_id = id, request_id = request.request_id, table = %request.table, files, bytes, "taken");
        self.live.fetch_add(1, Ordering::Relaxed);
        let held = lock(&self.held).enter(id, request);
        if let Err(error) = self.work_on(id, &held).await {
            tracing::warn!(record_id = id, %error, "first attempt not started: the next scan tries again");
        }
    }

    /// Fails if there are as many live records as may be.
    fn room(&self) -> Result<()> {
        let live = self.live.load(Ordering::Relaxed);
        if live < self.parts.max_records {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Busy, format!("{live} requests are owned already: no more for now")))
    }
}

/// The id of a request by its content, whatever its sender calls it.
pub fn content_id(request: &IngestRequest) -> String {
    let IngestRequest { table, format, options, objects, timestamp, request_id: _ } = request.clone();
    IngestRequest::new(table, format, options, objects, timestamp).request_id
}

/// Whether a record takes an object for done that this request wants tried again: one that was set aside since the record
/// was taken. Then the request needs a record of its own, which owns all that the other one does.
fn counts_as_done(record: &Record, standings: &[Standing]) -> bool {
    let counts = |(place, standing): (usize, &Standing)| {
        matches!(standing, Standing::SetAside(_)) && record.settles(place, *standing)
    };
    standings.iter().enumerate().any(counts)
}

fn set_aside(standings: &[Standing]) -> BTreeMap<usize, DateTime<Utc>> {
    let aside = |(place, standing): (usize, &Standing)| match standing {
        Standing::SetAside(time) => Some((place, *time)),
        _ => None,
    };
    standings.iter().enumerate().filter_map(aside).collect()
}

fn ending(id: &str) -> Error {
    let why = format!("an earlier record of this request, {id}, is about to end: send it again");
    Error::new(ErrorKind::Unavailable, why)
}

fn owned(record: &Record, request: &IngestRequest, standings: &[Standing]) -> Owned {
    let application = AttemptName { record_id: record.id.clone(), number: record.number() };
    Owned {
        request_id: request.request_id.clone(),
        record_id: record.id.clone(),
        table: request.table.to_string(),
        application: application.to_string(),
        files: request.file_count(),
        files_skipped: standings.iter().filter(|standing| **standing == Standing::InTable).count(),
        failed: record.failed,
    }
}

fn all_in(request: &IngestRequest, standings: &[Standing]) -> IngestResult {
    let outcome = |(object, standing): (&ingest_core::RequestedObject, &Standing)| FileOutcome {
        file: object.uri.to_string(),
        status: if *standing == Standing::InTable { FileStatus::Skipped } else { FileStatus::Forbidden },
        rows: 0,
        mode: None,
        mode_reason: None,
        reason: (*standing == Standing::Forbidden).then(|| lake::allow::OUTSIDE.to_owned()),
    };
    let files: Vec<FileOutcome> = request.objects.iter().zip(standings).map(outcome).collect();
    IngestResult {
        request_id: request.request_id.clone(),
        table: request.table.clone(),
        rows: 0,
        files_processed: 0,
        files_skipped: files.iter().filter(|file| file.status == FileStatus::Skipped).count() as u64,
        files_quarantined: 0,
        snapshot_id: None,
        mode: "none".to_owned(),
        files,
    }
}
