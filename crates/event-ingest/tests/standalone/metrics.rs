//! The metrics of all services have one name each: in the code, in the documentation, in dashboards and in alerts.

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use event_ingest::standalone::{flow, reconcile};
use service_kit::metrics::{MEMORY_LIMIT, Metric, NAMESPACE};
use service_kit::{intake, rules};
use testkit::paths;

static OF_INTAKES: [Metric; 6] = [
    intake::REQUESTS,
    intake::IN_FLIGHT,
    intake::KAFKA_RETRIES,
    intake::KAFKA_COMMIT_FAILURES,
    intake::KAFKA_PAUSED,
    intake::KAFKA_LAG,
];
static OF_LAUNCHERS: [Metric; 9] = [
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
static OF_RULES: [Metric; 6] = [
    rules::RULES_LOADED,
    rules::RULES_ERRORS,
    rules::RULES_BROKEN,
    rules::EXPECTED_INTERVAL,
    rules::EXPECTED_SINCE,
    rules::LAST_REQUEST,
];
static OF_STANDALONE: [Metric; 10] = [
    flow::ROWS,
    flow::HELD,
    flow::OPEN_BATCHES,
    flow::BATCH_FILES,
    flow::BATCH_BYTES,
    flow::WAITING,
    flow::OLDEST,
    flow::DEAD_LETTERS,
    reconcile::PASSES,
    reconcile::ANNOUNCED,
];

fn all() -> impl Iterator<Item = &'static Metric> {
    let services = dispatcher::METRICS.iter().chain(dispatcher::NOTIFY_METRICS).chain(lake_metrics::METRICS);
    let shared = OF_INTAKES.iter().chain(&OF_LAUNCHERS).chain(&OF_STANDALONE).chain(&OF_RULES);
    services.chain(shared).chain([&MEMORY_LIMIT])
}

/// A row of a table there: name and labels.
fn row(metric: &Metric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("`{NAMESPACE}_{}` {}", metric.name, labels.join(", ")).trim_end().to_owned()
}

/// The files of a folder of the repository.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = paths::repository().join(folder).read_dir().unwrap();
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

/// The metrics of ours that a text names, without what Prometheus appends to those of histograms.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let ours = words.filter_map(|word| word.strip_prefix(NAMESPACE)?.strip_prefix('_'));
    let histogram = |name: &str| {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        family.filter(|family| all().any(|metric| metric.name == *family)).map(str::to_owned)
    };
    ours.map(|name| histogram(name).unwrap_or_else(|| name.to_owned())).collect()
}

/// Asserts that what a file names exists.
fn assert_known(path: &Path) -> BTreeSet<String> {
    let named = named(&read_to_string(path).unwrap());
    for name in &named {
        assert!(all().any(|metric| metric.name == name), "{}: no metric is called {name}", path.display());
    }
    named
}

#[test]
fn alerts_and_runbooks_speak_of_metrics_that_there_are() {
    for path in files("deploy/alerts") {
        assert!(!assert_known(&path).is_empty(), "{} asks for nothing", path.display());
    }
    for path in files("docs/runbooks") {
        assert_known(&path);
    }
}

#[test]
fn dashboards_show_every_metric_and_no_other() {
    let dashboards = files("deploy/platform/monitoring/helm/dashboards");
    let shown: BTreeSet<String> = dashboards.iter().flat_map(|path| assert_known(path)).collect();
    for metric in all() {
        assert!(shown.contains(metric.name), "no dashboard shows {}", metric.name);
    }
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let mut alerts = BTreeSet::new();
    for path in files("deploy/alerts") {
        let text = read_to_string(&path).unwrap();
        for alert in text.split("- alert: ").skip(1) {
            let name = alert.lines().next().unwrap().trim().to_owned();
            let runbook = format!("runbook_url: docs/runbooks/{name}.md\n");
            for part in [runbook.as_str(), "summary: ", "description: ", "severity: "] {
                assert!(alert.contains(part), "{name} has no {part}");
            }
            assert!(alerts.insert(name.clone()), "two alerts are called {name}");
        }
    }
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let runbooks: BTreeSet<String> = files("docs/runbooks").iter().map(stem).collect();
    assert_eq!(runbooks, alerts, "docs/runbooks is on the left, deploy/alerts is on the right");
}

#[test]
fn the_page_has_every_metric_with_its_labels_and_no_other() {
    let ours: BTreeSet<String> = all().map(row).collect();
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
