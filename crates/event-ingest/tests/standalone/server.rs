//! The whole mode in one process, tables included.

use std::io;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use event_ingest::standalone::config::StandaloneArgs;
use event_ingest::standalone::folder::EndpointFile;
use event_ingest::standalone::server;
use http::StatusCode;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ObjectStoreExt, PutPayload};
use serde_json::Value;
use testkit::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: StandaloneArgs,
}

pub struct Running {
    pub endpoint: EndpointFile,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub async fn start(folder: &Path) -> Self {
        Self::start_with(folder, &["--batch-wait", "10ms"]).await
    }

    pub async fn start_with(folder: &Path, options: &[&str]) -> Self {
        let data = folder.to_str().unwrap();
        let free = "127.0.0.1:0";
        let line = ["server", "--data", data, "--listen", free, "--admin-listen", free];
        let line = line.iter().chain(options);
        let args = Cli::parse_from(line).args;
        let stop = CancellationToken::new();
        let task = tokio::spawn(server::run(args, stop.clone(), io::sink()));
        let endpoint = eventually("endpoint.json", DEADLINE, async || {
            let found = std::fs::read(folder.join("endpoint.json")).ok()?;
            Some(serde_json::from_slice(&found).unwrap())
        })
        .await;
        Self { endpoint, stop, task }
    }

    pub fn client(&self) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_endpoint(&self.endpoint.url)
            .with_allow_http(true)
            .with_bucket_name(&self.endpoint.bucket)
            .with_region(&self.endpoint.region)
            .with_access_key_id(&self.endpoint.access_key)
            .with_secret_access_key(&self.endpoint.secret_key)
            .build()
            .unwrap()
    }

    pub async fn put(&self, key: &str, content: impl Into<PutPayload>) {
        self.client().put(&object_store::path::Path::parse(key).unwrap(), content.into()).await.unwrap();
    }

    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = reqwest::get(format!("{}{path}", self.endpoint.admin_url)).await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// What happened, once the inbox is empty and so many files are known.
    pub async fn activity(&self, files: usize) -> Value {
        eventually("an empty inbox", DEADLINE, async || {
            let report: Value = serde_json::from_str(&self.get("/api/v1/activity").await.1).unwrap();
            (report["inbox_waiting"] == 0 && report["files"].as_array()?.len() == files).then_some(report)
        })
        .await
    }

    pub async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

pub fn flights() -> Vec<u8> {
    // Cargo runs tests in their package's folder.
    let path = "../../examples/data/flights-2001-01.parquet";
    std::fs::read(path).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_become_rows_once_and_bad_ones_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path()).await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(server.get(path).await, (StatusCode::OK, "ok\n".to_owned()));
    }

    server.put("in coming/flights+1.parquet", flights()).await;
    let report = server.activity(1).await;
    let file = &report["files"][0];
    assert_eq!(file["file"], "s3://inbox/in coming/flights+1.parquet");
    assert_eq!((&file["status"], &file["reason"]), (&"processed".into(), &Value::Null), "{file}");
    assert!(file["rows"].as_u64().unwrap() > 0 && file["snapshot_id"].is_i64());
    let rows = file["rows"].clone();

    server.put("broken.parquet", "this is no parquet").await;
    let report = server.activity(2).await;
    assert_eq!(report["files"][1]["status"], "quarantined", "{report}");
    assert!(report["files"][1]["reason"].is_string());
    assert_eq!((&report["counters"]["rows"], &report["counters"]["files_quarantined"]), (&rows, &1.into()));
    let metrics = server.get("/metrics").await.1;
    assert!(metrics.contains("event_ingest_inbox_rows_total 2"), "{metrics}");
    server.end().await;
    assert!(!folder.path().join("endpoint.json").exists());

    let server = Running::start(folder.path()).await;
    server.put("in coming/flights+1.parquet", flights()).await;
    let report = server.activity(1).await;
    assert_eq!((&report["files"][0]["status"], &report["counters"]["rows"]), (&"skipped".into(), &0.into()));
    let second = server::run(
        Cli::parse_from(["server", "--data", folder.path().to_str().unwrap()]).args,
        CancellationToken::new(),
        io::sink(),
    )
    .await;
    assert!(second.unwrap_err().to_string().contains("in use"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_rules_names_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let rules = tempfile::NamedTempFile::new().unwrap();
    let text = "rules: [{match: {regex: '(?<t>[a-z.]+)/.*'}, table: 'db.${t}', batch: {max-files: 1}}]";
    std::fs::write(&rules, text).unwrap();
    let file = rules.path().to_str().unwrap();
    let server = Running::start_with(folder.path(), &["--batch-wait", "1h", "--rules", file]).await;
    server.put("flights/a.parquet", flights()).await;
    server.put("no.name/a.parquet", flights()).await;
    let report = server.activity(1).await;
    let file = &report["files"][0];
    assert_eq!((&file["status"], &file["table"]), (&"processed".into(), &"db.flights".into()), "{file}");
    let metrics = server.get("/metrics").await.1;
    assert!(metrics.contains("event_ingest_inbox_dead_letters_total 1"), "{metrics}");
    assert!(metrics.contains("event_ingest_rules_broken 0"), "{metrics}");
    server.end().await;
}
