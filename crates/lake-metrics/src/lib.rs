//! What goes into tables, as metrics: of every process that brings files there by [`lake`].

#![warn(missing_docs)]

use std::time::Duration;

use chrono::{DateTime, Utc};
use ingest_core::{FileStatus, IngestRequest, IngestResult};
use lake::ErrorKind;
use lake::commit::protocol::Answer;
use lake::observe::{Committed, Observer, Stage};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};
use service_kit::metrics::{DURATION_BUCKETS, Metric, Metrics, SIZE_BUCKETS, TableLabels};

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
/// How large files are.
pub const FILE_SIZE: Metric = Metric {
    name: "file_size_bytes",
    help: "Sizes of the files that commits brought in, as the bucket has them.",
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
    help: "Time from an object's arrival in its bucket (event time) until its rows could be queried, for each object that a commit brought in and whose event time is known.",
    labels: &["table"],
};
/// Parts of that.
pub const STAGES: Metric = Metric {
    name: "stage_duration_seconds",
    help: "Time that requests spend in a stage (resolve, wait, plan, write, commit); one of many files goes through them again.",
    labels: &["stage"],
};
/// Commits that were sent.
pub const COMMITS: Metric = Metric {
    name: "commit_attempts_total",
    help: "Commits that were sent to the catalog, by its answer (committed, conflict, unknown: nothing clear, refused).",
    labels: &["outcome"],
};
/// Files of one table by what became of them.
pub const TABLE_FILES: Metric = Metric {
    name: "table_files_total",
    help: "Files of answered requests, by table and status (processed, skipped, quarantined, forbidden).",
    labels: &["table", "status"],
};
/// When a table was last dealt with.
pub const LAST_ANSWER: Metric = Metric {
    name: "table_last_answer_timestamp_seconds",
    help: "When a request for the table was last done: its files are in the table, or set aside.",
    labels: &["table"],
};
/// When a table last got rows.
pub const LAST_COMMIT: Metric = Metric {
    name: "table_last_commit_timestamp_seconds",
    help: "When a commit last brought files into the table.",
    labels: &["table"],
};
/// How fresh a table is.
pub const NEWEST_FILE: Metric = Metric {
    name: "table_newest_file_timestamp_seconds",
    help: "Arrival in its bucket (event time) of the newest file in the table that this process committed.",
    labels: &["table"],
};
/// How large a ledger is.
pub const LEDGER_ENTRIES: Metric = Metric {
    name: "ledger_entries",
    help: "Object versions in the table's ledger, as of the last commit of this process.",
    labels: &["table"],
};
/// Of how many files it is.
pub const LEDGER_RUNS: Metric = Metric {
    name: "ledger_runs",
    help: "Files that make the table's ledger, as of the last commit of this process.",
    labels: &["table"],
};
/// Attempts that failed.
pub const FAILURES: Metric = Metric {
    name: "failures_total",
    help: "Attempts that failed as a whole, by kind (config, invalid, forbidden, busy, unavailable, inconsistent).",
    labels: &["kind"],
};

/// All of them.
pub const METRICS: &[Metric] = &[
    FILES,
    ROWS,
    BYTES,
    FILE_SIZE,
    DURATION,
    LATENCY,
    FAILURES,
    STAGES,
    COMMITS,
    TABLE_FILES,
    LAST_ANSWER,
    LAST_COMMIT,
    NEWEST_FILE,
    LEDGER_ENTRIES,
    LEDGER_RUNS,
];

/// Buckets of [`LATENCY`] in seconds: batching alone takes up to half a minute, a backlog hours.
const LATENCY_BUCKETS: &[f64] = &[
    0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 900.0, 3_600.0, 21_600.0,
];

/// The counters behind those names.
#[derive(Debug, Clone)]
pub struct LakeMetrics {
    files: IntCounterVec,
    rows: IntCounter,
    bytes: IntCounter,
    file_size: Histogram,
    duration: Histogram,
    latency: HistogramVec,
    failures: IntCounterVec,
    stages: HistogramVec,
    commits: IntCounterVec,
    table_files: IntCounterVec,
    last_answer: IntGaugeVec,
    last_commit: IntGaugeVec,
    newest_file: IntGaugeVec,
    ledger_entries: IntGaugeVec,
    ledger_runs: IntGaugeVec,
    tables: TableLabels,
}

