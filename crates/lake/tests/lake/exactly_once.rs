//! Invariants 2 to 5: an object version's rows are in the table at most once, whatever is repeated or unclear.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::TryStreamExt;
use iceberg::table::Table;
use ingest_core::{FileStatus, TableName};
use lake::catalog::{Commit, CommitPort, Outcome};
use lake::ledger::Entry;
use lake::{Error, ErrorKind};

use crate::fixture::{Fixture, TABLE, file, parquet, request};

#[tokio::test]
async fn a_request_that_is_delivered_twice_adds_its_rows_once() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..10)).await;
    fixture.put("b", file(10..15)).await;
    let first = fixture.ingest(&["a", "b"]).await;
    assert_eq!((first.rows, first.files_processed, first.mode.as_str()), (15, 2, "rewrite"));
    let second = fixture.ingest(&["b", "a"]).await;
    assert_eq!((second.rows, second.files_processed, second.files_skipped), (0, 0, 2));
    assert_eq!(second.snapshot_id, first.snapshot_id, "the answer names the snapshot that has the rows");
    assert_eq!(fixture.ids().await, (0..15).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_redelivery_after_the_source_is_gone_is_a_success() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..3)).await;
    let mut announced = request(&["a"]);
    let path = object_store::path::Path::from("a");
    announced.objects[0].hint.etag =
        object_store::ObjectStoreExt::head(&fixture.bucket, &path).await.unwrap().e_tag;
    fixture.lake.ingest(&announced).await.unwrap();
    object_store::ObjectStoreExt::delete(&fixture.bucket, &path).await.unwrap();
    let again = fixture.lake.ingest(&announced).await.unwrap();
    assert_eq!((again.files_skipped, again.files_quarantined), (1, 0));
}

#[tokio::test]
async fn an_overwritten_key_is_a_new_file_and_the_old_rows_stay() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..3)).await;
    fixture.ingest(&["a"]).await;
    fixture.put("a", file(3..5)).await;
    assert_eq!(fixture.ingest(&["a"]).await.rows, 2);
    assert_eq!(fixture.ids().await, vec![0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn the_same_object_is_a_file_of_each_table_that_asks_for_it() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..3)).await;
    let mut other = request(&["a"]);
    other.table = ingest_core::TableName::parse("db.other").unwrap();
    let here = request(&["a"]);
    let (here, there) = tokio::join!(fixture.lake.ingest(&here), fixture.lake.ingest(&other));
    assert_eq!((here.unwrap().rows, there.unwrap().rows), (3, 3));
    assert_eq!(fixture.lake.ingest(&other).await.unwrap().files_skipped, 1);
    assert_eq!(fixture.ids().await, vec![0, 1, 2]);
}

