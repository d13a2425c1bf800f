//! The whole line, with a bucket that is made up, a judge that decides by key, and an ingest that counts.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use ingest_core::staged::Staged;
use ingest_core::{FileOutcome, FileStatus, IngestResult, Rule, TableName, Target};
use lake::ingest::Publication;
use lake::storage::listing::{Listing, PAGE_KEYS, Page, walk};

use super::*;

/// So many keys, in order, made when they are asked for and counted.
#[derive(Debug)]
struct Numbers {
    keys: u64,
    made: Arc<AtomicUsize>,
}

#[async_trait]
impl Listing for Numbers {
    async fn page(&self, _: &str, after: &str) -> lake::Result<Page> {
        let number = |key: &str| key.trim_end_matches(".parquet").parse::<u64>().unwrap();
        let first = if after.is_empty() { 0 } else { number(after) + 1 };
        let last = (first + PAGE_KEYS as u64).min(self.keys);
        let object = |n| Listed { key: format!("{n:08}.parquet"), size: 1, etag: None, modified: None };
        self.made.fetch_add((last - first) as usize, Ordering::SeqCst);
        Ok(Page { objects: (first..last).map(object).collect(), more: last < self.keys })
    }
}

/// Every thousandth object is missing. Sees how many objects have left the bucket and not come here.
#[derive(Default)]
struct EveryThousandth {
    made: Arc<AtomicUsize>,
    judged: usize,
    most_held: usize,
}

#[async_trait]
impl Judge for EveryThousandth {
    async fn judge(
        &mut self,
        _: &TableName,
        candidates: Vec<Candidate>,
    ) -> lake::Result<Vec<(Candidate, Verdict)>> {
        self.most_held = self.most_held.max(self.made.load(Ordering::SeqCst) - self.judged);
        self.judged += candidates.len();
        let judged = candidates.into_iter().map(|candidate| {
            let missing = candidate.uri().key().ends_with("000.parquet");
            (candidate, if missing { Verdict::Missing } else { Verdict::InTable })
        });
        Ok(judged.collect())
    }
}

/// Takes everything in; fails for good, or asks the process to stop, at some request.
#[derive(Default)]
struct Sink {
    ingested: Mutex<Vec<String>>,
    requests: AtomicUsize,
    fails_at: Option<usize>,
    stops_at: Option<(usize, CancellationToken)>,
}

#[async_trait]
impl Ingest for Sink {
    async fn ingest(&self, request: &IngestRequest) -> lake::Result<IngestResult> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        if self.fails_at == Some(number) {
            return Err(lake::Error::new(lake::ErrorKind::Invalid, "as the test says"));
        }
        if let Some((at, stop)) = &self.stops_at
            && *at == number
        {
            stop.cancel();
        }
        let files: Vec<String> = request.objects.iter().map(|object| object.uri.key().to_owned()).collect();
        self.ingested.lock().unwrap().extend(files.iter().cloned());
        let outcome = |file| FileOutcome {
            file,
            status: FileStatus::Processed,
            rows: 1,
            mode: None,
            mode_reason: None,
            reason: None,
        };
        Ok(IngestResult {
            request_id: request.request_id.clone(),
            table: request.table.clone(),
            rows: files.len() as u64,
            files_processed: files.len() as u64,
            files_skipped: 0,
            files_quarantined: 0,
            snapshot_id: Some(1),
            mode: "rewrite".to_owned(),
            files: files.into_iter().map(outcome).collect(),
        })
    }

    async fn publish_staged(&self, _: &Staged) -> lake::Result<Publication> {
        unreachable!("nothing is staged here")
    }

    async fn ready(&self) -> lake::Result<()> {
        Ok(())
    }
}

fn load(sink: &Arc<Sink>, stop: &CancellationToken) -> Load<EveryThousandth, Sink> {
    let target = Target::new("db.t".parse::<TableName>().unwrap());
    Load::new(Parts {
        rules: RuleSet::new([Rule::all(target)]),
        store: "s3".to_owned(),
        policy: Policy { min_age: TimeDelta::zero(), include_rolled_back: false },
        allow: AllowList::parse(["s3://b"], ["db.t"]).unwrap(),
        judge: Some(EveryThousandth::default()),
        loader: Some(Loader::new(sink.clone(), 2, stop.clone())),
        report: Report::new(Style { json: true, name_planned: false }, Box::new(std::io::sink())),
        stop: stop.clone(),
    })
}

