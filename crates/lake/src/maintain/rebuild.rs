//! A new head for a ledger whose head or runs were lost, or that history does not decide.
//!
//! It begins with the ledger of `main`, or else with the last head of `main` that is whole, if there is one, and adds the runs of the ledger folder that
//! are proven: their snapshots are ancestors of `main` (themselves, or as the source of a copy), or added a file that
//! `main` still has. The rest is said: snapshots without a run, files without an entry, runs that nothing tells of.
//! Runs are read one after another; what is held is 8 bytes for each snapshot that one of them names.

use std::collections::{BTreeSet, HashSet};

use chrono::Utc;
use futures::TryStreamExt;
use iceberg::table::Table;
use ingest_core::TableName;

use super::agreement::{History, Presence};
use super::attempts::list;
use super::names;
use super::recovery::{Chain, Choice, Proof, RunFacts, choose};
use super::verify::live;
use crate::catalog::Outcome;
use crate::commit::{self, Append, landed};
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::{Lake, new_snapshot_id};
use crate::ledger::{Head, Ledger, PROPERTY_ROOT, Run};

/// Most run files that a ledger folder may hold for it to be rebuilt.
pub const MAX_RUNS: usize = 1_000_000;

/// What a ledger can be made of again.
#[derive(Debug)]
pub struct Plan {
    /// The ledger of `main` is whole as it is: there is nothing to rebuild.
    pub intact: bool,
    /// The last head of `main` that is whole, if one is.
    pub based_on: Option<String>,
    /// The head as it would be.
    pub head: Head,
    /// Ancestors of `main` whose entries are gone, with the rows that they say they added.
    pub lost: Vec<(i64, u64)>,
    /// Data files of `main` that we added and that no entry names. Their objects would be ingested again.
    pub unnamed_files: u64,
    /// Rows in those files.
    pub unnamed_rows: u64,
    /// Runs with snapshots that nothing tells of: they landed and have expired, or they never landed.
    pub unproven: Vec<Run>,
    table: Table,
    ledger: Ledger,
}

impl Lake {
    /// Says what the ledger of a table can be made of; `None` if there is no such table. Changes nothing.
    ///
    /// `all` takes unproven runs too: an object that is not in the table may then count as if it were, where
    /// otherwise one that is may be ingested again.
    ///
    /// # Errors
    /// The catalog or a store does not answer.
    pub async fn plan_rebuild(&self, name: &TableName, all: bool) -> Result<Option<Plan>> {
        let Some(table) = self.tables.catalog.load(name).await? else { return Ok(None) };
        let ledger = self.tables.ledger_of(&table)?;
        let chain = Chain::of(table.metadata());
        let mut base = of_main(&ledger, &table).await?;
        let main_is_whole = base.is_some();
        let mut above = 0;
        for ancestor in chain.ancestors.iter().take_while(|_| !main_is_whole) {
            base = at(&ledger, ancestor.pointer.as_deref()).await?;
            if base.is_some() {
                break;
            }
            above += 1;
        }
        if base.is_none() {
            base = at(&ledger, chain.at_cut.as_deref()).await?;
        }
        let (based_on, mut head, covered) = match base {
            Some(Whole { pointer, head, covered }) => (pointer, head, covered),
            None => (None, Head::new(table.metadata().uuid()), HashSet::new()),
        };
        let mut authors = HashSet::new();
        live(&table, |_, _, author| {
            authors.insert(author);
        })
        .await?;
        let proof = Proof::of(table.metadata(), &chain, authors);
        let candidates = self.candidates(&table, &ledger, &head, &covered).await?;
        let Choice { taken, covered, unproven } = choose(covered, candidates, &proof, all);
        let intact = taken.is_empty() && main_is_whole;
        head.runs.extend(taken);
        let gone = |id: &i64| !covered.contains(id);
        let lost = chain.ancestors[..above]
            .iter()
            .filter(|ancestor| {
                ancestor.ours && gone(&ancestor.id) && ancestor.source.is_none_or(|id| gone(&id))
            })
            .map(|ancestor| (ancestor.id, ancestor.added_rows))
            .collect();
        let (mut unnamed_files, mut unnamed_rows) = (0, 0);
        let history = History::of(table.metadata());
        live(&table, |url, rows, author| {
            if gone(&author) && history.present(author, url) == Presence::Ours {
                unnamed_files += 1;
                unnamed_rows += rows;
            }
        })
        .await?;
        Ok(Some(Plan { intact, based_on, head, lost, unnamed_files, unnamed_rows, unproven, table, ledger }))
    }

