//! Attempts that did not land, found by the ledger files that they left.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::table::Table;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::orphans::{Attempt, Required};
use super::references::References;
use super::sweep::MAX_FOUND;
use super::versions::Versions;
use super::{Kind, digest, names};
use crate::error::{Error, Result};
use crate::layout::metadata_folder;
use crate::ledger::{Entry, Head, Ledger, REGISTER};
use crate::storage::Stores;

/// Most attempts that are looked into at once.
pub const MAX_ATTEMPTS: usize = 100_000;
/// Most data files of failed attempts that are looked into at once.
pub const MAX_NAMED: usize = 1_000_000;
/// Attempts whose files are read at the same time.
const ATTEMPTS_IN_FLIGHT: usize = 8;
/// A manifest list says in its header which snapshot it was made for to follow.
const PARENT: &str = "parent-snapshot-id";

/// A file in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) url: String,
    pub(super) bytes: u64,
    pub(super) age: Duration,
}

/// The attempts, and what each left behind.
#[derive(Debug, Default)]
pub(super) struct Traces {
    pub(super) attempts: Vec<Attempt>,
    /// Files of an attempt itself: ledger files, manifests, manifest lists.
    pub(super) own: Vec<(Kind, usize, Stored)>,
    /// Data files by digest: their URL, and the attempts that name them.
    pub(super) named: HashMap<u128, (String, Vec<usize>)>,
    /// Attempts that were sent and whose run cannot be read: any file that no other names may be theirs.
    pub(super) blind: Vec<usize>,
    /// Table metadata files of earlier versions that the table's log does not have: at most [`MAX_FOUND`].
    pub(super) metadata: Vec<Stored>,
}

/// What is looked at: the table as it was loaded, its ledger, and when.
pub(super) struct Scene<'a> {
    /// Where the ledger is.
    pub(super) stores: &'a Stores,
    /// Where the table's own files are.
    pub(super) own: &'a Stores,
    pub(super) table: &'a Table,
    pub(super) ledger: &'a Ledger,
    pub(super) ledger_folder: &'a str,
    pub(super) head: &'a Head,
    pub(super) references: &'a References,
    pub(super) now: DateTime<Utc>,
}

/// What one attempt meant to do.
struct Look {
    attempt: Attempt,
    /// The data files that it names; `None`: its run cannot be read.
    files: Option<Vec<String>>,
    left: Left,
}

/// Files of one attempt: its run, and what else has its name.
#[derive(Debug)]
struct Left {
    path: String,
    run: Stored,
    others: Vec<(Kind, Stored)>,
}

