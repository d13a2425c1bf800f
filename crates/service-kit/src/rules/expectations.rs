//! Which tables should get files how often, and when the last went their way: so that an alert tells of a producer that
//! has fallen silent, which no service can see by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ingest_core::{RuleSet, TableName};
use prometheus::IntGaugeVec;

use crate::metrics::{Metric, Metrics, TableLabels};

/// What the rules expect.
pub const EXPECTED_INTERVAL: Metric = Metric {
    name: "table_expected_interval_seconds",
    help: "Longest time without a file that the rules allow (expect-every), for each table of which they say it.",
    labels: &["table"],
};
/// Since when.
pub const EXPECTED_SINCE: Metric = Metric {
    name: "table_expected_since_timestamp_seconds",
    help: "Since when this process expects files of the table: its start, or the change of its rules.",
    labels: &["table"],
};
/// When files went their way.
pub const LAST_REQUEST: Metric = Metric {
    name: "table_last_request_timestamp_seconds",
    help: "When files for the table were last handed on in a request.",
    labels: &["table"],
};

/// The gauges behind those names. Clones share them.
#[derive(Debug, Clone)]
pub struct Expectations {
    interval: IntGaugeVec,
    since: IntGaugeVec,
    last: IntGaugeVec,
    labels: TableLabels,
    shown: Arc<Mutex<BTreeMap<TableName, Duration>>>,
}

impl Expectations {
    /// Registers them. Once in a process.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            interval: metrics.gauges(&EXPECTED_INTERVAL),
            since: metrics.gauges(&EXPECTED_SINCE),
            last: metrics.gauges(&LAST_REQUEST),
            labels: TableLabels::default(),
            shown: Arc::default(),
        }
    }

    /// Shows what the rules expect now. Of tables beyond [`MAX_TABLES`](crate::metrics::MAX_TABLES) nothing is shown.
    pub fn show(&self, rules: &RuleSet, now: DateTime<Utc>) {
        let expected = rules.expected();
        let mut shown = self.shown.lock().expect("no holder of this lock panics");
        if *shown == expected {
            return;
        }
        for (table, every) in &expected {
            let Some(label) = self.labels.own(table) else { continue };
            let seconds = i64::try_from(every.as_secs()).unwrap_or(i64::MAX);
            self.interval.with_label_values(&[&label]).set(seconds);
            if !shown.contains_key(table) {
                self.since.with_label_values(&[&label]).set(now.timestamp());
            }
        }
        for table in shown.keys().filter(|table| !expected.contains_key(table)) {
            // What was never shown, being one too many, is not there to be removed.
            let label = table.to_string();
            let _ = (self.interval.remove_label_values(&[&label]), self.since.remove_label_values(&[&label]));
        }
        *shown = expected;
    }

    /// Files for a table were handed on.
    pub fn requested(&self, table: &TableName, now: DateTime<Utc>) {
        self.last.with_label_values(&[&self.labels.label(table)]).set(now.timestamp());
    }
}

#[cfg(test)]
mod tests {
    use ingest_core::rules;

    use super::*;

    #[test]
    fn what_is_expected_follows_the_rules() {
        let metrics = Metrics::new();
        let expectations = Expectations::new(&metrics);
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
        let rules = |text: &str| rules::read(text).expect("rules");
        let both =
            "rules: [{match: {prefix: a/}, table: db.a, expect-every: 1h}, {table: db.b, expect-every: 5m}]";
        expectations.show(&rules(both), at(100));
        expectations.show(&rules("rules: [{table: db.a, expect-every: 2h}]"), at(200));
        expectations.requested(&"db.a".parse().expect("a name"), at(300));
        let page = metrics.page();
        let shown: Vec<&str> = page.lines().filter(|line| line.starts_with("event_ingest_table_")).collect();
        assert_eq!(
            shown,
            [
                "event_ingest_table_expected_interval_seconds{table=\"db.a\"} 7200",
                "event_ingest_table_expected_since_timestamp_seconds{table=\"db.a\"} 100",
                "event_ingest_table_last_request_timestamp_seconds{table=\"db.a\"} 300",
            ]
        );
    }
}
