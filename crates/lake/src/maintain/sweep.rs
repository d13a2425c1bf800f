//! Finding the files of failed attempts, and deleting those that [`orphans::deletable`](super::orphans::deletable)
//! lets go.
//!
//! What is held in memory: 16 bytes for each file that a retained snapshot names (at most
//! [`MAX_REFERENCED`](super::references::MAX_REFERENCED)), the URLs of files that failed attempts name or left (at
//! most [`MAX_NAMED`](super::attempts::MAX_NAMED) data files of
//! [`MAX_ATTEMPTS`](super::attempts::MAX_ATTEMPTS)), and the URLs of what is listed (at most [`MAX_FOUND`]). Past
//! any of the first three bounds nothing is deleted and the error says what to do; past the last, the next search
//! finds more.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::table::Table;
use ingest_core::TableName;
use object_store::ObjectStoreExt;
use uuid::Uuid;

use super::attempts::{Scene, Stored, Traces, list, stored};
use super::orphans::{Attempt, Held, Shown, deletable};
use super::references::References;
use super::{Kind, clock, digest, names};
use crate::error::{Error, Result};
use crate::ingest::Lake;
use crate::layout::data_folder;
use crate::ledger::Ledger;
use crate::storage::Stores;

/// Most files that one search lists; the next finds the others.
pub const MAX_FOUND: usize = 100_000;
/// Files that are deleted between two looks at the table.
const DELETED_AT_ONCE: usize = 100;
/// Files asked about at the same time.
const LOOKS_IN_FLIGHT: usize = 16;

/// A file that no snapshot names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Where it is.
    pub url: String,
    /// What it was made as.
    pub kind: Kind,
    /// Its size in bytes.
    pub bytes: u64,
    /// Time since it was written, by the clock of the ledger's store.
    pub age: Duration,
    /// Why it must stay for now; `None`: it may be deleted.
    pub held: Option<Held>,
    /// Places of the attempts that name it, in the search.
    attempts: Vec<usize>,
}

/// What was found beside a table.
#[derive(Debug)]
pub struct Search {
    /// The files, in the order in which they may be deleted.
    pub orphans: Vec<Orphan>,
    /// Whether there are more than were listed.
    pub more: bool,
    table: Uuid,
    attempts: Vec<Attempt>,
    references: References,
    older_than: Duration,
}

impl Search {
    /// The snapshots that the attempts which name this file would have made; none: no attempt named it.
    pub fn snapshots<'a>(&'a self, orphan: &'a Orphan) -> impl Iterator<Item = i64> + 'a {
        orphan.attempts.iter().map(|&index| self.attempts[index].snapshot_id)
    }

    fn judge(&self, orphan: &Orphan, shown: &Shown) -> Option<Held> {
        // Its name is every writer's, and another catalog may have the table as it was then.
        if orphan.kind == Kind::Metadata {
            return Some(Held::Unattributed);
        }
        let attempts = orphan.attempts.iter().map(|&index| &self.attempts[index]);
        let referenced = self.references.names(&orphan.url);
        deletable(attempts, referenced, orphan.age, shown, self.older_than).err()
    }

    fn add(&mut self, kind: Kind, attempts: Vec<usize>, stored: Stored, shown: &Shown) {
        let Stored { url, bytes, age } = stored;
        let mut orphan = Orphan { url, kind, bytes, age, held: None, attempts };
        orphan.held = self.judge(&orphan, shown);
        // What landed is no orphan, whatever became of it later.
        if matches!(orphan.held, Some(Held::Referenced | Held::Landed(_))) {
            return;
        }
        if self.orphans.len() == MAX_FOUND {
            self.more = true;
        } else {
            self.orphans.push(orphan);
        }
    }
}

