//! One request, attempted until it is done or refused.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use ingest_core::batching::DeadLetter;
use ingest_core::{IngestRequest, IngestResult, Lane};
use rand::Rng;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::standalone::activity::Activity;
use crate::standalone::inbox::Inbox;
use crate::standalone::store::StoreError;

use super::metrics::FlowMetrics;

/// Brings the objects of a request into its table, as the light worker does.
#[async_trait]
pub trait Ingest: Send + Sync + 'static {
    /// Carries out a request. Success means that every object of it is visible in the table or durably set
    /// aside (invariant 3). Logs how it went.
    async fn ingest(&self, request: &IngestRequest) -> Result<IngestResult, IngestError>;

    /// The same for a request that is too large for the light path: it may be owned by another instead, durably.
    async fn ingest_heavy(&self, request: &IngestRequest) -> Result<Outcome, IngestError> {
        self.ingest(request).await.map(Outcome::Done)
    }

    /// Whether requests can be carried out now; an error says why not.
    async fn ready(&self) -> Result<(), String>;
}

/// How a heavy request went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every object of it is visible in the table or durably set aside.
    Done(IngestResult),
    /// A record owns it: it will be done.
    Owned {
        /// The attempt that does it, or will.
        application: String,
    },
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// No retry can mend it.
    #[error("{0}")]
    Rejected(String),
    /// The same request may succeed later.
    #[error("{reason}")]
    Retry {
        /// Why.
        reason: String,
        /// Not before this time has passed.
        after: Duration,
    },
}

impl IngestError {
    /// The same request may succeed at any time.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: Duration::ZERO }
    }
}

/// Growing pauses with jitter, bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause is at most this long; each next one may be twice as long.
    pub first: Duration,
    /// No pause is longer.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), longest: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The pause after so many failures, from half of its bound up: never a busy loop, never in step.
    fn pause(&self, failures: u32) -> Duration {
        let bound = self.first.saturating_mul(1 << failures.min(16)).min(self.longest);
        bound.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

/// What all attempts share.
pub(super) struct Attempts<I> {
    pub(super) ingest: Arc<I>,
    pub(super) inbox: Inbox,
    pub(super) activity: Arc<Activity>,
    pub(super) metrics: FlowMetrics,
    pub(super) slots: Semaphore,
    pub(super) backoff: Backoff,
    pub(super) stop: CancellationToken,
}

/// How an attempt or a series of them ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Done or set aside, durably.
    Done,
    /// The process is stopping: what it was about stays in the inbox.
    Stopped,
}

impl<I: Ingest> Attempts<I> {
    /// Attempts a request until it is done or set aside.
    pub(super) async fn request(&self, lane: Lane, request: &IngestRequest) -> End {
        let mut failures = 0;
        loop {
            let failure = match self.attempt(lane, request).await {
                Ok(end) => return end,
                Err(failure) => failure,
            };
            if self.pause(&mut failures, failure).await.is_none() {
                return End::Stopped;
            }
        }
    }

    async fn attempt(&self, lane: Lane, request: &IngestRequest) -> Result<End, Failure> {
        let Some(Ok(_slot)) = self.stop.run_until_cancelled(self.slots.acquire()).await else {
            return Ok(End::Stopped);
        };
        let outcome = match lane {
            Lane::Light => self.ingest.ingest(request).await.map(Outcome::Done),
            Lane::Heavy => self.ingest.ingest_heavy(request).await,
        };
        match outcome {
            Ok(Outcome::Owned { application }) => {
                tracing::info!(request_id = request.request_id, application, "owned by a record");
                self.activity.given_to_spark();
            }
            Ok(Outcome::Done(result)) => self.activity.answered(request, &result, Utc::now()),
            Err(IngestError::Rejected(reason)) => {
                self.inbox.bury_request(request, &reason).await?;
                self.metrics.dead_letters.inc();
                self.activity.rejected(request, &reason, Utc::now());
                tracing::error!(request_id = request.request_id, reason, "request set aside");
            }
            Err(IngestError::Retry { after, .. }) => return Err(Failure { after }),
        }
        Ok(End::Done)
    }

    /// Sets a row aside.
    pub(super) async fn dead_letter(&self, letter: &DeadLetter) -> End {
        let mut failures = 0;
        while let Err(error) = self.inbox.bury_row(letter.offset, &letter.reason).await {
            if self.pause(&mut failures, error.into()).await.is_none() {
                return End::Stopped;
            }
        }
        self.metrics.dead_letters.inc();
        tracing::error!(row = letter.offset, reason = letter.reason, "inbox row set aside");
        End::Done
    }

    /// Waits before the next attempt. `None` if the process is stopping.
    async fn pause(&self, failures: &mut u32, failure: Failure) -> Option<()> {
        let pause = self.backoff.pause(*failures).max(failure.after);
        *failures = failures.saturating_add(1);
        tracing::info!(failures, ?pause, "trying again");
        self.activity.retried();
        self.stop.run_until_cancelled(tokio::time::sleep(pause)).await
    }
}

/// An attempt that may succeed when it is made again, not before some time has passed.
struct Failure {
    after: Duration,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "cannot set aside what is refused");
        Self { after: Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(1) };
        for failures in 0..100 {
            let pause = backoff.pause(failures);
            assert!(pause >= Duration::from_millis(50) && pause <= Duration::from_secs(1), "{pause:?}");
        }
        assert!(backoff.pause(0) <= Duration::from_millis(100));
        assert!(backoff.pause(10) >= Duration::from_millis(500));
    }
}
