//! Group commit: many requests, few snapshots, to each its own answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use iceberg::table::Table;
use ingest_core::IngestResult;
use lake::catalog::{Commit, CommitPort, Outcome};
use lake::{ErrorKind, Lake};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use crate::fixture::{Fixture, file, request};

/// A condition that does not come true by then never will.
const WITHIN: Duration = Duration::from_secs(60);

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
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WITHIN, wait).await.expect("it happens");
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
async fn a_request_that_cannot_be_written_does_not_fail_those_beside_it() {
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

/// Panics at its first commit.
#[derive(Debug)]
struct Panicking {
    inner: Arc<dyn CommitPort>,
    calm: AtomicBool,
}

#[async_trait]
impl CommitPort for Panicking {
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        assert!(self.calm.swap(true, Ordering::SeqCst), "a fault of the program");
        self.inner.commit(base, commit).await
    }
}

#[tokio::test]
async fn a_fault_of_the_program_costs_one_group_and_not_the_table() {
    let fixture = Fixture::new().await;
    fixture.put("first", file(1_000..1_001)).await;
    fixture.ingest(&["first"]).await;
    let lake = fixture.another(|inner| Arc::new(Panicking { inner, calm: AtomicBool::new(false) })).await;
    fixture.put("a", file(0..1)).await;
    let error = lake.ingest(&request(&["a"])).await.unwrap_err();
    assert!(error.retryable(), "{error}");
    assert_eq!(lake.ingest(&request(&["a"])).await.unwrap().rows, 1);
    assert_eq!(fixture.ids().await, vec![0, 1_000]);
}

/// A bucket in which an object is overwritten right after its first look-up, and announced again before the first
/// request reads it.
#[derive(Debug)]
struct Overwritten {
    inner: InMemory,
    looked_at: Notify,
    go_on: Notify,
    waits: AtomicBool,
}

impl std::fmt::Display for Overwritten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("overwritten")
    }
}

#[async_trait]
impl ObjectStore for Overwritten {
    async fn get_opts(&self, at: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let head = options.head;
        let found = self.inner.get_opts(at, options).await;
        if head && at.as_ref() == "k" && self.waits.swap(false, Ordering::SeqCst) {
            self.looked_at.notify_one();
            self.go_on.notified().await;
        }
        found
    }

    async fn put_opts(
        &self,
        at: &Path,
        bytes: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.inner.put_opts(at, bytes, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn an_object_that_becomes_another_version_is_claimed_again() {
    let fixture = Fixture::new().await;
    let (lake, arrived, permits) = gated(&fixture).await;
    let bucket = Arc::new(Overwritten {
        inner: InMemory::new(),
        looked_at: Notify::new(),
        go_on: Notify::new(),
        waits: AtomicBool::new(true),
    });
    fixture.lend(bucket.clone());
    let key = Path::from("k");
    bucket.put(&key, file(0..1).into()).await.unwrap();
    bucket.put(&Path::from("c"), file(500..501).into()).await.unwrap();
    let busy = start(&lake, vec!["c".into()]);
    until(|| arrived.load(Ordering::SeqCst) == 1).await;

    // The first request has looked at the old version when the new one is put and announced.
    let first = start(&lake, vec!["k".into()]);
    bucket.looked_at.notified().await;
    bucket.put(&key, file(1..2).into()).await.unwrap();
    let second = start(&lake, vec!["k".into()]);
    let data = fixture.folder().join("warehouse/db/events/data");
    until(|| std::fs::read_dir(&data).unwrap().count() == 3).await;
    bucket.go_on.notify_one();
    for _ in 0..1_000 {
        // If the first wrote the new version too, it would join the second's group now.
        tokio::task::yield_now().await;
    }
    permits.add_permits(10);
    busy.await.unwrap().unwrap();
    let rows = first.await.unwrap().unwrap().rows + second.await.unwrap().unwrap().rows;
    assert_eq!(rows, 1);
    assert_eq!(fixture.ids().await, vec![1, 500, 1_000]);
}