impl Lake {
    /// Looks for files that failed attempts left beside a table; `None` if there is no such table. Changes nothing
    /// but for an empty file, written and deleted again, that tells the store's time. Files stay until they are older
    /// than `older_than`, and than [`LEAST`](super::orphans::LEAST).
    ///
    /// # Errors
    /// Something that decides what is needed cannot be read, or there is more of it than fits into memory.
    pub async fn search_orphans(&self, name: &TableName, older_than: Duration) -> Result<Option<Search>> {
        let Some((table, ledger, head)) = self.tables.look(name).await? else { return Ok(None) };
        let mut references = References::default();
        references.extend(&table, &ledger).await?;
        let shown = Shown::of(table.metadata());
        let ledger_folder = format!("{}/{}", self.tables.ledger_root, table.metadata().uuid());
        let own = self.tables.catalog.stores(&table);
        let now = clock::now(&self.tables.stores, &ledger_folder).await?;
        let scene = Scene {
            stores: &self.tables.stores,
            own: &own,
            table: &table,
            ledger: &ledger,
            ledger_folder: &ledger_folder,
            head: &head,
            references: &references,
            now,
        };
        let Traces { attempts, own: left, named, blind, metadata } = scene.traces().await?;
        let data = data_folder(table.metadata());
        let mut search = Search {
            orphans: Vec::new(),
            more: false,
            table: table.metadata().uuid(),
            attempts,
            references,
            older_than,
        };
        let mut unnamed = list(&own, &data, now)?;
        while let Some(stored) = unnamed.try_next().await? {
            let ours = names::is_data(names::last(&stored.url), search.table);
            if ours && !named.contains_key(&digest(&stored.url)) {
                search.add(Kind::Data, blind.clone(), stored, &shown);
            }
        }
        let looks = named.into_values().map(|(url, attempts)| stat(&own, url, attempts, now));
        let mut looks = stream::iter(looks).buffer_unordered(LOOKS_IN_FLIGHT);
        while let Some(found) = looks.try_next().await? {
            if let Some((stored, attempts)) = found {
                search.add(Kind::Data, attempts, stored, &shown);
            }
        }
        for (kind, attempt, stored) in left {
            search.add(kind, vec![attempt], stored, &shown);
        }
        for stored in metadata {
            search.add(Kind::Metadata, Vec::new(), stored, &shown);
        }
        search.orphans.sort_by(|a, b| (a.kind, &a.url).cmp(&(b.kind, &b.url)));
        Ok(Some(search))
    }

    /// Deletes what may be deleted of a search, and returns how many files that were. The table is looked at again
    /// right before, every few files: what it names by then stays. There, too, it ends early once `stopped` says so.
    ///
    /// # Errors
    /// The table is not the one that was searched, or a store does not answer; what was deleted until then is gone.
    pub async fn delete_orphans(
        &self,
        name: &TableName,
        search: &mut Search,
        stopped: impl Fn() -> bool,
    ) -> Result<usize> {
        let mut deleted = 0;
        let orphans = std::mem::take(&mut search.orphans);
        let may_go: Vec<&Orphan> = orphans.iter().filter(|orphan| orphan.held.is_none()).collect();
        for few in may_go.chunks(DELETED_AT_ONCE) {
            if stopped() {
                break;
            }
            let (table, ledger) = self.again(name, search.table).await?;
            search.references.extend(&table, &ledger).await?;
            let shown = Shown::of(table.metadata());
            // Of this load: credentials that came with an earlier one may have expired.
            let own = self.tables.catalog.stores(&table);
            for orphan in few {
                if search.judge(orphan, &shown).is_none() {
                    let stores = match orphan.kind {
                        Kind::Head | Kind::Run => &self.tables.stores,
                        Kind::Data | Kind::Metadata | Kind::Manifest | Kind::ManifestList => &own,
                    };
                    delete(stores, &orphan.url).await?;
                    deleted += 1;
                }
            }
        }
        search.orphans = orphans;
        Ok(deleted)
    }

    async fn again(&self, name: &TableName, searched: Uuid) -> Result<(Table, Ledger)> {
        match self.tables.look(name).await? {
            Some((table, ledger, _)) if table.metadata().uuid() == searched => Ok((table, ledger)),
            _ => Err(Error::unavailable(format!("table `{name}` was replaced meanwhile: search again"))),
        }
    }
}

/// A file that an attempt named, if it is there.
async fn stat(
    stores: &Stores,
    url: String,
    attempts: Vec<usize>,
    now: DateTime<Utc>,
) -> Result<Option<(Stored, Vec<usize>)>> {
    let at = stores.locate(&url)?;
    match at.store.head(&at.path).await {
        Ok(found) => Ok(Some((stored(url, &found, now), attempts))),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(e) => Err(Error::unavailable(format!("cannot look up `{url}`")).caused_by(e)),
    }
}

async fn delete(stores: &Stores, url: &str) -> Result<()> {
    let at = stores.locate(url)?;
    match at.store.delete(&at.path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(e) => Err(Error::unavailable(format!("cannot delete `{url}`")).caused_by(e)),
    }
}
