//! One heavy request as an event: read it, see that somebody owns it, answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use cloudevents::{Event, EventBuilder, EventBuilderV10};
use ingest_core::event::{JSON, TYPE_ACCEPTED, TYPE_COMPLETED};
use ingest_core::{IngestRequest, RequestDefaults};
use lake::ErrorKind;
use serde_json::Value;
use service_kit::intake::{Handler, Incoming, RejectStatus, Reply, RetryStatus};
use service_kit::traces;
use tracing::Instrument;

use crate::accept::Accepted;
use crate::launcher::Launcher;

/// `source` of the answers.
pub const SOURCE: &str = "/event-ingest/spark-launcher";

/// How long a sender should wait when a person has to mend something first.
const WAIT_FOR_A_PERSON: Duration = Duration::from_secs(30);

/// Hands requests to a [`Launcher`].
pub struct HeavyHandler {
    launcher: Arc<Launcher>,
    defaults: RequestDefaults,
}

impl HeavyHandler {
    /// `defaults` stand in for what a request leaves out.
    pub fn new(launcher: Arc<Launcher>, defaults: RequestDefaults) -> Self {
        Self { launcher, defaults }
    }
}

#[async_trait]
impl Handler for HeavyHandler {
    async fn handle(&self, event: Incoming) -> Reply {
        let span = tracing::info_span!(target: "trace", "accept", otel.kind = "consumer");
        let span = traces::continued(span, event.traceparent.as_deref());
        self.take(event).instrument(span).await
    }
}

impl HeavyHandler {
    async fn take(&self, event: Incoming) -> Reply {
        let request = match IngestRequest::from_json(&event.body, &self.defaults, Utc::now()) {
            Ok(request) => request,
            Err(error) => {
                tracing::warn!(event_id = event.id, %error, "not a request");
                return Reply::Reject { status: RejectStatus::Invalid, reason: error.to_string() };
            }
        };
        // What is made of the request belongs to this span, or, while no traces are made, where the request came from.
        let traceparent = traces::traceparent().or(event.traceparent);
        match self.launcher.accept(&request, traceparent.as_deref()).await {
            Ok(Accepted::In(result)) => {
                tracing::info!(request_id = request.request_id, table = %request.table, "nothing to do");
                let body =
                    serde_json::to_value(&result).expect("a result is made of strings, numbers and lists");
                Reply::Done(Box::new(answer(TYPE_COMPLETED, &request, body, traceparent)))
            }
            Ok(Accepted::Owned(owned)) => {
                tracing::info!(
                    request_id = request.request_id,
                    record_id = owned.record_id,
                    table = owned.table,
                    application = owned.application,
                    "accepted"
                );
                let body = serde_json::to_value(&owned).expect("it is made of strings and numbers");
                Reply::Accepted(Box::new(answer(TYPE_ACCEPTED, &request, body, traceparent)))
            }
            Err(error) => {
                tracing::warn!(request_id = request.request_id, table = %request.table, %error, "not accepted");
                refused(&error)
            }
        }
    }
}

/// The one place where errors become replies.
fn refused(error: &lake::Error) -> Reply {
    let reason = error.to_string();
    match error.kind() {
        ErrorKind::Invalid => Reply::Reject { status: RejectStatus::Invalid, reason },
        ErrorKind::Forbidden => Reply::Reject { status: RejectStatus::Forbidden, reason },
        ErrorKind::Busy => Reply::Retry { status: RetryStatus::Busy, reason, after: None },
        ErrorKind::Unavailable => Reply::Retry { status: RetryStatus::Unavailable, reason, after: None },
        // The request is right, and will be taken once this is mended: it must not end as a dead letter.
        ErrorKind::Config | ErrorKind::Inconsistent => {
            Reply::Retry { status: RetryStatus::Unavailable, reason, after: Some(WAIT_FOR_A_PERSON) }
        }
    }
}

fn answer(ty: &str, request: &IngestRequest, body: Value, traceparent: Option<String>) -> Event {
    let table = request.table.to_string();
    let mut event: Event = EventBuilderV10::new()
        // Not the request's id: a repeated request has an answer of its own, which may differ.
        .id(uuid::Uuid::now_v7().to_string())
        .ty(ty)
        .source(SOURCE)
        .subject(&table)
        .time(Utc::now())
        .extension("partitionkey", table.as_str())
        .data(JSON, body)
        .build()
        .expect("all required attributes are given");
    if let Some(traceparent) = traceparent {
        event.set_extension("traceparent", traceparent);
    }
    event
}
