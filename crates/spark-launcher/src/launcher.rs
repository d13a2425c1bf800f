//! One record, worked on until there is nothing to do for now: the shell around [`decide`].

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use ingest_core::IngestRequest;
use lake::{Error, ErrorKind, Result};

use crate::backend::{Attempt, AttemptName, AttemptState, Backend, BackendError};
use crate::decide::{Action, Limits, View, Wait, decide};
use crate::held::Held;
use crate::metrics::LauncherMetrics;
use crate::record::Record;
use crate::record::closed::Closing;
use crate::record::documents::{End, Ended, Note, Started};
use crate::record::names::Mark;
use crate::record::store::Records;
use crate::sink::{Sink, Standing};

/// Steps about one record in a row. A whole life of one attempt takes eight; what is left is done by the next scan.
const MAX_STEPS: usize = 24;

/// Parts that a launcher is made of.
pub struct Parts {
    /// Where rows end up.
    pub sink: Arc<dyn Sink>,
    /// What runs attempts.
    pub backend: Arc<dyn Backend>,
    /// The records.
    pub records: Records,
    /// Bounds of what is done about a record.
    pub limits: Limits,
    /// Most live records; a request beyond them is refused for now.
    pub max_records: usize,
    /// What is counted.
    pub metrics: LauncherMetrics,
}

/// Looks after records.
pub struct Launcher {
    pub(crate) parts: Parts,
    pub(crate) held: Mutex<Held>,
    pub(crate) clock: fn() -> DateTime<Utc>,
    rule: Rule,
    /// Live records, as of the last scan and what came since.
    pub(crate) live: AtomicUsize,
    pub(crate) looked_after: Mutex<Option<DateTime<Utc>>>,
    /// When the table was last asked about a record.
    pub(crate) looked: Mutex<HashMap<String, DateTime<Utc>>>,
}

/// [`decide`], or in simulations one that errs.
pub type Rule = fn(&Record, &View<'_>, &Limits) -> Action;

impl fmt::Debug for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { sink, backend, .. } = &self.parts;
        f.debug_struct("Launcher").field("sink", sink).field("backend", backend).finish_non_exhaustive()
    }
}

/// How a record was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// There is none: it is over.
    Over,
    /// It waits for something.
    Waiting(Wait),
    /// The backend does not take its attempt now.
    Unstarted(String),
    /// There was more to do than is done at once.
    Busy,
}

/// What a step leads to.
enum Next {
    /// Read the record again and go on.
    Reload,
    /// Ask the table again, too.
    LookAgain,
    /// That is all for now.
    Rest(Status),
}

impl Launcher {
    /// A launcher of these parts.
    pub fn new(parts: Parts) -> Self {
        Self::simulated(parts, Utc::now, decide)
    }

    /// The same with a time and a rule of one's own.
    pub fn simulated(parts: Parts, clock: fn() -> DateTime<Utc>, rule: Rule) -> Self {
        Self {
            parts,
            held: Mutex::default(),
            clock,
            rule,
            live: AtomicUsize::new(0),
            looked_after: Mutex::default(),
            looked: Mutex::default(),
        }
    }

    /// Does what there is to do for the record of this id. `held` are the objects that older records are about.
    ///
    /// # Errors
    /// A store, the table or the backend does not answer. The record is as it was, or a step further.
    pub async fn work_on(&self, id: &str, held: &BTreeMap<usize, String>) -> Result<Status> {
        self.go_on(id, None, held).await
    }

