//! The ledger: which object versions this system added to `main`, and when, where and how (invariant 4).
//!
//! Each commit writes one immutable Parquet file, its **run**, and one JSON file, its **head**, which names the
//! runs that make the ledger. The snapshot names the head: data and ledger change in one compare-and-swap.
//! Files live below `<root>/<table uuid>/`, outside the table's own location, where no clean-up of orphans looks.

mod entry;
mod head;
mod locate;
mod merge;
mod run;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use ingest_core::ObjectIdentity;
use object_store::ObjectStoreExt;
use parquet::errors::ParquetError;
use uuid::Uuid;

pub use entry::{Entry, ObjectName};
pub use head::{Head, Run};
pub(crate) use locate::SUMMARY_SOURCE;
pub use locate::{
    Located, PROPERTY_LEDGER, PROPERTY_ROOT, SUMMARY_LEDGER, SUMMARY_RUN, locate, property_value,
};

use crate::error::{Error, Result};
use crate::storage::Stores;

/// Runs read at the same time during a look-up.
const RUNS_IN_FLIGHT: usize = 8;

/// The ledger files of one table.
#[derive(Debug, Clone)]
pub struct Ledger {
    stores: Arc<Stores>,
    folder: String,
    table: Uuid,
}

/// What a commit needs to know of the ledger files that were written for it.
#[derive(Debug, Clone)]
pub struct Written {
    /// Pointer to the new head, relative to the table's ledger folder.
    pub pointer: String,
    /// Path of the commit's own run, likewise; none if the commit adds no entries.
    pub run: Option<String>,
}

impl Written {
    /// What all files of the attempt are called: `<snapshot id>-<uuid>`.
    pub fn name(&self) -> &str {
        let file = self.pointer.rsplit('/').next().unwrap_or(&self.pointer);
        file.strip_suffix(".json").unwrap_or(file)
    }
}

impl Ledger {
    /// The ledger of the table with this uuid below `root`.
    pub fn new(stores: Arc<Stores>, root: &str, table: Uuid) -> Self {
        Self { stores, folder: format!("{}/{table}", root.trim_end_matches('/')), table }
    }

    /// Reads a head.
    ///
    /// # Errors
    /// A head that is gone, damaged or another table's is an error that a person has to look at: an empty
    /// ledger in its place would double rows.
    pub async fn head(&self, pointer: &str) -> Result<Head> {
        let bytes = self.read(pointer).await?;
        let head: Head = serde_json::from_slice(&bytes).map_err(|e| {
            Error::inconsistent(format!("ledger head `{}` is damaged", self.url(pointer))).caused_by(e)
        })?;
        head.check(self.table).map_err(|reason| {
            Error::inconsistent(format!("ledger head `{}`: {reason}", self.url(pointer)))
        })?;
        Ok(head)
    }

    /// Those of `identities` that the ledger has, with what it says of them.
    ///
    /// # Errors
    /// As [`Ledger::head`].
    pub async fn look_up(
        &self,
        head: &Head,
        identities: &[ObjectIdentity],
    ) -> Result<HashMap<ObjectIdentity, Entry>> {
        if identities.is_empty() {
            return Ok(HashMap::new());
        }
        let wanted = identities.iter().cloned().collect();
        let reads: Vec<_> = head.runs.iter().map(|run| self.find_in(&run.path, &wanted)).collect();
        let found: Vec<Vec<Entry>> =
            stream::iter(reads).buffer_unordered(RUNS_IN_FLIGHT).try_collect().await?;
        Ok(found.into_iter().flatten().map(|entry| (entry.identity.clone(), entry)).collect())
    }

    /// Every entry of a ledger, run by run; within a run in its order.
    ///
    /// # Errors
    /// As [`Ledger::head`], for each run as it is reached.
    pub fn entries<'a>(&'a self, head: &'a Head) -> impl Stream<Item = Result<Entry>> + Send + 'a {
        stream::iter(&head.runs)
            .then(move |run| async move {
                let damaged = |e| {
                    Error::inconsistent(format!("ledger run `{}` is damaged", self.url(&run.path)))
                        .caused_by(e)
                };
                let entries = run::entries(self.read(&run.path).await?).map_err(damaged)?;
                Ok::<_, Error>(stream::iter(entries.map(move |entry| entry.map_err(damaged))))
            })
            .try_flatten()
    }

    /// Every version of these objects that the ledger has. The entries come in no particular order.
    ///
    /// # Errors
    /// As [`Ledger::head`].
    pub async fn versions(&self, head: &Head, objects: &[ObjectName]) -> Result<Vec<Entry>> {
        let wanted: HashSet<&ObjectName> = objects.iter().collect();
        self.entries(head)
            .try_filter(|entry| std::future::ready(wanted.contains(&ObjectName::of(&entry.identity))))
            .try_collect()
            .await
    }

    async fn find_in(&self, run: &str, wanted: &HashSet<ObjectIdentity>) -> Result<Vec<Entry>> {
        run::find(self.read(run).await?, wanted).map_err(|e| {
            Error::inconsistent(format!("ledger run `{}` is damaged", self.url(run))).caused_by(e)
        })
    }

