//! Writing the ledger files of a commit, and the merges that keep runs few.

use chrono::Utc;
use object_store::ObjectStoreExt;

use super::entry::Entry;
use super::head::{Head, Run};
use super::interleave::interleave;
use super::merge::due;
use super::run::{BATCH_ENTRIES, RunWriter};
use super::{Ledger, columns, name};
use crate::error::{Error, Result};
use crate::observe::LedgerSize;

/// A commit waits for a merge only if the head names so many runs.
const MAX_RUNS: usize = 100;

/// What a commit needs to know of the ledger files that were written for it.
#[derive(Debug, Clone)]
pub struct Written {
    /// Pointer to the new head, relative to the table's ledger folder.
    pub pointer: String,
    /// Path of the commit's own run, likewise; none if the commit adds no entries.
    pub run: Option<String>,
    /// The ledger that the new head names.
    pub size: LedgerSize,
}

impl Written {
    /// What all files of the attempt are called: `<snapshot id>-<uuid>`.
    pub fn name(&self) -> &str {
        let file = self.pointer.rsplit('/').next().unwrap_or(&self.pointer);
        file.strip_suffix(".json").unwrap_or(file)
    }
}

impl Ledger {
    /// Writes the run and the head of a commit that adds `entries` to what `base` names. Nothing refers to the
    /// new files until that commit does. Merges that have come to an end meanwhile are taken in, and others begun;
    /// they go on beside the commits.
    ///
    /// # Errors
    /// The store did not take the files.
    pub async fn write(&self, base: &Head, snapshot_id: i64, entries: Vec<Entry>) -> Result<Written> {
        let mut head = base.clone();
        head.generation += 1;
        self.adopt(&mut head);
        while head.runs.len() >= MAX_RUNS
            && let Some(begun) = self.merger.overdue(&head)
        {
            let run = self.merge(begun.inputs()).await?;
            begun.finish(run, Utc::now());
            self.adopt(&mut head);
        }
        while let Some(begun) = self.merger.begin(&head) {
            let ledger = self.clone();
            tokio::spawn(async move {
                match ledger.merge(begun.inputs()).await {
                    Ok(run) => begun.finish(run, Utc::now()),
                    Err(error) => {
                        tracing::warn!(table = %ledger.table, %error, "ledger runs could not be merged");
                    }
                }
            });
        }
        let (pointer, path) = name::attempt(snapshot_id);
        let mut run = None;
        if !entries.is_empty() {
            let entries = self.write_run(&path, entries).await?;
            head.runs.push(Run { path: path.clone(), entries });
            run = Some(path);
        }
        self.write_head(&pointer, &head).await?;
        let entries = head.runs.iter().map(|run| run.entries).sum();
        Ok(Written { pointer, run, size: LedgerSize { entries, runs: head.runs.len() as u64 } })
    }

    /// Waits until no merge of this table is under way in this process. The next commit takes in what came of them.
    pub async fn merges_end(&self) {
        self.merger.idle().await;
    }

    /// Whether no runs of a head are to be merged.
    pub fn is_merged(&self, head: &Head) -> bool {
        due(&head.runs, |_| false).is_none()
    }

    /// Takes finished merges into a head that is about to be written.
    fn adopt(&self, head: &mut Head) {
        for run in self.merger.adopt(head, Utc::now()) {
            let ledger = self.clone();
            tokio::spawn(async move { ledger.delete_unused(&run.path).await });
        }
    }

    /// Writes one run with the entries of several.
    async fn merge(&self, group: &[Run]) -> Result<Run> {
        let files = group.iter().map(|run| self.file(&run.path)).collect::<Result<Vec<_>>>()?;
        let path = name::merged();
        let mut writer = self.writer(&path)?;
        if let Err(error) = interleave(&files, &mut writer).await {
            writer.abandon().await;
            return Err(error);
        }
        let entries = writer.finish().await?;
        let promised: u64 = group.iter().map(|run| run.entries).sum();
        if entries != promised {
            self.delete_unused(&path).await;
            return Err(Error::inconsistent(format!(
                "ledger runs hold {entries} entries, their head says {promised}: restore them"
            )));
        }
        Ok(Run { path, entries })
    }

    async fn write_run(&self, path: &str, mut entries: Vec<Entry>) -> Result<u64> {
        columns::sort(&mut entries);
        let mut writer = self.writer(path)?;
        for chunk in entries.chunks(BATCH_ENTRIES) {
            let batch = columns::encode(chunk)
                .map_err(|e| Error::inconsistent("ledger entries could not be encoded").caused_by(e))?;
            writer.write(&batch).await?;
        }
        writer.finish().await
    }

    async fn write_head(&self, pointer: &str, head: &Head) -> Result<()> {
        let bytes = serde_json::to_vec(head)
            .map_err(|e| Error::inconsistent("a ledger head could not be encoded").caused_by(e))?;
        let url = self.url(pointer);
        let at = self.stores.locate(&url)?;
        let put = at.store.put(&at.path, bytes.into()).await;
        put.map_err(|e| Error::unavailable(format!("cannot write ledger head `{url}`")).caused_by(e))?;
        Ok(())
    }

    fn writer(&self, path: &str) -> Result<RunWriter> {
        let url = self.url(path);
        RunWriter::new(self.stores.locate(&url)?, url)
    }

    /// Deletes a run that no head ever named. What cannot be deleted now is found by `unreachable` later.
    async fn delete_unused(&self, path: &str) {
        let url = self.url(path);
        let deleted = match self.stores.locate(&url) {
            Ok(at) => at.store.delete(&at.path).await.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        if let Err(reason) = deleted {
            tracing::warn!(file = url, reason, "an unused ledger run is left behind");
        }
    }
}
