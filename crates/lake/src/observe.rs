//! What happens on the way into tables, told to whoever counts it. Nothing here decides anything.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ingest_core::TableName;

use crate::commit::protocol::Answer;

/// The part of a request's way that takes time, in the order in which they come. A request of many files, or one whose
/// table changes meanwhile, goes through them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Asking the bucket which version of each object is current.
    Resolve,
    /// Waiting for other requests: those that have the same objects, and those that write.
    Wait,
    /// Looking at the table, its ledger and the files' footers.
    Plan,
    /// Writing data files.
    Write,
    /// From the data files to rows that can be queried, or to the finding that they cannot come in like this.
    Commit,
}

impl Stage {
    /// Every stage there is.
    pub const ALL: [Self; 5] = [Self::Resolve, Self::Wait, Self::Plan, Self::Write, Self::Commit];

    /// Its name in metrics and traces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Wait => "wait",
            Self::Plan => "plan",
            Self::Write => "write",
            Self::Commit => "commit",
        }
    }
}

/// How large a table's ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerSize {
    /// Object versions that it names.
    pub entries: u64,
    /// Files that it is made of, its head aside.
    pub runs: u64,
}

/// A commit that is in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed<'a> {
    /// The table.
    pub table: &'a TableName,
    /// Objects that came in by it; none if it only changed the schema.
    pub objects: usize,
    /// When they arrived in their buckets, as far as their events told it.
    pub event_times: Vec<DateTime<Utc>>,
    /// Their sizes in bytes, as far as they are known.
    pub sizes: Vec<u64>,
    /// The ledger since then.
    pub ledger: LedgerSize,
}

/// Hears of what happens. It is called between two steps of the work, so it has to be quick.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A stage took so long, whatever came of it.
    fn took(&self, stage: Stage, time: Duration);

    /// A commit was sent, and the catalog answered so.
    fn answered(&self, answer: Answer);

    /// A commit is in the table, whatever was answered.
    fn committed(&self, commit: &Committed<'_>);
}

/// The one who listens, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Observed(OnceLock<Arc<dyn Observer>>);

impl Observed {
    /// From now on this one. Only the first counts.
    pub(crate) fn by(&self, observer: Arc<dyn Observer>) {
        // A second one would hear half of everything.
        let _ = self.0.set(observer);
    }

    /// A stage begins. It ends when what is given back is dropped.
    pub(crate) fn begin(&self, stage: Stage) -> UnderWay {
        // `trace` is the target of what goes into traces, and nowhere else.
        let span = tracing::info_span!(target: "trace", "stage", otel.name = stage.as_str());
        UnderWay { stage, since: Instant::now(), observer: self.0.get().cloned(), _span: span }
    }

    /// Tells of something.
    pub(crate) fn tell(&self, what: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = self.0.get() {
            what(observer.as_ref());
        }
    }
}

/// A stage that is under way.
#[derive(Debug)]
pub(crate) struct UnderWay {
    stage: Stage,
    since: Instant,
    observer: Option<Arc<dyn Observer>>,
    /// Ends with this.
    _span: tracing::Span,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.took(self.stage, self.since.elapsed());
        }
    }
}
