//! Files of attempts whose process died: found, and deleted only when nothing can bring the attempt back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use iceberg::table::Table;
use ingest_core::TableName;
use lake::catalog::{Commit, CommitPort, Outcome};
use lake::maintain::orphans::Held;
use lake::maintain::{Kind, sweep::Search};
use tokio::sync::Semaphore;

use crate::fixture::{Fixture, TABLE, file, request};

/// The process stops while its commit is under way.
#[derive(Debug)]
pub struct Stops {
    pub inner: Arc<dyn CommitPort>,
    /// Whether the commit gets through before that.
    pub made: bool,
    /// Has a permit for each commit that was sent.
    pub sent: Arc<Semaphore>,
}

#[async_trait]
impl CommitPort for Stops {
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        if self.made {
            assert!(matches!(self.inner.commit(base, commit).await, Outcome::Committed));
        }
        self.sent.add_permits(1);
        std::future::pending().await
    }
}

/// A request for one file by a process that dies while its commit is under way.
async fn ingest_and_die(fixture: &Fixture, key: &str, made: bool) {
    let sent = Arc::new(Semaphore::new(0));
    let port = sent.clone();
    let lake = fixture.another(|inner| Arc::new(Stops { inner, made, sent: port })).await;
    let request = request(&[key]);
    let process = tokio::spawn(async move { lake.ingest(&request).await });
    sent.acquire().await.unwrap().forget();
    process.abort();
}

/// Searches when every file was written so many days ago.
pub async fn search(fixture: &Fixture, days: u64) -> Search {
    let written = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
    let mut folders = vec![fixture.folder().join("warehouse")];
    while let Some(folder) = folders.pop() {
        for found in std::fs::read_dir(folder).unwrap().map(|found| found.unwrap().path()) {
            if found.is_dir() {
                folders.push(found);
            } else {
                std::fs::File::options().write(true).open(found).unwrap().set_modified(written).unwrap();
            }
        }
    }
    // However little is asked for, what a request could still use stays.
    let name = TableName::parse(TABLE).unwrap();
    fixture.lake.search_orphans(&name, Duration::ZERO).await.unwrap().unwrap()
}

pub async fn delete(fixture: &Fixture, search: &mut Search) -> usize {
    fixture.lake.delete_orphans(&TableName::parse(TABLE).unwrap(), search, || false).await.unwrap()
}

fn data_files(fixture: &Fixture) -> usize {
    std::fs::read_dir(fixture.folder().join("warehouse/db/events/data")).unwrap().count()
}

#[tokio::test]
async fn what_a_dead_attempt_left_goes_when_main_has_moved_on_and_a_day_has_passed() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..3)).await;
    fixture.put("b", file(3..5)).await;
    fixture.ingest(&["a"]).await;
    ingest_and_die(&fixture, "b", false).await;

    let mut waiting = search(&fixture, 2).await;
    assert!(waiting.orphans.iter().any(|orphan| orphan.kind == Kind::Data));
    for orphan in &waiting.orphans {
        assert!(matches!(orphan.held, Some(Held::CouldLand(_))), "main has not moved: {orphan:?}");
    }
    assert_eq!(delete(&fixture, &mut waiting).await, 0);

    fixture.ingest(&["b"]).await;
    assert_eq!(data_files(&fixture), 3);
    let mut young = search(&fixture, 0).await;
    assert!(young.orphans.iter().all(|orphan| orphan.held == Some(Held::Young)), "{:?}", young.orphans);
    assert_eq!(delete(&fixture, &mut young).await, 0);

    let mut old = search(&fixture, 2).await;
    let kinds: Vec<Kind> = old.orphans.iter().map(|orphan| orphan.kind).collect();
    for kind in [Kind::Data, Kind::Manifest, Kind::ManifestList, Kind::Head, Kind::Run] {
        assert!(kinds.contains(&kind), "{kind:?} is not among {kinds:?}");
    }
    assert_eq!(delete(&fixture, &mut old).await, kinds.len());
    assert_eq!(data_files(&fixture), 2);
    assert_eq!(fixture.ids().await, (0..5).collect::<Vec<_>>());
    assert!(search(&fixture, 2).await.orphans.is_empty());
    assert_eq!(fixture.ingest(&["a", "b"]).await.files_skipped, 2);
}

