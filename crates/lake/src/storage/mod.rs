//! One object_store client for everything: source objects, data files, table metadata, the ledger.
//!
//! [`Stores`] turns a URL into a client and a path; [`file_io`] lends the same clients to the `iceberg` crate,
//! so that there is one set of credentials, one retry policy and one place to inject faults.

mod file_io;
pub mod listing;
mod s3;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;

pub(crate) use file_io::factory;
pub use file_io::file_io;

use crate::error::{Error, Result};

use listing::{Listing, S3Listing};

/// An object: the client that reaches it, and its path there.
#[derive(Debug, Clone)]
pub struct Location {
    /// The client.
    pub store: Arc<dyn ObjectStore>,
    /// The path within the client's bucket or file system.
    pub path: Path,
}

/// Clients by URL: `s3://bucket/key` (also `s3a`, `s3n`), `file:///path`, `file:/path` and a bare `/path`.
#[derive(Debug)]
pub struct Stores {
    properties: BTreeMap<String, String>,
    local: Arc<dyn ObjectStore>,
    buckets: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl Stores {
    /// Clients made from Iceberg's storage properties (`s3.endpoint`, `s3.region`, …).
    ///
    /// # Errors
    /// A property that does not parse.
    pub fn new(properties: BTreeMap<String, String>) -> Result<Self> {
        let stores =
            Self { properties, local: Arc::new(LocalFileSystem::new()), buckets: Mutex::new(HashMap::new()) };
        // A wrong property is an error at start, not at the first file.
        s3::client("configuration-check", &stores.properties)?;
        Ok(stores)
    }

    /// Uses `store` for a bucket from now on: a server with settings of its own, or one that fails on purpose.
    pub fn lend(&self, bucket: &str, store: Arc<dyn ObjectStore>) {
        self.lock().insert(bucket.to_owned(), store);
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
        Ok(Location { store: self.bucket(bucket)?, path })
    }

    fn bucket(&self, bucket: &str) -> Result<Arc<dyn ObjectStore>> {
        let mut buckets = self.lock();
        if let Some(store) = buckets.get(bucket) {
            return Ok(store.clone());
        }
        let store: Arc<dyn ObjectStore> = Arc::new(s3::client(bucket, &self.properties)?);
        buckets.insert(bucket.to_owned(), store.clone());
        Ok(store)
    }

    /// The listing of a bucket, by the server that the properties name.
    ///
    /// # Errors
    /// Properties that make no client.
    pub fn listing(&self, bucket: &str) -> Result<Arc<dyn Listing>> {
        Ok(Arc::new(S3Listing::new(bucket, &self.properties)?))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<dyn ObjectStore>>> {
        self.buckets.lock().expect("no code panics while it holds this lock")
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
}
