//! From the inbox to the tables: the shell around the core's batching machine.
//!
//! The inbox is one partition whose offsets are row ids. The machine says which rows make a request and how
//! far the position may move; here rows are read, requests carried out, and positions stored.

mod attempt;
mod judge;
mod metrics;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use ingest_core::batching::{Action, ActionId, Batcher, BatchingConfig, BatchingError, Moment, Partition};
use service_kit::rules::LiveRules;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Progress};
use super::inbox::Inbox;
use super::store::StoreError;

pub use attempt::{Backoff, Ingest, IngestError, Outcome};
pub use metrics::{
    BATCH_BYTES, BATCH_FILES, DEAD_LETTERS, FlowMetrics, HELD, OLDEST, OPEN_BATCHES, ROWS, WAITING,
};

use attempt::{Attempts, End};

/// The inbox, as the machine knows it.
const INBOX: Partition = 0;

/// Rows read from the inbox at a time.
const READ_LIMIT: u32 = 500;

/// After a failure to store the position, wait this long before the next try.
const COMMIT_RETRY: Duration = Duration::from_secs(1);

/// At the end, requests under way may take this long. What is cut is done again after the next start.
const DRAIN_DEADLINE: Duration = Duration::from_secs(20);

/// How the flow is set up.
#[derive(Debug, Clone)]
pub struct FlowConfig {
    /// Which objects are wanted, and for which table.
    pub rules: LiveRules,
    /// The numbers of the batching machine.
    pub batching: BatchingConfig,
    /// Requests carried out at the same time.
    pub concurrency: usize,
    /// The pause between attempts at the same request.
    pub backoff: Backoff,
}

/// The flow of one inbox.
pub struct Flow<I> {
    inbox: Inbox,
    rules: LiveRules,
    batcher: Batcher,
    attempts: Arc<Attempts<I>>,
    under_way: JoinSet<(ActionId, End)>,
    /// The files of the requests among them.
    requested: HashMap<ActionId, usize>,
    next: i64,
    /// The position that the inbox has.
    stored: Option<i64>,
    commit_failed: bool,
    started: Instant,
}

impl<I: Ingest> Flow<I> {
    /// A flow that goes on where the inbox's position is.
    ///
    /// # Errors
    /// Numbers of the batching machine that do not fit together.
    pub fn new(
        inbox: Inbox,
        ingest: Arc<I>,
        activity: Arc<Activity>,
        metrics: FlowMetrics,
        config: FlowConfig,
    ) -> Result<Self, BatchingError> {
        // Requests are the work itself here, and take their time: nothing is let go of.
        let mut batcher = Batcher::new(BatchingConfig { let_go_after: None, ..config.batching })?;
        batcher.assigned(&[INBOX]);
        let attempts = Attempts {
            ingest,
            inbox: inbox.clone(),
            activity,
            metrics,
            slots: Semaphore::new(config.concurrency),
            backoff: config.backoff,
            stop: CancellationToken::new(),
        };
        Ok(Self {
            inbox,
            rules: config.rules,
            batcher,
            attempts: Arc::new(attempts),
            under_way: JoinSet::new(),
            requested: HashMap::new(),
            next: 0,
            stored: None,
            commit_failed: false,
            started: Instant::now(),
        })
    }

