//! The flow with an ingest that does as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use event_ingest::standalone::activity::{Activity, Status};
use event_ingest::standalone::flow::{Backoff, Flow, FlowConfig, FlowMetrics, Ingest, IngestError};
use event_ingest::standalone::inbox::Inbox;
use ingest_core::batching::BatchingConfig;
use ingest_core::{
    FileOutcome, FileStatus, Glob, IngestRequest, IngestResult, Rule, RuleSet, TableName, Target,
};
use service_kit::metrics::Metrics;
use testkit::eventually;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::Place;

const DEADLINE: Duration = Duration::from_secs(30);
const CONCURRENCY: usize = 4;

type Verdict = Result<(), IngestError>;

/// Two rows of every file.
fn result(request: &IngestRequest) -> IngestResult {
    let outcome = |file: String| FileOutcome {
        file,
        status: FileStatus::Processed,
        rows: 2,
        mode: Some("rewrite".to_owned()),
        mode_reason: None,
        reason: None,
    };
    let files: Vec<_> = files(request).into_iter().map(outcome).collect();
    IngestResult {
        request_id: request.request_id.clone(),
        table: request.table.clone(),
        rows: 2 * files.len() as u64,
        files_processed: files.len() as u64,
        files_skipped: 0,
        files_quarantined: 0,
        snapshot_id: Some(7),
        mode: "rewrite".to_owned(),
        files,
    }
}

/// Each attempt is handed to the test, which answers it.
struct Attempt {
    request: IngestRequest,
    answer: oneshot::Sender<Verdict>,
}

struct Obedient(mpsc::Sender<Attempt>);

#[async_trait]
impl Ingest for Obedient {
    async fn ingest(&self, request: &IngestRequest) -> Result<IngestResult, IngestError> {
        let (answer, verdict) = oneshot::channel();
        self.0.send(Attempt { request: request.clone(), answer }).await.unwrap();
        verdict.await.unwrap()?;
        Ok(result(request))
    }

    async fn ready(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Keys that begin with `slow/` have a table of their own.
fn flow<I: Ingest>(place: &Place, max_files: usize, ingest: Arc<I>, activity: Arc<Activity>) -> Flow<I> {
    let target = |table| Target::new(TableName::parse(table).unwrap());
    let rule = |prefix: &str, table| Rule {
        buckets: vec![Glob::new("inbox")],
        prefix: prefix.to_owned(),
        ..Rule::all(target(table))
    };
    let millisecond = Duration::from_millis(1);
    let config = FlowConfig {
        rules: RuleSet::new([rule("slow/", "db.slow"), rule("", "db.fast")]).into(),
        batching: BatchingConfig { max_files, max_wait: millisecond, ..BatchingConfig::default() },
        concurrency: CONCURRENCY,
        backoff: Backoff { first: millisecond, longest: millisecond },
    };
    let metrics = FlowMetrics::new(&Metrics::new());
    Flow::new(place.inbox(), ingest, activity, metrics, config).unwrap()
}

/// A running flow.
struct Running {
    attempts: mpsc::Receiver<Attempt>,
    activity: Arc<Activity>,
    inbox: Inbox,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(place: &Place, max_files: usize) -> Self {
        let (sender, attempts) = mpsc::channel(1);
        let activity = Arc::new(Activity::default());
        let flow = flow(place, max_files, Arc::new(Obedient(sender)), activity.clone());
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { flow.run(stop).await.unwrap() }
        });
        Self { attempts, activity, inbox: place.inbox(), stop, task }
    }

    async fn attempt(&mut self) -> Attempt {
        tokio::time::timeout(DEADLINE, self.attempts.recv()).await.expect("an attempt").unwrap()
    }

    async fn until_empty(&self) {
        eventually("an empty inbox", DEADLINE, async || {
            (self.inbox.waiting().await.unwrap() == 0).then_some(())
        })
        .await;
    }

    async fn until_position(&self, position: i64) {
        eventually("the position", DEADLINE, async || {
            (self.inbox.position().await.unwrap() == position).then_some(())
        })
        .await;
    }

    /// As SIGKILL would.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.expect("a prompt end").unwrap();
    }
}

