//! The metrics of all services, as far as documentation is concerned.

use std::collections::BTreeSet;
use std::fs::read_to_string;

use event_ingest::standalone::{flow, reconcile};
use service_kit::intake;
use service_kit::metrics::{Metric, NAMESPACE};
use service_kit::rules;
use testkit::paths;

const OF_INTAKES: [Metric; 5] = [
    intake::REQUESTS,
    intake::IN_FLIGHT,
    intake::KAFKA_RETRIES,
    intake::KAFKA_COMMIT_FAILURES,
    intake::KAFKA_PAUSED,
];
const OF_WORKERS: [Metric; 6] = [
    light_worker::FILES,
    light_worker::ROWS,
    light_worker::BYTES,
    light_worker::DURATION,
    light_worker::LATENCY,
    light_worker::FAILURES,
];
const OF_LAUNCHERS: [Metric; 9] = [
    spark_launcher::RECORDS,
    spark_launcher::OLDEST,
    spark_launcher::ATTEMPTS,
    spark_launcher::GIVEN_UP,
    spark_launcher::CLOSED,
    spark_launcher::DURATION,
    spark_launcher::SCAN_FAILURES,
    spark_launcher::LAST_SCAN,
    spark_launcher::STALE_BRANCHES,
];
const OF_RULES: [Metric; 3] = [rules::RULES_LOADED, rules::RULES_ERRORS, rules::RULES_BROKEN];
const OF_STANDALONE: [Metric; 5] =
    [flow::ROWS, flow::HELD, flow::DEAD_LETTERS, reconcile::PASSES, reconcile::ANNOUNCED];

/// A row of a table there: name and labels.
fn row(metric: &Metric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("`{NAMESPACE}_{}` {}", metric.name, labels.join(", ")).trim_end().to_owned()
}

#[test]
fn alerts_speak_of_metrics_that_there_are() {
    let known: BTreeSet<String> =
        OF_LAUNCHERS.iter().map(|metric| format!("{NAMESPACE}_{}", metric.name)).collect();
    let alerts = read_to_string(paths::repository().join("deploy/alerts/heavy.yaml")).unwrap();
    let words = alerts.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let named: BTreeSet<&str> = words.filter(|word| word.starts_with(NAMESPACE)).collect();
    assert!(named.len() >= 3, "{named:?}");
    for name in named {
        assert!(known.contains(name), "{name} is no metric of the launcher");
    }
}

#[test]
fn the_page_has_every_metric_with_its_labels_and_no_other() {
    let ours = dispatcher::METRICS
        .iter()
        .chain(dispatcher::NOTIFY_METRICS)
        .chain(&OF_INTAKES)
        .chain(&OF_WORKERS)
        .chain(&OF_LAUNCHERS)
        .chain(&OF_STANDALONE)
        .chain(&OF_RULES);
    let ours: BTreeSet<String> = ours.map(row).collect();
    let page = read_to_string(paths::repository().join("docs/metrics.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let documented: BTreeSet<String> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            format!("{} {}", cells[1], cells[2]).trim_end().to_owned()
        })
        .collect();
    assert_eq!(documented, ours, "docs/metrics.md is on the left, the services are on the right");
}
