//! Invariants 9 and 10: a bad file harms only itself, and nothing outside the allow-list is touched.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Int64Array, StringArray};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use ingest_core::{FileStatus, ObjectUri};
use lake::ErrorKind;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use crate::fixture::{Fixture, file, parquet, request};

#[tokio::test]
async fn bad_files_are_set_aside_with_a_reason_and_the_rest_is_committed() {
    let fixture = Fixture::new().await;
    fixture.put("good-1", file(0..5)).await;
    fixture.ingest(&["good-1"]).await;

    let whole = file(100..5_000);
    let mut damaged = whole.to_vec();
    // The first page header: the footer stays good, so it shows only while pages are read.
    damaged[4..30].fill(0xFF);
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let number: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    fixture.put("good-2", file(5..9)).await;
    fixture.put("empty", "").await;
    fixture.put("text", "id,name\n1,x\n this is no parquet file").await;
    fixture.put("cut", whole.slice(0..whole.len() - 20)).await;
    fixture.put("damaged", damaged).await;
    fixture.put("other-type", parquet(vec![("id", text.clone())])).await;
    fixture.put("more-columns", parquet(vec![("id", number), ("surprise", text)])).await;

    let keys = ["empty", "text", "cut", "damaged", "other-type", "more-columns", "missing", "good-2"];
    let result = fixture.ingest(&keys).await;
    let expected = ["few", "PAR1", "PAR1", "page header", "`id`", "`surprise`", "no such object"];
    for (file, expected) in result.files.iter().zip(expected) {
        let reason = file.reason.as_deref().unwrap_or_default();
        assert_eq!(file.status, FileStatus::Quarantined, "{}: {reason}", file.file);
        assert!(reason.contains(expected), "{}: {reason}", file.file);
    }
    assert_eq!((result.files_quarantined, result.files_processed, result.rows), (7, 1, 4));
    assert_eq!(fixture.ids().await, (0..9).collect::<Vec<_>>());
    assert_eq!(quarantine_records(&fixture), 7);
}

#[tokio::test]
async fn a_request_of_bad_files_alone_makes_no_table_and_is_answered() {
    let fixture = Fixture::new().await;
    fixture.put("text", "this is no parquet file").await;
    let result = fixture.ingest(&["text", "missing"]).await;
    assert_eq!((result.files_quarantined, result.snapshot_id, result.mode.as_str()), (2, None, "none"));
    assert!(!fixture.folder().join("warehouse/db").exists());
    assert_eq!(quarantine_records(&fixture), 2);
}

#[tokio::test]
async fn a_missing_object_that_comes_later_is_ingested() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..1)).await;
    assert_eq!(fixture.ingest(&["a", "late"]).await.files_quarantined, 1);
    fixture.put("late", file(1..2)).await;
    assert_eq!(fixture.ingest(&["late"]).await.files_processed, 1);
    assert_eq!(fixture.ids().await, vec![0, 1]);
}

