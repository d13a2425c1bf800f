//! The stores of a table, with the credentials that the catalog vended for it.
//!
//! Credentials must not get into a [`FileIO`]'s properties, which show in the debug form of every table. So the
//! file access of a table bears a name, and the [`Lender`] knows which stores that is.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use iceberg::TableIdent;
use iceberg::io::FileIO;
use uuid::Uuid;

use super::wire::StorageCredential;
use crate::error::{Error, Result};
use crate::storage::{ACCESS_KEY, Scope, Stores, file_io, name_of, named_file_io};

/// Property by which a catalog offers to sign each request to the store instead of vending credentials.
const REMOTE_SIGNING: &str = "s3.remote-signing-enabled";

/// What came with a table for its storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vended {
    /// For all of its files.
    common: Scope,
    /// For those below a prefix.
    scopes: Vec<Scope>,
}

/// The stores that go with what was vended.
#[derive(Debug, Clone)]
pub(super) struct Lent {
    vended: Vended,
    /// `None`: nothing was said, and the configured stores serve. Else under the name of the file access.
    stores: Option<(String, Arc<Stores>)>,
}

/// Makes stores for tables, and finds them again.
#[derive(Debug)]
pub(super) struct Lender {
    configured: Arc<Stores>,
    /// What the catalog's configuration says about the storage of all tables.
    served: Scope,
    /// By name. Those of which no table is left are removed whenever one is added.
    lent: Mutex<HashMap<String, Weak<Stores>>>,
}

/// The storage properties of a catalog that are not configured here, or otherwise.
pub(super) fn storage_changes(
    configured: &BTreeMap<String, String>,
    merged: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let changed = merged.iter().filter(|(name, value)| configured.get(*name) != Some(value));
    storage_properties(changed.map(|(name, value)| (name.clone(), value.clone())))
}

fn storage_properties(all: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    all.into_iter().filter(|(name, _)| name.starts_with("s3.") || name.starts_with("client.")).collect()
}

impl Vended {
    pub(super) fn new(
        config: Option<BTreeMap<String, String>>,
        credentials: Option<Vec<StorageCredential>>,
    ) -> Self {
        let scope = |prefix, properties| Scope { prefix, properties: storage_properties(properties) };
        let credentials = credentials.unwrap_or_default().into_iter();
        Self {
            common: scope(String::new(), config.unwrap_or_default()),
            scopes: credentials.map(|vended| scope(vended.prefix, vended.config)).collect(),
        }
    }

    fn has_credentials(&self) -> bool {
        self.all().any(|scope| scope.properties.contains_key(ACCESS_KEY))
    }

    fn wants_remote_signing(&self) -> bool {
        self.all().any(|scope| scope.properties.get(REMOTE_SIGNING).is_some_and(|value| value == "true"))
    }

    fn is_empty(&self) -> bool {
        self.all().all(|scope| scope.properties.is_empty())
    }

    fn all(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.iter().chain([&self.common])
    }
}

impl Lent {
    /// Whether these are the stores for `vended`.
    pub(super) fn is_of(&self, vended: &Vended) -> bool {
        self.vended == *vended
    }

    /// Whether these have to be asked for anew with each load, because vended credentials do not last.
    pub(super) fn expires(&self) -> bool {
        self.vended.has_credentials()
    }
}

impl Lender {
    pub(super) fn new(configured: Arc<Stores>, served: BTreeMap<String, String>) -> Self {
        let served = Scope { prefix: String::new(), properties: served };
        Self { configured, served, lent: Mutex::default() }
    }

