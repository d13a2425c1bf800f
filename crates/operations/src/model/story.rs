//! All that is known of one object.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FileLine;

/// All that is known of one object, from its announcement to its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Story {
    /// The object, as `s3://bucket/key`.
    pub file: String,
    /// What the bucket has of it now.
    pub in_bucket: InBucket,
    /// Where the rules send it now.
    pub routing: Option<Routing>,
    /// Its announcement, while that waits to be dealt with.
    pub announced: Option<Announcement>,
    /// Its versions, in every table that was asked, the newest first.
    pub versions: Vec<StoryVersion>,
    /// What happened to it lately, the newest first, as far as this process remembers.
    pub recent: Vec<FileLine>,
}

/// What the bucket has of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InBucket {
    /// Whether it is there.
    pub place: Place,
    /// Which version: an `ETag` or a version id.
    pub version: Option<String>,
    /// Its size in bytes.
    pub bytes: Option<u64>,
    /// When it was put, if the store says so.
    pub modified: Option<DateTime<Utc>>,
    /// Why it is not known, or cannot be read.
    pub reason: Option<String>,
}

/// Whether an object is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// It is.
    Present,
    /// It is not.
    Missing,
    /// The bucket could not be asked, or may not be.
    Unknown,
}

/// What the rules say of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Routing {
    /// The table that it is for; none if no rule wants it.
    pub table: Option<String>,
    /// The rule, or why none wants it.
    pub reason: String,
}

/// An announcement that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Announcement {
    /// When it arrived.
    pub time: DateTime<Utc>,
    /// Where it waits: a row of the inbox, or partition and offset.
    pub position: String,
}

/// One version of an object in one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoryVersion {
    /// The table.
    pub table: String,
    /// An `ETag` or a version id; `null` if it could not be found out.
    pub version: Option<String>,
    /// What became of it.
    pub state: VersionState,
    /// When the producer says that it was created.
    pub event_time: Option<DateTime<Utc>>,
    /// When it was committed or set aside.
    pub time: DateTime<Utc>,
    /// Milliseconds between the two.
    pub latency_ms: Option<u64>,
    /// The request that brought it.
    pub request_id: String,
    /// How it was written: `splice`, `rewrite`, `register` or `spark`.
    pub mode: Option<String>,
    /// Why that way.
    pub mode_reason: Option<String>,
    /// The snapshot that made its rows visible.
    pub snapshot_id: Option<String>,
    /// Where that snapshot stands now: in main, copied, rolled back, expired.
    pub standing: Option<String>,
    /// Its rows.
    pub rows: Option<u64>,
    /// Where they are.
    pub parts: Vec<StoryPart>,
    /// Why it was set aside.
    pub reason: Option<String>,
    /// Names the record of the quarantine, for a retry.
    pub quarantine_id: Option<String>,
}

/// What became of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VersionState {
    /// In the table.
    Ingested,
    /// It was, until `main` was rolled back; or it is on a branch.
    RolledBack,
    /// Set aside.
    Quarantined,
    /// Set aside, and in the table since: the ledger outranks the record.
    Mended,
}

/// Row groups of a data file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoryPart {
    /// URL of the data file.
    pub file: String,
    /// The first of the row groups, counted from 0.
    pub first_row_group: u32,
    /// How many; 0 if it is not known which of the file they are.
    pub row_groups: u32,
}
