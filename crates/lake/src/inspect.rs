//! Looking at a table and its ledger without changing either.

use std::collections::HashSet;
use std::sync::Arc;

use futures::TryStreamExt;
use iceberg::table::Table;
use ingest_core::{ObjectHint, ObjectUri, RequestedObject, TableName};

use crate::allow::AllowList;
use crate::error::Result;
use crate::ingest::Lake;
use crate::ledger::{Entry, Head, Ledger, ObjectName, Run, SUMMARY_RUN};
use crate::maintain::{Standing, in_main, standing};
use crate::quarantine::{Kept, Quarantine};
use crate::source::{Resolved, resolve};
use crate::storage::Stores;

/// Runs of snapshots outside `main` that are searched for an object, the newest first.
pub const MAX_RUNS_OFF_MAIN: usize = 1_000;

/// A table, its ledger as of `main`, and its quarantine.
#[derive(Debug)]
pub struct Inspection {
    /// The table as it is now.
    pub table: Table,
    /// The files of its ledger.
    pub ledger: Ledger,
    /// The ledger of `main`; without runs if the table has none yet.
    pub head: Head,
    /// What was set aside for this table.
    pub quarantine: Quarantine,
}

/// All that is known of an object in one table.
#[derive(Debug)]
pub struct Explanation {
    /// Whether there is such a table.
    pub table_exists: bool,
    /// What the bucket has under its name now; an error, too, if it may not be read.
    pub in_bucket: Result<Resolved>,
    /// Its versions in the ledger of `main`, the newest first, and where the snapshot of each stands.
    pub ingested: Vec<(Entry, Standing)>,
    /// Its versions in snapshots that the table has and `main` has not: rolled back.
    pub rolled_back: Vec<Entry>,
    /// Its records in the quarantine, the newest first.
    pub quarantined: Vec<Kept>,
}

impl Lake {
    /// A table as an operator looks at it; `None` if there is none of that name. Begins no ledger.
    ///
    /// # Errors
    /// The catalog or the store does not answer, or the ledger cannot be told.
    pub async fn inspect(&self, name: &TableName) -> Result<Option<Inspection>> {
        let Some((table, ledger, head)) = self.tables.look(name).await? else { return Ok(None) };
        let quarantine = self.quarantine(&table.metadata().uuid().to_string());
        Ok(Some(Inspection { table, ledger, head, quarantine }))
    }

    /// What happened to an object, as far as this table is concerned.
    ///
    /// # Errors
    /// The catalog or the warehouse does not answer, or the ledger cannot be told. A bucket that does not answer
    /// is part of the explanation.
    pub async fn explain(&self, name: &TableName, uri: &ObjectUri) -> Result<Explanation> {
        let object = RequestedObject { uri: uri.clone(), hint: ObjectHint::default() };
        let in_bucket = match self.config.allow.check_source(uri) {
            Ok(()) => resolve(&self.tables.stores, &self.config.store_name, &object).await,
            Err(forbidden) => Err(forbidden),
        };
        let mut explanation = Explanation {
            table_exists: false,
            in_bucket,
            ingested: Vec::new(),
            rolled_back: Vec::new(),
            quarantined: Vec::new(),
        };
        let mut quarantines = vec![self.quarantine(&name.to_string())];
        if let Some(Inspection { table, ledger, head, quarantine }) = self.inspect(name).await? {
            explanation.table_exists = true;
            quarantines.push(quarantine);
            let names = [ObjectName {
                store: self.config.store_name.clone(),
                bucket: uri.bucket().to_owned(),
                key: uri.key().to_owned(),
            }];
            let stands = |entry: Entry| {
                let standing = standing(table.metadata(), entry.snapshot_id);
                (entry, standing)
            };
            explanation.ingested = ledger.versions(&head, &names).await?.into_iter().map(stands).collect();
            explanation.rolled_back = ledger.versions(&off_main(&table, &head), &names).await?;
        }
        for quarantine in &quarantines {
            let file = uri.to_string();
            let mut records = std::pin::pin!(quarantine.list().await?);
            while let Some(kept) = records.try_next().await? {
                if kept.record.file == file {
                    explanation.quarantined.push(kept);
                }
            }
        }
        explanation.ingested.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.time));
        explanation.quarantined.sort_by_key(|kept| std::cmp::Reverse(kept.record.time));
        Ok(explanation)
    }

    /// The object stores of this lake.
    pub fn stores(&self) -> &Arc<Stores> {
        &self.tables.stores
    }

    /// What may be read and written.
    pub fn allow(&self) -> &AllowList {
        &self.config.allow
    }

    /// Where ledgers live.
    pub fn ledger_root(&self) -> &str {
        &self.tables.ledger_root
    }

    /// Where heavy requests and what jobs staged of them are written down.
    pub fn heavy_root(&self) -> &str {
        &self.heavy_root
    }
}

/// A head that names the runs of retained snapshots outside `main`, for reading alone.
fn off_main(table: &Table, head: &Head) -> Head {
    let metadata = table.metadata();
    let main = in_main(metadata);
    let named: HashSet<&str> = head.runs.iter().map(|run| run.path.as_str()).collect();
    let mut snapshots: Vec<_> =
        metadata.snapshots().filter(|snapshot| !main.contains(&snapshot.snapshot_id())).collect();
    snapshots.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.timestamp_ms()));
    let runs = snapshots
        .into_iter()
        .filter_map(|snapshot| snapshot.summary().additional_properties.get(SUMMARY_RUN))
        .filter(|path| !named.contains(path.as_str()))
        .map(|path| Run { path: path.clone(), entries: 0 });
    let mut others = Head::new(metadata.uuid());
    others.runs = runs.take(MAX_RUNS_OFF_MAIN).collect();
    others
}
