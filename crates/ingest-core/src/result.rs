//! The answer to a request.

use serde::{Deserialize, Serialize};

use crate::TableName;

/// What became of one file of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileStatus {
    /// Its rows are visible in the table, by this request.
    Processed,
    /// This object version was in the table already.
    Skipped,
    /// Set aside durably with a reason that no retry can mend.
    Quarantined,
    /// Outside the allowed buckets and prefixes: never read.
    Forbidden,
}

impl FileStatus {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            FileStatus::Processed => "processed",
            FileStatus::Skipped => "skipped",
            FileStatus::Quarantined => "quarantined",
            FileStatus::Forbidden => "forbidden",
        }
    }
}

/// One file of a request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOutcome {
    /// The file as the request wrote it.
    pub file: String,
    /// What became of it.
    pub status: FileStatus,
    /// Rows that this request added from it.
    pub rows: u64,
    /// How it was written: `rewrite`, `splice`, `register`, or by `spark`; absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Why that way, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode_reason: Option<String>,
    /// Why it was not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer to a request, JSON, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestResult {
    /// The request that this answers.
    pub request_id: String,
    /// The table that took the rows.
    pub table: TableName,
    /// Rows that this request added.
    pub rows: u64,
    /// Files whose rows this request added.
    pub files_processed: u64,
    /// Files that were in the table already.
    pub files_skipped: u64,
    /// Files set aside with a reason.
    pub files_quarantined: u64,
    /// The snapshot that holds the rows; `null` if nothing was added.
    pub snapshot_id: Option<i64>,
    /// How the files were written: `rewrite`, `splice`, `register`, `spark`, `mixed` or `none`.
    pub mode: String,
    /// Every file of the request, in its order.
    #[serde(default)]
    pub files: Vec<FileOutcome>,
}

impl IngestResult {
    /// The JSON that travels.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and lists always serialize")
    }
}