    /// Writes the run and the head of a commit that adds `entries` to what `base` names. Nothing refers to the
    /// new files until that commit does.
    ///
    /// # Errors
    /// The store did not take them.
    pub async fn write(&self, base: &Head, snapshot_id: i64, entries: Vec<Entry>) -> Result<Written> {
        let name = format!("{snapshot_id}-{}", Uuid::new_v4());
        let mut head = base.clone();
        head.generation += 1;
        let mut run = None;
        if !entries.is_empty() {
            let path = format!("runs/{name}.parquet");
            let (bytes, entries) = encode(entries).map_err(undecodable)?;
            self.put(&path, bytes).await?;
            head.runs.push(Run { path: path.clone(), entries });
            run = Some(path);
        }
        while let Some(group) = merge::due(&head.runs) {
            let merged = self.merge(&group).await?;
            head.runs.retain(|run| !group.contains(run));
            head.runs.push(merged);
        }
        let pointer = format!("heads/{name}.json");
        let bytes = serde_json::to_vec(&head)
            .map_err(|e| Error::inconsistent("a ledger head could not be encoded").caused_by(e))?;
        self.put(&pointer, bytes.into()).await?;
        Ok(Written { pointer, run })
    }

    /// Writes one run with the entries of several.
    async fn merge(&self, group: &[Run]) -> Result<Run> {
        let mut files = Vec::with_capacity(group.len());
        for run in group {
            files.push(self.read(&run.path).await?);
        }
        let (bytes, entries) = merge::merge(files).map_err(undecodable)?;
        let promised: u64 = group.iter().map(|run| run.entries).sum();
        if entries != promised {
            return Err(Error::inconsistent(format!(
                "ledger runs hold {entries} entries, their head says {promised}"
            )));
        }
        let path = format!("runs/merged-{}.parquet", Uuid::new_v4());
        self.put(&path, bytes).await?;
        Ok(Run { path, entries })
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        let url = self.url(path);
        let at = self.stores.locate(&url)?;
        let object = at.store.get(&at.path).await.map_err(|e| match e {
            object_store::Error::NotFound { .. } => Error::inconsistent(format!(
                "ledger file `{url}` is gone: restore it; without it rows could double, so none is written"
            )),
            other => Error::unavailable(format!("cannot read ledger file `{url}`")).caused_by(other),
        })?;
        object
            .bytes()
            .await
            .map_err(|e| Error::unavailable(format!("cannot read ledger file `{url}`")).caused_by(e))
    }

    async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        let url = self.url(path);
        let at = self.stores.locate(&url)?;
        at.store
            .put(&at.path, bytes.into())
            .await
            .map_err(|e| Error::unavailable(format!("cannot write ledger file `{url}`")).caused_by(e))?;
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.folder)
    }
}

fn encode(mut entries: Vec<Entry>) -> std::result::Result<(Bytes, u64), ParquetError> {
    entries.sort_by(|a, b| a.identity.cmp(&b.identity));
    let mut writer = run::RunWriter::new()?;
    for entry in entries {
        writer.push(entry)?;
    }
    writer.finish()
}

fn undecodable(error: ParquetError) -> Error {
    Error::inconsistent("a ledger run could not be written").caused_by(error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::run::tests::entry;
    use super::*;

    fn ledger(folder: &std::path::Path) -> Ledger {
        let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
        Ledger::new(stores, &format!("file://{}", folder.display()), Uuid::from_u128(7))
    }

    #[tokio::test]
    async fn what_was_written_is_found_again_through_every_run() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let mut head = Head::new(Uuid::from_u128(7));
        for n in 0..3 {
            let written = ledger.write(&head, n, vec![entry(&format!("key-{n}"))]).await.unwrap();
            head = ledger.head(&written.pointer).await.unwrap();
        }
        assert_eq!(head.generation, 3);
        let asked: Vec<_> = ["key-0", "key-2", "absent"].iter().map(|key| entry(key).identity).collect();
        let found = ledger.look_up(&head, &asked).await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[&asked[1]], entry("key-2"));
    }

    #[tokio::test]
    async fn runs_are_merged_and_every_entry_is_still_found_once() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let mut head = Head::new(Uuid::from_u128(7));
        for n in 0..100 {
            let written = ledger.write(&head, n, vec![entry(&format!("{}", (n * 37) % 100))]).await.unwrap();
            head = ledger.head(&written.pointer).await.unwrap();
        }
        assert!(head.runs.len() < 20, "{} runs", head.runs.len());
        assert_eq!(head.runs.iter().map(|run| run.entries).sum::<u64>(), 100);
        let all: Vec<_> = (0..100).map(|n| entry(&n.to_string()).identity).collect();
        assert_eq!(ledger.look_up(&head, &all).await.unwrap().len(), 100);
    }

    #[tokio::test]
    async fn lost_and_foreign_files_are_errors_and_never_an_empty_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let written = ledger.write(&Head::new(Uuid::from_u128(7)), 1, vec![entry("a")]).await.unwrap();
        let head = ledger.head(&written.pointer).await.unwrap();
        let other = Ledger { table: Uuid::from_u128(8), ..ledger.clone() };
        assert_eq!(other.head(&written.pointer).await.unwrap_err().kind(), crate::ErrorKind::Inconsistent);

        let run = folder.path().join(Uuid::from_u128(7).to_string()).join(written.run.unwrap());
        std::fs::write(&run, b"PAR1 damaged PAR1").unwrap();
        let damaged = ledger.look_up(&head, &[entry("a").identity]).await.unwrap_err();
        std::fs::remove_file(run).unwrap();
        let gone = ledger.look_up(&head, &[entry("a").identity]).await.unwrap_err();
        for error in [damaged, gone] {
            assert_eq!(error.kind(), crate::ErrorKind::Inconsistent, "{error}");
        }
    }
}
