//! Tables and how fresh they are.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Count;

/// A table as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableStatus {
    /// Namespace and name.
    pub table: String,
    /// Whether there is such a table; `null` if the catalog did not say.
    pub exists: Option<bool>,
    /// When `main` last got a snapshot.
    pub last_commit: Option<DateTime<Utc>>,
    /// Event time of the newest object among the latest commits.
    pub last_file: Option<DateTime<Utc>>,
    /// The snapshot that `main` is at.
    pub snapshot_id: Option<String>,
    /// Rows in it.
    pub rows: Option<u64>,
    /// Its data files.
    pub data_files: Option<u64>,
    /// Their bytes.
    pub bytes: Option<u64>,
    /// Object versions in its ledger.
    pub ledger_entries: Option<u64>,
    /// Objects that were set aside for it.
    pub quarantined: Option<Count>,
    /// A new file is expected at least so often, as a rule says.
    pub expect_every_seconds: Option<u64>,
    /// Whether the last one came in that time; `null` if nothing is expected or known.
    pub fresh: Option<bool>,
    /// The latest commits, the newest first.
    pub commits: Vec<CommitLine>,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommitLine {
    /// When.
    pub time: DateTime<Utc>,
    /// The snapshot that it made.
    pub snapshot_id: String,
    /// Data files that it added.
    pub files: Option<u64>,
    /// Rows that it added.
    pub rows: Option<u64>,
    /// A request in it, if it says so; several may share a commit.
    pub request_id: Option<String>,
}
