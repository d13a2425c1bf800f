//! The metrics of the webhook.

use prometheus::{IntCounterVec, IntGauge};
use service_kit::metrics::{Metric, Metrics};

const REQUESTS: Metric = Metric {
    name: "dispatcher_notify_requests_total",
    help: "Requests to the webhook by outcome (done; invalid, unauthorized, too_large: refused for good; timed_out, busy, unavailable: to be sent again).",
    labels: &["outcome"],
};
const IN_FLIGHT: Metric = Metric {
    name: "dispatcher_notify_in_flight",
    help: "Requests to the webhook that are not answered.",
    labels: &[],
};

/// Every metric of the webhook, for the documentation.
pub const NOTIFY_METRICS: &[Metric] = &[REQUESTS, IN_FLIGHT];

#[derive(Debug)]
pub(super) struct NotifyMetrics {
    requests: IntCounterVec,
    in_flight: IntGauge,
}

impl NotifyMetrics {
    pub fn new(metrics: &Metrics) -> Self {
        Self { requests: metrics.counters(&REQUESTS), in_flight: metrics.gauge(&IN_FLIGHT) }
    }

    pub fn answered(&self, outcome: &str) {
        self.requests.with_label_values(&[outcome]).inc();
    }

    /// Counts a request until the guard is dropped.
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }
}

pub(super) struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
