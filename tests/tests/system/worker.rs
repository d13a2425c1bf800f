//! The light worker over HTTP: every way in, every kind of bad input, and that each harms nothing else.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use testkit::{Program, free_port, paths};

use crate::bucket::{Lakehouse, Standalone, Stored};
use crate::metrics::assert_documented;

struct Worker {
    program: Program,
    url: String,
    client: Client,
}

impl Worker {
    async fn start(bucket: &Standalone, lakehouse: &Lakehouse) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut arguments = lakehouse.worker_arguments(bucket);
        arguments.extend([
            "--listen".to_owned(),
            listen.clone(),
            "--body-limit".to_owned(),
            "64KiB".to_owned(),
        ]);
        let mut program = Program::start("light-worker", arguments, [("LOG_FORMAT", "json")]);
        let url = format!("http://{listen}");
        program.ready(&format!("{url}/readyz")).await;
        Self { program, url, client: Client::new() }
    }

    async fn post(&self, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Response {
        let mut request = self.client.post(&self.url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn plain(&self, body: &Value) -> Response {
        self.post(&[("content-type", "application/json")], body.to_string()).await
    }

    async fn metric(&self, line: &str) -> f64 {
        let page =
            self.client.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap();
        let found = page
            .lines()
            .find_map(|found| found.strip_prefix(line))
            .unwrap_or_else(|| panic!("no {line} in\n{page}"));
        found.trim().parse().unwrap()
    }
}

#[tokio::test]
async fn requests_are_taken_in_every_form_and_bad_ones_harm_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &[]).await;
    let lakehouse = Lakehouse::new();
    let worker = Worker::start(&bucket, &lakehouse).await;
    let files = paths::example_files();
    let name = bucket.endpoint.bucket.clone();
    let uri = |key: &str| format!("s3://{name}/{key}");
    for (n, file) in files.iter().enumerate().take(4) {
        Stored::put(&bucket, &format!("{n}.parquet"), file).await;
    }

    // Plain JSON, the least that is a request.
    let answer = worker.plain(&json!({"files": [uri("0.parquet")]})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["ce-type"], "dev.eventingest.completed.v1");
    let result: Value = answer.json().await.unwrap();
    assert_eq!((&result["table"], &result["files_processed"]), (&json!("db.my_table"), &json!(1)));
    assert!(result["snapshot_id"].is_i64() && result["rows"].as_u64().unwrap() > 0, "{result}");

    // CloudEvents, binary and structured.
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-type", "dev.eventingest.request.light.v1"),
        ("ce-id", "1"),
        ("ce-source", "/test"),
        ("content-type", "application/json"),
    ];
    let answer = worker.post(&binary, json!({"files": [uri("1.parquet")]}).to_string()).await;
    assert_eq!(answer.json::<Value>().await.unwrap()["files_processed"], 1);
    let structured = json!({
        "specversion": "1.0", "type": "dev.eventingest.request.light.v1", "id": "2", "source": "/test",
        "datacontenttype": "application/json", "data": {"files": [uri("2.parquet")]},
    });
    let answer =
        worker.post(&[("content-type", "application/cloudevents+json")], structured.to_string()).await;
    assert_eq!(answer.json::<Value>().await.unwrap()["files_processed"], 1);

    // What cannot be a request, or is not allowed.
    let cases: [(Value, StatusCode); 5] = [
        (json!("not an object"), StatusCode::BAD_REQUEST),
        (json!({"files": []}), StatusCode::BAD_REQUEST),
        (json!({"files": [uri("0.parquet")], "objects": []}), StatusCode::BAD_REQUEST),
        (json!({"files": ["s3://somebody-elses/0.parquet"]}), StatusCode::FORBIDDEN),
        (json!({"files": [uri("0.parquet")], "table": "other.table"}), StatusCode::FORBIDDEN),
    ];
    for (body, expected) in cases {
        let answer = worker.plain(&body).await;
        assert_eq!(answer.status(), expected, "{body}");
        assert!(!answer.text().await.unwrap().is_empty(), "{body}: the answer says nothing");
    }
    assert_eq!(worker.post(&[], "not json").await.status(), StatusCode::BAD_REQUEST);
    let long = json!({"files": [uri(&"x".repeat(100_000))]});
    assert_eq!(worker.plain(&long).await.status(), StatusCode::PAYLOAD_TOO_LARGE);

    // Faults of single files: set aside, and the rest of the batch committed.
    let whole = std::fs::read(&files[4]).unwrap();
    bucket.put("cut.parquet", whole[..whole.len() / 2].to_vec()).await;
    bucket.put("text.parquet", "this is no parquet").await;
    let mixed: Vec<String> = ["cut.parquet", "text.parquet", "gone.parquet", "3.parquet", "0.parquet"]
        .iter()
        .map(|key| uri(key))
        .collect();
    let answer = worker.plain(&json!({"files": mixed})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let result: Value = answer.json().await.unwrap();
    let statuses: Vec<&str> =
        result["files"].as_array().unwrap().iter().map(|file| file["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["quarantined", "quarantined", "quarantined", "processed", "skipped"], "{result:#}");
    assert!(result["files"][2]["reason"].as_str().unwrap().contains("no such object"), "{result:#}");

    lakehouse.reader("db.my_table").assert_holds(&files[..4]).await;
    assert_eq!(worker.metric("event_ingest_files_total{status=\"quarantined\"}").await, 3.0);
    assert_eq!(worker.metric("event_ingest_files_total{status=\"processed\"}").await, 4.0);
    assert_documented(&worker.url).await;
    let log = worker.program.log();
    assert!(!log.contains(&bucket.endpoint.secret_key), "a secret was logged");
    assert!(worker.program.terminate().await.success());
    bucket.stop().await;
}

#[tokio::test]
async fn a_wrong_setting_is_an_error_at_start_that_names_it() {
    let none: [(&str, &str); 0] = [];
    for (arguments, expected) in [
        (vec!["--catalog", "uri=sqlite:////tmp/x.db"], vec!["warehouse"]),
        (
            vec!["--catalog", "uri=mysql://u:hush@h/d", "--catalog", "warehouse=file:///tmp/w"],
            vec!["uri", "sqlite"],
        ),
        (vec!["--body-limit", "lots"], vec!["--body-limit", "lots"]),
    ] {
        let (status, log) = Program::start("light-worker", &arguments, none).exited().await;
        assert!(!status.success(), "{arguments:?}");
        for word in expected {
            assert!(log.contains(word), "{arguments:?}: {log}");
        }
        assert!(!log.contains("hush"), "{log}");
    }
}
