//! The metrics of this service.

use ingest_core::batching::Partition;
use ingest_core::{IngestRequest, Lane};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use service_kit::kafka::Lag;
use service_kit::metrics::{BatchSizes, DURATION_BUCKETS, Metric, Metrics};
use service_kit::rules::Expectations;

use crate::positions::Cause;

const RECORDS: Metric =
    Metric { name: "dispatcher_records_total", help: "Records read from the source topic.", labels: &[] };
const ANNOUNCEMENTS: Metric = Metric {
    name: "dispatcher_announcements_total",
    help: "New objects announced in those records.",
    labels: &[],
};
const IGNORED: Metric = Metric {
    name: "dispatcher_ignored_total",
    help: "Events and announced objects that lead to nothing, by reason.",
    labels: &["reason"],
};
const BATCHES: Metric = Metric {
    name: "dispatcher_batches_total",
    help: "Requests acknowledged by Kafka, by lane (light, heavy).",
    labels: &["lane"],
};
const FILES: Metric = Metric {
    name: "dispatcher_files_total",
    help: "Files in requests acknowledged by Kafka, by lane (light, heavy).",
    labels: &["lane"],
};
const BATCH_FILES: Metric = Metric {
    name: "dispatcher_batch_files",
    help: "Files of a request acknowledged by Kafka, by lane (light, heavy).",
    labels: &["lane"],
};
const BATCH_BYTES: Metric = Metric {
    name: "dispatcher_batch_bytes",
    help: "Announced bytes of a request acknowledged by Kafka, by lane (light, heavy).",
    labels: &["lane"],
};
const BATCH_DURATION: Metric = Metric {
    name: "dispatcher_batch_duration_seconds",
    help: "Time from a batch's first file to the acknowledgement of its request.",
    labels: &[],
};
const DEAD_LETTERS: Metric = Metric {
    name: "dispatcher_dead_letters_total",
    help: "Records set aside, by reason; counted when read.",
    labels: &["reason"],
};
const SEND_FAILURES: Metric = Metric {
    name: "dispatcher_send_failures_total",
    help: "Requests and dead letters that Kafka did not take; each is sent again.",
    labels: &["topic"],
};
const COMMIT_FAILURES: Metric = Metric {
    name: "dispatcher_commit_failures_total",
    help: "Commits of positions that failed; later ones cover them.",
    labels: &[],
};
const CONSUMER_ERRORS: Metric = Metric {
    name: "dispatcher_consumer_errors_total",
    help: "Errors of the consumer that it survives, a missing source topic among them.",
    labels: &[],
};
const OFFSET_RESETS: Metric = Metric {
    name: "dispatcher_offset_resets_total",
    help: "Positions in the source topic that could not be kept, by cause: records may be lost or read twice.",
    labels: &["cause"],
};
const SKIPPED: Metric = Metric {
    name: "dispatcher_skipped_records_total",
    help: "Offsets that retention deleted from the source topic before they were read.",
    labels: &[],
};
const READ_AGAIN: Metric = Metric {
    name: "dispatcher_read_again_total",
    help: "Records that an earlier owner of their partition had read, as of its last commit.",
    labels: &[],
};
const UNCOMMITTED: Metric = Metric {
    name: "dispatcher_uncommitted_offsets",
    help: "Offsets between the positions and what was read: no more is read again after a crash.",
    labels: &[],
};
const STUCK: Metric = Metric {
    name: "dispatcher_stuck",
    help: "1 while an outlet (light, heavy, dead-letters) takes nothing, and what it is given is let go of.",
    labels: &["outlet"],
};
const LET_GO: Metric = Metric {
    name: "dispatcher_let_go_total",
    help: "Announcements and dead letters that were let go of, to be read again.",
    labels: &[],
};
const OPEN_BATCHES: Metric =
    Metric { name: "dispatcher_open_batches", help: "Batches that still take files.", labels: &[] };
const HELD: Metric = Metric {
    name: "dispatcher_held_announcements",
    help: "Announcements in open and unacknowledged batches.",
    labels: &[],
};
const UNACKNOWLEDGED: Metric = Metric {
    name: "dispatcher_unacknowledged_messages",
    help: "Requests and dead letters that wait for Kafka's acknowledgement.",
    labels: &[],
};
const LAG: Metric = Metric {
    name: "dispatcher_lag_records",
    help: "Records of a partition behind its committed position, as librdkafka last knew.",
    labels: &["partition"],
};

/// Every metric of this service, for the documentation.
pub const METRICS: &[Metric] = &[
    RECORDS,
    ANNOUNCEMENTS,
    IGNORED,
    BATCHES,
    FILES,
    BATCH_FILES,
    BATCH_BYTES,
    BATCH_DURATION,
    DEAD_LETTERS,
    SEND_FAILURES,
    COMMIT_FAILURES,
    CONSUMER_ERRORS,
    OFFSET_RESETS,
    SKIPPED,
    READ_AGAIN,
    UNCOMMITTED,
    STUCK,
    LET_GO,
    OPEN_BATCHES,
    HELD,
    UNACKNOWLEDGED,
    LAG,
];

