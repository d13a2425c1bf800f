//! How events come in: one [`Handler`], called by the HTTP intake and by the Kafka intake alike.

pub mod gate;
pub mod http;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloudevents::Event;
use ingest_core::staged::KnownObject;

pub use crate::event::Incoming;
pub use metrics::{
    IN_FLIGHT, IntakeMetrics, KAFKA_COMMIT_FAILURES, KAFKA_LAG, KAFKA_PAUSED, KAFKA_RETRIES, REQUESTS,
};

use crate::event::EventError;

/// What a service does with an event. Called at least once for each; may be called again with the same.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Does the work, to its durable end, and says how it went.
    async fn handle(&self, event: Incoming) -> Reply;
}

/// How it went.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done, durably. The event is the answer, and may be routed on.
    Done(Box<Event>),
    /// Owned, durably, by this service: it will be done (202). The event says so, and may be routed on.
    Accepted(Box<Event>),
    /// Cannot be done, however often it is tried.
    Reject {
        /// Why, as a class.
        status: RejectStatus,
        /// Why, in words.
        reason: String,
    },
    /// Cannot be done as things are now: what the sender made rests on what has changed, and has to be made anew. Nobody
    /// but the sender can, so on Kafka it is a rejection.
    Conflict {
        /// Why, in words.
        reason: String,
        /// What has to be left out when it is made anew.
        known: Vec<KnownObject>,
    },
    /// Could not be done now.
    Retry {
        /// Why, as a class.
        status: RetryStatus,
        /// Why, in words.
        reason: String,
        /// How long the sender should wait at least.
        after: Option<Duration>,
    },
}

/// Classes of what no retry can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectStatus {
    /// Not readable, or of the wrong shape (400).
    Invalid,
    /// The sender does not say who it is (401).
    Unauthorized,
    /// Not allowed here (403).
    Forbidden,
    /// Larger than the configured limit (413).
    TooLarge,
    /// In an encoding that is not spoken here (415).
    Unsupported,
}

/// Classes of what may pass by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryStatus {
    /// The sender did not send all of the body in time (408).
    TimedOut,
    /// Too much at once (429).
    Busy,
    /// Something that is needed does not answer (503).
    Unavailable,
}

impl Reply {
    /// The outcome as a word, for metrics and error bodies.
    pub fn outcome(&self) -> &'static str {
        match self {
            Reply::Done(_) => "done",
            Reply::Accepted(_) => "accepted",
            Reply::Reject { status: RejectStatus::Invalid, .. } => "invalid",
            Reply::Reject { status: RejectStatus::Unauthorized, .. } => "unauthorized",
            Reply::Reject { status: RejectStatus::Forbidden, .. } => "forbidden",
            Reply::Reject { status: RejectStatus::TooLarge, .. } => "too_large",
            Reply::Reject { status: RejectStatus::Unsupported, .. } => "unsupported",
            Reply::Conflict { .. } => "conflict",
            Reply::Retry { status: RetryStatus::TimedOut, .. } => "timed_out",
            Reply::Retry { status: RetryStatus::Busy, .. } => "busy",
            Reply::Retry { status: RetryStatus::Unavailable, .. } => "unavailable",
        }
    }
}

impl From<EventError> for Reply {
    fn from(error: EventError) -> Self {
        let status = match error {
            EventError::Malformed(_) => RejectStatus::Invalid,
            EventError::Unsupported(_) => RejectStatus::Unsupported,
        };
        Reply::Reject { status, reason: error.to_string() }
    }
}

/// Runs the handler in a task of its own: a sender that hangs up does not cut a commit short, and a panic costs one
/// event's attempt, not the intake. `held` is let go when the handler ends.
pub(crate) async fn run<T: Send + 'static>(handler: &Arc<dyn Handler>, event: Incoming, held: T) -> Reply {
    let handler = Arc::clone(handler);
    let task = tokio::spawn(async move {
        let _held = held;
        handler.handle(event).await
    });
    task.await.unwrap_or_else(|error| {
        tracing::error!(%error, "handler ended without an answer");
        Reply::Retry {
            status: RetryStatus::Unavailable,
            reason: "the handler ended without an answer".to_owned(),
            after: None,
        }
    })
}
