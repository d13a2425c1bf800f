//! Stages that are not what they say, and lists that may not be read: nothing of them gets in.

use iceberg::spec::Operation;
use ingest_core::staged::{Stage, Staged};
use ingest_core::{FileStatus, ObjectUri, TableName};
use lake::ErrorKind;

use crate::fixture::{Fixture, file};

use super::job::{Append, REQUEST, published};
use super::{assert_agreement, begun};

async fn refused(fixture: &Fixture, staged: &Staged, kind: ErrorKind, says: &str) {
    let error = fixture.lake.publish_staged(staged).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "expected {says:?} in: {error}");
    assert_eq!(fixture.ids().await, (0..10).collect::<Vec<_>>(), "{error}");
}

/// A stage of `a` whose snapshot is spoilt.
async fn spoilt(fixture: &Fixture, spoil: impl FnOnce(&mut Append)) -> Staged {
    let list = fixture.list(&[("a", 5)]).await;
    let file = fixture.data_file(10..15).await;
    let stage = fixture.append_on_branch(&list, vec![file], spoil).await;
    fixture.written(&list, Some(stage))
}

#[tokio::test]
async fn a_snapshot_that_is_not_the_one_append_of_its_list() {
    let fixture = begun().await;
    let refused =
        async |staged: &Staged, says: &str| refused(&fixture, staged, ErrorKind::Invalid, says).await;
    let other = fixture.data_file(10..14).await;
    let outside =
        fixture.data_file_at(10..15, &format!("file://{}/elsewhere/f.parquet", fixture.folder().display()));
    let (half, more) = (fixture.data_file(10..12).await, fixture.data_file(12..15).await);
    let seed = fixture.data_file(0..5).await;
    let set = |key: &'static str, value: &'static str| {
        move |append: &mut Append| drop(append.summary.insert(key.to_owned(), value.to_owned()))
    };
    refused(&spoilt(&fixture, |append| append.operation = Operation::Overwrite).await, "no append").await;
    refused(&spoilt(&fixture, set("event-ingest.stage", "another")).await, "event-ingest.stage").await;
    refused(&spoilt(&fixture, set("event-ingest.request", "another")).await, "event-ingest.request").await;
    refused(&spoilt(&fixture, |append| drop(append.summary.remove("event-ingest.stage"))).await, "stage")
        .await;
    refused(&spoilt(&fixture, set("added-records", "4")).await, "added 4 rows").await;
    refused(&spoilt(&fixture, |append| append.files = vec![other]).await, "rows").await;
    refused(&spoilt(&fixture, |append| append.files = vec![outside]).await, "not below").await;
    refused(&spoilt(&fixture, |append| append.deleted = vec![seed]).await, "deletes").await;
    let twice = vec![half.clone(), half, more];
    let list = fixture.list(&[("a", 7)]).await;
    let stage = fixture.append_on_branch(&list, twice, |_| {}).await;
    refused(&fixture.written(&list, Some(stage)), "twice").await;

    // A second append on the branch.
    let first = spoilt(&fixture, |_| {}).await;
    let list = fixture.list(&[("b", 5)]).await;
    let parent = first.stage.as_ref().map(|stage| stage.snapshot_id);
    let file = fixture.data_file(15..20).await;
    let stage = fixture.append_on_branch(&list, vec![file], |append| append.parent = parent).await;
    refused(&fixture.written(&list, Some(stage)), "more than one append").await;
    assert_agreement(&fixture).await;
}

