//! Where files are on their way: enough to draw the flow, and to see it move.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A station of the flow. Whoever looks twice has rates: the differences of `total` over those of `taken_at`. A total
/// that is smaller than before began anew, with a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stage {
    /// Which one.
    pub id: StageId,
    /// What is counted.
    pub unit: Unit,
    /// How many ever passed.
    pub total: Option<u64>,
    /// How many wait here now.
    pub waiting: Option<u64>,
    /// Since when the oldest of them waits.
    pub oldest_waiting: Option<DateTime<Utc>>,
}

/// A station of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StageId {
    /// New objects that were announced: topic or inbox.
    Announcements,
    /// Batches that still take files.
    OpenBatches,
    /// Requests of the light lane, or of the only one.
    Light,
    /// Requests of the heavy lane.
    Heavy,
    /// What could not be used.
    DeadLetters,
    /// What reached the tables.
    Tables,
}

/// What a stage counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Announcements.
    Announcements,
    /// Files.
    Files,
    /// Requests.
    Requests,
    /// Letters.
    Letters,
    /// Rows.
    Rows,
    /// Commits.
    Commits,
}