    /// Makes the planned head the ledger of `main`, by a snapshot without rows; returns its id.
    ///
    /// # Errors
    /// The table has moved since: plan again. Or the catalog or a store does not answer.
    pub async fn rebuild(&self, name: &TableName, plan: &Plan) -> Result<i64> {
        let snapshot_id = new_snapshot_id();
        let ledger = plan.ledger.write(&plan.head, snapshot_id, Vec::new()).await?;
        let append = Append {
            files: &[],
            evolved: None,
            objects: 0,
            requests: 0,
            ledger: &ledger,
            properties: [(PROPERTY_ROOT.to_owned(), self.tables.ledger_root.clone())].into(),
            stage: None,
            snapshot_id,
            now_ms: Utc::now().timestamp_millis(),
        };
        let commit = commit::prepare(&plan.table, append).await?;
        let outcome = self.tables.catalog.commit(&plan.table, commit).await;
        // Whatever the answer: the table itself tells.
        let table = self.tables.catalog.load(name).await?;
        let made = table.is_some_and(|table| landed(table.metadata(), &[snapshot_id]).is_some());
        match outcome {
            _ if made => Ok(snapshot_id),
            Outcome::Unknown(error) => Err(error),
            Outcome::Committed | Outcome::Conflict => Err(Error::new(
                ErrorKind::Busy,
                format!("`{name}` has moved since it was looked at: run the rebuild again"),
            )),
        }
    }

    /// The runs of the folder that `head` does not name and that may hold entries which it lacks.
    async fn candidates(
        &self,
        table: &Table,
        ledger: &Ledger,
        head: &Head,
        covered: &HashSet<i64>,
    ) -> Result<Vec<RunFacts>> {
        let named: HashSet<&str> = head.runs.iter().map(|run| run.path.as_str()).collect();
        let folder = format!("{}/{}/runs", self.tables.ledger_root, table.metadata().uuid());
        let mut candidates = Vec::new();
        let mut listed = 0;
        let mut files = list(&self.tables.stores, &folder, Utc::now())?;
        while let Some(file) = files.try_next().await? {
            let name = names::last(&file.url);
            let path = format!("runs/{name}");
            listed += 1;
            if listed > MAX_RUNS {
                return Err(Error::invalid(format!("`{folder}` holds more than {MAX_RUNS} runs")));
            }
            if named.contains(path.as_str()) || names::run(name).is_some_and(|id| covered.contains(&id)) {
                continue;
            }
            candidates.extend(facts(ledger, &path).await?);
        }
        Ok(candidates)
    }
}

/// A head all of whose runs can be read, with the snapshots that they cover.
struct Whole {
    /// Where it is; `None`: nowhere, its runs are those of copied snapshots alone.
    pointer: Option<String>,
    head: Head,
    covered: HashSet<i64>,
}

/// The ledger of `main` with the runs of copied snapshots; `None` if it cannot be told, if it, or one of its runs, is
/// gone or damaged, or if it was never begun.
async fn of_main(ledger: &Ledger, table: &Table) -> Result<Option<Whole>> {
    match ledger.of_main(table.metadata()).await {
        Ok(main) if main.lineage.is_new() => Ok(None),
        Ok(main) => whole(ledger, main.lineage.head, main.head).await,
        Err(e) if e.retryable() => Err(e),
        Err(_) => Ok(None),
    }
}

/// The head at a pointer; `None` if there is no pointer, or if it, or one of its runs, is gone or damaged.
async fn at(ledger: &Ledger, pointer: Option<&str>) -> Result<Option<Whole>> {
    let Some(pointer) = pointer else { return Ok(None) };
    match ledger.head(pointer).await {
        Ok(head) => whole(ledger, Some(pointer.to_owned()), head).await,
        Err(e) if e.retryable() => Err(e),
        Err(_) => Ok(None),
    }
}

/// Reads every run of a head; `None` if one is gone or damaged.
async fn whole(ledger: &Ledger, pointer: Option<String>, head: Head) -> Result<Option<Whole>> {
    let mut covered = HashSet::new();
    for run in &head.runs {
        match facts(ledger, &run.path).await? {
            Some(facts) if facts.run.entries == run.entries => covered.extend(facts.snapshots),
            _ => return Ok(None),
        }
    }
    Ok(Some(Whole { pointer, head, covered }))
}

/// Reads a run; `None` if it is gone or damaged.
async fn facts(ledger: &Ledger, path: &str) -> Result<Option<RunFacts>> {
    let mut run = Run { path: path.to_owned(), entries: 0 };
    let mut snapshots = BTreeSet::new();
    let mut entries = match ledger.entries_of(path).await {
        Ok(entries) => Box::pin(entries),
        Err(e) if e.retryable() => return Err(e),
        Err(_) => return Ok(None),
    };
    loop {
        match entries.try_next().await {
            Ok(Some(entry)) => {
                run.entries += 1;
                snapshots.insert(entry.snapshot_id);
            }
            Ok(None) => return Ok(Some(RunFacts { run, snapshots })),
            Err(e) if e.retryable() => return Err(e),
            Err(_) => return Ok(None),
        }
    }
}
