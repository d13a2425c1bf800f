//! The record of objects that no retry can mend: one file an object, durable before the request is answered.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ingest_core::{ObjectIdentity, RequestedObject};
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::storage::Stores;

/// One object that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The object's URI.
    pub file: String,
    /// Which version of it, if it could be found out. Without it the record speaks of what the request said.
    pub identity: Option<ObjectIdentity>,
    /// What the request said of it.
    pub announced: Announced,
    /// Why.
    pub reason: String,
    /// The table that it was meant for.
    pub table: String,
    /// The request that brought it.
    pub request_id: String,
    /// When it was set aside.
    pub time: DateTime<Utc>,
}

/// What a request said of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Size in bytes.
    pub size: Option<u64>,
    /// ETag, as written.
    pub etag: Option<String>,
    /// Version id.
    pub version_id: Option<String>,
    /// When the object was created.
    pub event_time: Option<DateTime<Utc>>,
}

impl Announced {
    /// The hint of a requested object.
    pub fn of(object: &RequestedObject) -> Self {
        let hint = object.hint.clone();
        Self { size: hint.size, etag: hint.etag, version_id: hint.version_id, event_time: hint.event_time }
    }
}

/// The quarantine of one table.
#[derive(Debug, Clone)]
pub struct Quarantine {
    stores: Arc<Stores>,
    folder: String,
}

impl Quarantine {
    /// The quarantine below `root` of the table with this uuid, or, for a table that was never made, of this name.
    pub fn new(stores: Arc<Stores>, root: &str, table: &str) -> Self {
        Self { stores, folder: format!("{}/{table}/quarantine", root.trim_end_matches('/')) }
    }

    /// Writes the record of an object, over an older one of the same object version.
    ///
    /// # Errors
    /// The store did not take it: the request must not be answered yet.
    pub async fn put(&self, object: &RequestedObject, record: &Record) -> Result<()> {
        let url = format!("{}/{}.json", self.folder, name(object, record.identity.as_ref()));
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            Error::unavailable(format!("cannot write quarantine record `{url}`")).caused_by(e)
        };
        let bytes = serde_json::to_vec(record).map_err(|e| failed(e.into()))?;
        let at = self.stores.locate(&url)?;
        at.store.put(&at.path, bytes.into()).await.map_err(|e| failed(e.into()))?;
        Ok(())
    }

    /// Whether there is a record of this object version. One that was made when its identity could not be found out
    /// does not count.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn has(&self, identity: &ObjectIdentity) -> Result<bool> {
        let url = format!("{}/{}.json", self.folder, identity_name(identity));
        let at = self.stores.locate(&url)?;
        match at.store.head(&at.path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => {
                Err(Error::unavailable(format!("cannot look up quarantine record `{url}`")).caused_by(e))
            }
        }
    }
}

/// A file name for an identity. A record without one is named by what the request said, so it can never stand
/// for an object that is found later.
fn name(object: &RequestedObject, identity: Option<&ObjectIdentity>) -> String {
    match identity {
        Some(identity) => identity_name(identity),
        None => digest(&("announced", object.uri.to_string(), &object.hint.version_id, &object.hint.etag)),
    }
}

fn identity_name(identity: &ObjectIdentity) -> String {
    digest(&("identity", identity))
}

fn digest(name: &impl Serialize) -> String {
    hex::encode(Sha256::digest(serde_json::to_vec(name).expect("strings always have a JSON form")))
}
