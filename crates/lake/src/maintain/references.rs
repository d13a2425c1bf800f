//! Every file that a retained snapshot or a reachable ledger head names.

use std::collections::{BTreeSet, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::ManifestStatus;
use iceberg::table::Table;

use super::digest;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, PROPERTY_LEDGER, SUMMARY_LEDGER, SUMMARY_RUN};

/// Most files that are remembered. Each takes 16 bytes: 128 MiB in all.
pub const MAX_REFERENCED: usize = 8 * 1024 * 1024;
/// Files that are taken in before repeated ones are dropped: many snapshots name the same.
const UNSORTED: usize = 1024 * 1024;
/// Ledger heads read at the same time.
const HEADS_IN_FLIGHT: usize = 8;

/// What is named. Grows with each look at the table and forgets nothing.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Digests of data files, delete files and manifest lists; sorted up to the given place.
    files: Vec<u128>,
    sorted: usize,
    /// Digests of manifests.
    manifests: HashSet<u128>,
    /// Snapshots whose files are in here.
    read: HashSet<i64>,
    /// Snapshots that added a file which some retained snapshot still has.
    authors: HashSet<i64>,
    /// Heads and runs, as paths below the table's ledger folder.
    ledger: HashSet<String>,
}

impl References {
    /// Takes in what the snapshots of `table` name that were not there at the last look.
    ///
    /// # Errors
    /// A file cannot be read, so it cannot be told what is needed; or there are more than [`MAX_REFERENCED`].
    pub(super) async fn extend(&mut self, table: &Table, ledger: &Ledger) -> Result<()> {
        let unread = |e: iceberg::Error| {
            Error::unavailable(format!("cannot read a manifest of `{}`", table.identifier())).caused_by(e)
        };
        let metadata = table.metadata();
        let mut pointers = BTreeSet::new();
        for snapshot in metadata.snapshots() {
            let summary = &snapshot.summary().additional_properties;
            self.ledger.extend(summary.get(SUMMARY_RUN).cloned());
            pointers.extend(summary.get(SUMMARY_LEDGER).cloned());
            if !self.read.insert(snapshot.snapshot_id()) {
                continue;
            }
            self.files.push(digest(snapshot.manifest_list()));
            for manifest in table.manifest_list_reader(snapshot).load().await.map_err(unread)?.entries() {
                if !self.manifests.insert(digest(&manifest.manifest_path)) {
                    continue;
                }
                for entry in manifest.load_manifest(table.file_io()).await.map_err(unread)?.entries() {
                    if entry.status() != ManifestStatus::Deleted {
                        self.files.push(digest(entry.file_path()));
                        self.authors.extend(entry.snapshot_id());
                    }
                }
                if self.files.len() - self.sorted > UNSORTED {
                    self.sort(table)?;
                }
            }
        }
        self.sort(table)?;
        let property = metadata.properties().get(PROPERTY_LEDGER);
        pointers.extend(property.and_then(|value| value.split_once(':')).map(|(_, at)| at.to_owned()));
        pointers.retain(|pointer| !self.ledger.contains(pointer));
        let mut heads =
            stream::iter(&pointers).map(|pointer| ledger.head(pointer)).buffer_unordered(HEADS_IN_FLIGHT);
        while let Some(head) = heads.try_next().await? {
            self.ledger.extend(head.runs.into_iter().map(|run| run.path));
        }
        drop(heads);
        self.ledger.extend(pointers);
        Ok(())
    }

    /// Whether a snapshot names the file at this URL.
    pub(super) fn names(&self, url: &str) -> bool {
        let file = digest(url);
        self.files.binary_search(&file).is_ok() || self.manifests.contains(&file)
    }

    /// Whether a reachable head names this file of the ledger, or is it.
    pub(super) fn names_in_ledger(&self, path: &str) -> bool {
        self.ledger.contains(path)
    }

    /// Whether a file that this snapshot added is still there: it landed, retained or not.
    pub(super) fn has_author(&self, snapshot_id: i64) -> bool {
        self.authors.contains(&snapshot_id)
    }

    fn sort(&mut self, table: &Table) -> Result<()> {
        self.files.sort_unstable();
        self.files.dedup();
        self.sorted = self.files.len();
        if self.files.len() > MAX_REFERENCED {
            return Err(Error::invalid(format!(
                "`{}` names more than {MAX_REFERENCED} files: expire snapshots or compact it first",
                table.identifier()
            )));
        }
        Ok(())
    }
}
