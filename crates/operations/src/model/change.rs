//! What is asked to be changed, and what came of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Objects of a quarantine that are to be requested again, as they were announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryQuarantined {
    /// The table.
    #[schema(min_length = 3, max_length = 512)]
    pub table: String,
    /// Ids of the records.
    #[schema(min_items = 1, max_items = 100)]
    pub ids: Vec<String>,
}

/// Dead letters that are to be sent back to where they came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redrive {
    /// Their ids.
    #[schema(min_items = 1, max_items = 100)]
    pub ids: Vec<String>,
}

/// What came of a change, for each thing that it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// In the order in which they were named.
    pub outcomes: Vec<Outcome>,
}

/// What came of a change to one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// What it was asked for.
    pub id: String,
    /// Whether it is now as it was meant to be.
    pub done: bool,
    /// What happened, in one sentence.
    pub message: String,
}

/// A file that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Uploaded {
    /// The object, as `s3://bucket/key`.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its `ETag`.
    pub etag: String,
}
