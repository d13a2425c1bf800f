//! The IngestRequest, version 1, as far as this function wants it. Fields that it does not know are left alone; docs/contract.md
//! of event-ingest has all of them.

use serde::Deserialize;

/// Types of the events that hold one.
pub const TYPES: [&str; 2] = ["dev.eventingest.request.light.v1", "dev.eventingest.request.heavy.v1"];

/// Files that arrived for a table.
#[derive(Debug, Deserialize)]
pub struct IngestRequest {
    /// `s3://`, bucket, `/` and key verbatim; the same one may stand there twice.
    pub files: Vec<String>,
    /// Sum of the sizes that are known, in bytes.
    #[serde(default)]
    pub total_bytes: u64,
    /// Where their rows go, as namespace.name; the light worker's default if none is named.
    #[serde(default = "default_table")]
    pub table: String,
}

fn default_table() -> String {
    "db.my_table".to_owned()
}