#[tokio::test]
async fn odd_keys_are_data_and_unaddressable_ones_are_set_aside() {
    let fixture = Fixture::new().await;
    let odd = ["a b", "a+b", "a%2Fb", "a#b", "a?b=c", "ü/é", "x", "x/y"];
    for (n, key) in (0i64..).zip(odd) {
        fixture.put(key, file(n..n + 1)).await;
    }
    assert_eq!(fixture.ingest(&odd).await.files_processed, 8);
    let result = fixture.ingest(&["/lead", "a//b", "../up", "a/./b"]).await;
    assert_eq!(result.files_quarantined, 4, "{:?}", result.files);
    assert_eq!(fixture.ids().await, (0..8).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_not_allowed_is_never_read() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..1)).await;
    let mut mixed = request(&["a"]);
    let mut foreign = mixed.objects[0].clone();
    foreign.uri = ObjectUri::new("secrets", "a").unwrap();
    mixed.objects.push(foreign.clone());
    let result = fixture.lake.ingest(&mixed).await.unwrap();
    assert_eq!((result.files_processed, result.files[1].status), (1, FileStatus::Forbidden));

    let mut only = request(&["a"]);
    only.objects = vec![foreign];
    assert_eq!(fixture.lake.ingest(&only).await.unwrap_err().kind(), ErrorKind::Forbidden);

    let mut table = request(&["a"]);
    table.table = ingest_core::TableName::parse("other.events").unwrap();
    assert_eq!(fixture.lake.ingest(&table).await.unwrap_err().kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_lost_ledger_stops_the_table_instead_of_doubling_rows() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..1)).await;
    fixture.ingest(&["a"]).await;
    std::fs::remove_dir_all(fixture.folder().join("warehouse/_event_ingest")).unwrap();
    let error = fixture.lake.ingest(&request(&["a"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Inconsistent, "{error}");
    assert!(error.to_string().contains("restore"), "{error}");
    assert_eq!(fixture.ids().await, vec![0]);
}

fn quarantine_records(fixture: &Fixture) -> usize {
    let ledgers = std::fs::read_dir(fixture.folder().join("warehouse/_event_ingest")).unwrap();
    let folders =
        ledgers.map(|table| table.unwrap().path().join("quarantine")).filter(|folder| folder.exists());
    folders.map(|folder| std::fs::read_dir(folder).unwrap().count()).sum()
}

/// A bucket whose objects are overwritten or removed between the look-up and the first read.
#[derive(Debug, Default)]
struct Unsteady {
    inner: InMemory,
    next: Mutex<VecDeque<Option<Bytes>>>,
    /// The whole bucket is gone, or the endpoint is another server's: everything is answered with 404.
    gone: AtomicBool,
}

impl std::fmt::Display for Unsteady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unsteady")
    }
}

#[async_trait]
impl ObjectStore for Unsteady {
    async fn get_opts(&self, at: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let head = options.head;
        let found = self.inner.get_opts(at, options).await;
        if head {
            let next = self.next.lock().unwrap().pop_front();
            match next {
                Some(Some(bytes)) => drop(self.inner.put(at, bytes.into()).await?),
                Some(None) => self.inner.delete(at).await?,
                None => {}
            }
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
        if self.gone.load(Ordering::SeqCst) {
            return stream::once(async { Err(not_found()) }).boxed();
        }
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
async fn an_object_that_changes_after_its_look_up_is_asked_for_again() {
    let fixture = Fixture::new().await;
    let path = Path::from("a");
    let bucket = Arc::new(Unsteady::default());
    fixture.lend(bucket.clone());
    bucket.put(&path, file(0..3).into()).await.unwrap();
    // Overwritten between HEAD and GET: the new content is ingested, under its own identity.
    bucket.next.lock().unwrap().push_back(Some(file(3..5)));
    assert_eq!(fixture.ingest(&["a"]).await.rows, 2);
    assert_eq!(fixture.ids().await, vec![3, 4]);
    assert_eq!(fixture.ingest(&["a"]).await.files_skipped, 1);
    // Removed between HEAD and GET: missing, and no panic.
    bucket.put(&path, file(5..6).into()).await.unwrap();
    bucket.next.lock().unwrap().push_back(None);
    let gone = fixture.ingest(&["a"]).await;
    assert_eq!((gone.files_quarantined, gone.rows), (1, 0), "{:?}", gone.files);
    assert_eq!(fixture.ids().await, vec![3, 4]);
}

fn not_found() -> object_store::Error {
    object_store::Error::NotFound { path: "bucket".to_owned(), source: "NoSuchBucket".into() }
}

#[tokio::test]
async fn a_bucket_that_does_not_answer_is_tried_again_and_nothing_is_set_aside() {
    let fixture = Fixture::new().await;
    let bucket = Arc::new(Unsteady::default());
    fixture.lend(bucket.clone());
    bucket.gone.store(true, Ordering::SeqCst);
    let error = fixture.lake.ingest(&request(&["a"])).await.unwrap_err();
    assert!(error.retryable(), "{error}");
    assert!(error.to_string().contains("bucket `inbox`"), "{error}");
    bucket.gone.store(false, Ordering::SeqCst);
    assert_eq!(fixture.ingest(&["a"]).await.files_quarantined, 1);
}
