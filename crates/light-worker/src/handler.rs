//! One request, or one stage: read it, bring it in, answer. Says what happened in one log line.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::Utc;
use cloudevents::{Event, EventBuilder, EventBuilderV10};
use ingest_core::event::{JSON, TYPE_COMPLETED, TYPE_STAGED};
use ingest_core::staged::Staged;
use ingest_core::{IngestRequest, IngestResult, RequestDefaults, TableName};
use lake::ErrorKind;
use lake::ingest::{Conflict, Publication};
use lake_metrics::LakeMetrics;
use service_kit::intake::{Handler, Incoming, RejectStatus, Reply, RetryStatus};
use service_kit::traces;
use tracing::{Instrument, Span, field};

use crate::Ingest;

/// `source` of the results.
pub const SOURCE: &str = "/event-ingest/light-worker";

/// How long a sender should wait when a person has to mend something first.
const WAIT_FOR_A_PERSON: Duration = Duration::from_secs(30);

/// Handles requests by [`Ingest`].
pub struct IngestHandler<I> {
    ingest: I,
    defaults: RequestDefaults,
    metrics: LakeMetrics,
}

impl<I: Ingest> IngestHandler<I> {
    /// `defaults` stand in for what a request leaves out.
    pub fn new(ingest: I, defaults: RequestDefaults, metrics: LakeMetrics) -> Self {
        Self { ingest, defaults, metrics }
    }

    /// Whether requests can be worked on now; an error says why not.
    pub async fn ready(&self) -> Result<(), String> {
        self.ingest.ready().await.map_err(|error| error.to_string())
    }
}

#[async_trait]
impl<I: Ingest> Handler for IngestHandler<I> {
    async fn handle(&self, event: Incoming) -> Reply {
        let name = match event.ty.as_deref() {
            Some(TYPE_STAGED) => "publish",
            // A KafkaSource gives events types of its own.
            _ => "ingest",
        };
        let span = span(name, event.traceparent.as_deref());
        let publishes = name == "publish";
        let work = async { if publishes { self.publish(event).await } else { self.ingest(event).await } };
        work.instrument(span).await
    }
}

/// The span of a request, which goes on with its sender's trace.
fn span(name: &'static str, traceparent: Option<&str>) -> Span {
    let span = tracing::info_span!(
        target: "trace",
        "request",
        otel.name = name,
        otel.kind = "consumer",
        otel.status_code = field::Empty,
        otel.status_description = field::Empty,
        event_ingest.table = field::Empty,
        event_ingest.request_id = field::Empty,
        event_ingest.rows = field::Empty,
        event_ingest.snapshot_id = field::Empty,
    );
    traces::continued(span, traceparent)
}

/// Says in the current span what it is about.
fn about(table: &TableName, request_id: &str) {
    let span = Span::current();
    span.record("event_ingest.table", field::display(table));
    span.record("event_ingest.request_id", request_id);
}

/// Says in the current span how it went.
fn went(outcome: Result<&IngestResult, &str>) {
    let span = Span::current();
    match outcome {
        Ok(result) => {
            span.record("event_ingest.rows", result.rows);
            span.record("event_ingest.snapshot_id", result.snapshot_id);
        }
        Err(why) => {
            span.record("otel.status_code", "ERROR");
            span.record("otel.status_description", why);
        }
    }
}

impl<I: Ingest> IngestHandler<I> {
    async fn ingest(&self, event: Incoming) -> Reply {
        let request = match IngestRequest::from_json(&event.body, &self.defaults, Utc::now()) {
            Ok(request) => request,
            Err(error) => {
                tracing::warn!(event_id = event.id, %error, "not a request");
                return Reply::Reject { status: RejectStatus::Invalid, reason: error.to_string() };
            }
        };
        tracing::debug!(request_id = request.request_id, table = %request.table, "taken");
        about(&request.table, &request.request_id);
        let started = Instant::now();
        let outcome = self.ingest.ingest(&request).await;
        let milliseconds = self.attempted(started);
        let (files, bytes) = (request.file_count(), request.total_bytes());
        match outcome {
            Ok(result) => {
                self.metrics.ingested(&request, &result);
                went(Ok(&result));
                tracing::info!(
                    request_id = request.request_id,
                    table = %request.table,
                    files,
                    bytes,
                    rows = result.rows,
                    milliseconds,
                    snapshot = result.snapshot_id,
                    mode = result.mode,
                    processed = result.files_processed,
                    skipped = result.files_skipped,
                    quarantined = result.files_quarantined,
                    "ingested"
                );
                completed(&result, event.traceparent)
            }
            Err(error) => {
                self.metrics.failed(error.kind());
                tracing::warn!(
                    request_id = request.request_id,
                    table = %request.table,
                    files,
                    bytes,
                    milliseconds,
                    %error,
                    "not ingested"
                );
                refused(&error)
            }
        }
    }

