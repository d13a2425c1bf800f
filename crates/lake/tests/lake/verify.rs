//! The ledger against the data files of `main`.

use iceberg::spec::Operation;
use ingest_core::TableName;
use lake::maintain::verify::{Finding, Report};

use crate::fixture::{Fixture, TABLE, file};

async fn verify(fixture: &Fixture) -> Report {
    fixture.lake.verify(&TableName::parse(TABLE).unwrap()).await.unwrap().unwrap()
}

/// A table with six objects in three snapshots, one object without rows.
async fn filled() -> Fixture {
    let fixture = Fixture::new().await;
    for n in 0..5 {
        fixture.put(&format!("f{n}"), file(n * 10..n * 10 + 10)).await;
    }
    fixture.put("empty", file(0..0)).await;
    fixture.ingest(&["f0", "f1"]).await;
    fixture.ingest(&["f2", "empty"]).await;
    fixture.ingest(&["f3", "f4"]).await;
    fixture
}

/// The runs of the only ledger.
fn runs(fixture: &Fixture) -> Vec<std::path::PathBuf> {
    let ledgers = fixture.folder().join("warehouse/_event_ingest");
    let ledger = std::fs::read_dir(ledgers).unwrap().next().unwrap().unwrap().path();
    let mut runs: Vec<_> =
        std::fs::read_dir(ledger.join("runs")).unwrap().map(|run| run.unwrap().path()).collect();
    runs.sort();
    runs
}

#[tokio::test]
async fn what_was_ingested_agrees_and_other_writers_files_are_no_fault() {
    let fixture = filled().await;
    let report = verify(&fixture).await;
    assert!(report.sound(), "{:?}", report.findings);
    assert_eq!((report.runs, report.entries, report.rows, report.files), (3, 6, 50, 3));
    assert_eq!((report.rewritten, report.foreign), (0, 0));

    fixture.append_file("file:///elsewhere/x.parquet").await;
    let report = verify(&fixture).await;
    assert!(report.sound(), "{:?}", report.findings);
    assert_eq!((report.files, report.foreign), (4, 1));
}

#[tokio::test]
async fn files_that_compaction_replaced_are_no_fault_and_lost_ones_are() {
    let fixture = filled().await;
    fixture.foreign(Operation::Replace, |file| file.record_count() != 20, Vec::new()).await;
    let report = verify(&fixture).await;
    assert!(report.sound(), "{:?}", report.findings);
    assert_eq!((report.rewritten, report.files), (2, 1));
    let table = fixture.table().await;
    let main = table.metadata().current_snapshot_id();
    let older = table.metadata().snapshots().map(|snapshot| snapshot.snapshot_id());
    fixture.expire(&older.filter(|id| Some(*id) != main).collect::<Vec<_>>()).await;
    assert_eq!(verify(&fixture).await, report, "expiry changes nothing of it");

    let fixture = filled().await;
    // A snapshot that says append and yet takes files away: damage.
    fixture.foreign(Operation::Append, |file| file.record_count() != 20, Vec::new()).await;
    let report = verify(&fixture).await;
    let gone = report.findings.iter().filter(|finding| matches!(finding, Finding::FileGone { .. })).count();
    assert_eq!((gone, report.findings.len()), (2, 2), "{:?}", report.findings);
}

#[tokio::test]
async fn a_lost_run_shows_as_files_that_nobody_names() {
    let fixture = filled().await;
    let run = runs(&fixture).remove(0);
    std::fs::write(&run, "PAR1 damaged PAR1").unwrap();
    let report = verify(&fixture).await;
    let has = |wanted: fn(&Finding) -> bool| report.findings.iter().filter(|finding| wanted(finding)).count();
    assert_eq!(has(|finding| matches!(finding, Finding::RunUnreadable { .. })), 1);
    assert_eq!(has(|finding| matches!(finding, Finding::FileUnnamed { .. })), 1);
    assert_eq!(has(|finding| matches!(finding, Finding::SnapshotRows { .. })), 1);
    assert_eq!(report.findings.len(), 3, "{:?}", report.findings);
}

#[tokio::test]
async fn a_rollback_takes_ledger_and_files_back_together() {
    let fixture = filled().await;
    let parent = fixture.table().await.metadata().current_snapshot().unwrap().parent_snapshot_id().unwrap();
    fixture.roll_back(parent).await;
    let report = verify(&fixture).await;
    assert!(report.sound(), "{:?}", report.findings);
    assert_eq!((report.runs, report.entries, report.files), (2, 4, 2));
}
