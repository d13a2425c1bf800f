//! One object_store client for everything: source objects, data files, table metadata, the ledger.
//!
//! [`Stores`] turns a URL into a client and a path; [`file_io`] lends the same clients to the `iceberg` crate,
//! so that there is one set of credentials, one retry policy and one place to inject faults.

mod file_io;
pub mod listing;
mod local;
mod s3;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use object_store::ObjectStore;
use object_store::path::Path;

pub use file_io::file_io;
pub(crate) use file_io::{name_of, named_file_io};
pub(crate) use s3::{ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, credentials};

use crate::config::Names;
use crate::error::{Error, Result};

use listing::{Listing, S3Listing};
use local::DurableFiles;

/// An object: the client that reaches it, and its path there.
#[derive(Debug, Clone)]
pub struct Location {
    /// The client.
    pub store: Arc<dyn ObjectStore>,
    /// The path within the client's bucket or file system.
    pub path: Path,
}

type Clients<K> = Mutex<HashMap<K, Arc<dyn ObjectStore>>>;

/// What properties begin with that hold for one bucket: `bucket.<name>.s3.endpoint`, and so on.
const BUCKET_PREFIX: &str = "bucket.";

/// Clients by URL: `s3://bucket/key` (also `s3a`, `s3n`), `file:///path`, `file:/path` and a bare `/path`.
pub struct Stores {
    properties: BTreeMap<String, String>,
    /// What holds for a part of the namespace in place of `properties`, longest prefix first.
    scopes: Vec<Scope>,
    local: Arc<dyn ObjectStore>,
    /// Stores that stand in for a bucket, whatever the properties say.
    lent: Arc<Clients<String>>,
    /// Clients by bucket and place in `scopes`.
    clients: Clients<(String, Option<usize>)>,
}

