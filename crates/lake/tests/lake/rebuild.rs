//! A ledger that lost files, made anew from what is left.

use std::path::PathBuf;

use ingest_core::TableName;
use lake::ErrorKind;
use lake::maintain::rebuild::Plan;

use crate::fixture::{Fixture, TABLE, file, request};

fn name() -> TableName {
    TableName::parse(TABLE).unwrap()
}

async fn plan(fixture: &Fixture, all: bool) -> Plan {
    fixture.lake.plan_rebuild(&name(), all).await.unwrap().unwrap()
}

/// A table with three snapshots of one object each, after the one that began its ledger.
async fn filled() -> Fixture {
    let fixture = Fixture::new().await;
    for n in 0..3 {
        let key = format!("f{n}");
        fixture.put(&key, file(n * 10..n * 10 + 10)).await;
        fixture.ingest(&[&key]).await;
    }
    fixture
}

/// A folder of the only ledger.
fn folder(fixture: &Fixture, name: &str) -> PathBuf {
    let ledgers = fixture.folder().join("warehouse/_event_ingest");
    std::fs::read_dir(ledgers).unwrap().next().unwrap().unwrap().path().join(name)
}

async fn run_of(fixture: &Fixture, back: usize) -> PathBuf {
    let table = fixture.table().await;
    let mut snapshot = table.metadata().current_snapshot().unwrap().clone();
    for _ in 0..back {
        snapshot = table.metadata().snapshot_by_id(snapshot.parent_snapshot_id().unwrap()).unwrap().clone();
    }
    folder(fixture, &snapshot.summary().additional_properties["event-ingest.run"])
}

#[tokio::test]
async fn a_whole_ledger_needs_nothing() {
    let fixture = filled().await;
    let plan = plan(&fixture, false).await;
    assert!(plan.intact && plan.lost.is_empty() && plan.unproven.is_empty());
    assert!(fixture.lake.plan_rebuild(&TableName::parse("db.none").unwrap(), false).await.unwrap().is_none());
}

#[tokio::test]
async fn lost_heads_are_made_again_from_the_runs() {
    let fixture = filled().await;
    std::fs::remove_dir_all(folder(&fixture, "heads")).unwrap();
    let stopped = fixture.lake.ingest(&request(&["f0"])).await.unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Inconsistent);

    let plan = plan(&fixture, false).await;
    assert!(!plan.intact && plan.lost.is_empty() && plan.based_on.is_none());
    assert_eq!((plan.head.runs.len(), plan.unnamed_files), (3, 0));
    fixture.lake.rebuild(&name(), &plan).await.unwrap();
    assert!(fixture.lake.verify(&name()).await.unwrap().unwrap().sound());
    assert_eq!(fixture.ingest(&["f0", "f1", "f2"]).await.files_skipped, 3);
    assert_eq!(fixture.ids().await, (0..30).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_lost_run_is_said_and_the_rest_is_kept() {
    let fixture = filled().await;
    std::fs::remove_file(run_of(&fixture, 1).await).unwrap();
    let plan = plan(&fixture, false).await;
    assert!(plan.based_on.is_some(), "the head before the loss is whole");
    assert_eq!(plan.lost.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), [10]);
    assert_eq!((plan.head.runs.len(), plan.unnamed_files, plan.unnamed_rows), (2, 1, 10));
    fixture.lake.rebuild(&name(), &plan).await.unwrap();
    assert_eq!(fixture.ingest(&["f0", "f2"]).await.files_skipped, 2);
}

#[tokio::test]
async fn a_table_that_moved_is_not_touched() {
    let fixture = filled().await;
    std::fs::remove_dir_all(folder(&fixture, "heads")).unwrap();
    let plan = plan(&fixture, false).await;
    fixture.append_file("file:///elsewhere/x.parquet").await;
    let error = fixture.lake.rebuild(&name(), &plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
}

#[tokio::test]
async fn history_that_was_cut_is_decided_again() {
    let fixture = filled().await;
    let newest = run_of(&fixture, 0).await;
    fixture.append_file("file:///elsewhere/x.parquet").await;
    let table = fixture.table().await;
    let main = table.metadata().current_snapshot_id();
    let older = table.metadata().snapshots().map(|snapshot| snapshot.snapshot_id());
    fixture.expire(&older.filter(|id| Some(*id) != main).collect::<Vec<_>>()).await;
    fixture.set_property("event-ingest.ledger", "1:heads/wrong.json").await;
    let stopped = fixture.lake.ingest(&request(&["f0"])).await.unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Inconsistent, "{stopped}");

    // Each run's snapshot still has a file in `main`: that proves it, though it has expired.
    let found = plan(&fixture, false).await;
    assert_eq!((found.head.runs.len(), found.unproven.len(), found.unnamed_files), (3, 0, 0));
    // A run of which nothing is left in the table proves nothing, and is taken only when that is asked for.
    let stray = newest.with_file_name(format!("77-{}.parquet", uuid::Uuid::new_v4()));
    let other = filled().await;
    std::fs::copy(run_of(&other, 0).await, &stray).unwrap();
    let cautious = plan(&fixture, false).await;
    assert_eq!((cautious.head.runs.len(), cautious.unproven.len()), (3, 1));
    assert_eq!(plan(&fixture, true).await.head.runs.len(), 4);

    fixture.lake.rebuild(&name(), &cautious).await.unwrap();
    assert_eq!(fixture.ingest(&["f0", "f1", "f2"]).await.files_skipped, 3);
}

#[tokio::test]
async fn a_ledger_with_the_run_of_a_copied_snapshot_is_whole() {
    let fixture = filled().await;
    let table = fixture.table().await;
    let newest = table.metadata().current_snapshot().unwrap();
    let parent = newest.parent_snapshot_id().unwrap();
    fixture.roll_back(parent).await;
    fixture.cherry_pick(newest).await;
    let plan = plan(&fixture, false).await;
    assert!(plan.intact && plan.lost.is_empty() && plan.unproven.is_empty(), "{plan:?}");
    assert_eq!(plan.head.runs.len(), 3);
}