    /// The same for a record that was read just now.
    pub(crate) async fn go_on(
        &self,
        id: &str,
        mut record: Option<Record>,
        held: &BTreeMap<usize, String>,
    ) -> Result<Status> {
        let records = &self.parts.records;
        let mut stopped = false;
        let (mut backend, mut standings): (Option<AttemptState>, Option<Vec<Standing>>) = (None, None);
        for _ in 0..MAX_STEPS {
            let current = match record.take() {
                Some(record) => record,
                None => match records.load(&records.listed(id).await?).await? {
                    Some(record) => record,
                    None => {
                        lock(&self.looked).remove(id);
                        return Ok(Status::Over);
                    }
                },
            };
            let looked = lock(&self.looked).get(id).copied();
            let now = (self.clock)();
            let view = View { backend: backend.as_ref(), standings: standings.as_deref(), looked, held, now };
            let next = match (self.rule)(&current, &view, &self.parts.limits) {
                Action::Ask(number) => {
                    backend = Some(self.ask(id, number).await?);
                    record = Some(current);
                    continue;
                }
                Action::Look => match self.parts.sink.outstanding(&current.request).await {
                    Ok(found) => {
                        lock(&self.looked).insert(id.to_owned(), now);
                        standings = Some(found);
                        record = Some(current);
                        continue;
                    }
                    Err(error) => self.without_retry(&current, error).await?,
                },
                Action::Stop(_) if stopped => {
                    Next::Rest(Status::Waiting(Wait::Running("stopping".to_owned())))
                }
                Action::Stop(number) => {
                    stopped = true;
                    self.parts.backend.stop(&name(id, number)).await.map_err(|e| unavailable(&e))?;
                    Next::Reload
                }
                Action::Begin(number, places) => self.begin(&current, number, &places).await?,
                Action::StartAgain(number) => match records.attempt(id, number).await? {
                    Some(attempt) => self.start(&attempt).await?,
                    None => Next::Reload,
                },
                Action::NoteStarted(number) => self.note_started(id, number).await?,
                Action::NoteEnd(number, how, reason) => {
                    let found = standings.as_deref().unwrap_or_default();
                    self.note_end(&current, number, how, reason, found).await?
                }
                Action::Fail(reason) => self.fail(&current, reason).await?,
                Action::Close(how) => self.close(&current, how).await?,
                Action::Wait(wait) => Next::Rest(Status::Waiting(wait)),
            };
            match next {
                Next::Rest(status) => return Ok(status),
                // What was known is old now. What the table said stays true: objects only ever come in.
                Next::Reload => backend = None,
                Next::LookAgain => (backend, standings) = (None, None),
            }
        }
        Ok(Status::Busy)
    }

