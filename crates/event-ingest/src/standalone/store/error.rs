//! What can go wrong in the object store.

use std::io;
use std::path::PathBuf;

/// A refusal or a failure of the store.
///
/// Refusals name what the client got wrong and are decided before anything is written;
/// [`StoreError::Database`] and [`StoreError::Io`] are failures of the machine, and a retry may help.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The bucket does not exist.
    #[error("bucket {0:?} does not exist; create it first")]
    NoSuchBucket(String),
    /// The bucket exists already.
    #[error("bucket {0:?} exists already")]
    BucketExists(String),
    /// A bucket that holds objects or unfinished uploads cannot be deleted.
    #[error("bucket {0:?} is not empty; delete its objects and abort its uploads first")]
    BucketNotEmpty(String),
    /// No object has that key.
    #[error("no object {key:?} in bucket {bucket:?}")]
    NoSuchKey {
        /// The bucket that was asked.
        bucket: String,
        /// The key that was asked for.
        key: String,
    },
    /// A condition of the request (`If-Match`, `If-None-Match`) does not hold.
    #[error("the precondition does not hold for object {key:?} in bucket {bucket:?}")]
    PreconditionFailed {
        /// The bucket of the request.
        bucket: String,
        /// The key of the request.
        key: String,
    },
    /// The upload was completed or aborted, or never begun.
    #[error("no multipart upload {0:?}; it may have been completed or aborted")]
    NoSuchUpload(String),
    /// A part that the client lists was not uploaded, or its `ETag` is another one.
    #[error("part {number} of upload {upload:?} is not there or has another ETag; upload it again")]
    InvalidPart {
        /// The upload.
        upload: String,
        /// The number of the part.
        number: u16,
    },
    /// The client lists no parts, or not in ascending order.
    #[error("the parts of upload {0:?} must be listed, in ascending order")]
    InvalidPartOrder(String),
    /// Only the last part may be smaller than [`super::MIN_PART_BYTES`].
    #[error("part {number} of upload {upload:?} is smaller than 5 MiB and not the last one")]
    PartTooSmall {
        /// The upload.
        upload: String,
        /// The number of the part.
        number: u16,
    },
    /// The folder was written by a newer version of this program.
    #[error(
        "state.db has layout {found}, this version knows layouts up to {known}; use a newer version of event-ingest"
    )]
    NewerLayout {
        /// The layout of the file.
        found: i64,
        /// The newest layout that this version knows.
        known: i64,
    },
    /// The bytes of objects are there, and what names them is not: a new `state.db` would have all of them swept away.
    #[error(
        "state.db is missing beside {blobs} with files in it: restore it from the copy that they belong to, or move them away to begin anew",
        blobs = .0.display()
    )]
    Unnamed(PathBuf),
    /// SQLite failed. The outcome of a change is unknown if this happens at its commit.
    #[error("state.db: {0}")]
    Database(#[from] sqlx::Error),
    /// A blob file could not be read or written.
    #[error("blob storage: {0}; check the disk and the permissions of the data folder")]
    Io(#[from] io::Error),
    /// The process is shutting down.
    #[error("the server is shutting down; try again")]
    ShuttingDown,
}

impl StoreError {
    /// Whether the store refused the request before it changed anything.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Database(_) | Self::Io(_) | Self::ShuttingDown)
    }
}
