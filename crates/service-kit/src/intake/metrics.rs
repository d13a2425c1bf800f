//! Metrics of both intakes.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::Reply;
use crate::kafka::Lag;
use crate::metrics::{Metric, Metrics};

/// Requests by the way they came in and by outcome.
pub const REQUESTS: Metric = Metric {
    name: "requests_total",
    help: "Answers to requests, by intake (http, kafka) and outcome (done, accepted; invalid, forbidden, too_large, unsupported: on Kafka a dead letter; timed_out, busy, unavailable: to be tried again).",
    labels: &["intake", "outcome"],
};
/// Requests being worked on.
pub const IN_FLIGHT: Metric = Metric {
    name: "requests_in_flight",
    help: "Requests taken in and not yet answered, by intake.",
    labels: &["intake"],
};
/// Records that had to be tried again. Rising without end means that a partition stands still.
pub const KAFKA_RETRIES: Metric = Metric {
    name: "kafka_retries_total",
    help: "Further attempts on a Kafka record, by stage (handle: the work itself; produce: its answer or dead letter). Rising without end: a partition stands still.",
    labels: &["stage"],
};
/// Commits of offsets that failed.
pub const KAFKA_COMMIT_FAILURES: Metric = Metric {
    name: "kafka_commit_failures_total",
    help: "Offset commits that Kafka refused; the records may be delivered again.",
    labels: &[],
};
/// Whether the intake stands still.
pub const KAFKA_PAUSED: Metric = Metric {
    name: "kafka_paused",
    help: "1 while no Kafka record is fetched, because as many as allowed have been in flight for a while.",
    labels: &[],
};
/// How far the intake is behind.
pub const KAFKA_LAG: Metric = Metric {
    name: "kafka_lag_records",
    help: "Records of a partition behind its committed position, as librdkafka last knew.",
    labels: &["partition"],
};

/// The metrics of both intakes of a process. Make it once, and clone it.
#[derive(Debug, Clone)]
pub struct IntakeMetrics {
    requests: IntCounterVec,
    in_flight: IntGaugeVec,
    pub(crate) kafka_retries: IntCounterVec,
    pub(crate) kafka_commit_failures: IntCounter,
    pub(crate) kafka_paused: IntGauge,
    pub(crate) kafka_lag: Lag,
}

impl IntakeMetrics {
    /// Registers them.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            requests: metrics.counters(&REQUESTS),
            in_flight: metrics.gauges(&IN_FLIGHT),
            kafka_retries: metrics.counters(&KAFKA_RETRIES),
            kafka_commit_failures: metrics.counter(&KAFKA_COMMIT_FAILURES),
            kafka_paused: metrics.gauge(&KAFKA_PAUSED),
            kafka_lag: Lag::new(metrics, &KAFKA_LAG),
        }
    }

    pub(crate) fn answered(&self, intake: &str, reply: &Reply) {
        self.requests.with_label_values(&[intake, reply.outcome()]).inc();
    }

    /// Counts a request as in flight until the guard is dropped.
    pub(crate) fn in_flight(&self, intake: &str) -> InFlight {
        let gauge = self.in_flight.with_label_values(&[intake]);
        gauge.inc();
        InFlight(gauge)
    }
}

/// A request that is in flight as long as this lives.
pub(crate) struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
