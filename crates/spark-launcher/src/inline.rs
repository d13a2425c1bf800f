//! Attempts in this process, by the light worker's streaming code: for those who have no Spark.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lake::ErrorKind;
use lake_metrics::LakeMetrics;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::backend::{Attempt, AttemptName, AttemptState, Backend, BackendError};
use crate::launcher::lock;
use crate::sink::Sink;

/// Attempts that may wait for their turn; more are not taken for now.
const MAX_WAITING: usize = 100;
/// How long an attempt that has ended is remembered: less than its closed record is.
const KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// Attempts that have ended and are remembered. One that is forgotten is looked at in the table alone.
const MAX_ENDED: usize = 1_000;

/// Runs attempts as tasks. With the process they end, and are lost; the next one makes new ones.
#[derive(Debug)]
pub struct Inline {
    sink: Arc<dyn Sink>,
    slots: Arc<Semaphore>,
    runs: Arc<Mutex<HashMap<AttemptName, Run>>>,
    at_once: usize,
    metrics: LakeMetrics,
}

#[derive(Debug)]
struct Run {
    /// SHA-256 of what was asked for.
    content: [u8; 32],
    state: AttemptState,
    /// It reads or writes; before that it can be taken back.
    begun: bool,
    ended: Option<Instant>,
}

impl Inline {
    /// So many attempts at once; each takes the memory of one request of the light worker.
    pub fn new(sink: Arc<dyn Sink>, at_once: usize, metrics: LakeMetrics) -> Self {
        Self { sink, slots: Arc::new(Semaphore::new(at_once)), runs: Arc::default(), at_once, metrics }
    }

    async fn run(
        sink: Arc<dyn Sink>,
        slots: Arc<Semaphore>,
        runs: Arc<Mutex<HashMap<AttemptName, Run>>>,
        metrics: LakeMetrics,
        attempt: Attempt,
    ) {
        let Ok(_slot) = slots.acquire().await else { return };
        match lock(&runs).get_mut(&attempt.name) {
            Some(run) => (run.begun, run.state) = (true, AttemptState::Live("running".to_owned())),
            // It was stopped before its turn came.
            None => return,
        }
        let started = Instant::now();
        let outcome = sink.ingest(&attempt.request).await;
        metrics.attempted(started.elapsed());
        let state = match outcome {
            Ok(result) => {
                metrics.ingested(&attempt.request, &result);
                tracing::info!(attempt = %attempt.name, rows = result.rows, mode = result.mode, "ingested");
                AttemptState::Succeeded
            }
            Err(error) => {
                metrics.failed(error.kind());
                match error.kind() {
                    ErrorKind::Invalid | ErrorKind::Forbidden => AttemptState::Refused(error.to_string()),
                    _ => AttemptState::Failed(error.to_string()),
                }
            }
        };
        if let Some(run) = lock(&runs).get_mut(&attempt.name) {
            (run.state, run.ended) = (state, Some(Instant::now()));
        }
    }
}

#[async_trait]
impl Backend for Inline {
    fn name(&self) -> &'static str {
        "inline"
    }

    /// It makes tables and columns itself.
    fn needs_a_table(&self) -> bool {
        false
    }

    async fn start(&self, attempt: &Attempt) -> Result<(), BackendError> {
        let content: [u8; 32] = Sha256::digest(attempt.request.to_json()).into();
        {
            let mut runs = lock(&self.runs);
            // An old one of this name was of a record that is forgotten.
            runs.retain(|_, run| run.ended.is_none_or(|ended| ended.elapsed() < KEPT));
            if let Some(run) = runs.get(&attempt.name) {
                return match run.state {
                    AttemptState::Live(_) | AttemptState::Succeeded if run.content == content => Ok(()),
                    _ => Err(BackendError::Rejected(
                        "it failed before, or asked for something else".to_owned(),
                    )),
                };
            }
            let live = runs.values().filter(|run| matches!(run.state, AttemptState::Live(_))).count();
            if live >= self.at_once + MAX_WAITING {
                return Err(BackendError::Unavailable(format!(
                    "{live} attempts run or wait in this process"
                )));
            }
            if runs.len() - live >= MAX_ENDED {
                runs.retain(|_, run| matches!(run.state, AttemptState::Live(_)));
            }
            let state = AttemptState::Live("waiting for its turn".to_owned());
            runs.insert(attempt.name.clone(), Run { content, state, begun: false, ended: None });
        }
        let (runs, metrics) = (self.runs.clone(), self.metrics.clone());
        let work = Self::run(self.sink.clone(), self.slots.clone(), runs, metrics, attempt.clone());
        let (runs, name) = (self.runs.clone(), attempt.name.clone());
        tokio::spawn(async move {
            // A panic costs one attempt, not the lane.
            if tokio::spawn(work).await.is_err()
                && let Some(run) = lock(&runs).get_mut(&name)
            {
                run.state = AttemptState::Failed("it ended without an answer".to_owned());
                run.ended = Some(Instant::now());
            }
        });
        Ok(())
    }

    async fn state(&self, name: &AttemptName) -> Result<AttemptState, BackendError> {
        Ok(lock(&self.runs).get(name).map_or(AttemptState::Absent, |run| run.state.clone()))
    }

    /// One that reads or writes already is let end: what it commits is as good as any other's.
    async fn stop(&self, name: &AttemptName) -> Result<(), BackendError> {
        let mut runs = lock(&self.runs);
        match runs.get(name) {
            Some(Run { state: AttemptState::Live(_), begun: true, .. }) => {
                Err(BackendError::Unavailable("it runs in this process and is let end".to_owned()))
            }
            _ => {
                runs.remove(name);
                Ok(())
            }
        }
    }
}