    async fn publish(&self, event: Incoming) -> Reply {
        let staged = match Staged::from_json(&event.body) {
            Ok(staged) => staged,
            Err(error) => {
                tracing::warn!(event_id = event.id, %error, "not a staged event");
                return Reply::Reject { status: RejectStatus::Invalid, reason: error.to_string() };
            }
        };
        let (request_id, table) = (staged.request_id.as_str(), &staged.table);
        let branch = staged.stage.as_ref().map(|stage| stage.branch.as_str());
        about(table, request_id);
        let started = Instant::now();
        let outcome = self.ingest.publish_staged(&staged).await;
        let milliseconds = self.attempted(started);
        match outcome {
            Ok(Publication::Published(result)) => {
                self.metrics.published(&result);
                went(Ok(&result));
                tracing::info!(
                    request_id,
                    %table,
                    branch,
                    rows = result.rows,
                    milliseconds,
                    snapshot = result.snapshot_id,
                    processed = result.files_processed,
                    skipped = result.files_skipped,
                    quarantined = result.files_quarantined,
                    "published"
                );
                completed(&result, event.traceparent)
            }
            Ok(Publication::Conflict(Conflict { reason, known })) => {
                let left_out = known.len();
                went(Err(&reason));
                tracing::warn!(request_id, %table, branch, milliseconds, reason, left_out, "to be staged anew");
                Reply::Conflict { reason, known }
            }
            Err(error) => {
                self.metrics.failed(error.kind());
                tracing::warn!(request_id, %table, branch, milliseconds, %error, "not published");
                refused(&error)
            }
        }
    }

    /// Counts an attempt, and says how many milliseconds it took.
    fn attempted(&self, started: Instant) -> u64 {
        let elapsed = started.elapsed();
        self.metrics.attempted(elapsed);
        elapsed.as_millis() as u64
    }
}

/// The one place where the lake's errors become replies.
fn refused(error: &lake::Error) -> Reply {
    let reason = error.to_string();
    went(Err(&reason));
    match error.kind() {
        ErrorKind::Invalid => Reply::Reject { status: RejectStatus::Invalid, reason },
        ErrorKind::Forbidden => Reply::Reject { status: RejectStatus::Forbidden, reason },
        ErrorKind::Busy => Reply::Retry { status: RetryStatus::Busy, reason, after: None },
        ErrorKind::Unavailable => Reply::Retry { status: RetryStatus::Unavailable, reason, after: None },
        // The request is right, and will be ingested once this is mended: it must not end as a dead letter.
        ErrorKind::Config | ErrorKind::Inconsistent => {
            Reply::Retry { status: RetryStatus::Unavailable, reason, after: Some(WAIT_FOR_A_PERSON) }
        }
    }
}

fn completed(result: &IngestResult, traceparent: Option<String>) -> Reply {
    let table = result.table.to_string();
    let body = serde_json::to_value(result).expect("a result is made of strings, numbers and lists");
    let mut event: Event = EventBuilderV10::new()
        // Not the request's id: a repeated request has an answer of its own, which may differ.
        .id(uuid::Uuid::now_v7().to_string())
        .ty(TYPE_COMPLETED)
        .source(SOURCE)
        .subject(&table)
        .time(Utc::now())
        .extension("partitionkey", table.as_str())
        .data(JSON, body)
        .build()
        .expect("all required attributes are given");
    if let Some(traceparent) = traces::traceparent().or(traceparent) {
        event.set_extension("traceparent", traceparent);
    }
    Reply::Done(Box::new(event))
}
