//! Branches of stages that nobody wants any more.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use iceberg::spec::{SnapshotReference, TableMetadata};
use iceberg::table::Table;
use iceberg::{TableRequirement, TableUpdate};
use ingest_core::TableName;
use ingest_core::staged::StageBranch;
use serde::Deserialize;

use super::ends_at;
use crate::catalog::{Commit, Outcome};
use crate::error::{Error, Result};
use crate::history::ancestry;
use crate::ingest::Lake;

/// No younger branch goes, whatever is asked: a job may be about to post it.
pub const LEAST_AGE: Duration = Duration::from_secs(60 * 60);
/// Branches that one commit removes. The next call removes the others.
pub const MAX_BRANCHES_A_COMMIT: usize = 100;

/// A branch with the name of a stage's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// The same, taken apart.
    pub of: StageBranch,
    /// The snapshot at which it ends.
    pub snapshot_id: i64,
    /// A time at which it was there already: of its append, or, while it has none, of the snapshot that followed its
    /// branch point on `main`. Not known while `main` is where it was branched off.
    pub since: Option<DateTime<Utc>>,
}

impl Lake {
    /// The branches of a table with names of stages, by name; none if there is no such table.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn stage_branches(&self, table: &TableName) -> Result<Vec<Branch>> {
        match self.tables.catalog.load(table).await? {
            Some(table) => branches(table.metadata()),
            None => Ok(Vec::new()),
        }
    }

    /// Removes the stages' branches that `keep` does not want and that are older than `older_than` and [`LEAST_AGE`], at
    /// most [`MAX_BRANCHES_A_COMMIT`]. Returns those that are gone. Their files are left to the removal of orphans.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn drop_stale_branches(
        &self,
        name: &TableName,
        keep: impl Fn(&Branch) -> bool,
        older_than: Duration,
    ) -> Result<Vec<Branch>> {
        self.config.allow.check_table(name)?;
        let Some(table) = self.tables.catalog.load(name).await? else { return Ok(Vec::new()) };
        let (now, age) = (Utc::now(), older_than.max(LEAST_AGE));
        let mut stale = branches(table.metadata())?;
        stale.retain(|branch| is_old(branch, now, age) && !keep(branch));
        stale.truncate(MAX_BRANCHES_A_COMMIT);
        if stale.is_empty() {
            return Ok(stale);
        }
        let outcome = self.tables.catalog.commit(&table, removal(&table, &stale)).await;
        // Whatever the answer: the table itself tells.
        let Some(table) = self.tables.catalog.load(name).await? else { return Ok(Vec::new()) };
        stale.retain(|branch| ends_at(table.metadata(), &branch.name).is_none());
        for branch in &stale {
            tracing::info!(table = %name, branch = branch.name, "stale stage removed");
        }
        match outcome {
            Outcome::Unknown(error) if stale.is_empty() => Err(error),
            // After a conflict the next scan looks again.
            Outcome::Committed | Outcome::Conflict | Outcome::Unknown(_) => Ok(stale),
        }
    }
}

/// Takes no snapshot to `main`, so the ledger stays what it is.
fn removal(table: &Table, stale: &[Branch]) -> Commit {
    let uuid = TableRequirement::UuidMatch { uuid: table.metadata().uuid() };
    let unmoved = stale.iter().map(|branch| TableRequirement::RefSnapshotIdMatch {
        r#ref: branch.name.clone(),
        snapshot_id: Some(branch.snapshot_id),
    });
    let updates = stale.iter().map(|branch| TableUpdate::RemoveSnapshotRef { ref_name: branch.name.clone() });
    Commit { requirements: std::iter::once(uuid).chain(unmoved).collect(), updates: updates.collect() }
}

fn is_old(branch: &Branch, now: DateTime<Utc>, age: Duration) -> bool {
    branch.since.and_then(|since| (now - since).to_std().ok()).is_some_and(|old| old >= age)
}

fn branches(table: &TableMetadata) -> Result<Vec<Branch>> {
    // When the snapshot that follows each ancestor of `main` was made.
    let mut followed: HashMap<i64, Option<i64>> = HashMap::new();
    let mut next = None;
    for ancestor in ancestry(table) {
        followed.insert(ancestor.snapshot_id(), next);
        next = Some(ancestor.timestamp_ms());
    }
    let mut branches = Vec::new();
    for (name, reference) in refs(table)? {
        let (Some(of), Some(snapshot)) =
            (StageBranch::parse(&name), table.snapshot_by_id(reference.snapshot_id))
        else {
            continue;
        };
        let since = match followed.get(&reference.snapshot_id) {
            Some(followed) => *followed,
            None => Some(snapshot.timestamp_ms()),
        };
        let since = since.and_then(DateTime::from_timestamp_millis);
        branches.push(Branch { name, of, snapshot_id: reference.snapshot_id, since });
    }
    branches.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(branches)
}

/// Every branch and tag. The `iceberg` crate gives a reference by its name alone: all of them are in the JSON form.
fn refs(table: &TableMetadata) -> Result<HashMap<String, SnapshotReference>> {
    #[derive(Deserialize)]
    struct Refs {
        #[serde(default)]
        refs: HashMap<String, SnapshotReference>,
    }
    let failed = |e| Error::inconsistent("table metadata could not be encoded").caused_by(e);
    let json = serde_json::to_vec(table).map_err(failed)?;
    Ok(serde_json::from_slice::<Refs>(&json).map_err(failed)?.refs)
}