/// The values behind those names. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct DispatcherMetrics {
    pub records: IntCounter,
    pub announcements: IntCounter,
    ignored: IntCounterVec,
    batches: IntCounterVec,
    files: IntCounterVec,
    sizes: BatchSizes,
    pub batch_duration: Histogram,
    dead_letters: IntCounterVec,
    pub send_failures: IntCounterVec,
    pub commit_failures: IntCounter,
    pub consumer_errors: IntCounter,
    pub offset_resets: IntCounterVec,
    pub skipped: IntCounter,
    pub read_again: IntCounter,
    pub uncommitted: IntGauge,
    pub stuck: IntGaugeVec,
    pub let_go: IntCounter,
    pub open_batches: IntGauge,
    pub held: IntGauge,
    pub unacknowledged: IntGauge,
    pub lag: Lag,
    pub expectations: Expectations,
}

impl DispatcherMetrics {
    /// Registers them. Once in a process.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            records: metrics.counter(&RECORDS),
            announcements: metrics.counter(&ANNOUNCEMENTS),
            ignored: metrics.counters(&IGNORED),
            batches: metrics.counters(&BATCHES),
            files: metrics.counters(&FILES),
            sizes: BatchSizes::new(metrics, &BATCH_FILES, &BATCH_BYTES),
            batch_duration: metrics.histogram(&BATCH_DURATION, DURATION_BUCKETS),
            dead_letters: metrics.counters(&DEAD_LETTERS),
            send_failures: metrics.counters(&SEND_FAILURES),
            commit_failures: metrics.counter(&COMMIT_FAILURES),
            consumer_errors: metrics.counter(&CONSUMER_ERRORS),
            offset_resets: metrics.counters(&OFFSET_RESETS),
            skipped: metrics.counter(&SKIPPED),
            read_again: metrics.counter(&READ_AGAIN),
            uncommitted: metrics.gauge(&UNCOMMITTED),
            stuck: metrics.gauges(&STUCK),
            let_go: metrics.counter(&LET_GO),
            open_batches: metrics.gauge(&OPEN_BATCHES),
            held: metrics.gauge(&HELD),
            unacknowledged: metrics.gauge(&UNACKNOWLEDGED),
            lag: Lag::new(metrics, &LAG),
            expectations: Expectations::new(metrics),
        }
    }

    pub fn ignored(&self, reason: &str) {
        self.ignored.with_label_values(&[reason]).inc();
    }

    /// Kafka has acknowledged a request.
    pub fn dispatched(&self, lane: Lane, request: &IngestRequest) {
        self.batches.with_label_values(&[lane.as_str()]).inc();
        self.files.with_label_values(&[lane.as_str()]).inc_by(request.file_count() as u64);
        self.sizes.observe(lane, request);
    }

    /// A position could not be kept: tells and counts it.
    pub fn reset(&self, cause: Cause, partitions: &[Partition]) {
        self.offset_resets.with_label_values(&[cause.as_str()]).inc();
        let (name, meaning) = (cause.as_str(), cause.meaning());
        match cause {
            Cause::NewPartition | Cause::NoPosition => {
                tracing::warn!(cause = name, ?partitions, meaning, "no position in the source topic");
            }
            _ => tracing::error!(cause = name, ?partitions, meaning, "position in the source topic not kept"),
        }
    }

    /// Shows whether an outlet is stuck, and tells when that changes.
    pub fn stuck(&self, outlet: &str, is: bool) {
        let shown = self.stuck.with_label_values(&[outlet]);
        match (shown.get() == 1, is) {
            (false, true) => tracing::error!(
                outlet,
                "an outlet takes nothing: what it is given is let go of for now, and read again later"
            ),
            (true, false) => tracing::info!(outlet, "an outlet takes again what it is given"),
            _ => {}
        }
        shown.set(i64::from(is));
    }

    pub fn dead_letter(&self, reason: &str) {
        self.dead_letters.with_label_values(&[reason]).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::Utc;
    use ingest_core::RequestDefaults;
    use rdkafka::Statistics;
    use rdkafka::statistics::Topic;

    use super::*;

    #[test]
    fn the_list_is_what_is_registered() {
        let topic =
            Topic { partitions: [(0, rdkafka::statistics::Partition::default())].into(), ..Topic::default() };
        let statistics = Statistics { topics: [("t".to_owned(), topic)].into(), ..Statistics::default() };
        let metrics = Metrics::new();
        let own = DispatcherMetrics::new(&metrics);
        own.ignored("x");
        own.dead_letter("x");
        let request = br#"{"files": ["s3://b/k.csv"], "table": "db.t"}"#;
        let request = IngestRequest::from_json(request, &RequestDefaults::default(), Utc::now());
        own.dispatched(Lane::Heavy, &request.expect("valid"));
        own.send_failures.with_label_values(&["x"]).inc();
        own.offset_resets.with_label_values(&["x"]).inc();
        own.stuck.with_label_values(&["x"]).set(1);
        own.lag.assigned(&[0]);
        own.lag.told(&statistics, "t");
        let page = metrics.page();
        let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE event_ingest_"));
        let shown: BTreeSet<&str> = types.filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(shown, METRICS.iter().map(|metric| metric.name).collect());
    }
}
