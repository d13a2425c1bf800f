//! The metrics of this service; those of its intakes are service-kit's.

use std::collections::BTreeMap;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use service_kit::metrics::{Metric, Metrics};

use crate::decide::Wait;
use crate::launcher::Status;
use crate::record::closed::Closed;

/// Live records by what they wait for.
pub const RECORDS: Metric = Metric {
    name: "heavy_records",
    help: "Requests that are owned, as of the last scan, by state (running; unstarted: the backend takes nothing; pause: before the next attempt; held: by an older record; failed: given up, a person has to mend something; unknown: a store, table or backend did not answer).",
    labels: &["state"],
};
/// How long the oldest one is owned.
pub const OLDEST: Metric = Metric {
    name: "heavy_oldest_record_age_seconds",
    help: "Age of the oldest owned request that was not given up, as of the last scan; 0 if there is none.",
    labels: &[],
};
/// Attempts by what became of them.
pub const ATTEMPTS: Metric = Metric {
    name: "heavy_attempts_total",
    help: "Attempts by what became of them (started, unavailable: not started, succeeded, failed, refused: no retry helps, lost, rejected, stopped).",
    labels: &["outcome"],
};
/// Records that were given up.
pub const GIVEN_UP: Metric = Metric {
    name: "heavy_given_up_total",
    help: "Requests that were given up after too many attempts, or because no attempt could mend them.",
    labels: &[],
};
/// Records that are over.
pub const CLOSED: Metric = Metric {
    name: "heavy_closed_total",
    help: "Requests that are over, by how (done, cancelled).",
    labels: &["how"],
};
/// From taken to closed.
pub const DURATION: Metric = Metric {
    name: "heavy_request_duration_seconds",
    help: "Time from a request's taking until it was found done.",
    labels: &[],
};
/// Scans that did not see everything.
pub const SCAN_FAILURES: Metric =
    Metric { name: "heavy_scan_failures_total", help: "Scans that could not list the records.", labels: &[] };
/// When the last scan ended.
pub const LAST_SCAN: Metric = Metric {
    name: "heavy_last_scan_timestamp_seconds",
    help: "When the last scan of all records ended.",
    labels: &[],
};
/// Branches of stages that nobody needed.
pub const STALE_BRANCHES: Metric = Metric {
    name: "heavy_stale_branches_total",
    help: "Branches of stages that were removed because no live record needed them.",
    labels: &[],
};

/// Buckets of [`DURATION`] in seconds: Spark alone takes half a minute to start, a night without Spark hours.
const DURATION_BUCKETS: &[f64] =
    &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 10_800.0, 43_200.0, 86_400.0];

/// Every state of [`RECORDS`], so that one without records shows 0.
const STATES: [&str; 6] = ["running", "unstarted", "pause", "held", "failed", "unknown"];

/// The counters behind those names.
#[derive(Debug, Clone)]
pub struct LauncherMetrics {
    records: IntGaugeVec,
    oldest: IntGauge,
    attempts: IntCounterVec,
    given_up: IntCounter,
    closed: IntCounterVec,
    duration: Histogram,
    pub(crate) scan_failures: IntCounter,
    pub(crate) last_scan: IntGauge,
    pub(crate) stale_branches: IntCounter,
}

impl LauncherMetrics {
    /// Registers them. Once in a process.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            records: metrics.gauges(&RECORDS),
            oldest: metrics.gauge(&OLDEST),
            attempts: metrics.counters(&ATTEMPTS),
            given_up: metrics.counter(&GIVEN_UP),
            closed: metrics.counters(&CLOSED),
            duration: metrics.histogram(&DURATION, DURATION_BUCKETS),
            scan_failures: metrics.counter(&SCAN_FAILURES),
            last_scan: metrics.gauge(&LAST_SCAN),
            stale_branches: metrics.counter(&STALE_BRANCHES),
        }
    }

    pub(crate) fn attempt(&self, outcome: &str) {
        self.attempts.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn given_up(&self) {
        self.given_up.inc();
    }

    pub(crate) fn closed(&self, story: &Closed) {
        self.closed.with_label_values(&[story.how.as_str()]).inc();
        self.duration.observe((story.closed - story.received).as_seconds_f64().max(0.0));
    }

    /// What a scan found: live records by state, and the age in seconds of the oldest that goes on by itself.
    pub(crate) fn scanned(&self, states: &BTreeMap<&'static str, i64>, oldest: i64) {
        for state in STATES {
            self.records.with_label_values(&[state]).set(states.get(state).copied().unwrap_or(0));
        }
        self.oldest.set(oldest.max(0));
    }
}

/// The state of a record as metrics and lists have it; none if it is over.
pub fn state(status: &Status) -> Option<&'static str> {
    Some(match status {
        Status::Over => return None,
        Status::Waiting(Wait::Running(_)) | Status::Busy => "running",
        Status::Waiting(Wait::Pause(_)) => "pause",
        Status::Waiting(Wait::Held(_)) => "held",
        Status::Waiting(Wait::Person) => "failed",
        Status::Unstarted(_) => "unstarted",
    })
}
