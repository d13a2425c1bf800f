//! The record of objects that no retry can mend: one file an object version, durable before the request is
//! answered. It is no part of the ledger, which outranks it: what the ledger has is in the table, whatever a
//! record says that was written before.

mod left_out;
mod record;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{Stream, StreamExt, TryStreamExt};
use ingest_core::{ObjectIdentity, RequestedObject};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

pub use left_out::LeftOut;
pub use record::{Announced, Notice, Record};

use crate::error::{Error, Result};
use crate::ingest::Lake;
use crate::storage::Stores;

/// The end of a record's file name.
const SUFFIX: &str = ".json";
/// Records read at the same time while they are listed.
const READS_IN_FLIGHT: usize = 8;
/// A record's largest size in bytes: a key and a reason, and options of a request. What is larger is none of ours.
const MAX_RECORD_BYTES: u64 = 1024 * 1024;

/// Hears of every object that is set aside, after its record is durable and before the request is answered.
#[async_trait]
pub trait QuarantineListener: fmt::Debug + Send + Sync {
    /// Passes the news on.
    ///
    /// # Errors
    /// It did not get through. The request fails with that, and comes again: so does the news, under its
    /// [`Notice::id`].
    async fn set_aside(&self, notice: &Notice) -> Result<()>;
}

/// The quarantine of one table.
#[derive(Debug, Clone)]
pub struct Quarantine {
    stores: Arc<Stores>,
    folder: String,
    table: String,
    listener: Option<Arc<dyn QuarantineListener>>,
}

/// A record and the name of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Names the record within its quarantine.
    pub name: String,
    /// What it says.
    pub record: Record,
}

impl Quarantine {
    /// The quarantine below `root` of the table with this uuid, or, for a table that was never made, of this name.
    pub fn new(stores: Arc<Stores>, root: &str, table: &str) -> Self {
        let folder = format!("{}/{table}/quarantine", root.trim_end_matches('/'));
        Self { stores, folder, table: table.to_owned(), listener: None }
    }

    /// Writes the record of an object, over an older one of the same object version, and tells who listens.
    ///
    /// # Errors
    /// The store did not take it, or the listener did not: the request must not be answered yet.
    pub async fn put(&self, record: &Record) -> Result<()> {
        let url = self.url(&record.name());
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            Error::unavailable(format!("cannot write quarantine record `{url}`")).caused_by(e)
        };
        let bytes = serde_json::to_vec(record).map_err(|e| failed(e.into()))?;
        let at = self.stores.locate(&url)?;
        at.store.put(&at.path, bytes.into()).await.map_err(|e| failed(e.into()))?;
        if let Some(listener) = &self.listener {
            let table_uuid = self.table.parse().ok();
            listener.set_aside(&Notice { table_uuid, record: record.clone() }).await?;
        }
        Ok(())
    }

    /// Whether there is a record of this object version. One that was made when its identity could not be found out
    /// does not count.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn has(&self, identity: &ObjectIdentity) -> Result<bool> {
        let url = self.url(&record::identity_name(identity));
        let at = self.stores.locate(&url)?;
        match at.store.head(&at.path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => {
                Err(Error::unavailable(format!("cannot look up quarantine record `{url}`")).caused_by(e))
            }
        }
    }

    /// The record of an object that was requested so, if it was set aside: under its identity, or, if that could not be
    /// found out, under what the request says.
    ///
    /// # Errors
    /// The store does not answer, or the file is no record.
    pub async fn of(
        &self,
        object: &RequestedObject,
        identity: Option<&ObjectIdentity>,
    ) -> Result<Option<Record>> {
        let name = match identity {
            Some(identity) => record::identity_name(identity),
            None => record::announced_name(object.uri.as_str(), &Announced::of(object)),
        };
        Ok(self.get(&name).await?.map(|kept| kept.record))
    }

    /// Every record, in no particular order, read as they are asked for.
    ///
    /// # Errors
    /// The store does not answer, or a file among them is no record.
    pub async fn list(&self) -> Result<impl Stream<Item = Result<Kept>> + Send + '_> {
        let at = self.stores.locate(&self.folder)?;
        let listed = at.store.list(Some(&at.path));
        let kept = listed.map_err(|e| self.unlisted(e)).map(move |found| {
            let store = at.store.clone();
            async move { self.read(&store, found?).await }
        });
        Ok(kept.buffer_unordered(READS_IN_FLIGHT).try_filter_map(|kept| async move { Ok(kept) }))
    }

    /// The names of the first records after the one named `after`, in order, at most so many. Each call lists what
    /// comes after; it is for those who do long work between records, which a listing would not outlast.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn names(&self, after: &str, limit: usize) -> Result<Vec<String>> {
        let at = self.stores.locate(&self.folder)?;
        let offset = at.path.clone().join(format!("{after}{SUFFIX}"));
        let mut listed = match after {
            "" => at.store.list(Some(&at.path)),
            _ => at.store.list_with_offset(Some(&at.path), &offset),
        };
        // Not every store lists in order.
        let mut first = BTreeSet::new();
        while let Some(found) = listed.try_next().await.map_err(|e| self.unlisted(e))? {
            let Some(name) = record_name(&found) else { continue };
            first.insert(name.to_owned());
            if first.len() > limit {
                first.pop_last();
            }
        }
        Ok(first.into_iter().collect())
    }

    /// A record; none if it was removed meanwhile.
    ///
    /// # Errors
    /// The store does not answer, or the file is no record.
    pub async fn get(&self, name: &str) -> Result<Option<Kept>> {
        let url = self.url(name);
        let at = self.stores.locate(&url)?;
        match at.store.head(&at.path).await {
            Ok(found) => self.read(&at.store, found).await,
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => {
                Err(Error::unavailable(format!("cannot look up quarantine record `{url}`")).caused_by(e))
            }
        }
    }

    /// Takes a record away. One that is gone already is as good.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let url = self.url(name);
        let at = self.stores.locate(&url)?;
        match at.store.delete(&at.path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => {
                Err(Error::unavailable(format!("cannot remove quarantine record `{url}`")).caused_by(e))
            }
        }
    }

    /// The record in a listed file; none if it was removed meanwhile.
    async fn read(&self, store: &Arc<dyn ObjectStore>, found: ObjectMeta) -> Result<Option<Kept>> {
        let Some(name) = record_name(&found) else { return Ok(None) };
        let url = self.url(name);
        let damaged = || Error::inconsistent(format!("`{url}` is no quarantine record: remove it"));
        if found.size > MAX_RECORD_BYTES {
            return Err(damaged());
        }
        let unread = |e| Error::unavailable(format!("cannot read quarantine record `{url}`")).caused_by(e);
        let bytes = match store.get(&found.location).await {
            Ok(answer) => answer.bytes().await.map_err(unread)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(e) => return Err(unread(e)),
        };
        let record = serde_json::from_slice(&bytes).map_err(|e| damaged().caused_by(e))?;
        Ok(Some(Kept { name: name.to_owned(), record }))
    }

    fn unlisted(&self, e: object_store::Error) -> Error {
        Error::unavailable(format!("cannot list the quarantine at `{}`", self.folder)).caused_by(e)
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{name}{SUFFIX}", self.folder)
    }
}

