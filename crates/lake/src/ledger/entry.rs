//! One object version in the ledger.

use chrono::{DateTime, Utc};
use ingest_core::ObjectIdentity;

/// The mode of an object that is a data file where it is.
pub(crate) const REGISTER: &str = "register";

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
    /// How it was written: `rewrite`, `splice`, `register`, or by `spark`.
    pub mode: String,
    /// Its rows.
    pub rows: u64,
    /// Where its rows are; nowhere for an object without rows.
    pub parts: Vec<Part>,
    /// When the commit was prepared.
    pub time: DateTime<Utc>,
}

/// Row groups of one data file that hold rows of an object. They may hold rows of its neighbours too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// URL of the data file.
    pub file: String,
    /// The first of the row groups, counted from 0.
    pub first_row_group: u32,
    /// How many there are, one after the other; 0 if it is not known which of the file they are.
    pub row_groups: u32,
}

/// What a look-up says of an object version that the ledger has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The snapshot that made its rows visible.
    pub snapshot_id: i64,
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