/// Properties that hold for URLs with a prefix, as a catalog vends them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// What the URL begins with, scheme included.
    pub(crate) prefix: String,
    /// They go over the common ones.
    pub(crate) properties: BTreeMap<String, String>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("prefix", &self.prefix)
            .field("properties", &Names(&self.properties))
            .finish()
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores")
            .field("properties", &Names(&self.properties))
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl Stores {
    /// Clients made from Iceberg's storage properties (`s3.endpoint`, `s3.region`, …). `bucket.<name>.s3.…` goes over
    /// these for one bucket: a server and credentials of its own.
    ///
    /// # Errors
    /// A property that does not parse.
    pub fn new(properties: BTreeMap<String, String>) -> Result<Self> {
        // A wrong property is an error at start, not at the first file.
        s3::client("configuration-check", &properties)?;
        let scopes = of_buckets(&properties)?;
        for Scope { prefix, properties } in &scopes {
            s3::client("configuration-check", properties)
                .map_err(|e| Error::config(format!("properties of `{prefix}`")).caused_by(e))?;
        }
        Ok(Self::assemble(properties, scopes, Arc::default()))
    }

    /// The same stores with other properties over their own: `common` for every URL, and over these what the
    /// longest matching scope says. A bucket that was lent, or is later, is lent here too.
    pub(crate) fn with(&self, common: &BTreeMap<String, String>, scopes: Vec<Scope>) -> Result<Self> {
        let properties = overlay(&self.properties, common);
        let mut scopes = scopes;
        for scope in &mut scopes {
            scope.prefix = plain_scheme(&scope.prefix).into_owned();
            scope.properties = overlay(&properties, &scope.properties);
        }
        let of_bucket =
            |scope: &Scope| Scope { properties: overlay(&scope.properties, common), ..scope.clone() };
        scopes.extend(self.scopes.iter().map(of_bucket));
        scopes.sort_by_key(|scope| std::cmp::Reverse(scope.prefix.len()));
        // Clients are made when they are needed: credentials may be others with each load of a table.
        for properties in scopes.iter().map(|scope| &scope.properties).chain([&properties]) {
            s3::check(properties)?;
        }
        Ok(Self::assemble(properties, scopes, self.lent.clone()))
    }

    fn assemble(
        properties: BTreeMap<String, String>,
        scopes: Vec<Scope>,
        lent: Arc<Clients<String>>,
    ) -> Self {
        Self { properties, scopes, local: Arc::new(DurableFiles::default()), lent, clients: Mutex::default() }
    }

    /// Uses `store` for a bucket from now on: a server with settings of its own, or one that fails on purpose.
    pub fn lend(&self, bucket: &str, store: Arc<dyn ObjectStore>) {
        lock(&self.lent).insert(bucket.to_owned(), store);
    }

    /// The client and path of a URL that this system or another Iceberg writer made.
    ///
    /// # Errors
    /// A scheme that is not known, or a path that cannot be addressed.
    pub fn locate(&self, url: &str) -> Result<Location> {
        if let Some(path) = local_path(url) {
            let path = Path::parse(path)
                .map_err(|e| Error::invalid(format!("cannot address `{url}`")).caused_by(e))?;
            return Ok(Location { store: self.local.clone(), path });
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(|| {
            Error::invalid(format!("`{url}` is no location: expected s3://bucket/key or file:///path"))
        })?;
        match scheme {
            "s3" | "s3a" | "s3n" => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                self.object(bucket, key)
            }
            _ => Err(Error::invalid(format!("`{url}`: scheme `{scheme}` is not supported; use s3 or file"))),
        }
    }

    /// The client and path of an object, its key verbatim.
    ///
    /// # Errors
    /// A key that the client cannot address as it is (`.` or `..` segments, empty segments, control characters).
    pub fn object(&self, bucket: &str, key: &str) -> Result<Location> {
        let path = Path::parse(key)
            .map_err(|e| Error::invalid(format!("key `{key}` cannot be addressed")).caused_by(e))?;
        // object_store strips a slash at either end: such a key would be read as another one.
        if key.is_empty() || path.as_ref() != key {
            return Err(Error::invalid(format!(
                "key `{key}` cannot be addressed: it would be read as `{path}`"
            )));
        }
        Ok(Location { store: self.bucket(bucket, key)?, path })
    }

    fn bucket(&self, bucket: &str, key: &str) -> Result<Arc<dyn ObjectStore>> {
        if let Some(store) = lock(&self.lent).get(bucket) {
            return Ok(store.clone());
        }
        let scope = self.scope(&format!("s3://{bucket}/{key}"));
        let mut clients = lock(&self.clients);
        if let Some(store) = clients.get(&(bucket.to_owned(), scope)) {
            return Ok(store.clone());
        }
        let store: Arc<dyn ObjectStore> = Arc::new(s3::client(bucket, self.properties(scope))?);
        clients.insert((bucket.to_owned(), scope), store.clone());
        Ok(store)
    }

    /// The listing of a bucket, by the server that the properties name.
    ///
    /// # Errors
    /// Properties that make no client.
    pub fn listing(&self, bucket: &str) -> Result<Arc<dyn Listing>> {
        let scope = self.scope(&format!("s3://{bucket}/"));
        Ok(Arc::new(S3Listing::new(bucket, self.properties(scope))?))
    }

    fn scope(&self, url: &str) -> Option<usize> {
        self.scopes.iter().position(|scope| url.starts_with(&scope.prefix))
    }

    fn properties(&self, scope: Option<usize>) -> &BTreeMap<String, String> {
        scope.map_or(&self.properties, |place| &self.scopes[place].properties)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("no code panics while it holds this lock")
}

/// `over` on top of `base`. An access key brings its own secret and token: those of another key must not stay.
fn overlay(base: &BTreeMap<String, String>, over: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut both = base.clone();
    if over.contains_key(s3::ACCESS_KEY) {
        both.remove(s3::SECRET_KEY);
        both.remove(s3::SESSION_TOKEN);
    }
    both.extend(over.iter().map(|(name, value)| (name.clone(), value.clone())));
    both
}

/// What the properties say of single buckets.
fn of_buckets(properties: &BTreeMap<String, String>) -> Result<Vec<Scope>> {
    let mut by_bucket: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for (name, value) in properties {
        let Some(rest) = name.strip_prefix(BUCKET_PREFIX) else { continue };
        // A bucket's name may have dots; what follows it begins with `s3.`.
        let (bucket, _) =
            rest.rsplit_once(".s3.").filter(|(bucket, _)| !bucket.is_empty()).ok_or_else(|| {
                Error::config(format!("property `{name}`: expected {BUCKET_PREFIX}<name>.s3.<property>"))
            })?;
        let property = &rest[bucket.len() + 1..];
        by_bucket.entry(bucket).or_default().insert(property.to_owned(), value.clone());
    }
    let scope = |(bucket, over): (&str, BTreeMap<_, _>)| Scope {
        prefix: format!("s3://{bucket}/"),
        properties: overlay(properties, &over),
    };
    Ok(by_bucket.into_iter().map(scope).collect())
}

/// A URL under the one name that S3 has here.
pub(crate) fn plain_scheme(url: &str) -> Cow<'_, str> {
    match url.split_once("://") {
        Some(("s3a" | "s3n", rest)) => Cow::Owned(format!("s3://{rest}")),
        _ => Cow::Borrowed(url),
    }
}

