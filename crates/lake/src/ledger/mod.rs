//! The ledger: which object versions this system added to `main`, and when, where and how (invariant 4).
//!
//! Each commit writes one immutable Parquet file, its **run**, and one JSON file, its **head**, which names the
//! runs that make the ledger. The snapshot names the head: data and ledger change in one compare-and-swap.
//! Files live below `<root>/<table uuid>/`, outside the table's own location, where no clean-up of orphans looks.
//!
//! | module | what it decides or does |
//! |---|---|
//! | `locate` | which head and runs are the ledger of `main` |
//! | `name`, `head`, `hash`, `columns` | the format |
//! | `run`, `file` | writing and reading run files |
//! | `search`, `index`, `cache` | look-ups that read a few pages |
//! | `merge`, `merger`, `interleave` | keeping runs few, beside the commits |
//! | `expire` | which files may go |

mod cache;
mod columns;
mod entry;
mod expire;
mod file;
mod hash;
mod head;
mod index;
mod interleave;
mod locate;
mod merge;
mod merger;
mod name;
mod run;
mod search;
mod write;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use iceberg::spec::TableMetadata;
use ingest_core::ObjectIdentity;
use object_store::ObjectStoreExt;
use tokio::sync::Semaphore;
use uuid::Uuid;

pub(crate) use entry::REGISTER;
pub use entry::{Entry, Found, ObjectName, Part};
pub use expire::{DEFAULT_AGE, LEAST_AGE, LedgerFile, Reachable};
pub use head::{Head, Run};
pub use locate::{
    Lineage, Located, PROPERTY_LEDGER, PROPERTY_ROOT, SUMMARY_LEDGER, SUMMARY_RUN, locate, property_value,
};
pub(crate) use locate::{SUMMARY_SOURCE, is_ours};
pub use name::FileKind;
pub use write::Written;

use crate::error::{Error, Result};
use crate::storage::Stores;
use cache::Caches;
use file::{RunFile, request_limit, unreadable};
use hash::key_hash;
use merger::{Lanes, Merger};
use search::{Search, Wanted};

/// Runs read at the same time during a look-up.
const RUNS_IN_FLIGHT: usize = 8;
/// Tables whose merges are remembered; beyond, those that nobody uses are forgotten.
const TABLES_KEPT: usize = 1_000;

/// The ledgers of all tables below one root, as one process sees them. They share caches, and the lanes
/// in which runs are merged.
#[derive(Debug)]
pub struct Ledgers {
    stores: Arc<Stores>,
    root: String,
    caches: Caches,
    lanes: Lanes,
    tables: Mutex<HashMap<Uuid, Ledger>>,
}

impl Ledgers {
    /// The ledgers below `root`.
    pub fn new(stores: Arc<Stores>, root: &str) -> Self {
        Self {
            stores,
            root: root.trim_end_matches('/').to_owned(),
            caches: Caches::default(),
            lanes: Lanes::default(),
            tables: Mutex::default(),
        }
    }

    /// The ledger of the table with this uuid.
    pub fn of(&self, table: Uuid) -> Ledger {
        let mut tables = self.tables.lock().expect("no code panics while it holds this lock");
        if tables.len() >= TABLES_KEPT {
            tables.retain(|_, ledger| Arc::strong_count(&ledger.merger) > 1);
        }
        let ledger = tables.entry(table).or_insert_with(|| Ledger {
            stores: self.stores.clone(),
            folder: format!("{}/{table}", self.root),
            table,
            caches: self.caches.clone(),
            requests: request_limit(),
            merger: Arc::new(Merger::new(self.lanes.clone())),
        });
        ledger.clone()
    }
}

/// The ledger files of one table. Clones share caches and merges.
#[derive(Debug, Clone)]
pub struct Ledger {
    stores: Arc<Stores>,
    folder: String,
    table: Uuid,
    caches: Caches,
    requests: Arc<Semaphore>,
    merger: Arc<Merger>,
}

/// The ledger of a table's `main`, read.
#[derive(Debug, Clone)]
pub struct MainLedger {
    /// What it is made of; another value whenever the ledger of `main` is another.
    pub lineage: Lineage,
    /// Its runs; none if it is new.
    pub head: Head,
}

impl Ledger {
    /// The ledger of the table with this uuid below `root`, with caches of its own.
    pub fn new(stores: Arc<Stores>, root: &str, table: Uuid) -> Self {
        Ledgers::new(stores, root).of(table)
    }

