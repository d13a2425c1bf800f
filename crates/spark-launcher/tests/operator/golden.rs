//! Applications as they go out, in files. `UPDATE_GOLDEN=1` writes them anew; what changed is for eyes to judge.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::DateTime;
use ingest_core::{FileFormat, IngestRequest, ObjectHint, ObjectUri, RequestedObject, TableName};
use serde_json::Value;
use spark_launcher::operator::{
    DIGEST_ANNOTATION, OperatorConfig, Sizing, Template, application, content_digest,
};
use spark_launcher::{Attempt, AttemptName};

use crate::definition::definition;

const APPLICATIONS: &str = "sparkapplications.sparkoperator.k8s.io.yaml";

/// Etcd takes objects of up to 1.5 MiB; the arguments of a process are fewer.
const LARGEST_APPLICATION: usize = 16 << 10;

fn config(template: &str) -> OperatorConfig {
    OperatorConfig {
        namespace: None,
        image: Some("event-ingest-spark:1".to_owned()),
        spark_version: "4.1.4".to_owned(),
        main_file: "local:///opt/event-ingest/main.py".to_owned(),
        time_to_live: Duration::from_secs(3 * 86_400),
        sizing: Sizing::default(),
        environment: BTreeMap::from([("PUBLISHER_URL".to_owned(), "http://light-worker".to_owned())]),
        environment_secrets: vec!["warehouse-credentials".to_owned()],
        template: Template::parse(template).unwrap(),
    }
}

fn attempt(table: &str, objects: Vec<(String, u64)>, number: u32) -> Attempt {
    let objects = objects.into_iter().map(|(key, size)| RequestedObject {
        uri: ObjectUri::parse(&format!("s3://events-inbox/{key}")).unwrap(),
        hint: ObjectHint { size: Some(size), ..ObjectHint::default() },
    });
    let table = TableName::parse(table).unwrap();
    let objects = objects.collect();
    let request =
        IngestRequest::new(table, FileFormat::Parquet, BTreeMap::new(), objects, DateTime::UNIX_EPOCH);
    let record_id = request.request_id.clone();
    let document = format!("s3://warehouse/_event_ingest/heavy/records/{record_id}/attempt-{number}.json");
    Attempt { name: AttemptName { record_id, number }, request, document }
}

fn small() -> Attempt {
    attempt("db.my_table", vec![("incoming/a.parquet".to_owned(), 600_000_000)], 1)
}

fn keys(count: usize, length: usize, size: u64) -> Vec<(String, u64)> {
    (0..count).map(|n| (format!("{n:0>length$}"), size)).collect()
}

const TEMPLATE: &str = include_str!("template.yaml");

fn cases() -> Vec<(&'static str, Attempt, OperatorConfig)> {
    vec![
        ("small", small(), config("{}")),
        ("big", attempt("db.my_table", keys(2_000, 40, 64 << 20), 2), config("{}")),
        ("template", small(), config(TEMPLATE)),
        ("long-keys", attempt("db.my_table", keys(10_000, 1_000, 1 << 20), 1), config("{}")),
        ("odd-table", attempt("db.Größe & Ähnliches.t\"x", keys(1, 10, 1), 3), config("{}")),
    ]
}

#[test]
fn applications_are_what_they_were() {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells tests where their package is");
    let folder = PathBuf::from(package).join("tests/golden");
    for (name, attempt, config) in cases() {
        let built = application(&attempt, "eventing-demo", &config);
        let text = serde_json::to_string_pretty(&built).unwrap() + "\n";
        assert!(text.len() < LARGEST_APPLICATION, "{name} has {} bytes", text.len());
        let file = folder.join(format!("application-{name}.json"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let golden =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let golden: Value = serde_json::from_str(&golden).unwrap();
        assert_eq!(built, golden, "{name}");
    }
}

#[test]
fn applications_are_as_the_operator_defines_them() {
    let Some(definition) = definition(APPLICATIONS) else { return };
    for (name, attempt, config) in cases() {
        let faults = definition.faults(&application(&attempt, "eventing-demo", &config));
        assert_eq!(faults, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn no_template_changes_what_makes_an_application_right() {
    let hostile = r#"
metadata:
  name: mine
  namespace: elsewhere
  labels: {eventingest.dev/request-id: forged, app.kubernetes.io/managed-by: me}
  annotations: {eventingest.dev/content-digest: forged}
spec:
  type: Scala
  mode: client
  mainApplicationFile: local:///mine.py
  arguments: [mine, other]
  restartPolicy: {type: Always, onFailureRetryInterval: 1}
  timeToLiveSeconds: 100000000
  driver:
    labels: {sidecar.istio.io/inject: "true"}
    env: [{name: PUBLISHER_URL, value: "http://elsewhere"}]
"#;
    let attempt = small();
    let plain = application(&attempt, "eventing-demo", &config("{}"));
    let built = application(&attempt, "eventing-demo", &config(hostile));
    assert_eq!(built, plain);
}

/// The number of executors is one decision, of which the template takes all or nothing.
#[test]
fn a_template_that_counts_executors_counts_them_alone() {
    let build = |template| application(&small(), "eventing-demo", &config(template))["spec"].clone();
    let fixed = build("spec: {executor: {instances: 3}}");
    assert_eq!(
        (&fixed["executor"]["instances"], &fixed["dynamicAllocation"]),
        (&Value::from(3), &Value::Null)
    );
    let dynamic = build("spec: {dynamicAllocation: {enabled: true, maxExecutors: 2}}");
    assert_eq!(dynamic["executor"]["instances"], Value::Null);
    assert_eq!(dynamic["dynamicAllocation"], serde_json::json!({"enabled": true, "maxExecutors": 2}));
}

#[test]
fn an_attempt_is_known_by_what_it_is_to_do() {
    let first = small();
    let digest = content_digest(&first);
    let annotated =
        application(&first, "ns", &config("{}"))["metadata"]["annotations"][DIGEST_ANNOTATION].clone();
    assert_eq!(annotated, digest.as_str());
    // Another release may read the same document at another time, and know it by another name.
    let mut again = first.clone();
    again.request.request_id = "another".to_owned();
    again.request.timestamp += chrono::TimeDelta::days(1);
    assert_eq!(content_digest(&again), digest);
    let mut elsewhere = first.clone();
    elsewhere.document.push('x');
    let mut fewer = first.clone();
    fewer.request.objects.clear();
    let mut differently = first;
    differently.request.options.insert("mode".to_owned(), "rewrite".to_owned());
    for other in [elsewhere, fewer, differently] {
        assert_ne!(content_digest(&other), digest);
    }
}