    /// Runs until `stop` is cancelled, then lets the requests under way end. Open batches stay in the inbox.
    ///
    /// # Errors
    /// The inbox cannot be read.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreError> {
        self.next = self.inbox.position().await?;
        while !stop.is_cancelled() {
            let more = self.take_in().await?;
            self.commit().await;
            self.tell();
            let due = self.due_in();
            tokio::select! {
                () = stop.cancelled() => {}
                Some(done) = self.under_way.join_next() => self.settle(done),
                () = self.inbox.arrival(), if self.batcher.accepting() => {}
                () = std::future::ready(()), if more => {}
                () = wait(due) => {
                    let actions = self.batcher.tick(self.now());
                    self.carry_out(actions);
                }
            }
        }
        self.drain().await;
        Ok(())
    }

    /// Hands some rows to the machine, as long as it takes them. Returns whether there may be more.
    async fn take_in(&mut self) -> Result<bool, StoreError> {
        if !self.batcher.accepting() {
            return Ok(false);
        }
        let rows = self.inbox.read(self.next, READ_LIMIT).await?;
        let more = !rows.is_empty();
        for row in rows {
            self.next = row.id + 1;
            self.attempts.metrics.rows.inc();
            let record = judge::record(INBOX, &row, &self.rules.current(), &self.attempts.activity);
            let now = self.now();
            let actions = self.batcher.take_in(record, now);
            self.carry_out(actions);
            if !self.batcher.accepting() {
                return Ok(false);
            }
        }
        Ok(more)
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            let attempts = Arc::clone(&self.attempts);
            match action {
                Action::Produce(batch) => {
                    attempts.metrics.expectations.requested(&batch.request.table, Utc::now());
                    attempts.metrics.sizes.observe(batch.lane, &batch.request);
                    tracing::info!(
                        request_id = batch.request.request_id,
                        table = %batch.request.table,
                        lane = batch.lane.as_str(),
                        files = batch.request.file_count(),
                        bytes = batch.request.total_bytes(),
                        "batch closed"
                    );
                    self.requested.insert(batch.id, batch.request.file_count());
                    self.under_way.spawn(async move {
                        let end = attempts.request(batch.lane, &batch.request).await;
                        (batch.id, end)
                    });
                }
                Action::DeadLetter(letter) => {
                    self.under_way.spawn(async move {
                        let end = attempts.dead_letter(&letter).await;
                        (letter.id, end)
                    });
                }
            }
        }
    }

    fn settle(&mut self, ended: Result<(ActionId, End), JoinError>) {
        match ended {
            Ok((id, End::Done)) => {
                self.requested.remove(&id);
                self.batcher.acknowledged(id);
            }
            Ok((_, End::Stopped)) => {}
            // A bug, and no reason to go on as if nothing were: the next start repeats what was under way.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Says where everything is.
    fn tell(&self) {
        let held = self.batcher.held();
        let metrics = &self.attempts.metrics;
        metrics.held.set(held.try_into().unwrap_or(i64::MAX));
        metrics.open_batches.set(self.batcher.open_batches().try_into().unwrap_or(i64::MAX));
        let requested: usize = self.requested.values().sum();
        self.attempts.activity.moved(Progress {
            next: self.next,
            open_batches: self.batcher.open_batches() as u64,
            open_files: held.saturating_sub(requested) as u64,
            requests: self.requested.len() as u64,
        });
    }

    /// Stores how far everything is done. If that fails nothing is lost: rows are read again at worst.
    async fn commit(&mut self) {
        self.commit_failed = false;
        for position in self.batcher.commits() {
            if self.stored == Some(position.offset) {
                continue;
            }
            self.stored = Some(position.offset);
            if let Err(error) = self.inbox.commit(position.offset).await {
                tracing::error!(%error, position = position.offset, "position not stored, trying again");
                self.batcher.commit_failed();
                self.commit_failed = true;
                self.stored = None;
            }
        }
    }

    async fn drain(mut self) {
        self.attempts.stop.cancel();
        let ended = tokio::time::timeout(DRAIN_DEADLINE, async {
            while let Some(done) = self.under_way.join_next().await {
                self.settle(done);
            }
        })
        .await;
        if ended.is_err() {
            tracing::warn!(
                requests = self.under_way.len(),
                "requests cut at the deadline, the next start repeats them"
            );
        }
        self.commit().await;
    }

    /// How long until a batch is due or a commit is to be tried again, if either is.
    fn due_in(&self) -> Option<Duration> {
        let due =
            self.batcher.next_deadline().map(|deadline| deadline.saturating_sub(self.started.elapsed()));
        let retry = self.commit_failed.then_some(COMMIT_RETRY);
        due.into_iter().chain(retry).min()
    }

    fn now(&self) -> Moment {
        Moment { elapsed: self.started.elapsed(), utc: Utc::now() }
    }
}

async fn wait(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