fn files(request: &IngestRequest) -> Vec<String> {
    request.objects.iter().map(|object| object.uri.to_string()).collect()
}

#[tokio::test]
async fn rows_become_requests_and_leave_the_inbox_when_done() {
    let place = Place::new().await;
    for key in ["a b.parquet", "100%2F.parquet", "c.csv"] {
        place.put(key, key).await;
    }
    let mut flow = Running::start(&place, 2);
    let mut requested = Vec::new();
    for _ in 0..2 {
        let attempt = flow.attempt().await;
        requested.push(files(&attempt.request));
        attempt.answer.send(Ok(())).unwrap();
    }
    requested.sort();
    assert_eq!(
        requested,
        [vec!["s3://inbox/a b.parquet", "s3://inbox/100%2F.parquet"], vec!["s3://inbox/c.csv"]]
    );
    flow.until_empty().await;

    place.put("later.parquet", "later").await;
    let attempt = flow.attempt().await;
    assert_eq!(files(&attempt.request), ["s3://inbox/later.parquet"]);
    attempt.answer.send(Ok(())).unwrap();
    flow.until_empty().await;

    let (counters, files) = flow.activity.snapshot();
    assert_eq!((counters.files_processed, counters.rows, counters.requests), (4, 8, 3));
    assert!(files.iter().all(|file| file.snapshot_id == Some(7) && file.milliseconds.is_some()));
    flow.end().await;
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again() {
    let place = Place::new().await;
    place.put("a.parquet", "a").await;
    let mut flow = Running::start(&place, 1);
    let mut ids = Vec::new();
    for verdict in [Err(IngestError::retry("busy")), Err(IngestError::retry("busy")), Ok(())] {
        let attempt = flow.attempt().await;
        assert_eq!(flow.inbox.waiting().await.unwrap(), 1);
        ids.push(attempt.request.request_id);
        attempt.answer.send(verdict).unwrap();
    }
    flow.until_empty().await;
    assert!(ids.iter().all(|id| *id == ids[0]), "the same request: {ids:?}");
    assert_eq!(flow.activity.snapshot().0.retries, 2);
    assert_eq!(flow.inbox.count_dead_letters().await.unwrap(), 0);
    flow.end().await;
}

#[tokio::test]
async fn a_refused_request_is_set_aside_and_the_rest_goes_on() {
    let place = Place::new().await;
    place.put("bad.parquet", "bad").await;
    let mut flow = Running::start(&place, 1);
    let attempt = flow.attempt().await;
    let id = attempt.request.request_id.clone();
    attempt.answer.send(Err(IngestError::Rejected("not here".to_owned()))).unwrap();
    place.put("good.parquet", "good").await;
    flow.attempt().await.answer.send(Ok(())).unwrap();
    flow.until_empty().await;

    let letters = flow.inbox.dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].source.clone(), letters[0].reason.as_str()),
        (format!("request {id}"), "not here")
    );
    assert!(letters[0].body.contains("bad.parquet"));
    let statuses: Vec<Status> = flow.activity.snapshot().1.iter().map(|file| file.status).collect();
    assert_eq!(statuses, [Status::Rejected, Status::Processed]);
    flow.end().await;
}

#[tokio::test]
async fn what_no_rule_wants_passes_by() {
    let place = Place::new().await;
    place.store.create_bucket("other").await.unwrap();
    let blob = place.blob("x").await;
    place.store.put("other", "a.parquet", blob, Default::default(), Default::default()).await.unwrap();
    for key in ["out/_SUCCESS", "readme.txt", "a.parquet"] {
        place.put(key, "").await;
    }
    place.store.delete("inbox", vec!["readme.txt".to_owned()]).await.unwrap();
    let mut flow = Running::start(&place, 10);
    let attempt = flow.attempt().await;
    assert_eq!(files(&attempt.request), ["s3://inbox/a.parquet"]);
    attempt.answer.send(Ok(())).unwrap();
    flow.until_empty().await;
    let reasons: Vec<_> = flow.activity.snapshot().1.into_iter().filter_map(|file| file.reason).collect();
    assert_eq!(reasons, ["no-rule", "underscore-name", "unknown-format"]);
    flow.end().await;
}

