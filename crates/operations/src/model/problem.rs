//! What is wrong, and what mends it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Names the kind, and never changes: `catalog-unreachable`, `quarantine-grows`, `table-stale`, …
    pub kind: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it happened to: a table, a topic, a store.
    pub subject: String,
    /// What happened, in one sentence.
    pub detail: String,
    /// What to do, in one sentence, with the command.
    pub mend: String,
    /// The page of the documentation that says more, as `docs/problems.md#<kind>`.
    pub runbook: Option<String>,
    /// Since when, as far as it is known.
    pub since: Option<DateTime<Utc>>,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Files come in, and a person should look at it.
    Attention,
    /// Files do not come in, or not all of them.
    Broken,
}
