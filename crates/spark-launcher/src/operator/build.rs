//! The SparkApplication of an attempt.

use std::collections::BTreeMap;

use ingest_core::IngestRequest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::config::OperatorConfig;
use super::label::label_value;
use super::merge::lay_over;
use super::resource::{
    API_VERSION, DynamicAllocation, EnvFrom, EnvVar, KIND, Metadata, Pod, RestartPolicy, SecretRef,
    SparkApplication, Spec,
};
use super::sizing::{DRIVER_CORES, EXECUTOR_CORES, EXECUTOR_MEMORY};
use crate::Attempt;

/// Annotation with the digest of what the application is to do: by it an attempt that was started before is known.
pub const DIGEST_ANNOTATION: &str = "eventingest.dev/content-digest";
const DOCUMENT_ANNOTATION: &str = "eventingest.dev/document";
/// As a label as far as it can be one, as an annotation in full.
const TABLE: &str = "eventingest.dev/table";
const REQUEST_LABEL: &str = "eventingest.dev/request-id";
const ATTEMPT_LABEL: &str = "eventingest.dev/attempt";
/// With Istio's proxy beside it a driver would never end. A label, and an annotation for older releases.
const NO_SIDECAR: &str = "sidecar.istio.io/inject";

/// The application of an attempt, in three layers: what may be otherwise (image, sizes), the user's template, and what
/// makes it right (names, arguments, no restarts by the operator), which nothing overrides.
///
/// Who is told how many executors there are by the template is told nothing of them here: `executor.instances` and
/// `dynamicAllocation` are one decision.
pub fn application(attempt: &Attempt, namespace: &str, config: &OperatorConfig) -> Value {
    let mut layers = to_value(&suggested(&attempt.request, config));
    lay_over(&mut layers, config.template.value().clone());
    lay_over(&mut layers, to_value(&required(attempt, namespace, config)));
    lay_over(&mut layers, json!({"apiVersion": API_VERSION, "kind": KIND}));
    layers
}

/// What an attempt is to do: by its document's place, and by table, format, options and objects. Not by anything that
/// another release or other settings would say otherwise.
pub fn content_digest(attempt: &Attempt) -> String {
    let IngestRequest { table, format, options, objects, timestamp, .. } = attempt.request.clone();
    let named = IngestRequest::new(table, format, options, objects, timestamp);
    hex::encode(Sha256::digest(format!("{}\n{}", attempt.document, named.request_id)))
}

fn to_value(application: &SparkApplication) -> Value {
    serde_json::to_value(application).expect("texts and numbers are JSON")
}

/// What the template may say otherwise.
fn suggested(request: &IngestRequest, config: &OperatorConfig) -> SparkApplication {
    let size = config.sizing.of(request);
    let says = |pointer| config.template.says(pointer);
    let counted = !says("/spec/dynamicAllocation") && !says("/spec/executor/instances");
    let dynamic_allocation = DynamicAllocation {
        enabled: true,
        initial_executors: size.executors,
        min_executors: 1,
        max_executors: size.executors,
        shuffle_tracking_enabled: true,
    };
    let spec = Spec {
        spark_version: Some(config.spark_version.clone()),
        image: config.image.clone(),
        dynamic_allocation: counted.then_some(dynamic_allocation),
        driver: Pod { cores: Some(DRIVER_CORES), memory: Some(size.driver_memory), ..Pod::default() },
        executor: Pod {
            cores: Some(EXECUTOR_CORES),
            memory: Some(EXECUTOR_MEMORY),
            instances: counted.then_some(size.executors),
            ..Pod::default()
        },
        ..Spec::default()
    };
    SparkApplication { spec, ..SparkApplication::default() }
}

/// What it may not.
fn required(attempt: &Attempt, namespace: &str, config: &OperatorConfig) -> SparkApplication {
    let labels = labels(attempt);
    let pod = Pod {
        labels: with(labels.clone(), NO_SIDECAR, "false"),
        annotations: texts([(TABLE, attempt.request.table.to_string()), (NO_SIDECAR, "false".to_owned())]),
        env: environment(config),
        env_from: environment_secrets(config),
        ..Pod::default()
    };
    let metadata = Metadata {
        name: attempt.name.to_string(),
        namespace: namespace.to_owned(),
        labels,
        annotations: texts([
            (TABLE, attempt.request.table.to_string()),
            (DOCUMENT_ANNOTATION, attempt.document.clone()),
            (DIGEST_ANNOTATION, content_digest(attempt)),
        ]),
    };
    let spec = Spec {
        language: Some("Python"),
        python_version: Some("3"),
        mode: Some("cluster"),
        main_application_file: Some(config.main_file.clone()),
        // Nothing else: arguments have limits, and a request may hold thousands of long keys.
        arguments: vec![attempt.document.clone()],
        // The launcher counts attempts, and asks the ledger before each.
        restart_policy: Some(RestartPolicy { kind: "Never" }),
        time_to_live_seconds: Some(config.time_to_live.as_secs()),
        driver: pod.clone(),
        executor: pod,
        ..Spec::default()
    };
    SparkApplication { metadata, spec }
}

fn labels(attempt: &Attempt) -> BTreeMap<String, String> {
    texts([
        ("app.kubernetes.io/name", "event-ingest-job".to_owned()),
        ("app.kubernetes.io/managed-by", "event-ingest".to_owned()),
        (REQUEST_LABEL, label_value(&attempt.name.record_id)),
        (ATTEMPT_LABEL, attempt.name.number.to_string()),
        (TABLE, label_value(&attempt.request.table.to_string())),
    ])
}

fn environment(config: &OperatorConfig) -> Vec<EnvVar> {
    let variables = config.environment.iter();
    variables.map(|(name, value)| EnvVar { name: name.clone(), value: value.clone() }).collect()
}

fn environment_secrets(config: &OperatorConfig) -> Vec<EnvFrom> {
    let secrets = config.environment_secrets.iter();
    secrets.map(|name| EnvFrom { secret_ref: SecretRef { name: name.clone() } }).collect()
}

fn texts<const N: usize>(pairs: [(&str, String); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn with(mut texts: BTreeMap<String, String>, key: &str, value: &str) -> BTreeMap<String, String> {
    texts.insert(key.to_owned(), value.to_owned());
    texts
}
