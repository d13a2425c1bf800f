//! Rules of a file: the real dispatcher reads them again when they change.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use testkit::kafka::{Kafka, Received};
use testkit::notifications::{Object, Producer};
use testkit::{ANY_PORT, Program, eventually};

use crate::bucket::WITHIN;
use crate::metrics::{assert_documented, metric};
use crate::pipeline::Pipeline;

/// Batches of `slow/` stay open for longer than any test; all else goes out at once.
const BEFORE: &str = "
unmatched: dead-letter
rules:
  - match: {prefix: slow/}
    table: db.slow
    batch: {max-wait: 1h}
  - match: {regex: 'in/(?<table>[^/]*)/.*'}
    table: db.${table}
    options: {verify: decode}
    batch: {max-files: 1}
";
/// Not a word of `slow/`.
const AFTER: &str = "
rules:
  - match: {prefix: in/}
    table: db.after
    batch: {max-files: 1}
    light: {max-bytes: 10}
";

/// A folder as Kubernetes mounts a ConfigMap: the file is a link through a link, and a change sets the latter anew.
struct ConfigMap {
    folder: tempfile::TempDir,
    version: u32,
}

impl ConfigMap {
    fn new(rules: &str) -> Self {
        let mut map = Self { folder: tempfile::tempdir().unwrap(), version: 0 };
        symlink(Path::new("..data/rules.yaml"), map.file()).unwrap();
        map.change(rules);
        map
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("rules.yaml")
    }

    fn change(&mut self, rules: &str) {
        self.version += 1;
        let (name, folder) = (self.version.to_string(), self.folder.path());
        fs::create_dir(folder.join(&name)).unwrap();
        fs::write(folder.join(&name).join("rules.yaml"), rules).unwrap();
        symlink(&name, folder.join("..new")).unwrap();
        fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    }
}

fn dispatcher(pipeline: &Pipeline<'_>, rules: &Path) -> Program {
    let arguments = [
        "--listen",
        ANY_PORT,
        "--topic",
        &pipeline.events,
        "--light-topic",
        &pipeline.light,
        "--heavy-topic",
        &pipeline.heavy,
        "--dead-letter-topic",
        &pipeline.dead,
        "--group",
        &pipeline.group,
        "--rules",
        rules.to_str().unwrap(),
    ];
    let environment = [("KAFKA_BOOTSTRAP_SERVERS", pipeline.kafka.bootstrap()), ("LOG_FORMAT", "json")];
    Program::start("dispatcher", arguments, environment)
}

fn created(key: &str) -> Vec<u8> {
    Producer::Ceph.created(&Object { bucket: "inbox", key, size: 10, etag: "e", version_id: None })
}

/// The tables of requests, sorted: partitions have no order among them.
fn tables(records: &[Received]) -> Vec<&str> {
    let mut tables: Vec<&str> = records.iter().filter_map(|record| record.header("ce_subject")).collect();
    tables.sort_unstable();
    tables
}

/// Waits until a series has the value.
async fn reached(url: &str, series: &str, value: f64) {
    eventually(&format!("{series} is {value}"), WITHIN, async || {
        (metric(url, series).await == Some(value)).then_some(())
    })
    .await;
}

/// Waits until so many requests are there.
async fn requests(pipeline: &Pipeline<'_>, topic: &str, count: usize) -> Vec<Received> {
    pipeline.kafka.consume_until(topic, WITHIN, |records| records.len() >= count).await
}

#[tokio::test]
async fn changed_rules_hold_from_the_next_record_on_and_no_batch_is_lost() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    let mut rules = ConfigMap::new(BEFORE);
    let mut program = dispatcher(&pipeline, &rules.file());
    let url = program.serving().await;
    assert_documented(&url).await;

    for key in ["slow/a.csv", "in/flights/a.csv", "in/no.name/a.csv", "elsewhere/a.csv"] {
        kafka.send(&pipeline.events, created(key)).await;
    }
    let light = requests(&pipeline, &pipeline.light, 1).await;
    assert_eq!(tables(&light), ["db.flights"]);
    let request: serde_json::Value = serde_json::from_slice(&light[0].value).unwrap();
    assert_eq!(request["options"]["verify"], "decode");
    let dead = requests(&pipeline, &pipeline.dead, 2).await;
    let mut reasons: Vec<&str> =
        dead.iter().filter_map(|record| record.header("dead-letter-reason")?.split(':').next()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["bad-table-name", "no-rule"]);
    reached(&url, "event_ingest_dispatcher_open_batches", 1.0).await;

    // Two broken states: not YAML, and no file. The old rules hold.
    rules.change("rules: [{tabel: db.t}]");
    reached(&url, "event_ingest_rules_broken", 1.0).await;
    fs::remove_file(rules.folder.path().join("..data")).unwrap();
    reached(&url, "event_ingest_rules_errors_total", 2.0).await;
    kafka.send(&pipeline.events, created("in/still/a.csv")).await;
    let light = requests(&pipeline, &pipeline.light, 2).await;
    assert_eq!(tables(&light), ["db.flights", "db.still"]);

    rules.change(AFTER);
    reached(&url, "event_ingest_rules_broken", 0.0).await;
    kafka.send(&pipeline.events, created("in/flights/b.csv")).await;
    kafka.send(&pipeline.events, created("slow/b.csv")).await;
    // What is light is the rule's to say as well.
    assert_eq!(tables(&requests(&pipeline, &pipeline.heavy, 1).await), ["db.after"]);
    reached(&url, "event_ingest_dispatcher_ignored_total{reason=\"no-rule\"}", 1.0).await;

    // The batch that was opened by the old rules is still open, and goes out to the table that they named.
    reached(&url, "event_ingest_dispatcher_open_batches", 1.0).await;
    let status = program.terminate().await;
    assert!(status.success(), "{status}");
    let light = kafka.records(&pipeline.light).await;
    assert_eq!(tables(&light).iter().filter(|table| **table == "db.slow").count(), 1, "{light:#?}");
    assert_eq!(light.len(), 3, "{light:#?}");
    pipeline.caught_up().await;
}

#[tokio::test]
async fn a_file_that_is_broken_at_the_start_is_a_failure() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    let rules = ConfigMap::new("rules:\n  - table: events\n");
    let (status, log) = dispatcher(&pipeline, &rules.file()).exited().await;
    assert!(!status.success(), "{log}");
    assert!(log.contains("rules.yaml: line 2: rule 1: table \"events\" is no table name"), "{log}");
}
