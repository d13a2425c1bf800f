//! Conditions of a write, checked in its transaction.

use super::{Object, StoreError};

/// What must be true of the key that is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// No object has the key (`If-None-Match: *`).
    Absent,
    /// An object has the key (`If-Match: *`).
    Present,
    /// The object of that key has this `ETag` (`If-Match`).
    ETag(String),
}

impl Precondition {
    /// Refuses a write over `found`, the object that has the key now, if the condition does not hold.
    pub(super) fn check(&self, found: Option<&Object>, bucket: &str, key: &str) -> Result<(), StoreError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        match (self, found) {
            (Self::None, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::ETag(etag), Some(found)) if *etag == found.etag => Ok(()),
            (Self::Present | Self::ETag(_), None) => Err(StoreError::NoSuchKey { bucket, key }),
            (Self::Absent | Self::ETag(_), Some(_)) => Err(StoreError::PreconditionFailed { bucket, key }),
        }
    }
}