async fn take(load: &mut Load<EveryThousandth, Sink>, keys: u64, after: &str) -> anyhow::Result<()> {
    let made = load.judge.as_ref().unwrap().made.clone();
    load.take_all("b", walk(Arc::new(Numbers { keys, made }), String::new(), after.to_owned())).await
}

#[tokio::test]
async fn ten_million_keys_pass_through_bounded_groups() {
    let sink = Arc::new(Sink::default());
    let mut load = load(&sink, &CancellationToken::new());
    let keys = 10_000_000;
    take(&mut load, keys, "").await.unwrap();
    let summary = load.report.summary();
    assert_eq!((summary.files_seen, summary.files_missing, summary.files_processed), (keys, 10_000, 10_000));
    assert_eq!(summary.files_in_table, keys - 10_000);
    let judge = load.judge.unwrap();
    assert_eq!((judge.judged as u64, judge.most_held), (keys, PAGE_KEYS), "more than a page was held");
    // Few missing objects make large requests all the same: a hundred of them between two checkpoints.
    assert_eq!(sink.requests.load(Ordering::SeqCst), 100);
}

#[tokio::test]
async fn an_interrupted_run_goes_on_and_misses_nothing() {
    let stop = CancellationToken::new();
    let sink = Arc::new(Sink { stops_at: Some((2, stop.clone())), ..Sink::default() });
    let mut interrupted = load(&sink, &stop);
    let outcome = take(&mut interrupted, 450_000, "").await;
    let mut position = None;
    let error = interrupted
        .end(outcome, |at| {
            position = at.cloned();
            "go on".to_owned()
        })
        .await
        .unwrap_err();
    assert!(error.to_string().contains("interrupted") && error.to_string().contains("go on"), "{error:#}");
    let position = position.expect("a checkpoint was reached");
    // The request under way was let end, so all before the second checkpoint is done.
    assert_eq!(position.key(), "00199999.parquet");

    let mut again = load(&sink, &CancellationToken::new());
    take(&mut again, 450_000, position.key()).await.unwrap();
    let ingested: HashSet<String> = sink.ingested.lock().unwrap().iter().cloned().collect();
    assert_eq!(ingested.len(), 450);
}

#[tokio::test]
async fn a_failure_for_good_ends_the_run_and_is_named() {
    let stop = CancellationToken::new();
    let sink = Arc::new(Sink { fails_at: Some(2), ..Sink::default() });
    let mut failing = load(&sink, &stop);
    let outcome = take(&mut failing, 450_000, "").await;
    let error = failing.end(outcome, |at| format!("after {}", at.unwrap())).await.unwrap_err();
    let text = format!("{error:#}");
    for part in ["as the test says", "db.t", "after s3://b/00099999.parquet"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[tokio::test]
async fn what_succeeds_beside_a_failure_is_reported() {
    let sink = Arc::new(Sink { fails_at: Some(1), ..Sink::default() });
    let mut failing = load(&sink, &CancellationToken::new());
    // Without a judge two full requests are begun, as many as may be under way.
    failing.judge = None;
    let listing = walk(Arc::new(Numbers { keys: 400, made: Arc::default() }), String::new(), String::new());
    assert!(failing.take_all("b", listing).await.is_err());
    let summary = failing.report.summary();
    assert_eq!((summary.requests, summary.files_processed), (1, 200));
}

#[tokio::test]
async fn what_may_not_be_read_is_reported_and_the_rest_comes_in() {
    let sink = Arc::new(Sink::default());
    let mut load = load(&sink, &CancellationToken::new());
    load.judge = None;
    let objects = [("b", "a.csv"), ("b", "b.parquet"), ("b", "c.json"), ("other", "d.parquet")];
    let in_bucket = ["a.csv", "b.parquet", "c.json"];
    for (bucket, key) in objects {
        let listed = Listed { key: key.to_owned(), size: 1, etag: None, modified: None };
        load.take_all(bucket, futures::stream::iter([Ok(listed)])).await.unwrap();
    }
    let mut ingested = sink.ingested.lock().unwrap().clone();
    ingested.sort_unstable();
    assert_eq!(ingested, in_bucket);
    let summary = load.report.summary();
    assert_eq!((summary.files_forbidden, summary.files_processed), (1, 3));
    let noted: Vec<_> = summary.not_in_table.iter().map(|note| (note.file.as_str(), note.status)).collect();
    let expected = [("s3://other/d.parquet", "forbidden")];
    assert_eq!(noted, expected);
    assert!(!summary.all_in());
}