/// The name of the record in a file; none if it holds something else.
fn record_name(found: &ObjectMeta) -> Option<&str> {
    found.location.filename()?.strip_suffix(SUFFIX)
}

impl Lake {
    /// Tells `listener` of every object that is set aside from now on.
    #[must_use]
    pub fn with_quarantine_listener(mut self, listener: Arc<dyn QuarantineListener>) -> Self {
        self.quarantine_listener = Some(listener);
        self
    }

    /// The quarantine of the table with this uuid, or, for a table that was never made, of this name.
    pub fn quarantine(&self, table: &str) -> Quarantine {
        let listener = self.quarantine_listener.clone();
        Quarantine { listener, ..Quarantine::new(self.stores().clone(), self.ledger_root(), table) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::record::tests::record;
    use super::*;

    fn quarantine(folder: &std::path::Path) -> Quarantine {
        let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
        Quarantine::new(stores, &format!("file://{}", folder.display()), "db.events")
    }

    async fn all(quarantine: &Quarantine) -> Vec<Kept> {
        let mut kept: Vec<Kept> = quarantine.list().await.unwrap().try_collect().await.unwrap();
        kept.sort_by(|a, b| a.record.file.cmp(&b.record.file));
        kept
    }

    #[tokio::test]
    async fn records_are_listed_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = quarantine(folder.path());
        assert!(all(&quarantine).await.is_empty(), "a table without a quarantine has no records");
        quarantine.put(&record("a")).await.unwrap();
        quarantine.put(&record("b")).await.unwrap();
        assert!(quarantine.has(&record("b").identity.unwrap()).await.unwrap());
        assert!(!quarantine.has(&record("c").identity.unwrap()).await.unwrap());
        let later = Record { reason: "still bad".into(), ..record("a") };
        quarantine.put(&later).await.unwrap();
        let kept = all(&quarantine).await;
        assert_eq!(kept.iter().map(|kept| &kept.record).collect::<Vec<_>>(), [&later, &record("b")]);
        quarantine.remove(&kept[0].name).await.unwrap();
        quarantine.remove(&kept[0].name).await.unwrap();
        assert_eq!(all(&quarantine).await.len(), 1);
        assert_eq!(quarantine.get(&kept[0].name).await.unwrap(), None);
        assert_eq!(quarantine.get(&kept[1].name).await.unwrap().as_ref(), Some(&kept[1]));
    }

    #[tokio::test]
    async fn names_come_in_order_a_page_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = quarantine(folder.path());
        for key in ["a", "b", "c", "d", "e"] {
            quarantine.put(&record(key)).await.unwrap();
        }
        let (mut after, mut seen) = (String::new(), Vec::new());
        loop {
            let page = quarantine.names(&after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 2);
            after.clone_from(last);
            seen.extend(page);
        }
        assert!(seen.len() == 5 && seen.is_sorted(), "{seen:?}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_record_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = quarantine(folder.path());
        quarantine.put(&record("a")).await.unwrap();
        std::fs::write(folder.path().join("db.events/quarantine/x.json"), "{").unwrap();
        let listed: Result<Vec<Kept>> = quarantine.list().await.unwrap().try_collect().await;
        let error = listed.unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Inconsistent);
        assert!(error.to_string().contains("x.json"), "{error}");
    }

    #[derive(Debug, Default)]
    struct Deaf(Mutex<Vec<String>>);

    #[async_trait]
    impl QuarantineListener for Deaf {
        async fn set_aside(&self, notice: &Notice) -> Result<()> {
            self.0.lock().unwrap().push(notice.id());
            Err(Error::unavailable("nobody listens"))
        }
    }

    #[tokio::test]
    async fn the_record_is_durable_before_the_news_and_a_repeat_tells_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let listener = Arc::new(Deaf::default());
        let quarantine = Quarantine { listener: Some(listener.clone()), ..quarantine(folder.path()) };
        for _ in 0..2 {
            assert!(quarantine.put(&record("a")).await.unwrap_err().retryable());
            assert_eq!(all(&quarantine).await.len(), 1);
        }
        let told = listener.0.lock().unwrap();
        assert_eq!((told.len(), &told[0]), (2, &told[1]));
    }
}
