//! The metrics of this service.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use service_kit::metrics::{DURATION_BUCKETS, Metric, Metrics};

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
    help: "Positions that were gone from the source topic: records may be lost or read twice.",
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
    BATCH_DURATION,
    DEAD_LETTERS,
    SEND_FAILURES,
    COMMIT_FAILURES,
    CONSUMER_ERRORS,
    OFFSET_RESETS,
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
    pub batches: IntCounterVec,
    pub files: IntCounterVec,
    pub batch_duration: Histogram,
    dead_letters: IntCounterVec,
    pub send_failures: IntCounterVec,
    pub commit_failures: IntCounter,
    pub consumer_errors: IntCounter,
    pub offset_resets: IntCounter,
    pub open_batches: IntGauge,
    pub held: IntGauge,
    pub unacknowledged: IntGauge,
    pub lag: IntGaugeVec,
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
            batch_duration: metrics.histogram(&BATCH_DURATION, DURATION_BUCKETS),
            dead_letters: metrics.counters(&DEAD_LETTERS),
            send_failures: metrics.counters(&SEND_FAILURES),
            commit_failures: metrics.counter(&COMMIT_FAILURES),
            consumer_errors: metrics.counter(&CONSUMER_ERRORS),
            offset_resets: metrics.counter(&OFFSET_RESETS),
            open_batches: metrics.gauge(&OPEN_BATCHES),
            held: metrics.gauge(&HELD),
            unacknowledged: metrics.gauge(&UNACKNOWLEDGED),
            lag: metrics.gauges(&LAG),
        }
    }

    pub fn ignored(&self, reason: &str) {
        self.ignored.with_label_values(&[reason]).inc();
    }

    pub fn dead_letter(&self, reason: &str) {
        self.dead_letters.with_label_values(&[reason]).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_list_is_what_is_registered() {
        let metrics = Metrics::new();
        let own = DispatcherMetrics::new(&metrics);
        own.ignored("x");
        own.dead_letter("x");
        for lane in ["light", "heavy"] {
            own.batches.with_label_values(&[lane]).inc();
            own.files.with_label_values(&[lane]).inc();
        }
        own.send_failures.with_label_values(&["x"]).inc();
        own.lag.with_label_values(&["0"]).set(1);
        let page = metrics.page();
        let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE event_ingest_"));
        let shown: BTreeSet<&str> = types.filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(shown, METRICS.iter().map(|metric| metric.name).collect());
    }
}
