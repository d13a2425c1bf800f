use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::Utc;
use ingest_core::{FileOutcome, FileStatus, IngestRequest, IngestResult, RequestDefaults, TableName};
use lake::{Error, ErrorKind};
use lake_metrics::LakeMetrics;
use service_kit::metrics::Metrics;
use spark_launcher::sink::{Sink, Standing};
use spark_launcher::{Attempt, AttemptName, AttemptState, Backend, BackendError, Inline};
use tokio::sync::Semaphore;

/// Ingests when the test says so; by its file's name.
#[derive(Debug)]
struct Gate {
    begun: Semaphore,
    release: Semaphore,
}

#[async_trait]
impl Sink for Gate {
    async fn outstanding(&self, _: &IngestRequest) -> lake::Result<Vec<Standing>> {
        Ok(Vec::new())
    }

    async fn make_ready(&self, _: &IngestRequest) -> lake::Result<bool> {
        Ok(true)
    }

    async fn ingest(&self, request: &IngestRequest) -> lake::Result<IngestResult> {
        self.begun.add_permits(1);
        self.release.acquire().await.expect("never closed").forget();
        match request.objects[0].uri.key() {
            "panic.csv" => panic!("as the test says"),
            "failed.csv" => Err(Error::new(ErrorKind::Unavailable, "no answer")),
            _ => Ok(IngestResult {
                request_id: request.request_id.clone(),
                table: request.table.clone(),
                rows: 1,
                files_processed: 1,
                files_skipped: 0,
                files_quarantined: 0,
                snapshot_id: None,
                mode: "rewrite".to_owned(),
                files: vec![FileOutcome {
                    file: request.objects[0].uri.to_string(),
                    status: FileStatus::Processed,
                    rows: 1,
                    mode: Some("rewrite".to_owned()),
                    mode_reason: None,
                    reason: None,
                }],
            }),
        }
    }

    async fn drop_stale_branches(&self, _: &TableName, _: &BTreeSet<String>) -> lake::Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn ready(&self) -> lake::Result<()> {
        Ok(())
    }
}

fn attempt(number: u32, file: &str) -> Attempt {
    let body = format!(r#"{{"files":["s3://b/{file}.csv"],"objects":[{{"size":5}}]}}"#);
    let request =
        IngestRequest::from_json(body.as_bytes(), &RequestDefaults::default(), Utc::now()).expect("valid");
    let name = AttemptName { record_id: "a".repeat(40), number };
    Attempt { name, request, document: String::new() }
}

fn inline() -> (Arc<Gate>, Inline, Metrics) {
    let gate = Arc::new(Gate { begun: Semaphore::new(0), release: Semaphore::new(0) });
    let metrics = Metrics::new();
    (gate.clone(), Inline::new(gate, 1, LakeMetrics::new(&metrics)), metrics)
}

async fn ended(inline: &Inline, attempt: &Attempt) -> AttemptState {
    loop {
        match inline.state(&attempt.name).await.expect("it always knows") {
            AttemptState::Live(_) => tokio::task::yield_now().await,
            state => return state,
        }
    }
}

#[tokio::test]
async fn one_runs_the_next_waits_and_may_be_taken_back() {
    let (gate, inline, _) = inline();
    let (first, second) = (attempt(1, "a"), attempt(2, "b"));
    inline.start(&first).await.expect("taken");
    gate.begun.acquire().await.expect("never closed").forget();
    inline.start(&second).await.expect("taken");
    assert_eq!(
        inline.state(&second.name).await.expect("known"),
        AttemptState::Live("waiting for its turn".to_owned())
    );
    inline.stop(&second.name).await.expect("it has not begun");
    assert_eq!(inline.state(&second.name).await.expect("known"), AttemptState::Absent);
    assert!(
        matches!(inline.stop(&first.name).await, Err(BackendError::Unavailable(_))),
        "what writes is let end"
    );
    gate.release.add_permits(1);
    assert_eq!(ended(&inline, &first).await, AttemptState::Succeeded);
    inline.start(&first).await.expect("it has succeeded");
    assert!(matches!(inline.start(&attempt(1, "b")).await, Err(BackendError::Rejected(_))));
}

#[tokio::test]
async fn failures_and_panics_cost_one_attempt() {
    let (gate, inline, metrics) = inline();
    gate.release.add_permits(3);
    for (number, file) in [(1, "panic"), (2, "failed"), (3, "a")] {
        let attempt = attempt(number, file);
        inline.start(&attempt).await.expect("taken");
        let state = ended(&inline, &attempt).await;
        assert_eq!(matches!(state, AttemptState::Failed(_)), number < 3, "{state:?}");
    }
    let page = metrics.page();
    for line in [
        "event_ingest_rows_total 1",
        "event_ingest_files_total{status=\"processed\"} 1",
        "event_ingest_announced_bytes_total 5",
        "event_ingest_failures_total{kind=\"unavailable\"} 1",
        // A panic is over before anybody can say how long it took.
        "event_ingest_request_duration_seconds_count 2",
    ] {
        assert!(page.lines().any(|shown| shown == line), "missing {line} in\n{page}");
    }
}
