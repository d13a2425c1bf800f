//! The light worker over HTTP: every way in, every kind of bad input, and that each harms nothing else.

use std::path::Path;

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use testkit::{ANY_PORT, Program, paths, python};

use crate::bucket::{Lakehouse, Standalone, Stored};
use crate::metrics::{assert_documented, metric};

/// A light worker that takes requests over HTTP.
pub struct Worker {
    pub program: Program,
    pub url: String,
    pub client: Client,
}

impl Worker {
    async fn start(bucket: &Standalone, lakehouse: &Lakehouse) -> Self {
        Self::start_with(bucket, lakehouse, &[]).await
    }

    /// With further settings, by their environment variables.
    pub async fn start_with(bucket: &Standalone, lakehouse: &Lakehouse, settings: &[(&str, &str)]) -> Self {
        let mut arguments = lakehouse.worker_arguments(bucket);
        arguments.extend(["--listen", ANY_PORT, "--body-limit", "64KiB"].map(str::to_owned));
        let mut program = Program::start(
            "light-worker",
            arguments,
            [("LOG_FORMAT", "json")].iter().chain(settings).copied(),
        );
        let url = program.serving().await;
        Self { program, url, client: Client::new() }
    }

    async fn post(&self, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Response {
        let mut request = self.client.post(&self.url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub async fn plain(&self, body: &Value) -> Response {
        self.post(&[("content-type", "application/json")], body.to_string()).await
    }

    async fn metric(&self, series: &str) -> f64 {
        metric(&self.url, series).await.unwrap_or_else(|| panic!("{series} is not on the page"))
    }

    /// Answers so far to requests with this outcome.
    async fn answers(&self, outcome: &str) -> f64 {
        let series = format!("event_ingest_requests_total{{intake=\"http\",outcome=\"{outcome}\"}}");
        self.metric(&series).await
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

    assert_eq!(worker.answers("forbidden").await, 2.0);
    assert_eq!(worker.answers("too_large").await, 1.0);
    assert_eq!(worker.answers("invalid").await, 4.0);

    // Faults of single files: set aside, and the rest of the batch committed.
    let whole = std::fs::read(&files[4]).unwrap();
    bucket.put("cut.parquet", whole[..whole.len() / 2].to_vec()).await;
    bucket.put("text.parquet", "this is no parquet").await;
    bucket.put("other.parquet", other_schema(folder.path()).await).await;
    let keys = ["cut.parquet", "text.parquet", "gone.parquet", "other.parquet", "3.parquet", "0.parquet"];
    let mixed: Vec<String> = keys.iter().map(|key| uri(key)).collect();
    let answer = worker.plain(&json!({"files": mixed})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let result: Value = answer.json().await.unwrap();
    let statuses: Vec<&str> =
        result["files"].as_array().unwrap().iter().map(|file| file["status"].as_str().unwrap()).collect();
    let expected = ["quarantined", "quarantined", "quarantined", "quarantined", "processed", "skipped"];
    assert_eq!(statuses, expected, "{result:#}");
    let reason = |file: usize| result["files"][file]["reason"].as_str().unwrap();
    assert!(reason(2).contains("no such object"), "{result:#}");
    assert!(reason(3).contains("column `stranger`"), "{result:#}");

    lakehouse.reader("db.my_table").assert_holds(&files[..4]).await;
    assert_eq!(worker.metric("event_ingest_files_total{status=\"quarantined\"}").await, 4.0);
    assert_eq!(worker.metric("event_ingest_files_total{status=\"processed\"}").await, 4.0);
    assert_documented(&worker.url).await;
    let log = worker.program.log();
    assert!(!log.contains(&bucket.endpoint.secret_key), "a secret was logged");
    assert!(worker.program.terminate().await.success());
    bucket.stop().await;
}

/// A Parquet file with a column that no example has.
async fn other_schema(folder: &Path) -> Vec<u8> {
    let path = folder.join("other.parquet");
    let output = python("write_parquet.py", [path.as_os_str(), r#"{"stranger": [1, 2, 3]}"#.as_ref()]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn a_warehouse_on_s3_is_written_and_read_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = Standalone::start(folder.path(), &[]).await;
    server.make_bucket("lake").await;
    let lakehouse = Lakehouse::at("s3://lake/warehouse");
    let worker = Worker::start(&server, &lakehouse).await;
    let files = paths::example_files();
    let name = &server.endpoint.bucket;
    for (n, file) in files.iter().enumerate().take(3) {
        let stored = Stored::put(&server, &format!("{n}.parquet"), file).await;
        let answer = worker.plain(&json!({"files": [format!("s3://{name}/{}", stored.key)]})).await;
        assert_eq!(answer.json::<Value>().await.unwrap()["files_processed"], 1);
    }
    let reader = lakehouse.reader_through(&server, "db.my_table");
    let table = reader.summary().await;
    assert!(table["location"].as_str().unwrap().starts_with("s3://lake/warehouse/"), "{table:#}");
    // DuckDB reads local files alone.
    reader.assert_holds_to("pyiceberg", &files[..3]).await;
    assert!(worker.program.terminate().await.success());
    server.stop().await;
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
