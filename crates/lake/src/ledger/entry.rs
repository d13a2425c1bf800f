//! One object version in the ledger.

use chrono::{DateTime, Utc};
use ingest_core::ObjectIdentity;

/// What became of one object version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which version of which object.
    pub identity: ObjectIdentity,
    /// When the producer says that it was created, if it was announced.
    pub event_time: Option<DateTime<Utc>>,
    /// The request that brought it.
    pub request_id: String,
    /// The snapshot that made its rows visible.
    pub snapshot_id: i64,
    /// How it was written: `rewrite`, `splice` or `register`.
    pub mode: String,
    /// Its rows.
    pub rows: u64,
    /// URLs of the data files that hold them.
    pub data_files: Vec<String>,
    /// When the commit was prepared.
    pub time: DateTime<Utc>,
}

/// An object whatever its version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The store's configured name.
    pub store: String,
    /// The bucket.
    pub bucket: String,
    /// The key, verbatim.
    pub key: String,
}

impl ObjectName {
    /// The object that this is a version of.
    pub fn of(identity: &ObjectIdentity) -> Self {
        Self { store: identity.store.clone(), bucket: identity.bucket.clone(), key: identity.key.clone() }
    }
}
