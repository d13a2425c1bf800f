//! What runs an attempt: Spark on Kubernetes, a `spark-submit`, or this process itself.

use std::fmt;

use async_trait::async_trait;
use ingest_core::IngestRequest;

/// Names one attempt at a record, everywhere: as an application, a process, a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptName {
    /// The record: 40 hex digits.
    pub record_id: String,
    /// Counted from 1.
    pub number: u32,
}

impl fmt::Display for AttemptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ingest-{}-{}", self.record_id, self.number)
    }
}

/// One attempt at what a record still wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its name.
    pub name: AttemptName,
    /// What it is to bring in: the objects of the record that nothing else has brought or brings in.
    pub request: IngestRequest,
    /// URI of the same in object storage: what the job is given.
    pub document: String,
}

/// What a backend knows of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptState {
    /// Nothing: it was never started, or what was started was removed.
    Absent,
    /// Waiting, starting or running; in the backend's own words.
    Live(String),
    /// It ended well, says the backend. Only the ledger can prove that.
    Succeeded,
    /// It ended otherwise, and why.
    Failed(String),
    /// It ended otherwise, and says itself that no other attempt can do better, and why.
    Refused(String),
}

/// An attempt could not be started, looked at or stopped.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// May pass by itself: the backend does not answer, has no room, or forbids it until a person mends that. Does not
    /// count as an attempt.
    #[error("{0}")]
    Unavailable(String),
    /// Will never be accepted as it is.
    #[error("{0}")]
    Rejected(String),
}

/// Runs attempts. Every call may be repeated.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Its name in logs and settings.
    fn name(&self) -> &'static str;

    /// Whether the table has to be there, with all columns, before an attempt begins.
    fn needs_a_table(&self) -> bool {
        true
    }

    /// Starts an attempt, unless one of that name with the same content is live or has succeeded. One of that name that
    /// failed or has another content is [`BackendError::Rejected`].
    ///
    /// # Errors
    /// It was not started, or nobody knows.
    async fn start(&self, attempt: &Attempt) -> Result<(), BackendError>;

    /// How it is.
    ///
    /// # Errors
    /// Nobody knows.
    async fn state(&self, name: &AttemptName) -> Result<AttemptState, BackendError>;

    /// Ends it, if it is live, and removes what is left of it.
    ///
    /// # Errors
    /// It may go on.
    async fn stop(&self, name: &AttemptName) -> Result<(), BackendError>;
}