impl Scene<'_> {
    /// Every attempt that no retained snapshot shows.
    ///
    /// # Errors
    /// A store does not answer, or there are too many.
    pub(super) async fn traces(&self) -> Result<Traces> {
        let mut traces = Traces::default();
        let left = self.left(&mut traces.metadata).await?;
        let looks = left.into_iter().map(|(id, left)| self.look_into(id, left));
        let mut looks = stream::iter(looks).buffer_unordered(ATTEMPTS_IN_FLIGHT);
        while let Some(Look { attempt, files, left }) = looks.try_next().await? {
            let index = traces.attempts.len();
            traces.attempts.push(attempt);
            if files.is_none() && left.list().is_some() {
                traces.blind.push(index);
            }
            for url in files.unwrap_or_default() {
                let (_, attempts) = traces.named.entry(digest(&url)).or_insert((url, Vec::new()));
                attempts.push(index);
            }
            if traces.named.len() > MAX_NAMED {
                return Err(too_many(self.table, MAX_NAMED, "data files of failed attempts"));
            }
            let own = left.others.into_iter().chain([(Kind::Run, left.run)]);
            traces.own.extend(own.map(|(kind, stored)| (kind, index, stored)));
        }
        Ok(traces)
    }

    /// Lists what attempts left, those left out that are known to have landed.
    /// Earlier table metadata that is in no log goes to `unlogged`.
    async fn left(&self, unlogged: &mut Vec<Stored>) -> Result<BTreeMap<i64, Left>> {
        let shown = super::history::known(self.table.metadata());
        let failed = |id: &i64| !shown.contains(id) && !self.references.has_author(*id);
        let mut left: BTreeMap<i64, Left> = BTreeMap::new();
        let mut runs = list(self.stores, &format!("{}/runs", self.ledger_folder), self.now)?;
        while let Some(stored) = runs.try_next().await? {
            let path = format!("runs/{}", names::last(&stored.url));
            let id = names::run(names::last(&stored.url)).filter(failed);
            if let Some(id) = id.filter(|_| !self.references.names_in_ledger(&path)) {
                left.insert(id, Left { path, run: stored, others: Vec::new() });
            }
            if left.len() > MAX_ATTEMPTS {
                return Err(too_many(self.table, MAX_ATTEMPTS, "attempts"));
            }
        }
        let mut heads = list(self.stores, &format!("{}/heads", self.ledger_folder), self.now)?;
        while let Some(stored) = heads.try_next().await? {
            let path = format!("heads/{}", names::last(&stored.url));
            let id = names::head(names::last(&stored.url));
            if let Some(left) = id.and_then(|id| left.get_mut(&id))
                && !self.references.names_in_ledger(&path)
            {
                left.others.push((Kind::Head, stored));
            }
        }
        let history = Versions::of(self.table);
        let mut metadata = list(self.own, &metadata_folder(self.table.metadata()), self.now)?;
        while let Some(stored) = metadata.try_next().await? {
            let name = names::last(&stored.url);
            if let Some((kind, id)) = names::metadata(name) {
                if let Some(left) = left.get_mut(&id) {
                    left.others.push((kind, stored));
                }
            } else if history.lacks(&stored.url) && unlogged.len() <= MAX_FOUND {
                unlogged.push(stored);
            }
        }
        Ok(left)
    }

    /// Reads what one attempt meant to do.
    async fn look_into(&self, snapshot_id: i64, left: Left) -> Result<Look> {
        let entries = readable(self.entries(&left.path).await)?;
        let in_ledger = match entries.as_deref().and_then(<[Entry]>::first) {
            // All entries of an attempt land together: one tells of all.
            Some(first) => {
                let found = self.ledger.look_up(self.head, std::slice::from_ref(&first.identity)).await?;
                found.values().any(|found| found.snapshot_id == snapshot_id)
            }
            None => false,
        };
        let required = match left.list() {
            Some(stored) => readable(self.parent(&stored.url).await)?.map(Required::Main),
            None => Some(Required::NeverSent),
        };
        let required = required.filter(|_| entries.is_some()).unwrap_or(Required::Unknown);
        let files = entries.map(|entries| {
            let ours = entries.into_iter().filter(|entry| entry.mode != REGISTER);
            let mut files: Vec<String> = ours.flat_map(|entry| entry.parts).map(|part| part.file).collect();
            files.sort();
            files.dedup();
            files.retain(|url| names::is_data(names::last(url), self.table.metadata().uuid()));
            files
        });
        let attempt = Attempt { snapshot_id, required, in_ledger, age: left.run.age };
        Ok(Look { attempt, files, left })
    }

    async fn entries(&self, path: &str) -> Result<Vec<Entry>> {
        self.ledger.entries_of(path).await?.try_collect().await
    }

    /// The snapshot that a manifest list was made to follow.
    async fn parent(&self, url: &str) -> Result<Option<i64>> {
        let what = format!("cannot read manifest list `{url}`");
        let at = self.own.locate(url)?;
        let unread = |e| Error::unavailable(what.clone()).caused_by(e);
        let bytes = at.store.get(&at.path).await.map_err(unread)?.bytes().await.map_err(unread)?;
        let avro = apache_avro::Reader::new(bytes.as_ref())
            .map_err(|e| Error::inconsistent(what.clone()).caused_by(e))?;
        let value = avro.user_metadata().get(PARENT).map(|value| String::from_utf8_lossy(value));
        Ok(value.and_then(|value| value.parse().ok()))
    }
}

impl Left {
    /// Its manifest list: without one, its commit was never sent.
    fn list(&self) -> Option<&Stored> {
        self.others.iter().find(|(kind, _)| *kind == Kind::ManifestList).map(|(_, stored)| stored)
    }
}

/// `None` if it was read and makes no sense: asking again would not help.
fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(e) if e.retryable() => Err(e),
        Err(error) => {
            tracing::warn!(%error, "an attempt is kept: it cannot be told what it meant to do");
            Ok(None)
        }
    }
}

/// The files below a folder.
pub(super) fn list(
    stores: &Stores,
    folder: &str,
    now: DateTime<Utc>,
) -> Result<BoxStream<'static, Result<Stored>>> {
    let at = stores.locate(folder)?;
    let folder = folder.to_owned();
    let found = at.store.list(Some(&at.path)).map(move |found| {
        let found = found.map_err(|e| Error::unavailable(format!("cannot list `{folder}`")).caused_by(e))?;
        let below: Vec<String> = match found.location.prefix_match(&at.path) {
            Some(parts) => parts.map(|part| part.as_ref().to_owned()).collect(),
            None => Vec::new(),
        };
        Ok(stored(format!("{folder}/{}", below.join("/")), &found, now))
    });
    Ok(found.boxed())
}

/// A file as its store describes it.
pub(super) fn stored(url: String, found: &ObjectMeta, now: DateTime<Utc>) -> Stored {
    // A clock that is ahead of ours makes a file no older than new.
    let age = (now - found.last_modified).to_std().unwrap_or_default();
    Stored { url, bytes: found.size, age }
}

fn too_many(table: &Table, bound: usize, what: &str) -> Error {
    Error::invalid(format!(
        "`{}` has more than {bound} {what}: delete its oldest unneeded ledger files first",
        table.identifier()
    ))
}
