//! The services under a real Prometheus: whatever dashboards and alerts ask, it answers.

use std::collections::BTreeSet;
use std::fs::{read_to_string, write};

use serde_json::{Value, json};
use testkit::notifications::{Object, Producer};
use testkit::{ANY_PORT, Kafka, Program, Prometheus, eventually, paths};

use super::{files, name, rule_files};
use crate::bucket::{Lakehouse, Standalone, Stored, WITHIN};
use crate::pipeline::{Pipeline, TABLE};

/// What no service shows while all is well: such queries may be empty here.
const QUIET: [&str; 9] = [
    "_failures_total",
    "kafka_retries_total",
    "commit_attempts_total{outcome=\"conflict\"}",
    "commit_attempts_total{outcome=\"unknown\"}",
    "offset_resets_total",
    "heavy_attempts_total{outcome=~",
    // Only where a container has a limit.
    "memory_limit_bytes",
    // Of these some have none.
    "expected_interval_seconds",
    "expected_since_timestamp_seconds",
];

/// The queries of a dashboard.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn prometheus_answers_every_dashboard_and_alert() {
    let kafka = Kafka::shared().await;
    let folder = tempfile::tempdir().unwrap();
    // It is the bucket, and the standalone mode that is scraped: with a table of its own.
    let bucket = Standalone::start(folder.path(), &["--batch-wait", "100ms"]).await;
    let lakehouse = Lakehouse::new();
    let pipeline = Pipeline::new(kafka).await;
    let source = &paths::example_files()[0];
    let rules = folder.path().join("rules.yaml");
    write(&rules, format!("rules: [{{match: {{prefix: incoming/}}, table: {TABLE}, expect-every: 1h}}]"))
        .unwrap();

    let options = ["--batch-max-wait", "200ms", "--notify-listen", ANY_PORT];
    let mut dispatcher = pipeline.start_by(&["--rules", rules.to_str().unwrap()], &options);
    let dispatcher_url = dispatcher.serving().await;
    let mut worker = pipeline.worker(&bucket, &lakehouse).await;
    let worker_url = worker.serving().await;
    let (launcher, launcher_url) = launcher(&pipeline, &bucket, &lakehouse).await;

    let good = Stored::put(&bucket, "incoming/good.parquet", source).await;
    let object = good.object(&bucket.endpoint.bucket);
    kafka.send(&pipeline.events, Producer::Ceph.created(&object)).await;
    kafka.send(&pipeline.events, Producer::Ceph.removed(&object)).await;
    let webhook = dispatcher.said("taking notifications", "address").await;
    let client = reqwest::Client::new();
    let notified = client.post(format!("http://{webhook}/notify")).body(Producer::Minio.created(&object));
    assert!(notified.send().await.unwrap().status().is_success());
    // All is well but for this: a record that is none, a file that is none.
    kafka.send(&pipeline.events, "this is no notification").await;
    let bad = bucket.put("incoming/bad.parquet", "this is no parquet").await;
    let bad = Object { key: "incoming/bad.parquet", size: 18, etag: &bad, ..object };
    kafka.send(&pipeline.events, Producer::Ceph.created(&bad)).await;
    pipeline.answers().await;
    let heavy =
        json!({"files": [format!("s3://{}/{}", bucket.endpoint.bucket, good.key)], "table": "db.heavy"});
    kafka.send(&pipeline.heavy, heavy.to_string()).await;

    let services = [
        ("dispatcher", dispatcher_url.as_str()),
        ("light-worker", &worker_url),
        ("spark-launcher", &launcher_url),
        ("standalone", &bucket.endpoint.admin_url),
    ];
    let prometheus = Prometheus::start(&services, &rule_files()).await;
    // Rates take two looks; what is counted only now and then has to be there.
    let looked = [
        "count(up == 1) == 4 and on () min(count_over_time(up[5m])) >= 2",
        "count(event_ingest_dispatcher_lag_records) > 0",
        "count(count by (job) (event_ingest_kafka_lag_records)) == 2",
        "count(count_over_time(event_ingest_heavy_closed_total[5m]) >= 2) > 0",
    ];
    for query in looked {
        eventually(&format!("there is something to see: {query}"), WITHIN, async || {
            prometheus.query(query).await.is_ok_and(|series| !series.is_empty()).then_some(())
        })
        .await;
    }

    for path in files("deploy/platform/monitoring/helm/dashboards", "json") {
        let dashboard: Value = serde_json::from_str(&read_to_string(&path).unwrap()).unwrap();
        for query in queries(&dashboard) {
            let series = prometheus.query(&query).await;
            let series = series.unwrap_or_else(|error| panic!("{}: {query}: {error}", name(&path)));
            let quiet = QUIET.iter().any(|quiet| query.contains(quiet));
            assert!(quiet || !series.is_empty(), "{}: nothing comes of {query}", name(&path));
        }
    }

    let expected = BTreeSet::from(["EventIngestDeadLetters".to_owned(), "EventIngestQuarantine".to_owned()]);
    let mut seen = BTreeSet::new();
    eventually("the alerts for what is bad fire, and no others", WITHIN, async || {
        let rules = prometheus.ask("rules", &[]).await.unwrap();
        seen = evaluated(&rules)?;
        (seen == expected).then_some(())
    })
    .await;

    for program in [dispatcher, worker, launcher] {
        assert!(program.terminate().await.success());
    }
    bucket.stop().await;
}

/// The alerts that fire; none while not all of them were evaluated.
fn evaluated(rules: &Value) -> Option<BTreeSet<String>> {
    let groups = rules["groups"].as_array().unwrap().iter();
    let mut firing = BTreeSet::new();
    for rule in groups.flat_map(|group| group["rules"].as_array().unwrap()) {
        let alert = rule["name"].as_str().unwrap();
        match rule["health"].as_str() {
            Some("ok") => {}
            Some("unknown") => return None,
            _ => panic!("{alert} cannot be evaluated: {}", rule["lastError"]),
        }
        if rule["state"] == "firing" {
            firing.insert(alert.to_owned());
        }
    }
    Some(firing)
}

/// A launcher that reads by itself, the requests from Kafka.
async fn launcher(pipeline: &Pipeline<'_>, bucket: &Standalone, lakehouse: &Lakehouse) -> (Program, String) {
    let group = format!("{}-launcher", pipeline.group);
    let mut arguments = lakehouse.worker_arguments(bucket);
    let own = ["--backend", "inline", "--listen", ANY_PORT, "--scan-interval", "200ms"];
    let kafka = ["--source", "kafka", "--topic", &pipeline.heavy, "--group", &group];
    let dead = ["--dead-letter-topic", &pipeline.dead];
    arguments.extend(own.iter().chain(&kafka).chain(&dead).map(|argument| (*argument).to_owned()));
    let mut program = Program::start("spark-launcher", arguments, pipeline.environment());
    let url = program.serving().await;
    (program, url)
}
