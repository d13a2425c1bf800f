//! Which ledger files may go, and deleting them.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use iceberg::spec::TableMetadata;
use object_store::{ObjectStore, ObjectStoreExt};

use super::Ledger;
use super::locate::{SUMMARY_LEDGER, SUMMARY_RUN, property};
use super::name::{FileKind, HEADS, RUNS};
use crate::error::{Error, Result};

/// How old a ledger file has to be before it may go, unless told otherwise.
pub const DEFAULT_AGE: TimeDelta = TimeDelta::days(30);
/// No younger file goes, whatever is asked: a commit or a merge that will name it may be under way.
pub const LEAST_AGE: TimeDelta = TimeDelta::days(2);
/// Heads that are read at the same time.
const HEADS_IN_FLIGHT: usize = 8;

/// A head or a run, as the store lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerFile {
    /// Path below the table's ledger folder.
    pub path: String,
    /// What it is, and which snapshot it was written for.
    pub kind: FileKind,
    /// Its length.
    pub bytes: u64,
    /// When it was written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// The ledger files that some retained snapshot needs, on whatever branch or tag.
#[derive(Debug, Default)]
pub struct Reachable {
    files: HashSet<String>,
    snapshots: HashSet<i64>,
}

impl Reachable {
    /// What the table itself names: heads and runs of every snapshot, and the head of the table property.
    fn named_by(table: &TableMetadata) -> Self {
        let mut files = HashSet::new();
        for snapshot in table.snapshots() {
            let summary = &snapshot.summary().additional_properties;
            files.extend([SUMMARY_LEDGER, SUMMARY_RUN].iter().filter_map(|key| summary.get(*key).cloned()));
        }
        files.extend(property(table).map(|(_, pointer)| pointer.to_owned()));
        Self { files, snapshots: table.snapshots().map(|snapshot| snapshot.snapshot_id()).collect() }
    }

    /// Whether a file may go: nothing retained needs it, it was not written for a retained snapshot, and it is old.
    pub fn lets_go(&self, file: &LedgerFile, now: DateTime<Utc>, age: TimeDelta) -> bool {
        let retained = file.kind.snapshot_id().is_some_and(|id| self.snapshots.contains(&id));
        !retained && !self.files.contains(&file.path) && now - file.modified >= age.max(LEAST_AGE)
    }
}

impl Ledger {
    /// The heads and runs in the table's ledger folder, as they are listed. Other files are passed over.
    pub fn files(&self) -> impl Stream<Item = Result<LedgerFile>> + Send + '_ {
        stream::iter([HEADS, RUNS]).then(move |folder| async move { self.list(folder) }).try_flatten()
    }

    /// The ledger files that the table's retained snapshots need. Memory grows with the snapshots and runs that are
    /// retained.
    ///
    /// # Errors
    /// A head cannot be read: then nobody knows which runs it needs.
    pub async fn reachable(&self, table: &TableMetadata) -> Result<Reachable> {
        let mut reachable = Reachable::named_by(table);
        let heads: Vec<String> = reachable
            .files
            .iter()
            .filter(|path| matches!(FileKind::of(path), Some(FileKind::Head(_))))
            .cloned()
            .collect();
        let mut read = stream::iter(heads)
            .map(|pointer| async move { self.head(&pointer).await })
            .buffer_unordered(HEADS_IN_FLIGHT);
        while let Some(head) = read.try_next().await? {
            reachable.files.extend(head.runs.into_iter().map(|run| run.path));
        }
        drop(read);
        Ok(reachable)
    }

    /// The ledger files that may go: see [`Reachable::lets_go`]. `table` has to be loaded with all of its snapshots.
    ///
    /// # Errors
    /// As [`Ledger::reachable`]; the store cannot list.
    pub async fn unreachable<'a>(
        &'a self,
        table: &TableMetadata,
        now: DateTime<Utc>,
        age: TimeDelta,
    ) -> Result<impl Stream<Item = Result<LedgerFile>> + Send + 'a> {
        let reachable = self.reachable(table).await?;
        Ok(self.files().try_filter(move |file| std::future::ready(reachable.lets_go(file, now, age))))
    }

    /// Deletes a file that [`Ledger::unreachable`] gave. One that is gone already is no error.
    ///
    /// # Errors
    /// The store does not delete it.
    pub async fn delete(&self, file: &LedgerFile) -> Result<()> {
        let url = self.url(&file.path);
        let at = self.stores.locate(&url)?;
        match at.store.delete(&at.path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(Error::unavailable(format!("cannot delete ledger file `{url}`")).caused_by(e)),
        }
    }

    fn list(&self, folder: &str) -> Result<impl Stream<Item = Result<LedgerFile>> + Send + use<>> {
        let url = self.url(folder);
        let root = self.stores.locate(&self.folder)?;
        let at = self.stores.locate(&url)?;
        let listed = at.store.list(Some(&at.path));
        Ok(listed.filter_map(move |object| {
            let file = object.map_err(|e| Error::unavailable(format!("cannot list `{url}`")).caused_by(e));
            std::future::ready(match file {
                Err(error) => Some(Err(error)),
                Ok(object) => {
                    let parts: Option<Vec<_>> = object
                        .location
                        .prefix_match(&root.path)
                        .map(|parts| parts.map(|part| part.as_ref().to_owned()).collect());
                    let path = parts.unwrap_or_default().join("/");
                    FileKind::of(&path).map(|kind| {
                        Ok(LedgerFile { path, kind, bytes: object.size, modified: object.last_modified })
                    })
                }
            })
        }))
    }
}