impl LakeMetrics {
    /// Registers them. Once in a process.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            files: metrics.counters(&FILES),
            rows: metrics.counter(&ROWS),
            bytes: metrics.counter(&BYTES),
            file_size: metrics.histogram(&FILE_SIZE, SIZE_BUCKETS),
            duration: metrics.histogram(&DURATION, DURATION_BUCKETS),
            latency: metrics.histograms(&LATENCY, LATENCY_BUCKETS),
            failures: metrics.counters(&FAILURES),
            stages: metrics.histograms(&STAGES, DURATION_BUCKETS),
            commits: metrics.counters(&COMMITS),
            table_files: metrics.counters(&TABLE_FILES),
            last_answer: metrics.gauges(&LAST_ANSWER),
            last_commit: metrics.gauges(&LAST_COMMIT),
            newest_file: metrics.gauges(&NEWEST_FILE),
            ledger_entries: metrics.gauges(&LEDGER_ENTRIES),
            ledger_runs: metrics.gauges(&LEDGER_RUNS),
            tables: TableLabels::default(),
        }
    }

    /// An attempt on a request took so long, whatever came of it.
    pub fn attempted(&self, time: Duration) {
        self.duration.observe(time.as_secs_f64());
    }

    /// An attempt failed as a whole.
    pub fn failed(&self, kind: ErrorKind) {
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

    /// A request is done: what it told, and what became of it.
    pub fn ingested(&self, request: &IngestRequest, result: &IngestResult) {
        self.bytes.inc_by(request.total_bytes());
        self.published(result);
    }

    /// What came in, or was set aside.
    pub fn published(&self, result: &IngestResult) {
        self.rows.inc_by(result.rows);
        let table = self.tables.label(&result.table);
        self.last_answer.with_label_values(&[&table]).set(Utc::now().timestamp());
        for file in &result.files {
            let status = match file.status {
                FileStatus::Processed => "processed",
                FileStatus::Skipped => "skipped",
                FileStatus::Quarantined => "quarantined",
                FileStatus::Forbidden => "forbidden",
            };
            self.files.with_label_values(&[status]).inc();
            self.table_files.with_label_values(&[table.as_str(), status]).inc();
        }
    }

    fn arrived(&self, table: &str, event_times: &[DateTime<Utc>], now: DateTime<Utc>) {
        let latency = self.latency.with_label_values(&[table]);
        for arrived in event_times {
            // Two clocks: a little less than nothing is nothing.
            latency.observe((now - *arrived).as_seconds_f64().max(0.0));
        }
        if let Some(newest) = event_times.iter().max() {
            let shown = self.newest_file.with_label_values(&[table]);
            shown.set(shown.get().max(newest.timestamp()));
        }
    }
}

impl Observer for LakeMetrics {
    fn took(&self, stage: Stage, time: Duration) {
        self.stages.with_label_values(&[stage.as_str()]).observe(time.as_secs_f64());
    }

    fn answered(&self, answer: Answer) {
        let outcome = match answer {
            Answer::Committed => "committed",
            Answer::Conflict => "conflict",
            Answer::Unknown => "unknown",
            Answer::Refused => "refused",
        };
        self.commits.with_label_values(&[outcome]).inc();
    }

    fn committed(&self, commit: &Committed<'_>) {
        let now = Utc::now();
        let table = self.tables.label(commit.table);
        self.arrived(&table, &commit.event_times, now);
        for size in &commit.sizes {
            self.file_size.observe(*size as f64);
        }
        if commit.objects > 0 {
            self.last_commit.with_label_values(&[&table]).set(now.timestamp());
        }
        // Of several tables together these would mean nothing.
        if self.tables.own(commit.table).is_some() {
            let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            self.ledger_entries.with_label_values(&[&table]).set(gauge(commit.ledger.entries));
            self.ledger_runs.with_label_values(&[&table]).set(gauge(commit.ledger.runs));
        }
    }
}

#[cfg(test)]
mod tests {
    use ingest_core::TableName;
    use lake::observe::LedgerSize;

    use super::*;

    #[test]
    fn sizes_fall_into_few_buckets() {
        let metrics = Metrics::new();
        let own = LakeMetrics::new(&metrics);
        let table = TableName::parse("db.t").expect("valid");
        own.committed(&Committed {
            table: &table,
            objects: 4,
            event_times: Vec::new(),
            // Of the fourth nobody said it.
            sizes: vec![0, 10_000, 499_999_999],
            ledger: LedgerSize::default(),
        });
        let page = metrics.page();
        for line in [
            "event_ingest_file_size_bytes_bucket{le=\"10000\"} 2",
            "event_ingest_file_size_bytes_bucket{le=\"100000000\"} 2",
            "event_ingest_file_size_bytes_bucket{le=\"500000000\"} 3",
            "event_ingest_file_size_bytes_sum 500009999",
            "event_ingest_file_size_bytes_count 3",
        ] {
            assert!(page.lines().any(|shown| shown == line), "missing {line} in\n{page}");
        }
    }
}
