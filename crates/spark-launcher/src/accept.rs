//! A request comes in: what of it is in the table already, and who owns the rest from now on.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use ingest_core::{FileOutcome, FileStatus, IngestRequest, IngestResult};
use lake::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::backend::AttemptName;
use crate::launcher::{Launcher, Status, lock};
use crate::record::Record;
use crate::record::documents::Taken;
use crate::record::store::{Found, Records};
use crate::sink::Standing;

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
    /// Takes a request. Afterwards its objects are in the table, or a record owns it.
    ///
    /// # Errors
    /// It is not owned: it may not be (forbidden), or a store or the table does not answer.
    pub async fn accept(&self, request: &IngestRequest) -> Result<Accepted> {
        let id = content_id(request);
        for _ in Records::takes() {
            let found = self.parts.records.find(&id).await?;
            let standings = self.parts.sink.outstanding(request).await?;
            if standings.iter().all(|standing| *standing == Standing::Forbidden) {
                let none = "none of the files is in an allowed bucket and prefix";
                return Err(Error::new(ErrorKind::Forbidden, none));
            }
            if standings.iter().all(|standing| matches!(standing, Standing::InTable | Standing::Forbidden)) {
                return Ok(Accepted::In(all_in(request, &standings)));
            }
            let first = match found {
                Found::Live(record) if record.cancelled => return Err(ending(&id, "cancelled")),
                Found::Live(record) if !settled(&record, &standings) => {
                    return Ok(Accepted::Owned(owned(&record, request, &standings)));
                }
                Found::Live(_) => {
                    // What was set aside is wanted again: the record that saw it set aside has to end first.
                    match self.work_on(&id, &BTreeMap::new()).await? {
                        Status::Over => continue,
                        _ => return Err(ending(&id, "closed")),
                    }
                }
                Found::Vacant(first) => first,
            };
            self.room()?;
            let taken = Taken { record_id: id.clone(), received: (self.clock)(), set_aside_before: set_aside(&standings) };
            let Some(record) = self.parts.records.take(request, first, &taken).await? else { continue };
            let (files, bytes) = (request.file_count(), request.total_bytes());
            tracing::info!(record_id = id, request_id = request.request_id, table = %request.table, files, bytes, "taken");
            self.live.fetch_add(1, Ordering::Relaxed);
            let held = lock(&self.held).enter(&id, request);
            // From here on the record owns the request: what fails now is tried again by the scan.
            if let Err(error) = self.work_on(&id, &held).await {
                tracing::warn!(record_id = id, %error, "first attempt not started: the next scan tries again");
            }
            return Ok(Accepted::Owned(owned(&record, request, &standings)));
        }
        Err(ending(&id, "closed"))
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

fn settled(record: &Record, standings: &[Standing]) -> bool {
    standings.iter().enumerate().all(|(place, standing)| record.settles(place, *standing))
}

fn set_aside(standings: &[Standing]) -> BTreeMap<usize, DateTime<Utc>> {
    let aside = |(place, standing): (usize, &Standing)| match standing {
        Standing::SetAside(time) => Some((place, *time)),
        _ => None,
    };
    standings.iter().enumerate().filter_map(aside).collect()
}

fn ending(id: &str, how: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("an earlier record of this request, {id}, is being {how}: send it again"))
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