#[tokio::test]
async fn overlapping_requests_to_two_processes_write_each_object_once() {
    let fixture = Fixture::new().await;
    for n in 0..6 {
        fixture.put(&format!("f{n}"), file(n * 10..n * 10 + 10)).await;
    }
    let other = fixture.another(|port| port).await;
    let flights = (0..8).map(|n| {
        let lake = if n % 2 == 0 { fixture.lake.clone() } else { other.clone() };
        let keys: Vec<String> = (0..4).map(|k| format!("f{}", (n + k) % 6)).collect();
        tokio::spawn(async move {
            lake.ingest(&request(&keys.iter().map(String::as_str).collect::<Vec<_>>())).await
        })
    });
    let mut rows = 0;
    for flight in flights.collect::<Vec<_>>() {
        rows += flight.await.unwrap().unwrap().rows;
    }
    assert_eq!(rows, 60, "the answers together claim each row once");
    assert_eq!(fixture.ids().await, (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_without_rows_is_known_afterwards_and_leaves_no_data_file() {
    let fixture = Fixture::new().await;
    fixture.put("empty", file(0..0)).await;
    let first = fixture.ingest(&["empty"]).await;
    assert_eq!((first.files_processed, first.rows), (1, 0));
    assert_eq!(fixture.ingest(&["empty"]).await.files_skipped, 1);
    assert!(!fixture.folder().join("warehouse/db/events/data").exists());
}

#[tokio::test]
async fn a_request_longer_than_a_slice_is_ingested_whole() {
    let fixture = Fixture::new().await;
    let keys: Vec<String> = (0..250).map(|n| format!("part-{n}")).collect();
    for (n, key) in (0i64..).zip(&keys) {
        fixture.put(key, file(n..n + 1)).await;
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let result = fixture.ingest(&keys).await;
    assert_eq!((result.files_processed, result.rows), (250, 250));
    assert_eq!(fixture.ids().await, (0..250).collect::<Vec<_>>());
}

/// What a faulty way to the catalog does with one commit.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The commit is made, the answer is lost.
    LostAnswer,
    /// The commit is made, and a repeated POST is answered with a conflict.
    FalseConflict,
    /// The commit is not made, and nobody can tell.
    NotMade,
}

#[derive(Debug)]
pub struct FaultyPort {
    pub inner: Arc<dyn CommitPort>,
    pub fault: Fault,
    /// Commits that still go wrong.
    pub left: AtomicUsize,
}

#[async_trait]
impl CommitPort for FaultyPort {
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        let faulty =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if !faulty {
            return self.inner.commit(base, commit).await;
        }
        match self.fault {
            Fault::LostAnswer => {
                assert!(matches!(self.inner.commit(base, commit).await, Outcome::Committed));
                Outcome::Unknown(Error::new(ErrorKind::Unavailable, "504"))
            }
            Fault::FalseConflict => {
                assert!(matches!(self.inner.commit(base, commit).await, Outcome::Committed));
                Outcome::Conflict
            }
            Fault::NotMade => Outcome::Unknown(Error::new(ErrorKind::Unavailable, "connection cut")),
        }
    }
}

#[tokio::test]
async fn no_answer_of_a_catalog_is_believed_and_rows_are_there_once() {
    for fault in [Fault::LostAnswer, Fault::FalseConflict, Fault::NotMade] {
        let fixture = Fixture::new().await;
        fixture.put("a", file(0..7)).await;
        // The ledger's beginning meets the fault, and then the rows' own commit does.
        let port = |inner| Arc::new(FaultyPort { inner, fault, left: AtomicUsize::new(1) });
        let lake = fixture.another(|inner| port(inner)).await;
        fixture.put("none", file(0..0)).await;
        assert_eq!(lake.ingest(&request(&["none"])).await.unwrap().files_processed, 1, "{fault:?}");
        let lake = fixture.another(|inner| port(inner)).await;
        let result = lake.ingest(&request(&["a"])).await.unwrap();
        assert_eq!((result.rows, result.files[0].status), (7, FileStatus::Processed), "{fault:?}");
        assert_eq!(fixture.ids().await, (0..7).collect::<Vec<_>>(), "{fault:?}");
        let data = std::fs::read_dir(fixture.folder().join("warehouse/db/events/data")).unwrap().count();
        assert_eq!(data, 1, "{fault:?}: a file that may be referenced was deleted, or one was written twice");
    }
}

#[tokio::test]
async fn the_snapshot_names_ledger_and_run() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..2)).await;
    let result = fixture.ingest(&["a"]).await;
    let table = fixture.table().await;
    let snapshot = table.metadata().current_snapshot().unwrap();
    assert_eq!(Some(snapshot.snapshot_id()), result.snapshot_id);
    let summary = &snapshot.summary().additional_properties;
    for key in ["event-ingest.ledger", "event-ingest.run", "event-ingest.version"] {
        assert!(summary.contains_key(key), "{key} is missing from {summary:?}");
    }
    assert_eq!(summary["added-records"], "2");
    assert_eq!(summary["total-records"], "2");
    let property = &table.metadata().properties()["event-ingest.ledger"];
    assert_eq!(*property, format!("{}:{}", snapshot.snapshot_id(), summary["event-ingest.ledger"]));
}

#[tokio::test]
async fn the_ledger_says_which_row_groups_hold_an_object() {
    /// The file's own writer closes a row group at so many rows; it is spliced, the short one is not.
    const ROW_GROUP: i64 = 1024 * 1024;
    let fixture = Fixture::new().await;
    let ids = |range: std::ops::Range<i64>| -> Arc<dyn arrow_array::Array> {
        Arc::new(arrow_array::Int64Array::from_iter_values(range))
    };
    fixture.put("long", parquet(vec![("id", ids(0..ROW_GROUP + 10))])).await;
    fixture.put("short", parquet(vec![("id", ids(0..5))])).await;
    fixture.put("empty", parquet(vec![("id", ids(0..0))])).await;
    fixture.ingest(&["long", "short", "empty"]).await;

    let seen = fixture.lake.inspect(&TableName::parse(TABLE).unwrap()).await.unwrap().unwrap();
    let entries: Vec<Entry> = seen.ledger.entries(&seen.head).try_collect().await.unwrap();
    let parts = |key: &str| -> Vec<(u32, u32)> {
        let entry = entries.iter().find(|entry| entry.identity.key == key).unwrap();
        entry.parts.iter().map(|part| (part.first_row_group, part.row_groups)).collect()
    };
    assert_eq!(parts("long"), [(0, 2)]);
    assert_eq!(parts("short"), [(0, 1)]);
    assert_eq!(parts("empty"), []);
}

#[tokio::test]
async fn manifests_are_merged_and_no_row_is_lost_or_doubled() {
    let fixture = Fixture::new().await;
    for n in 0..12 {
        fixture.put(&format!("f{n}"), file(n..n + 1)).await;
    }
    fixture.ingest(&["f0"]).await;
    fixture.set_property("commit.manifest.min-count-to-merge", "4").await;
    for n in 1..12 {
        fixture.ingest(&[&format!("f{n}")]).await;
    }
    assert_eq!(fixture.ids().await, (0..12).collect::<Vec<_>>());
    let table = fixture.table().await;
    let snapshot = table.metadata().current_snapshot().unwrap();
    let list = table.manifest_list_reader(snapshot).load().await.unwrap();
    assert!(list.entries().len() < 4, "{} manifests", list.entries().len());
    let counted: u32 =
        list.entries().iter().map(|m| m.added_files_count.unwrap() + m.existing_files_count.unwrap()).sum();
    assert_eq!(counted, 12);
    assert_eq!(snapshot.summary().additional_properties["total-data-files"], "12");
}
