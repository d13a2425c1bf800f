//! The whole at a glance.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Count, HeavyStatus, Problem, Severity, Stage, TableStatus};

/// The whole at a glance. What could not be asked is a problem in it, never an error in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Version of the program that says this.
    pub version: String,
    /// What it speaks of.
    pub mode: Mode,
    /// When it was put together.
    pub taken_at: DateTime<Utc>,
    /// The worst of the problems.
    pub health: Health,
    /// What is wrong, the worst first, with what mends it.
    pub problems: Vec<Problem>,
    /// Where files are on their way, in the order of the flow.
    pub stages: Vec<Stage>,
    /// Tables that rules or earlier requests name.
    pub tables: Vec<TableStatus>,
    /// The heavy path, if there is one.
    pub heavy: Option<HeavyStatus>,
    /// What waits for a person.
    pub set_aside: SetAside,
}

/// What a status speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One process with a folder.
    Standalone,
    /// Services around Kafka.
    Cluster,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nothing is wrong.
    Ok,
    /// Files come in, and a person should look at something.
    Attention,
    /// Files do not come in, or not all of them.
    Broken,
}

/// What waits for a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetAside {
    /// Objects in quarantine, over all tables.
    pub quarantined: Count,
    /// Dead letters that were not sent back.
    pub dead_letters: Count,
}

impl Health {
    /// The health that some problems leave.
    #[must_use]
    pub fn of(problems: &[Problem]) -> Self {
        match problems.iter().map(|problem| problem.severity).max() {
            None => Self::Ok,
            Some(Severity::Attention) => Self::Attention,
            Some(Severity::Broken) => Self::Broken,
        }
    }
}

impl Status {
    /// Puts the worst problem first and takes the health from them.
    #[must_use]
    pub fn judged(mut self) -> Self {
        self.problems.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.kind.cmp(&b.kind)));
        self.health = Health::of(&self.problems);
        self
    }
}