#[tokio::test]
async fn a_list_that_is_elsewhere_or_anothers() {
    let fixture = begun().await;
    let staged = fixture.stage(&[("a", 5)], 10..15).await;
    let list = fixture.list(&[("a", 5)]).await;
    let at = |objects: String| Staged { objects, ..staged.clone() };
    let heavy = fixture.lake.heavy_root().to_owned();
    for url in [
        "s3://inbox/list.json".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("{heavy}/stages/{REQUEST}/../x.json"),
        format!("{heavy}/records/{REQUEST}/request.json"),
    ] {
        refused(&fixture, &at(url), ErrorKind::Forbidden, "no file of").await;
    }
    refused(&fixture, &at(format!("{heavy}/stages/{REQUEST}/none.json")), ErrorKind::Invalid, "no list")
        .await;

    let mut wrong = list.clone();
    wrong.digest = "0".repeat(64);
    refused(&fixture, &fixture.written(&wrong, staged.stage.clone()), ErrorKind::Invalid, "digest").await;
    let mut wrong = list.clone();
    wrong.table = TableName::parse("db.other").unwrap();
    let event = Staged { table: list.table.clone(), ..fixture.written(&wrong, staged.stage.clone()) };
    refused(&fixture, &event, ErrorKind::Invalid, "another request or table").await;
    let mut wrong = list.clone();
    wrong.table_uuid = Some(uuid::Uuid::nil().to_string());
    refused(&fixture, &fixture.written(&wrong, staged.stage.clone()), ErrorKind::Invalid, "of table").await;
    let mut wrong = list.clone();
    wrong.staged[0].object.uri = ObjectUri::new("secrets", "a").unwrap();
    wrong.digest = wrong.computed_digest();
    refused(&fixture, &fixture.written(&wrong, staged.stage.clone()), ErrorKind::Forbidden, "secrets").await;
    refused(&fixture, &fixture.written(&list, None), ErrorKind::Invalid, "if, and only if").await;

    let forbidden = TableName::parse("other.events").unwrap();
    let event = Staged { table: forbidden, ..staged.clone() };
    refused(&fixture, &event, ErrorKind::Forbidden, "other.events").await;

    // And the right one, after all of that.
    let event = fixture.written(&list, staged.stage.clone());
    assert_eq!(published(&fixture.lake, &event).await.rows, 5);
}

#[tokio::test]
async fn a_branch_that_ends_elsewhere_is_staged_anew() {
    let fixture = begun().await;
    let staged = fixture.stage(&[("a", 5)], 10..15).await;
    let stage = staged.stage.clone().unwrap();
    let other = Stage { snapshot_id: stage.snapshot_id + 1, ..stage };
    let (known, reason) = super::conflict(&fixture.lake, &Staged { stage: Some(other), ..staged }).await;
    assert!(known.is_empty() && reason.contains("ends at"), "{reason}");
}

fn records(fixture: &Fixture) -> usize {
    let folders = std::fs::read_dir(fixture.folder().join("warehouse/_event_ingest")).unwrap();
    let folders =
        folders.map(|folder| folder.unwrap().path().join("quarantine")).filter(|path| path.exists());
    folders.map(|folder| std::fs::read_dir(folder).unwrap().count()).sum()
}

#[tokio::test]
async fn what_a_job_rejected_is_set_aside_unless_the_ledger_has_it() {
    let fixture = begun().await;
    fixture.put("bad", "no parquet").await;
    let mut list = fixture.list(&[("a", 5)]).await;
    list.rejected = vec![
        fixture.rejected("bad", "it is no Parquet file").await,
        fixture.rejected("seed", "not my taste").await,
    ];
    let stage = fixture.append_on_branch(&list, vec![fixture.data_file(10..15).await], |_| {}).await;
    let staged = fixture.written(&list, Some(stage));
    let result = published(&fixture.lake, &staged).await;
    let statuses: Vec<FileStatus> = result.files.iter().map(|file| file.status).collect();
    assert_eq!(statuses, [FileStatus::Processed, FileStatus::Quarantined, FileStatus::Skipped]);
    assert_eq!(records(&fixture), 1);
    // A repeat says the same of it.
    assert_eq!(published(&fixture.lake, &staged).await.files_quarantined, 1);
    assert_eq!(records(&fixture), 1);
}

#[tokio::test]
async fn a_job_that_rejected_everything_needs_no_branch_and_perhaps_no_table() {
    for table in [true, false] {
        let fixture = if table { begun().await } else { Fixture::new().await };
        fixture.put("bad", "no parquet").await;
        let mut list = match table {
            true => fixture.list(&[]).await,
            false => {
                let other = begun().await;
                ingest_core::staged::StagedList { table_uuid: None, ..other.list(&[]).await }
            }
        };
        list.rejected = vec![fixture.rejected("bad", "it is no Parquet file").await];
        let result = published(&fixture.lake, &fixture.written(&list, None)).await;
        assert_eq!((result.files_quarantined, result.snapshot_id, result.mode.as_str()), (1, None, "none"));
        assert_eq!(records(&fixture), 1);
    }
}

#[tokio::test]
async fn a_table_that_is_gone_takes_no_stage() {
    let fixture = begun().await;
    let list = fixture.list(&[("a", 5)]).await;
    let stage = fixture.append_on_branch(&list, vec![fixture.data_file(10..15).await], |_| {}).await;
    let elsewhere = Fixture::new().await;
    elsewhere.put("a", file(10..15)).await;
    let error = elsewhere.lake.publish_staged(&elsewhere.written(&list, Some(stage))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}
