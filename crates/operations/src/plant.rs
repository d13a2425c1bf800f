//! Whoever can tell what an operator sees, and do what an operator asks for.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use ingest_core::{ObjectUri, TableName};

use crate::model::{
    Abilities, Changed, DeadLetter, FileLine, FileState, HeavyJob, Page, Quarantined, Status, Story, Uploaded,
};

/// Most items of a list that can be asked for at once.
pub const MAX_LIMIT: usize = 500;

/// A running system as an operator meets it. Answers are bounded by what they are asked for; none of them changes
/// anything but those that are named in [`Plant::abilities`].
#[async_trait]
pub trait Plant: fmt::Debug + Send + Sync + 'static {
    /// What may be done here. Never changes while a process runs.
    fn abilities(&self) -> Abilities;

    /// The whole at a glance. What could not be asked is a problem in it. Ends within a few seconds.
    async fn status(&self) -> Status;

    /// The newest lines about objects.
    async fn files(&self, query: &FilesQuery) -> Result<Page<FileLine>, PlantError>;

    /// All that is known of one object; of `table`, or of every table that it may have gone to.
    async fn story(&self, object: &ObjectUri, table: Option<&TableName>) -> Result<Story, PlantError>;

    /// What was set aside for a table, or for all that are known.
    async fn quarantined(&self, query: &TableQuery) -> Result<Page<Quarantined>, PlantError>;

    /// What could not be used, the newest first.
    async fn dead_letters(&self, query: &ListQuery) -> Result<Page<DeadLetter>, PlantError>;

    /// Requests of the heavy path: those that are owned, the oldest first, then those that are over.
    async fn heavy_jobs(&self, query: &ListQuery) -> Result<Page<HeavyJob>, PlantError>;

    /// Requests objects of the quarantine again. A record goes only when its object is in the table.
    async fn retry_quarantined(&self, table: &TableName, ids: &[String]) -> Result<Changed, PlantError> {
        let _ = (table, ids);
        Err(PlantError::unable("objects of the quarantine cannot be requested again here"))
    }

    /// Sends dead letters back to where they came from.
    async fn redrive(&self, ids: &[String]) -> Result<Changed, PlantError> {
        let _ = ids;
        Err(PlantError::unable("dead letters cannot be sent back from here"))
    }

    /// Lets a heavy request that was given up try again.
    async fn retry_heavy(&self, id: &str) -> Result<Changed, PlantError> {
        let _ = id;
        Err(PlantError::unable("there is no heavy path here"))
    }

    /// Ends a heavy request; what is in the table stays.
    async fn cancel_heavy(&self, id: &str) -> Result<Changed, PlantError> {
        let _ = id;
        Err(PlantError::unable("there is no heavy path here"))
    }

    /// Takes a file, as if it had been put into the bucket. Reads the body as it comes; nothing is stored if it ends
    /// early.
    async fn upload(&self, upload: Upload) -> Result<Uploaded, PlantError> {
        let _ = upload;
        Err(PlantError::unable("files cannot be uploaded here: put them into the bucket"))
    }
}

/// Which lines about objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesQuery {
    /// Only of this table.
    pub table: Option<TableName>,
    /// Only objects whose URI has this text in it.
    pub text: String,
    /// Only in this state.
    pub state: Option<FileState>,
    /// How many, and where to begin.
    pub list: ListQuery,
}

/// Which things of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableQuery {
    /// Only of this table.
    pub table: Option<TableName>,
    /// How many, and where to begin.
    pub list: ListQuery,
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// At most so many, from 1 to [`MAX_LIMIT`].
    pub limit: usize,
    /// The `next` of the page before.
    pub after: Option<String>,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { limit: 100, after: None }
    }
}

/// A file on its way in.
pub struct Upload {
    /// The key that it is to have, verbatim.
    pub key: String,
    /// Its bytes; an error says that the sender broke off.
    pub body: BoxStream<'static, Result<Bytes, String>>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Why a plant did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlantError {
    /// What kind of failure.
    pub kind: PlantErrorKind,
    /// What happened, to what, and what to do.
    pub message: String,
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlantErrorKind {
    /// There is no such thing.
    NotFound,
    /// It was asked for in a way that cannot be answered.
    Invalid,
    /// Something does not answer now; a retry may help.
    Unavailable,
    /// This plant cannot do it.
    Unable,
}

impl PlantError {
    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { kind: PlantErrorKind::NotFound, message: message.into() }
    }

    /// It was asked for in a way that cannot be answered.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { kind: PlantErrorKind::Invalid, message: message.into() }
    }

    /// Something does not answer now; a retry may help.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { kind: PlantErrorKind::Unavailable, message: message.into() }
    }

    /// This plant cannot do it.
    pub fn unable(message: impl Into<String>) -> Self {
        Self { kind: PlantErrorKind::Unable, message: message.into() }
    }

    /// Whether the same may be asked again with hope.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.kind == PlantErrorKind::Unavailable
    }
}