    /// Stores for a table with what was vended for it.
    pub(super) fn lend(&self, ident: &TableIdent, vended: Vended) -> Result<Lent> {
        if vended.is_empty() && self.served.properties.is_empty() {
            return Ok(Lent { vended, stores: None });
        }
        if vended.wants_remote_signing() && !vended.has_credentials() {
            return Err(Error::config(format!(
                "the catalog offers to sign requests to the storage of `{ident}`, which is not supported: have it vend credentials"
            )));
        }
        let mut common = self.served.properties.clone();
        common.extend(vended.common.properties.clone());
        let stores = self.configured.with(&common, vended.scopes.clone()).map_err(|e| {
            Error::unavailable(format!("what the catalog vended for the storage of `{ident}` does not work"))
                .caused_by(e)
        })?;
        let (name, stores) = (Uuid::new_v4().to_string(), Arc::new(stores));
        let mut lent = self.lock();
        lent.retain(|_, stores| stores.strong_count() > 0);
        lent.insert(name.clone(), Arc::downgrade(&stores));
        Ok(Lent { vended, stores: Some((name, stores)) })
    }

    /// File access through lent stores.
    pub(super) fn file_io(&self, lent: &Lent) -> FileIO {
        match &lent.stores {
            Some((name, stores)) => named_file_io(stores.clone(), name),
            None => file_io(self.configured.clone()),
        }
    }

    /// The stores behind a file access; `None` if they are the configured ones.
    pub(super) fn stores(&self, io: &FileIO) -> Option<Arc<Stores>> {
        // A file access holds its stores, so that as long as there is one they are found.
        self.lock().get(name_of(io)?)?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Stores>>> {
        self.lent.lock().expect("no code panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn ident() -> TableIdent {
        TableIdent::from_strs(["db", "t"]).unwrap()
    }

    fn lender(served: &[(&str, &str)]) -> Lender {
        Lender::new(Arc::new(Stores::new(BTreeMap::new()).unwrap()), properties(served))
    }

    const KEYS: [(&str, &str); 2] = [("s3.access-key-id", "vended"), ("s3.secret-access-key", "hush")];

    #[test]
    fn the_stores_of_a_table_are_found_by_its_file_access() {
        let lender = lender(&[]);
        let lent = lender.lend(&ident(), Vended::new(Some(properties(&KEYS)), None)).unwrap();
        let io = lender.file_io(&lent);
        assert!(Arc::ptr_eq(&lender.stores(&io).unwrap(), &lent.stores.as_ref().unwrap().1));
        assert!(lent.expires());
        let plain = lender.lend(&ident(), Vended::new(None, None)).unwrap();
        assert!(lender.stores(&lender.file_io(&plain)).is_none() && !plain.expires());
        drop((lent, io));
        lender.lend(&ident(), Vended::new(Some(properties(&KEYS)), None)).unwrap();
        assert_eq!(lender.lock().len(), 1, "stores that no table has are forgotten");
    }

    #[test]
    fn what_cannot_be_used_is_said_with_the_tables_name() {
        let half = Vended::new(Some(properties(&KEYS[..1])), None);
        let error = lender(&[]).lend(&ident(), half).unwrap_err().to_string();
        assert!(error.contains("db.t") && error.contains("s3.secret-access-key"), "{error}");
        let signing = Vended::new(Some(properties(&[(REMOTE_SIGNING, "true")])), None);
        assert!(lender(&[]).lend(&ident(), signing).unwrap_err().to_string().contains("sign"));
    }

    #[test]
    fn only_storage_properties_that_are_new_go_over_the_configured_ones() {
        let configured = properties(&[("s3.endpoint", "http://here"), ("uri", "http://c")]);
        let mut merged = configured.clone();
        merged.extend(properties(&[
            ("client.region", "eu"),
            ("prefix", "p"),
            ("s3.endpoint", "http://there"),
        ]));
        let changes = storage_changes(&configured, &merged);
        assert_eq!(changes, properties(&[("client.region", "eu"), ("s3.endpoint", "http://there")]));
    }

    #[test]
    fn no_secret_shows_in_the_debug_form() {
        let lender = lender(&KEYS);
        let credential = StorageCredential { prefix: "s3://b".to_owned(), config: properties(&KEYS) };
        let lent = lender.lend(&ident(), Vended::new(None, Some(vec![credential]))).unwrap();
        let shown = format!("{lender:?} {lent:?} {:?}", lender.file_io(&lent));
        assert!(!shown.contains("hush"), "{shown}");
    }
}
