//! What the files of a record say: JSON, version 1.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ingest_core::{IngestRequest, RequestDefaults};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// Well, said the backend.
    Succeeded,
    /// Otherwise, said the backend.
    Failed,
    /// Otherwise, and no other attempt can do better, said the attempt.
    Refused,
    /// The backend knew it once, and does not any more.
    Lost,
    /// The backend would not take it.
    Rejected,
    /// A person cancelled the record, or ended the program that ran it.
    Stopped,
}

impl End {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Rejected => "rejected",
            Self::Stopped => "stopped",
        }
    }
}

/// `ended-<n>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When that was seen.
    pub time: DateTime<Utc>,
    /// How.
    pub how: End,
    /// Why, if not well.
    pub reason: Option<String>,
    /// Objects of the attempt that were neither in the table nor set aside then.
    pub undone: usize,
}

/// `started-<n>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// When.
    pub time: DateTime<Utc>,
    /// What it is called where it runs.
    pub application: String,
    /// Where that is.
    pub backend: String,
}

/// `failed-<n>.json`, `retried-<n>.json` and `cancelled-<n>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub time: DateTime<Utc>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What `request-<n>.json` says beside the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The content's own request id.
    pub record_id: String,
    /// When it was taken.
    pub received: DateTime<Utc>,
    /// Objects that were set aside then, by their places in the request, and when.
    #[serde(default)]
    pub set_aside_before: BTreeMap<usize, DateTime<Utc>>,
}

/// What `attempt-<n>.json` says beside the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The record's id.
    pub record_id: String,
    /// The attempt's number.
    pub attempt: u32,
}

/// A request with more fields.
pub fn write(request: &IngestRequest, more: &impl Serialize) -> Vec<u8> {
    let mut fields: Map<String, Value> =
        serde_json::from_slice(&request.to_json()).expect("a request is a JSON object");
    if let Ok(Value::Object(more)) = serde_json::to_value(more) {
        fields.extend(more);
    }
    serde_json::to_vec(&fields).expect("a JSON object can be written")
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// What is wrong with it.
pub fn read<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<(IngestRequest, T), String> {
    let more: T = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    // Everything that has a default was written.
    let request = IngestRequest::from_json(bytes, &RequestDefaults::default(), DateTime::UNIX_EPOCH);
    Ok((request.map_err(|error| error.to_string())?, more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_all_it_had_beside_what_is_added() {
        let body =
            br#"{"files":["s3://b/a.csv"],"table":"db.t","request_id":"label","objects":[{"etag":"e"}]}"#;
        let request = IngestRequest::from_json(body, &RequestDefaults::default(), Utc::now()).unwrap();
        let asked = Asked { record_id: "r".repeat(40), attempt: 3 };
        let (read, more): (IngestRequest, Asked) = read(&write(&request, &asked)).unwrap();
        assert_eq!((read, more), (request, asked));
        assert!(super::read::<Asked>(br#"{"record_id":"r","attempt":1,"files":[]}"#).is_err());
    }
}