#[tokio::test]
async fn the_position_stops_before_what_is_not_done_and_a_kill_repeats_it() {
    let place = Place::new().await;
    place.put("a.parquet", "a").await;
    place.put("slow/b.parquet", "b").await;
    place.put("c.parquet", "c").await;
    let rows = place.inbox().read(0, 10).await.unwrap();
    let mut flow = Running::start(&place, 1);
    let mut slow = None;
    for _ in 0..3 {
        let attempt = flow.attempt().await;
        if files(&attempt.request) == ["s3://inbox/slow/b.parquet"] {
            slow = Some(attempt);
        } else {
            attempt.answer.send(Ok(())).unwrap();
        }
    }
    flow.until_position(rows[1].id).await;
    // A later row that is done as well, and whose commit would show if the position could pass the slow one.
    place.put("d.parquet", "d").await;
    flow.attempt().await.answer.send(Ok(())).unwrap();
    eventually("the answer", DEADLINE, async || {
        (flow.activity.snapshot().0.files_processed == 3).then_some(())
    })
    .await;
    assert_eq!(flow.inbox.position().await.unwrap(), rows[1].id);
    flow.kill().await;
    drop(slow);

    let place = place.reopen().await;
    let mut flow = Running::start(&place, 10);
    let mut again = Vec::new();
    for _ in 0..2 {
        let attempt = flow.attempt().await;
        again.extend(files(&attempt.request));
        attempt.answer.send(Ok(())).unwrap();
    }
    again.sort();
    assert_eq!(again, ["s3://inbox/c.parquet", "s3://inbox/d.parquet", "s3://inbox/slow/b.parquet"]);
    flow.until_empty().await;
    flow.end().await;
}

#[tokio::test]
async fn the_end_waits_for_what_is_under_way_and_not_for_what_would_be_tried_again() {
    let place = Place::new().await;
    place.put("a.parquet", "a").await;
    place.put("slow/b.parquet", "b").await;
    let rows = place.inbox().read(0, 10).await.unwrap();
    let mut flow = Running::start(&place, 1);
    let (first, second) = (flow.attempt().await, flow.attempt().await);
    let (fast, slow) = if first.request.table.name() == "fast" { (first, second) } else { (second, first) };
    flow.stop.cancel();
    fast.answer.send(Ok(())).unwrap();
    slow.answer.send(Err(IngestError::Retry { reason: "later".to_owned(), after: DEADLINE * 10 })).unwrap();
    flow.end().await;
    assert_eq!(place.inbox().position().await.unwrap(), rows[1].id);
}

/// Knows how many requests were carried out at once; each ends only when the test lets one go.
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
    gate: Semaphore,
}

#[async_trait]
impl Ingest for Crowd {
    async fn ingest(&self, request: &IngestRequest) -> Result<IngestResult, IngestError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        self.now.fetch_sub(1, Ordering::SeqCst);
        self.done.fetch_add(1, Ordering::SeqCst);
        Ok(result(request))
    }

    async fn ready(&self) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test]
async fn no_more_requests_run_at_once_than_configured() {
    let place = Place::new().await;
    let files = 20;
    for number in 0..files {
        place.put(&format!("{number}.parquet"), "").await;
    }
    let stop = CancellationToken::new();
    let crowd = Arc::new(Crowd {
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        gate: Semaphore::new(0),
    });
    let flow = flow(&place, 1, crowd.clone(), Arc::default());
    let task = tokio::spawn({
        let stop = stop.clone();
        async move { flow.run(stop).await.unwrap() }
    });
    eventually("a full crowd", DEADLINE, async || {
        (crowd.now.load(Ordering::SeqCst) >= CONCURRENCY).then_some(())
    })
    .await;
    for number in 1..=files {
        crowd.gate.add_permits(1);
        eventually("the next end", DEADLINE, async || {
            (crowd.done.load(Ordering::SeqCst) == number).then_some(())
        })
        .await;
    }
    stop.cancel();
    task.await.unwrap();
    assert_eq!(crowd.most.load(Ordering::SeqCst), CONCURRENCY);
}
