//! What is left of a record that is over: its story in one file.

use chrono::{DateTime, Utc};
use ingest_core::TableName;
use serde::{Deserialize, Serialize};

use super::documents::{End, Ended, Started};
use super::{Marks, Record};

/// Why a record is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Closing {
    /// Every object is in the table or set aside.
    Done,
    /// A person cancelled it.
    Cancelled,
}

impl Closing {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// `closed/<id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Always 1.
    pub version: u32,
    /// The record's id.
    pub record_id: String,
    /// The request id that the sender gave.
    pub request_id: String,
    /// The table.
    pub table: TableName,
    /// Files of the request.
    pub files: usize,
    /// Their known bytes.
    pub bytes: u64,
    /// When the record was taken.
    pub received: DateTime<Utc>,
    /// When it was closed.
    pub closed: DateTime<Utc>,
    /// Why.
    pub how: Closing,
    /// The last attempt's number, or the first possible one's: the next record of this request begins after it.
    pub through: u32,
    /// Its attempts.
    pub attempts: Vec<Told>,
}

/// An attempt in the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its number.
    pub number: u32,
    /// When the backend had taken it.
    pub started: Option<DateTime<Utc>>,
    /// When its end was seen.
    pub ended: Option<DateTime<Utc>>,
    /// How it ended.
    pub how: Option<End>,
    /// Why, if not well.
    pub reason: Option<String>,
    /// What ran it, if it was taken.
    #[serde(default)]
    pub backend: Option<String>,
}

impl Told {
    /// The story of an attempt.
    pub fn of(marks: &Marks, started: Option<&Started>) -> Self {
        let ended = |part: fn(&Ended) -> Option<String>| marks.ended.as_ref().and_then(part);
        Self {
            number: marks.number,
            started: started.map(|started| started.time),
            ended: marks.ended.as_ref().map(|ended| ended.time),
            how: marks.ended.as_ref().map(|ended| ended.how),
            reason: ended(|ended| ended.reason.clone()),
            backend: started.map(|started| started.backend.clone()),
        }
    }
}

impl Closed {
    /// The story of a record.
    pub fn of(record: &Record, how: Closing, attempts: Vec<Told>, now: DateTime<Utc>) -> Self {
        Self {
            version: 1,
            record_id: record.id.clone(),
            request_id: record.request.request_id.clone(),
            table: record.request.table.clone(),
            files: record.request.file_count(),
            bytes: record.request.total_bytes(),
            received: record.received,
            closed: now,
            how,
            through: record.number(),
            attempts,
        }
    }
}