    /// Whether the catalog answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ready(&self) -> Result<()> {
        self.parts.sink.ready().await
    }

    async fn ask(&self, id: &str, number: u32) -> Result<AttemptState> {
        self.parts.backend.state(&name(id, number)).await.map_err(|error| unavailable(&error))
    }

    async fn begin(&self, record: &Record, number: u32, places: &[usize]) -> Result<Next> {
        let objects = places.iter().filter_map(|place| record.request.objects.get(*place).cloned()).collect();
        let request = IngestRequest { objects, ..record.request.clone() };
        // Before each one: what it is about may be more than what earlier ones were about, or another version of it.
        if self.parts.backend.needs_a_table() {
            match self.parts.sink.make_ready(&request).await {
                Ok(true) => {}
                // Without a table Spark can do nothing. Here each file is set aside with its reason.
                Ok(false) => {
                    return match self.parts.sink.ingest(&request).await {
                        Ok(_) => Ok(Next::LookAgain),
                        Err(error) => self.without_retry(record, error).await,
                    };
                }
                Err(error) => return self.without_retry(record, error).await,
            }
        }
        let attempt = self.parts.records.begin(&record.id, number, &request).await?;
        let (files, bytes) = (attempt.request.file_count(), attempt.request.total_bytes());
        tracing::info!(record_id = record.id, table = %request.table, attempt = number, files, bytes, "attempt begun");
        self.start(&attempt).await
    }

    async fn start(&self, attempt: &Attempt) -> Result<Next> {
        let AttemptName { record_id, number } = &attempt.name;
        match self.parts.backend.start(attempt).await {
            Ok(()) => self.note_started(record_id, *number).await,
            Err(BackendError::Unavailable(reason)) => {
                self.parts.metrics.attempt("unavailable");
                tracing::warn!(
                    record_id,
                    attempt = number,
                    reason,
                    "attempt not started: it will be tried again"
                );
                Ok(Next::Rest(Status::Unstarted(reason)))
            }
            Err(BackendError::Rejected(reason)) => {
                let undone = attempt.request.file_count();
                let ended = Ended { time: (self.clock)(), how: End::Rejected, reason: Some(reason), undone };
                self.write_end(record_id, *number, &ended).await
            }
        }
    }

    async fn note_started(&self, id: &str, number: u32) -> Result<Next> {
        let name = name(id, number);
        let backend = self.parts.backend.name();
        let says =
            Started { time: (self.clock)(), application: name.to_string(), backend: backend.to_owned() };
        if self.parts.records.mark(id, Mark::Started, number, &says).await? {
            self.parts.metrics.attempt("started");
            tracing::info!(record_id = id, attempt = number, application = %name, backend, "attempt started");
        }
        // What the table said before is no judgement on this attempt, should it have ended already.
        Ok(Next::LookAgain)
    }

    async fn note_end(
        &self,
        record: &Record,
        number: u32,
        how: End,
        reason: Option<String>,
        standings: &[Standing],
    ) -> Result<Next> {
        let undone = match self.parts.records.attempt(&record.id, number).await? {
            Some(attempt) if how != End::Stopped => record.undone(&attempt.request, standings),
            _ => 0,
        };
        self.write_end(&record.id, number, &Ended { time: (self.clock)(), how, reason, undone }).await
    }

    async fn write_end(&self, id: &str, number: u32, ended: &Ended) -> Result<Next> {
        if self.parts.records.mark(id, Mark::Ended, number, ended).await? {
            self.parts.metrics.attempt(ended.how.as_str());
            let (how, reason, undone) = (ended.how.as_str(), ended.reason.as_deref(), ended.undone);
            match ended.left_undone() {
                false => {
                    tracing::info!(record_id = id, attempt = number, how, reason, undone, "attempt ended")
                }
                true => {
                    tracing::warn!(record_id = id, attempt = number, how, reason, undone, "attempt ended")
                }
            }
        }
        Ok(Next::Reload)
    }

    /// Has the backend end an attempt that lives, and writes that down as nobody's fault.
    pub(crate) async fn end_attempt(&self, id: &str, number: u32) -> Result<()> {
        // One that has ended says how by itself, to whoever asks next.
        if let AttemptState::Live(_) = self.ask(id, number).await? {
            self.parts.backend.stop(&name(id, number)).await.map_err(|error| unavailable(&error))?;
            let reason = Some("it was ended with the program that ran it".to_owned());
            self.write_end(id, number, &Ended { time: (self.clock)(), how: End::Stopped, reason, undone: 0 })
                .await?;
        }
        Ok(())
    }

    /// Gives the record up if no retry can mend the error.
    async fn without_retry(&self, record: &Record, error: Error) -> Result<Next> {
        match error.kind() {
            ErrorKind::Invalid | ErrorKind::Forbidden if !record.failed => {
                self.fail(record, error.to_string()).await
            }
            ErrorKind::Invalid | ErrorKind::Forbidden => Ok(Next::Rest(Status::Waiting(Wait::Person))),
            ErrorKind::Config | ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::Inconsistent => {
                Err(error)
            }
        }
    }

    async fn fail(&self, record: &Record, reason: String) -> Result<Next> {
        let id = &record.id;
        tracing::error!(
            record_id = id,
            request_id = record.request.request_id,
            table = %record.request.table,
            reason,
            "given up: mend it, then `event-ingest heavy retry`"
        );
        let note = Note { time: (self.clock)(), reason: Some(reason) };
        if self.parts.records.mark(id, Mark::Failed, record.number(), &note).await? {
            self.parts.metrics.given_up();
        }
        Ok(Next::Rest(Status::Waiting(Wait::Person)))
    }

    async fn close(&self, record: &Record, how: Closing) -> Result<Next> {
        let story = self.parts.records.close(record, how, (self.clock)()).await?;
        self.parts.metrics.closed(&story);
        tracing::info!(
            record_id = story.record_id,
            request_id = story.request_id,
            table = %story.table,
            files = story.files,
            attempts = story.attempts.len(),
            seconds = (story.closed - story.received).num_seconds(),
            how = how.as_str(),
            "closed"
        );
        lock(&self.looked).remove(&record.id);
        Ok(Next::Rest(Status::Over))
    }
}

fn name(id: &str, number: u32) -> AttemptName {
    AttemptName { record_id: id.to_owned(), number }
}

fn unavailable(error: &BackendError) -> Error {
    Error::new(ErrorKind::Unavailable, error.to_string())
}

pub(crate) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("no code panics while it holds this lock")
}
