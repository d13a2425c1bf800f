//! A record as a person looks at it, live or over.

use chrono::{DateTime, Utc};
use lake::Result;
use serde::Serialize;

use super::Record;
use super::closed::{Closed, Told};
use super::documents::{Note, Started};
use super::names::Mark;
use super::store::Records;
use crate::backend::AttemptName;

/// A record in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The record's id.
    pub record_id: String,
    /// The request id that the sender gave.
    pub request_id: String,
    /// The table.
    pub table: String,
    /// `starting`, `running`, `waiting` (for a pause, an older record, or the next scan), `failed`, `cancelled` (and about
    /// to end), `done`, or `closed: cancelled`.
    pub state: &'static str,
    /// The newest attempt as an application, or what the next one will be.
    pub application: String,
    /// What runs or ran the newest attempt that was taken.
    pub backend: Option<String>,
    /// Files of the request.
    pub files: usize,
    /// Their known bytes.
    pub bytes: u64,
    /// When the request was taken.
    pub received: DateTime<Utc>,
    /// When the record was closed.
    pub closed: Option<DateTime<Utc>>,
    /// Why it was given up, or why the last attempt that failed did.
    pub reason: Option<String>,
    /// Its attempts.
    pub attempts: Vec<Told>,
}

impl Summary {
    /// Of a live record.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn of(records: &Records, record: &Record) -> Result<Self> {
        let mut attempts = Vec::with_capacity(record.attempts.len());
        for marks in &record.attempts {
            let started: Option<Started> = records.says(&record.id, Mark::Started, marks.number).await?;
            attempts.push(Told::of(marks, started.as_ref()));
        }
        let given_up: Option<Note> = match record.failed {
            true => records.says(&record.id, Mark::Failed, record.number()).await?,
            false => None,
        };
        let state = match record.newest() {
            _ if record.failed => "failed",
            _ if record.cancelled => "cancelled",
            Some(newest) if newest.ended.is_some() => "waiting",
            Some(newest) if newest.started => "running",
            Some(_) => "starting",
            None => "waiting",
        };
        Ok(Self {
            record_id: record.id.clone(),
            request_id: record.request.request_id.clone(),
            table: record.request.table.to_string(),
            state,
            application: application(&record.id, record.number()),
            backend: last_backend(&attempts),
            files: record.request.file_count(),
            bytes: record.request.total_bytes(),
            received: record.received,
            closed: None,
            reason: given_up.and_then(|note| note.reason).or_else(|| last_reason(&attempts)),
            attempts,
        })
    }

    /// How long it was owned, or is, in seconds.
    pub fn seconds(&self, now: DateTime<Utc>) -> i64 {
        (self.closed.unwrap_or(now) - self.received).num_seconds().max(0)
    }
}

impl From<Closed> for Summary {
    fn from(story: Closed) -> Self {
        Self {
            state: match story.how {
                super::closed::Closing::Done => "done",
                super::closed::Closing::Cancelled => "closed: cancelled",
            },
            application: application(&story.record_id, story.through),
            record_id: story.record_id,
            request_id: story.request_id,
            table: story.table.to_string(),
            backend: last_backend(&story.attempts),
            files: story.files,
            bytes: story.bytes,
            received: story.received,
            closed: Some(story.closed),
            reason: last_reason(&story.attempts),
            attempts: story.attempts,
        }
    }
}

fn application(id: &str, number: u32) -> String {
    AttemptName { record_id: id.to_owned(), number }.to_string()
}

fn last_backend(attempts: &[Told]) -> Option<String> {
    attempts.iter().rev().find_map(|attempt| attempt.backend.clone())
}

fn last_reason(attempts: &[Told]) -> Option<String> {
    attempts.iter().rev().find_map(|attempt| attempt.reason.clone())
}
