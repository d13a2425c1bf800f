//! From a requested object to the one version of it that is read from first byte to last (invariant 7).

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use ingest_core::{ObjectIdentity, ObjectUri, RequestedObject};
use object_store::{GetOptions, GetRange, ObjectMeta};

use crate::error::{Error, Result};
use crate::storage::{Location, Stores};

/// Why an object cannot be read, where no retry can help (invariant 9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectFault {
    /// The bucket answers and has no such key (or no such version of it).
    Missing,
    /// The key cannot be addressed as it is; the text says why.
    Unaddressable(String),
}

/// What a requested object turned out to be.
#[derive(Debug)]
pub enum Resolved {
    /// It exists: this version of it is what an ingest reads and records.
    Object(SourceObject),
    /// It cannot be read, now or later.
    Fault(ObjectFault),
}

/// One version of one object. Every read names that version, so an object that is overwritten meanwhile is
/// noticed rather than mixed.
#[derive(Debug, Clone)]
pub struct SourceObject {
    /// Its address.
    pub uri: ObjectUri,
    /// The name under which the ledger knows this version.
    pub identity: ObjectIdentity,
    /// Size in bytes.
    pub size: u64,
    at: Location,
    pin: Arc<Pin>,
}

#[derive(Debug)]
struct Pin {
    version: Option<String>,
    if_match: Option<String>,
}

/// Asks the store which version of `object` is current, or for the version that the request names.
///
/// # Errors
/// The store did not answer, or refused the credentials: a retry may help.
pub async fn resolve(stores: &Stores, store_name: &str, object: &RequestedObject) -> Result<Resolved> {
    let uri = &object.uri;
    if let Some(reason) = uri.unaddressable() {
        return Ok(Resolved::Fault(ObjectFault::Unaddressable(reason.to_owned())));
    }
    let at = match stores.object(uri.bucket(), uri.key()) {
        Ok(at) => at,
        Err(e) if e.retryable() => return Err(e),
        Err(e) => return Ok(Resolved::Fault(ObjectFault::Unaddressable(e.to_string()))),
    };
    let wanted = object.hint.version_id.as_deref().filter(|id| !id.is_empty() && *id != "null");
    let options = GetOptions::new().with_head(true).with_version(wanted);
    let meta = match at.store.get_opts(&at.path, options).await {
        Ok(found) => found.meta,
        Err(object_store::Error::NotFound { .. }) => {
            bucket_answers(&at, uri.bucket()).await?;
            return Ok(Resolved::Fault(ObjectFault::Missing));
        }
        Err(e) => return Err(Error::unavailable(format!("cannot look up `{uri}`")).caused_by(e)),
    };
    let version = meta.version.as_deref().filter(|id| *id != "null").or(wanted);
    let identity = ObjectIdentity::of(store_name, uri, version, meta.e_tag.as_deref()).ok_or_else(|| {
        Error::unavailable(format!("`{uri}`: the store gave neither a version id nor an ETag"))
    })?;
    let pin = Arc::new(pin(&meta, version));
    Ok(Resolved::Object(SourceObject { uri: uri.clone(), identity, size: meta.size, pin, at }))
}

/// A 404 to HEAD has no body: a wrong endpoint or a bucket that is gone looks like a key that is gone. Only the
/// latter is the file's fault, so the bucket has to answer a listing first.
async fn bucket_answers(at: &Location, bucket: &str) -> Result<()> {
    match at.store.list(None).next().await {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(e)) => Err(Error::unavailable(format!("bucket `{bucket}` does not answer")).caused_by(e)),
    }
}

fn pin(meta: &ObjectMeta, version: Option<&str>) -> Pin {
    match version {
        Some(version) => Pin { version: Some(version.to_owned()), if_match: None },
        None => Pin { version: None, if_match: meta.e_tag.clone() },
    }
}

impl SourceObject {
    /// Reads a range of bytes of this version.
    ///
    /// # Errors
    /// [`object_store::Error::Precondition`] or `NotFound` if the version is no longer there.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, object_store::Error> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            version: self.pin.version.clone(),
            if_match: self.pin.if_match.clone(),
            ..GetOptions::default()
        };
        self.at.store.get_opts(&self.at.path, options).await?.bytes().await
    }
}
