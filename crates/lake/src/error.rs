//! The error of this crate: a kind that decides what a caller does next, what happened, and its source.

use std::fmt;

/// What a failure means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The configuration cannot work as it is: fatal at start.
    Config,
    /// The request asks for something that cannot be done as the table stands (no such table, a format that is not supported).
    Invalid,
    /// The request names nothing that this instance may read or write.
    Forbidden,
    /// Too much is under way here; the same request will succeed later.
    Busy,
    /// A catalog, a store or the network did not answer as it should; the same request may succeed later.
    Unavailable,
    /// The table or its ledger is in a state that a person has to look at; nothing was changed.
    Inconsistent,
}

/// A failure, with what it happened to and what to do about it.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of `kind`; the message says what happened, to what, and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same failure with the error that caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the failure means for the caller.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same call, made again later, may succeed without anybody mending anything.
    pub fn retryable(&self) -> bool {
        match self.kind {
            ErrorKind::Busy | ErrorKind::Unavailable => true,
            ErrorKind::Config | ErrorKind::Invalid | ErrorKind::Forbidden | ErrorKind::Inconsistent => false,
        }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    pub(crate) fn inconsistent(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Inconsistent, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        // Logs and answers show one line: the chain of causes belongs to it.
        let mut cause = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
