//! Requests that Spark carries out.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The heavy path at a glance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeavyStatus {
    /// Requests whose attempt runs or starts.
    pub running: u64,
    /// Requests that wait for a pause, an older one or the next scan.
    pub waiting: u64,
    /// Requests that were given up.
    pub failed: u64,
    /// Since when the oldest that was not given up is owned.
    pub oldest: Option<DateTime<Utc>>,
}

/// One request of the heavy path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeavyJob {
    /// Id of its record.
    pub id: String,
    /// The request.
    pub request_id: String,
    /// The table.
    pub table: String,
    /// What it is at.
    pub state: HeavyState,
    /// The newest attempt as an application, or what the next one will be.
    pub application: String,
    /// What runs it, if it was taken.
    pub backend: Option<String>,
    /// Its files.
    pub files: u64,
    /// Their known bytes.
    pub bytes: u64,
    /// When the request was taken.
    pub received: DateTime<Utc>,
    /// When it was over.
    pub closed: Option<DateTime<Utc>>,
    /// Why it was given up, or why the last attempt that failed did.
    pub reason: Option<String>,
    /// Its attempts, the oldest first.
    pub attempts: Vec<HeavyAttempt>,
}

/// What a heavy request is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeavyState {
    /// An attempt was asked for.
    Starting,
    /// An attempt runs.
    Running,
    /// For a pause, an older request, or the next scan.
    Waiting,
    /// Given up: a person has to mend something.
    Failed,
    /// Not wanted any more; ends soon, or has ended.
    Cancelled,
    /// Over.
    Done,
}

/// One attempt at a heavy request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeavyAttempt {
    /// Counted from 1.
    pub number: u32,
    /// When it began.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
    /// How it ended.
    pub how: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
}
