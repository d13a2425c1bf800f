//! Group commit: many requests, few snapshots, to each its own answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use iceberg::table::Table;
use ingest_core::IngestResult;
use lake::catalog::{Commit, CommitPort, Outcome};
use lake::{ErrorKind, Lake};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::fixture::{Fixture, file, request};

/// Lets commits through one permit at a time, and counts those that arrived.
#[derive(Debug)]
struct Gate {
    inner: Arc<dyn CommitPort>,
    arrived: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
}

#[async_trait]
impl CommitPort for Gate {
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.unwrap().forget();
        self.inner.commit(base, commit).await
    }
}

/// A lake whose table exists already and whose further commits pass a gate.
async fn gated(fixture: &Fixture) -> (Arc<Lake>, Arc<AtomicUsize>, Arc<Semaphore>) {
    fixture.put("first", file(1_000..1_001)).await;
    fixture.ingest(&["first"]).await;
    let (arrived, permits) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (a, p) = (arrived.clone(), permits.clone());
    let lake = fixture.another(|inner| Arc::new(Gate { inner, arrived: a, permits: p })).await;
    (lake, arrived, permits)
}

fn start(lake: &Arc<Lake>, keys: Vec<String>) -> JoinHandle<lake::Result<IngestResult>> {
    let lake = lake.clone();
    tokio::spawn(
        async move { lake.ingest(&request(&keys.iter().map(String::as_str).collect::<Vec<_>>())).await },
    )
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn many_requests_share_few_snapshots_and_each_has_its_own_answer() {
    let fixture = Fixture::new().await;
    for n in 0..40 {
        fixture.put(&format!("f{n}"), file(n * 100..n * 100 + n + 1)).await;
    }
    let flights: Vec<_> = (0..40).map(|n| start(&fixture.lake, vec![format!("f{n}")])).collect();
    for (n, flight) in flights.into_iter().enumerate() {
        let result = flight.await.unwrap().unwrap();
        assert_eq!((result.files_processed, result.rows), (1, n as u64 + 1), "the answer to another request");
    }
    let table = fixture.table().await;
    let snapshots = table.metadata().snapshots().count() - 1; // the first begins the ledger
    assert!(snapshots <= 4, "{snapshots} snapshots for 40 requests");
    let shared: usize = table
        .metadata()
        .snapshots()
        .map(|s| s.summary().additional_properties["event-ingest.requests"].parse::<usize>().unwrap())
        .sum();
    assert_eq!(shared, 40);
    assert_eq!(fixture.ids().await.len(), (1..=40).sum::<usize>());
}

#[tokio::test]
async fn a_failing_request_does_not_fail_its_companions() {
    let fixture = Fixture::new().await;
    let (lake, arrived, permits) = gated(&fixture).await;
    fixture.put("a", file(0..1)).await;
    fixture.put("bad", "no parquet").await;
    fixture.put("b", file(1..2)).await;
    let first = start(&lake, vec!["a".into()]);
    until(|| arrived.load(Ordering::SeqCst) == 1).await;
    let mut odd = request(&["b"]);
    odd.options.insert("mode".into(), "no such mode".into());
    let bad = start(&lake, vec!["bad".into()]);
    let good = start(&lake, vec!["b".into()]);
    assert_eq!(lake.ingest(&odd).await.unwrap_err().kind(), ErrorKind::Invalid);
    permits.add_permits(10);
    assert_eq!(first.await.unwrap().unwrap().rows, 1);
    assert_eq!(bad.await.unwrap().unwrap().files_quarantined, 1);
    assert_eq!(good.await.unwrap().unwrap().rows, 1);
    assert_eq!(fixture.ids().await, vec![0, 1, 1_000]);
}

#[tokio::test]
async fn whoever_goes_away_cuts_nobody_short_and_its_rows_come_once() {
    let fixture = Fixture::new().await;
    let (lake, arrived, permits) = gated(&fixture).await;
    fixture.put("a", file(0..1)).await;
    fixture.put("b", file(1..2)).await;
    let gone = start(&lake, vec!["a".into()]);
    until(|| arrived.load(Ordering::SeqCst) == 1).await;
    gone.abort();
    // The same object again while its commit is still under way, beside another.
    let again = start(&lake, vec!["a".into(), "b".into()]);
    permits.add_permits(10);
    let result = again.await.unwrap().unwrap();
    assert_eq!((result.files_processed, result.files_skipped), (1, 1), "{:?}", result.files);
    assert_eq!(fixture.ids().await, vec![0, 1, 1_000]);
}

#[tokio::test]
async fn the_same_object_in_two_requests_of_a_group_is_written_once() {
    let fixture = Fixture::new().await;
    for n in 0..5 {
        fixture.put(&format!("f{n}"), file(n..n + 1)).await;
    }
    let flights: Vec<_> = (0..10)
        .map(|n| start(&fixture.lake, vec![format!("f{}", n % 5), format!("f{}", (n + 1) % 5)]))
        .collect();
    let mut rows = 0;
    for flight in flights {
        rows += flight.await.unwrap().unwrap().rows;
    }
    assert_eq!(rows, 5);
    assert_eq!(fixture.ids().await, (0..5).collect::<Vec<_>>());
    let data = std::fs::read_dir(fixture.folder().join("warehouse/db/events/data")).unwrap().count();
    let written = fixture
        .table()
        .await
        .metadata()
        .current_snapshot()
        .unwrap()
        .summary()
        .additional_properties["total-data-files"]
        .parse::<usize>()
        .unwrap();
    assert_eq!(data, written, "a file was written for an object that came in by another request");
}