/// The path of a local URL, in the three spellings that Iceberg writers use; `None` for any other scheme.
fn local_path(url: &str) -> Option<&str> {
    let path = match url.strip_prefix("file:") {
        Some(rest) => rest.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(rest),
        None => url,
    };
    path.starts_with('/').then(|| path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stores() -> Stores {
        Stores::new(BTreeMap::new()).unwrap()
    }

    #[test]
    fn local_urls_are_accepted_in_every_spelling_of_iceberg_writers() {
        for url in ["file:///tmp/a/b c.parquet", "file:/tmp/a/b c.parquet", "/tmp/a/b c.parquet"] {
            assert_eq!(stores().locate(url).unwrap().path.as_ref(), "tmp/a/b c.parquet", "{url}");
        }
    }

    #[test]
    fn keys_are_data_and_stay_as_they_are() {
        for key in ["a b", "a+b", "a%2Fb", "a#b", "a?b", "ü/é", "a", "a/b"] {
            assert_eq!(stores().object("bucket", key).unwrap().path.as_ref(), key);
        }
    }

    #[test]
    fn keys_that_would_be_read_as_another_are_refused() {
        for key in ["", "/a", "a/", "a//b", "a/./b", "../b", "a\nb"] {
            assert!(stores().object("bucket", key).is_err(), "{key:?} was accepted");
        }
    }

    #[test]
    fn an_unknown_scheme_is_named() {
        let error = stores().locate("gs://bucket/key").unwrap_err();
        assert!(error.to_string().contains("gs"), "{error}");
    }

    fn keys(id: &str) -> BTreeMap<String, String> {
        [(s3::ACCESS_KEY, id), (s3::SECRET_KEY, "hush")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    fn key_of(stores: &Stores, url: &str) -> String {
        let shown = format!("{:?}", stores.locate(url).unwrap().store);
        let from = shown.find("key_id: \"").unwrap() + "key_id: \"".len();
        shown[from..].split('"').next().unwrap().to_owned()
    }

    #[test]
    fn the_longest_scope_decides_whose_key_is_used() {
        let scope = |prefix: &str, id| Scope { prefix: prefix.to_owned(), properties: keys(id) };
        let stores = Stores::new(keys("configured")).unwrap();
        let scopes = vec![scope("s3://b/t", "table"), scope("s3a://b/t/metadata", "metadata")];
        let table = stores.with(&keys("common"), scopes).unwrap();
        assert_eq!(key_of(&table, "s3://b/t/data/f.parquet"), "table");
        assert_eq!(key_of(&table, "s3n://b/t/metadata/f.avro"), "metadata");
        assert_eq!(key_of(&table, "s3://b/other"), "common");
        assert_eq!(key_of(&stores, "s3://b/t/data/f.parquet"), "configured");
    }

    #[test]
    fn a_bucket_may_have_a_server_and_a_key_of_its_own() {
        let mut properties = keys("common");
        for (name, value) in keys("partner's") {
            properties.insert(format!("bucket.partner.in.{name}"), value);
        }
        let stores = Stores::new(properties).unwrap();
        assert_eq!(key_of(&stores, "s3://partner.in/a"), "partner's");
        assert_eq!(key_of(&stores, "s3://partner.in.other/a"), "common");
        let table = stores.with(&BTreeMap::new(), vec![]).unwrap();
        assert_eq!(key_of(&table, "s3://partner.in/a"), "partner's");
        assert_eq!(key_of(&stores.with(&keys("vended"), vec![]).unwrap(), "s3://partner.in/a"), "vended");
        let wrong =
            |name: &str| Stores::new([(name.to_owned(), "maybe".to_owned())].into()).unwrap_err().to_string();
        assert!(wrong("bucket.b.endpoint").contains("bucket.b.endpoint"));
        assert!(wrong("bucket.b.s3.path-style-access").contains("s3://b/"));
    }

    #[test]
    fn a_vended_key_never_goes_out_with_another_keys_token() {
        let mut configured = keys("configured");
        configured.insert(s3::SESSION_TOKEN.to_owned(), "token of another key".to_owned());
        assert!(!overlay(&configured, &keys("vended")).contains_key(s3::SESSION_TOKEN));
    }

    #[test]
    fn a_lent_bucket_is_lent_whatever_was_vended() {
        let stores = stores();
        let table = stores.with(&keys("vended"), Vec::new()).unwrap();
        stores.lend("b", Arc::new(object_store::memory::InMemory::new()));
        assert!(format!("{:?}", table.object("b", "k").unwrap().store).contains("InMemory"));
    }

    #[test]
    fn no_secret_shows_in_the_debug_form() {
        let stores = Stores::new(keys("id")).unwrap();
        let scope = Scope { prefix: "s3://b".to_owned(), properties: keys("id") };
        let table = Arc::new(stores.with(&keys("id"), vec![scope]).unwrap());
        table.object("b", "k").unwrap();
        let shown = format!("{table:?} {:?}", file_io(table.clone()));
        assert!(!shown.contains("hush") && shown.contains(s3::SECRET_KEY), "{shown}");
    }
}
