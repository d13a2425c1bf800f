//! The metrics of the flow; those of the requests themselves are the light worker's.

use prometheus::{IntCounter, IntGauge};
use service_kit::metrics::{Metric, Metrics};

/// Announcements read from the inbox.
pub const ROWS: Metric =
    Metric { name: "inbox_rows_total", help: "Announcements taken in from the inbox.", labels: &[] };
/// Files that are not done.
pub const HELD: Metric = Metric {
    name: "inbox_held_files",
    help: "Files in open batches and in requests that are not done.",
    labels: &[],
};
/// What was set aside.
pub const DEAD_LETTERS: Metric = Metric {
    name: "inbox_dead_letters_total",
    help: "Announcements and requests that were set aside with a reason.",
    labels: &[],
};

/// The counters behind those names.
#[derive(Debug, Clone)]
pub struct FlowMetrics {
    pub(super) rows: IntCounter,
    pub(super) held: IntGauge,
    pub(super) dead_letters: IntCounter,
}

impl FlowMetrics {
    /// Registers them. Once in a process.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            rows: metrics.counter(&ROWS),
            held: metrics.gauge(&HELD),
            dead_letters: metrics.counter(&DEAD_LETTERS),
        }
    }
}