    /// The ledger of `main`, as the table's metadata tells it: see [`locate`].
    ///
    /// # Errors
    /// It cannot be told, or as [`Ledger::head`].
    pub async fn of_main(&self, table: &TableMetadata) -> Result<MainLedger> {
        match locate(table) {
            Located::At(lineage) => {
                let mut head = match &lineage.head {
                    Some(pointer) => self.head(pointer).await?,
                    None => Head::new(self.table),
                };
                for path in &lineage.copied {
                    if !head.names(path) {
                        let entries = self.search(path).await?.entries();
                        head.runs.push(Run { path: path.clone(), entries });
                    }
                }
                Ok(MainLedger { lineage, head })
            }
            Located::Undecided(reason) => Err(Error::inconsistent(format!(
                "{reason}: look at it with `event-ingest ledger verify`, and mend it with `event-ingest ledger \
                 rebuild`; until then nothing is written"
            ))),
        }
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

    /// Those of `identities` that the ledger has. What that reads does not grow with the ledger: see
    /// `docs/ledger.md`.
    ///
    /// # Errors
    /// As [`Ledger::head`].
    pub async fn look_up(
        &self,
        head: &Head,
        identities: &[ObjectIdentity],
    ) -> Result<HashMap<ObjectIdentity, Found>> {
        if identities.is_empty() {
            return Ok(HashMap::new());
        }
        let wanted: Vec<Wanted<'_>> = identities.iter().map(Wanted::new).collect();
        let wanted = wanted.as_slice();
        let reads: Vec<_> = head
            .runs
            .iter()
            .map(|run| async move { self.search(&run.path).await?.find(wanted).await })
            .collect();
        let found: Vec<Vec<_>> = stream::iter(reads).buffer_unordered(RUNS_IN_FLIGHT).try_collect().await?;
        Ok(found.into_iter().flatten().map(|(identity, found)| (identity.clone(), found)).collect())
    }

    /// Every entry of a ledger, run by run; within a run sorted by the hash of the object's name. Holds one row
    /// group at a time.
    ///
    /// # Errors
    /// As [`Ledger::head`], for each run as it is reached.
    pub fn entries<'a>(&'a self, head: &'a Head) -> impl Stream<Item = Result<Entry>> + Send + 'a {
        stream::iter(&head.runs).then(move |run| self.entries_of(&run.path)).try_flatten()
    }

    /// Every entry of one run, also of one that no head names (an attempt that failed).
    ///
    /// # Errors
    /// As [`Ledger::head`].
    pub async fn entries_of(&self, path: &str) -> Result<impl Stream<Item = Result<Entry>> + Send + use<>> {
        run::entries(self.file(path)?).await
    }

    /// Every version of these objects that the ledger has. The entries come in no particular order.
    ///
    /// # Errors
    /// As [`Ledger::head`].
    pub async fn versions(&self, head: &Head, objects: &[ObjectName]) -> Result<Vec<Entry>> {
        let objects: HashMap<&ObjectName, i64> = objects.iter().map(|name| (name, key_hash(name))).collect();
        let objects = &objects;
        let reads: Vec<_> = head
            .runs
            .iter()
            .map(|run| async move { self.search(&run.path).await?.versions(objects).await })
            .collect();
        let found: Vec<Vec<Entry>> =
            stream::iter(reads).buffer_unordered(RUNS_IN_FLIGHT).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Which of these objects cannot get in beside what the table has of their keys: none whose key is a data file
    /// where it is, and none that is to become one if any version of its key is in the table. Readers know a
    /// registered object by its key alone.
    ///
    /// # Errors
    /// As [`Ledger::head`].
    pub(crate) async fn rivals(
        &self,
        head: &Head,
        objects: &[ObjectName],
        registering: bool,
    ) -> Result<HashSet<ObjectName>> {
        if objects.is_empty() {
            return Ok(HashSet::new());
        }
        let versions = self.versions(head, objects).await?.into_iter();
        let rivals = versions.filter(|entry| registering || entry.mode == REGISTER);
        Ok(rivals.map(|entry| ObjectName::of(&entry.identity)).collect())
    }

    async fn search(&self, path: &str) -> Result<Search> {
        Search::open(&self.stores, self.requests.clone(), &self.caches, path, self.url(path)).await
    }

    fn file(&self, path: &str) -> Result<RunFile> {
        RunFile::new(&self.stores, self.requests.clone(), self.url(path).into())
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        let url = self.url(path);
        let at = self.stores.locate(&url)?;
        let object = at.store.get(&at.path).await.map_err(|e| unreadable(&url, e))?;
        object.bytes().await.map_err(|e| unreadable(&url, e))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.folder)
    }
}

#[cfg(test)]
mod tests;
