//! The heavy lane: what is too large for the light one is owned by somebody else, and the inbox is done with it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use event_ingest::standalone::activity::Activity;
use event_ingest::standalone::flow::{Backoff, Flow, FlowConfig, FlowMetrics, Ingest, IngestError, Outcome};
use http::StatusCode;
use ingest_core::batching::BatchingConfig;
use ingest_core::{Glob, IngestRequest, IngestResult, LightLimits, Rule, RuleSet, TableName, Target};
use serde_json::{Value, json};
use service_kit::metrics::Metrics;
use testkit::eventually;
use tokio_util::sync::CancellationToken;

use crate::server::{Running, flights};
use crate::support::Place;

/// Owns heavy requests, at the second time of asking.
#[derive(Default)]
struct Owner {
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Ingest for Owner {
    async fn ingest(&self, request: &IngestRequest) -> Result<IngestResult, IngestError> {
        Ok(IngestResult {
            request_id: request.request_id.clone(),
            table: request.table.clone(),
            rows: 1,
            files_processed: 1,
            files_skipped: 0,
            files_quarantined: 0,
            snapshot_id: None,
            mode: "rewrite".to_owned(),
            files: Vec::new(),
        })
    }

    async fn ingest_heavy(&self, request: &IngestRequest) -> Result<Outcome, IngestError> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(request.objects[0].uri.key().to_owned());
        match asked.len() {
            1 => Err(IngestError::retry("too many records")),
            _ => Ok(Outcome::Owned { application: "ingest-1-1".to_owned() }),
        }
    }

    async fn ready(&self) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test]
async fn a_heavy_request_leaves_the_inbox_when_it_is_owned() {
    let place = Place::new().await;
    for (key, content) in [("small.parquet", "12"), ("large.parquet", "123")] {
        place.put(key, content).await;
    }
    let target = Target::new(TableName::parse("db.t").unwrap());
    let rule = Rule { buckets: vec![Glob::new("inbox")], ..Rule::all(target) };
    let millisecond = Duration::from_millis(1);
    let light = LightLimits { max_bytes: 3, ..LightLimits::default() };
    let config = FlowConfig {
        rules: RuleSet::new([rule]).into(),
        batching: BatchingConfig { max_files: 1, max_wait: millisecond, light, ..BatchingConfig::default() },
        concurrency: 1,
        backoff: Backoff { first: millisecond, longest: millisecond },
    };
    let (owner, activity) = (Arc::new(Owner::default()), Arc::new(Activity::default()));
    let metrics = FlowMetrics::new(&Metrics::new());
    let flow = Flow::new(place.inbox(), owner.clone(), activity.clone(), metrics, config).unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let stop = stop.clone();
        async move { flow.run(stop).await.unwrap() }
    });
    eventually("an empty inbox", Duration::from_secs(30), async || {
        (place.inbox().waiting().await.unwrap() == 0).then_some(())
    })
    .await;
    stop.cancel();
    task.await.unwrap();
    assert_eq!(*owner.asked.lock().unwrap(), ["large.parquet", "large.parquet"]);
    let (counters, _) = activity.snapshot();
    assert_eq!((counters.requests_to_spark, counters.requests, counters.retries), (1, 1, 1));
    assert_eq!(place.inbox().count_dead_letters().await.unwrap(), 0);
}

/// A server whose Spark is this script, and to which every file is heavy.
async fn with_spark(folder: &Path, script: &str) -> Running {
    let program = folder.join("spark-submit");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let job = folder.join("main.py");
    std::fs::write(&job, "").unwrap();
    let options = ["--batch-wait", "10ms", "--light-max-bytes", "1B", "--heavy", "spark-submit"];
    let places = ["--spark-submit", program.to_str().unwrap(), "--spark-job", job.to_str().unwrap()];
    Running::start_with(&folder.join("data"), &[&options[..], &places].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_spark_gave_up_is_told_with_what_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    // 2: no retry can better it, says the job.
    let server = with_spark(folder.path(), "echo 'no such class'; exit 2").await;
    server.put("a.parquet", flights()).await;
    let problem = eventually("the request was given up", Duration::from_secs(60), async || {
        let status: Value = serde_json::from_str(&server.get("/api/v1/status").await.1).unwrap();
        let problems = status["problems"].as_array()?.iter();
        problems.into_iter().find(|problem| problem["kind"] == "heavy-failed").cloned()
    })
    .await;
    let id = problem["subject"].as_str().unwrap();
    let mend = problem["mend"].as_str().unwrap();
    assert!(mend.contains(&format!("heavy show {id} --data ")), "{mend}");
    let jobs: Value = serde_json::from_str(&server.get("/api/v1/heavy").await.1).unwrap();
    let job = &jobs["items"][0];
    assert_eq!((&job["id"], &job["state"]), (&json!(id), &json!("failed")), "{jobs}");
    assert!(job["attempts"][0]["reason"].as_str().unwrap().contains("no such class"), "{job}");
    let may: Value = serde_json::from_str(&server.get("/api/v1/permissions").await.1).unwrap();
    assert!(may["abilities"]["changes"].as_array().unwrap().contains(&json!("retry-heavy")), "{may}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_post_to_an_address_that_no_page_of_another_host_can_use() {
    let folder = tempfile::tempdir().unwrap();
    let server = with_spark(folder.path(), "exit 1").await;
    let post = async |host: Option<&str>| {
        let request = reqwest::Client::new().post(format!("{}/api/v1/staged", server.endpoint.admin_url));
        let request = host.into_iter().fold(request, |request, host| request.header("host", host));
        request.body("{}").send().await.unwrap().status()
    };
    assert_eq!(post(Some("evil.example")).await, StatusCode::FORBIDDEN);
    assert_eq!(post(None).await, StatusCode::BAD_REQUEST, "it reaches what would publish a stage");
    server.end().await;
}
