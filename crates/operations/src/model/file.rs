//! One line about one object.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One line about one object version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileLine {
    /// When it came to this.
    pub time: DateTime<Utc>,
    /// The object, as `s3://bucket/key`.
    pub file: String,
    /// What became of it.
    pub state: FileState,
    /// The table.
    pub table: Option<String>,
    /// Which version: an `ETag` or a version id.
    pub version: Option<String>,
    /// Rows that it brought.
    pub rows: Option<u64>,
    /// The snapshot that shows them.
    pub snapshot_id: Option<String>,
    /// How it was written: `splice`, `rewrite`, `register` or `spark`.
    pub mode: Option<String>,
    /// Why it is not in the table.
    pub reason: Option<String>,
    /// The request that it was part of.
    pub request_id: Option<String>,
    /// Milliseconds from its creation, as announced, to the commit.
    pub latency_ms: Option<u64>,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// Announced, and on its way.
    Waiting,
    /// Its rows are in the table.
    Ingested,
    /// This version was in the table already.
    Skipped,
    /// Set aside: no retry by itself can mend it.
    Quarantined,
    /// It may not be read, or its request was refused.
    Rejected,
    /// No rule wants it.
    Ignored,
}
