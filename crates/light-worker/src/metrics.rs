//! The metrics of this service; those of its intakes are service-kit's.

use chrono::{DateTime, Utc};
use ingest_core::{FileStatus, IngestRequest, IngestResult};
use lake::ErrorKind;
use prometheus::{Histogram, IntCounter, IntCounterVec};
use service_kit::metrics::{DURATION_BUCKETS, Metric, Metrics};

/// Files by what became of them.
pub const FILES: Metric = Metric {
    name: "files_total",
    help: "Files of answered requests, by status (processed, skipped, quarantined, forbidden).",
    labels: &["status"],
};
/// Rows that were added.
pub const ROWS: Metric =
    Metric { name: "rows_total", help: "Rows added to tables by answered requests.", labels: &[] };
/// Announced bytes of requests.
pub const BYTES: Metric = Metric {
    name: "announced_bytes_total",
    help: "Sizes of the files of answered requests, as far as the requests told them.",
    labels: &[],
};
/// How long a request takes.
pub const DURATION: Metric = Metric {
    name: "request_duration_seconds",
    help: "Time from a request's arrival in the worker to its answer, failed attempts included.",
    labels: &[],
};
/// From the bucket to the table.
pub const LATENCY: Metric = Metric {
    name: "arrival_to_queryable_seconds",
    help: "Time from an object's arrival in its bucket (event time) until its rows could be queried, for each processed file whose event time is known.",
    labels: &[],
};
/// Attempts that failed.
pub const FAILURES: Metric = Metric {
    name: "failures_total",
    help: "Attempts that failed as a whole, by kind (config, invalid, forbidden, busy, unavailable, inconsistent).",
    labels: &["kind"],
};

/// Buckets of [`LATENCY`] in seconds: batching alone takes up to half a minute, a backlog hours.
const LATENCY_BUCKETS: &[f64] = &[
    0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 900.0, 3_600.0, 21_600.0,
];

/// The counters behind those names.
#[derive(Debug, Clone)]
pub struct WorkerMetrics {
    files: IntCounterVec,
    rows: IntCounter,
    bytes: IntCounter,
    duration: Histogram,
    latency: Histogram,
    failures: IntCounterVec,
}

impl WorkerMetrics {
    /// Registers them. Once in a process.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            files: metrics.counters(&FILES),
            rows: metrics.counter(&ROWS),
            bytes: metrics.counter(&BYTES),
            duration: metrics.histogram(&DURATION, DURATION_BUCKETS),
            latency: metrics.histogram(&LATENCY, LATENCY_BUCKETS),
            failures: metrics.counters(&FAILURES),
        }
    }

    pub(crate) fn attempted(&self, seconds: f64) {
        self.duration.observe(seconds);
    }

    pub(crate) fn failed(&self, kind: ErrorKind) {
        let kind = match kind {
            ErrorKind::Config => "config",
            ErrorKind::Invalid => "invalid",
            ErrorKind::Forbidden => "forbidden",
            ErrorKind::Busy => "busy",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Inconsistent => "inconsistent",
        };
        self.failures.with_label_values(&[kind]).inc();
    }

    pub(crate) fn ingested(&self, request: &IngestRequest, result: &IngestResult, now: DateTime<Utc>) {
        self.bytes.inc_by(request.total_bytes());
        self.published(result);
        // The result lists the request's objects in their order.
        for (object, file) in request.objects.iter().zip(&result.files) {
            if let (Some(arrived), FileStatus::Processed) = (object.hint.event_time, file.status) {
                // Two clocks: a little less than nothing is nothing.
                self.latency.observe((now - arrived).as_seconds_f64().max(0.0));
            }
        }
    }

    /// What came in, or was set aside.
    pub(crate) fn published(&self, result: &IngestResult) {
        self.rows.inc_by(result.rows);
        for file in &result.files {
            let status = match file.status {
                FileStatus::Processed => "processed",
                FileStatus::Skipped => "skipped",
                FileStatus::Quarantined => "quarantined",
                FileStatus::Forbidden => "forbidden",
            };
            self.files.with_label_values(&[status]).inc();
        }
    }
}
