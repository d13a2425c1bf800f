//! The metrics of the flow; those of the requests themselves are the light worker's.

use std::time::Duration;

use chrono::Utc;
use prometheus::{IntCounter, IntGauge};
use service_kit::metrics::{BatchSizes, Metric, Metrics};
use service_kit::rules::{Expectations, LiveRules};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::standalone::inbox::{Backlog, Inbox};

/// How often the inbox is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Announcements read from the inbox.
pub const ROWS: Metric =
    Metric { name: "inbox_rows_total", help: "Announcements taken in from the inbox.", labels: &[] };
/// Files that are not done.
pub const HELD: Metric = Metric {
    name: "inbox_held_files",
    help: "Files in open batches and in requests that are not done.",
    labels: &[],
};
/// Batches that still take files.
pub const OPEN_BATCHES: Metric =
    Metric { name: "inbox_open_batches", help: "Batches that still take files.", labels: &[] };
/// Files of a batch.
pub const BATCH_FILES: Metric = Metric {
    name: "inbox_batch_files",
    help: "Files of a batch that became a request, by lane (light, heavy).",
    labels: &["lane"],
};
/// Bytes of a batch.
pub const BATCH_BYTES: Metric = Metric {
    name: "inbox_batch_bytes",
    help: "Announced bytes of a batch that became a request, by lane (light, heavy).",
    labels: &["lane"],
};
/// Announcements that are not done.
pub const WAITING: Metric = Metric {
    name: "inbox_waiting_rows",
    help: "Announcements in the inbox that are not dealt with, those in open batches and requests among them.",
    labels: &[],
};
/// How long the oldest waits.
pub const OLDEST: Metric = Metric {
    name: "inbox_oldest_row_age_seconds",
    help: "Age of the oldest announcement that is not dealt with; 0 if there is none.",
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
    pub(super) open_batches: IntGauge,
    pub(super) sizes: BatchSizes,
    pub(super) dead_letters: IntCounter,
    pub(super) expectations: Expectations,
    waiting: IntGauge,
    oldest: IntGauge,
}

impl FlowMetrics {
    /// Registers them. Once in a process.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            rows: metrics.counter(&ROWS),
            held: metrics.gauge(&HELD),
            open_batches: metrics.gauge(&OPEN_BATCHES),
            sizes: BatchSizes::new(metrics, &BATCH_FILES, &BATCH_BYTES),
            dead_letters: metrics.counter(&DEAD_LETTERS),
            expectations: Expectations::new(metrics),
            waiting: metrics.gauge(&WAITING),
            oldest: metrics.gauge(&OLDEST),
        }
    }

    /// Looks at the inbox and the rules each second until `stop` is cancelled: also while the flow waits for a request.
    pub async fn watch(self, inbox: Inbox, rules: LiveRules, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = Utc::now();
            self.expectations.show(&rules.current(), now);
            match inbox.backlog().await {
                Ok(Backlog { rows, oldest }) => {
                    self.waiting.set(rows);
                    self.oldest.set(oldest.map_or(0, |arrived| (now - arrived).num_seconds().max(0)));
                }
                Err(error) => tracing::debug!(%error, "the inbox cannot be counted"),
            }
        }
    }
}