#[tokio::test]
async fn nothing_of_an_attempt_that_landed_unseen_is_an_orphan() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..3)).await;
    fixture.put("b", file(3..5)).await;
    fixture.ingest(&["a"]).await;
    ingest_and_die(&fixture, "b", true).await;
    fixture.put("c", file(5..6)).await;
    fixture.ingest(&["c"]).await;
    let mut found = search(&fixture, 60).await;
    assert!(found.orphans.is_empty(), "{:?}", found.orphans);
    assert_eq!(delete(&fixture, &mut found).await, 0);
    assert_eq!(fixture.ids().await, (0..6).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_lands_after_the_search_is_kept() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..3)).await;
    fixture.ingest(&["a"]).await;
    // As after a kill between writing and the commit: a data file of our naming that nothing names.
    let data = fixture.folder().join("warehouse/db/events/data");
    let mine = std::fs::read_dir(&data).unwrap().next().unwrap().unwrap().path();
    let table = fixture.table().await.metadata().uuid();
    let left = data.join(format!("{table}-{}.parquet", uuid::Uuid::now_v7()));
    std::fs::copy(&mine, &left).unwrap();
    // DuckDB, for one, names its files so.
    let foreign = data.join(format!("{}.parquet", uuid::Uuid::now_v7()));
    std::fs::copy(&mine, &foreign).unwrap();

    let young = search(&fixture, 0).await;
    assert_eq!(young.orphans.len(), 1);
    assert_eq!(young.orphans[0].held, Some(Held::Young));
    let mut old = search(&fixture, 2).await;
    assert_eq!((old.orphans.len(), old.orphans[0].held), (1, None));
    assert_eq!(old.snapshots(&old.orphans[0]).count(), 0);
    fixture.append_file(&format!("file://{}", left.display())).await;
    assert_eq!(delete(&fixture, &mut old).await, 0, "a snapshot names it by now");
    assert!(left.exists() && foreign.exists() && mine.exists());
}

#[tokio::test]
async fn the_files_of_a_table_in_the_same_folder_are_left_alone() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..3)).await;
    fixture.put("b", file(3..5)).await;
    fixture.ingest(&["a"]).await;
    let neighbour = fixture.neighbour().await;
    neighbour.ingest(&request(&["a", "b"])).await.unwrap();
    assert_eq!(data_files(&fixture), 2, "both tables have one folder");
    let mut old = search(&fixture, 60).await;
    // Table metadata is every writer's: it is listed, and stays.
    assert!(old.orphans.iter().all(|orphan| orphan.kind == Kind::Metadata), "{:?}", old.orphans);
    assert_eq!(delete(&fixture, &mut old).await, 0);
    assert_eq!(data_files(&fixture), 2);
}

#[tokio::test]
async fn an_attempt_that_cannot_be_read_holds_its_own_files_alone() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..3)).await;
    fixture.put("b", file(3..5)).await;
    fixture.ingest(&["a"]).await;
    ingest_and_die(&fixture, "b", false).await;
    fixture.ingest(&["b"]).await;
    let ledgers = fixture.folder().join("warehouse/_event_ingest");
    let ledger = std::fs::read_dir(ledgers).unwrap().next().unwrap().unwrap().path();
    let stray = ledger.join(format!("runs/77-{}.parquet", uuid::Uuid::new_v4()));
    std::fs::write(&stray, "no run").unwrap();

    let mut old = search(&fixture, 2).await;
    let (stays, goes): (Vec<_>, Vec<_>) = old.orphans.iter().partition(|orphan| orphan.held.is_some());
    assert_eq!(stays.iter().map(|orphan| orphan.held).collect::<Vec<_>>(), [Some(Held::Unreadable(77))]);
    let goes = goes.len();
    assert!(goes >= 5, "the files of the other attempt");
    assert_eq!(delete(&fixture, &mut old).await, goes);
    assert!(stray.exists());
    // Had its commit been sent, a file that nobody names could be its own.
    let table = fixture.table().await.metadata().uuid();
    let data =
        fixture.folder().join(format!("warehouse/db/events/data/{table}-{}.parquet", uuid::Uuid::now_v7()));
    std::fs::write(&data, "").unwrap();
    assert!(search(&fixture, 2).await.orphans.iter().any(|orphan| orphan.held.is_none()));
    let list = format!("warehouse/db/events/metadata/snap-77-1-{}.avro", uuid::Uuid::new_v4());
    std::fs::write(fixture.folder().join(list), "no list").unwrap();
    let blind = search(&fixture, 2).await;
    assert_eq!(blind.orphans.len(), 3);
    for orphan in &blind.orphans {
        assert_eq!(orphan.held, Some(Held::Unreadable(77)), "{orphan:?}");
    }
}

#[tokio::test]
async fn metadata_of_a_commit_that_failed_is_shown_and_kept() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..3)).await;
    fixture.ingest(&["a"]).await;
    let folder = fixture.folder().join("warehouse/db/events/metadata");
    let file = |version: u32| folder.join(format!("{version:05}-{}.metadata.json", uuid::Uuid::new_v4()));
    let (failed, ahead) = (file(1), file(99));
    for metadata in [&failed, &ahead] {
        std::fs::write(metadata, "{}").unwrap();
    }
    let mut old = search(&fixture, 60).await;
    let found: Vec<_> = old.orphans.iter().map(|orphan| (orphan.kind, orphan.held, &orphan.url)).collect();
    let url = format!("file://{}", failed.display());
    assert_eq!(found, [(Kind::Metadata, Some(Held::Unattributed), &url)]);
    assert_eq!(delete(&fixture, &mut old).await, 0);
    fixture.set_property("write.metadata.delete-after-commit.enabled", "false").await;
    assert!(search(&fixture, 60).await.orphans.is_empty(), "older files are the table's history");
}
