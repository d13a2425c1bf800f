//! What waits for a person.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An object that was set aside: no retry by itself can mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quarantined {
    /// Names the record within its table.
    pub id: String,
    /// The table that it was meant for.
    pub table: String,
    /// The object, as `s3://bucket/key`.
    pub file: String,
    /// Which version, if it could be found out.
    pub version: Option<String>,
    /// Why.
    pub reason: String,
    /// The request that brought it.
    pub request_id: String,
    /// When the producer says that it was created.
    pub event_time: Option<DateTime<Utc>>,
    /// When it was set aside.
    pub time: DateTime<Utc>,
}

/// What could not be used: a notification that is none, or a request that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// Names it: `<partition>/<offset>`, or what the inbox calls it.
    pub id: String,
    /// Where it comes from.
    pub source: String,
    /// When it was set aside.
    pub time: Option<DateTime<Utc>>,
    /// Why.
    pub reason: String,
    /// The beginning of what it says; bytes that are no text are replaced.
    pub text: String,
    /// How long it is in bytes.
    pub bytes: u64,
    /// Whether it was sent back since.
    pub redriven: bool,
    /// Why it cannot be sent back; `null` if it can.
    pub stays: Option<String>,
}
