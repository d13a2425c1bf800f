//! Publishing stages: once, whatever is repeated, unclear or done by others meanwhile.

mod branches;
mod job;
mod overlap;
mod refusals;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::TryStreamExt;
use iceberg::spec::{
    MAIN_BRANCH, NestedField, PrimitiveType, Schema, TableMetadataBuilder, Transform, Type,
    UnboundPartitionSpec,
};
use iceberg::table::Table;
use iceberg::{TableRequirement, TableUpdate};
use ingest_core::staged::{KnownObject, StagedList};
use ingest_core::{FileStatus, TableName};
use lake::catalog::{Commit, CommitPort, Outcome};
use lake::ingest::Publication;
use lake::ledger::Entry;
use tokio::sync::Semaphore;

use crate::exactly_once::{Fault, FaultyPort};
use crate::fixture::{Fixture, TABLE, file, request};
use crate::orphans::{Stops, delete, search};

use job::{conflict, published};

fn name() -> TableName {
    TableName::parse(TABLE).unwrap()
}

/// A table with the rows 0 to 9, and objects `a` and `b` with 10 to 14 and 15 to 19 that nobody has brought in.
async fn begun() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.put("seed", file(0..10)).await;
    fixture.ingest(&["seed"]).await;
    fixture.put("a", file(10..15)).await;
    fixture.put("b", file(15..20)).await;
    fixture
}

async fn entries(fixture: &Fixture) -> Vec<Entry> {
    let seen = fixture.lake.inspect(&name()).await.unwrap().unwrap();
    seen.ledger.entries(&seen.head).try_collect().await.unwrap()
}

/// The ledger names what is in the table, and nothing else.
async fn assert_agreement(fixture: &Fixture) {
    let report = fixture.lake.verify(&name()).await.unwrap().unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[tokio::test]
async fn a_stage_becomes_one_snapshot_with_its_ledger_and_its_branch_goes() {
    let fixture = begun().await;
    let before = fixture.table().await.metadata().snapshots().len();
    let staged = fixture.stage(&[("a", 5), ("b", 5)], 10..20).await;
    let stage = staged.stage.clone().unwrap();
    assert_eq!(fixture.ids().await, (0..10).collect::<Vec<_>>(), "a stage is not in main");

    let result = published(&fixture.lake, &staged).await;
    assert_eq!((result.rows, result.files_processed, result.mode.as_str()), (10, 2, "spark"));
    assert_eq!(fixture.ids().await, (0..20).collect::<Vec<_>>());
    let table = fixture.table().await;
    let snapshot = table.metadata().current_snapshot().unwrap();
    assert_eq!(Some(snapshot.snapshot_id()), result.snapshot_id);
    assert_eq!(table.metadata().snapshots().len(), before + 2, "the stage, and one commit");
    let summary = &snapshot.summary().additional_properties;
    assert_eq!(summary["source-snapshot-id"], stage.snapshot_id.to_string());
    assert_eq!(summary["added-records"], "10");
    assert!(table.metadata().snapshot_for_ref(&stage.branch).is_none());

    let mut of_stage = entries(&fixture).await;
    of_stage.retain(|entry| entry.mode == "spark");
    assert_eq!(of_stage.len(), 2);
    assert!(of_stage.iter().all(|entry| entry.rows == 5 && entry.request_id == job::REQUEST));
    assert_agreement(&fixture).await;
    assert_eq!(fixture.ingest(&["a", "b"]).await.files_skipped, 2);
}

/// Keeps the commits that pass, and moves the branch behind the back of the first.
#[derive(Debug)]
struct Meddler {
    inner: Arc<dyn CommitPort>,
    branch: Option<String>,
    seen: Mutex<Vec<Commit>>,
}

#[async_trait]
impl CommitPort for Meddler {
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        let first = self.seen.lock().unwrap().is_empty();
        self.seen.lock().unwrap().push(commit.clone());
        if let Some(branch) = self.branch.clone().filter(|_| first) {
            let updates = vec![TableUpdate::RemoveSnapshotRef { ref_name: branch }];
            let meddled = self.inner.commit(base, Commit { requirements: Vec::new(), updates }).await;
            assert!(matches!(meddled, Outcome::Committed), "{meddled:?}");
        }
        self.inner.commit(base, commit).await
    }
}

#[tokio::test]
async fn the_commit_requires_the_branch_and_one_that_is_dropped_meanwhile_stays_unpublished() {
    for dropped in [false, true] {
        let fixture = begun().await;
        let staged = fixture.stage(&[("a", 5), ("b", 5)], 10..20).await;
        let stage = staged.stage.clone().unwrap();
        let port = Arc::new(std::sync::OnceLock::new());
        let kept = port.clone();
        let branch = dropped.then(|| stage.branch.clone());
        let lake = fixture
            .another(|inner| {
                let meddler = Arc::new(Meddler { inner, branch, seen: Mutex::default() });
                kept.set(meddler.clone()).unwrap();
                meddler
            })
            .await;
        if dropped {
            assert!(conflict(&lake, &staged).await.1.contains("gone"));
            assert_eq!(fixture.ids().await, (0..10).collect::<Vec<_>>());
        } else {
            published(&lake, &staged).await;
        }
        let seen = port.get().unwrap().seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "a table without the branch is not asked to publish it");
        let wanted = TableRequirement::RefSnapshotIdMatch {
            r#ref: stage.branch.clone(),
            snapshot_id: Some(stage.snapshot_id),
        };
        assert!(seen[0].requirements.contains(&wanted), "{:?}", seen[0].requirements);
    }
}

#[tokio::test]
async fn posted_again_it_is_answered_and_nothing_changes() {
    let fixture = begun().await;
    let staged = fixture.stage(&[("a", 5), ("b", 5)], 10..20).await;
    let first = published(&fixture.lake, &staged).await;
    let again = published(&fixture.lake, &staged).await;
    assert_eq!((again.rows, again.files_skipped, again.snapshot_id), (0, 2, first.snapshot_id));
    assert_eq!(fixture.table().await.metadata().current_snapshot_id(), first.snapshot_id);

    // Even when no snapshot tells of it any more.
    fixture.put("c", file(20..21)).await;
    fixture.ingest(&["c"]).await;
    let table = fixture.table().await;
    let current = table.metadata().current_snapshot_id();
    let old: Vec<i64> =
        table.metadata().snapshots().map(|s| s.snapshot_id()).filter(|id| Some(*id) != current).collect();
    fixture.expire(&old).await;
    let again = published(&fixture.lake, &staged).await;
    assert_eq!((again.files_skipped, again.snapshot_id), (2, first.snapshot_id));
    assert_eq!(fixture.ids().await, (0..21).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stage_without_rows_is_known_afterwards() {
    let fixture = begun().await;
    fixture.put("empty", file(0..0)).await;
    let list = fixture.list(&[("empty", 0)]).await;
    let stage = fixture.append_on_branch(&list, Vec::new(), |_| {}).await;
    let result = published(&fixture.lake, &fixture.written(&list, Some(stage))).await;
    assert_eq!((result.rows, result.files_processed), (0, 1));
    assert_eq!(fixture.ingest(&["empty"]).await.files_skipped, 1);
    assert_agreement(&fixture).await;
}

#[tokio::test]
async fn no_answer_of_a_catalog_is_believed_and_a_stages_files_stay() {
    for fault in [Fault::LostAnswer, Fault::FalseConflict, Fault::NotMade] {
        let fixture = begun().await;
        let staged = fixture.stage(&[("a", 5), ("b", 5)], 10..20).await;
        let port = |inner| Arc::new(FaultyPort { inner, fault, left: AtomicUsize::new(1) });
        let lake = fixture.another(|inner| port(inner)).await;
        let result = published(&lake, &staged).await;
        assert_eq!((result.rows, result.files[0].status), (10, FileStatus::Processed), "{fault:?}");
        assert_eq!(fixture.ids().await, (0..20).collect::<Vec<_>>(), "{fault:?}");
        assert_agreement(&fixture).await;
    }
}

/// Posts a stage to a process that dies while its commit is under way.
async fn post_and_die(fixture: &Fixture, staged: &ingest_core::staged::Staged, made: bool) {
    let sent = Arc::new(Semaphore::new(0));
    let port = sent.clone();
    let lake = fixture.another(|inner| Arc::new(Stops { inner, made, sent: port })).await;
    let staged = staged.clone();
    let process = tokio::spawn(async move { lake.publish_staged(&staged).await });
    sent.acquire().await.unwrap().forget();
    process.abort();
}

#[tokio::test]
async fn a_publisher_may_die_before_or_after_its_commit() {
    for made in [false, true] {
        let fixture = begun().await;
        let staged = fixture.stage(&[("a", 5), ("b", 5)], 10..20).await;
        post_and_die(&fixture, &staged, made).await;
        let result = published(&fixture.lake, &staged).await;
        assert_eq!(result.files_processed, if made { 0 } else { 2 });
        assert_eq!(fixture.ids().await, (0..20).collect::<Vec<_>>());
        assert_agreement(&fixture).await;
        // What is left of the dead attempt goes; what the job wrote is none of it.
        let mut found = search(&fixture, 60).await;
        delete(&fixture, &mut found).await;
        assert_eq!(fixture.ids().await, (0..20).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_came_in_by_another_way_is_a_conflict_until_it_is_staged_without_it() {
    let fixture = begun().await;
    let staged = fixture.stage(&[("a", 5), ("b", 5)], 10..20).await;
    fixture.ingest(&["a"]).await;
    let (known, reason) = conflict(&fixture.lake, &staged).await;
    assert_eq!((known, reason.contains("another way")), (vec!["s3://inbox/a".to_owned()], true), "{reason}");
    assert_eq!(fixture.ids().await, (0..15).collect::<Vec<_>>());
    let table = fixture.table().await;
    assert!(table.metadata().snapshot_for_ref(&staged.stage.unwrap().branch).is_some(), "the job's to drop");

    let anew = fixture.stage(&[("b", 5)], 15..20).await;
    assert_eq!(published(&fixture.lake, &anew).await.rows, 5);
    assert_eq!(fixture.ids().await, (0..20).collect::<Vec<_>>());
    assert_agreement(&fixture).await;

    // All of them, and the branch is there: nothing of it was published.
    fixture.put("c", file(20..21)).await;
    let late = fixture.stage(&[("c", 1)], 20..21).await;
    fixture.ingest(&["c"]).await;
    assert_eq!(conflict(&fixture.lake, &late).await.0, ["s3://inbox/c"]);
}

#[tokio::test]
async fn a_conflict_names_the_version_that_is_known_and_no_other_of_its_key() {
    let fixture = begun().await;
    let mut list = fixture.list(&[("a", 5), ("b", 5)]).await;
    fixture.ingest(&["a"]).await;
    // Another version of the same key, which nobody has brought in.
    let mut other = list.staged[0].clone();
    other.object.hint.version_id = Some("v2".to_owned());
    list.staged.push(other);
    let list = StagedList { digest: list.computed_digest(), ..list };
    let stage = fixture.append_on_branch(&list, vec![fixture.data_file(10..25).await], |_| {}).await;
    let staged = fixture.written(&list, Some(stage));
    let Publication::Conflict(conflict) = fixture.lake.publish_staged(&staged).await.unwrap() else {
        panic!("`a` is known")
    };
    assert_eq!(conflict.known, [KnownObject::of(&list.staged[0].object)]);
    assert!(conflict.known[0].version_id.is_none() && conflict.known[0].etag.is_some());
}

#[tokio::test]
async fn a_table_that_changed_is_a_conflict_that_names_no_file() {
    let fixture = begun().await;
    let staged = fixture.stage(&[("a", 5)], 10..15).await;
    let evolved = |table: TableMetadataBuilder| {
        let column = |(id, name, ty)| NestedField::optional(id, name, Type::Primitive(ty)).into();
        let columns = [
            (1, "id", PrimitiveType::Long),
            (2, "name", PrimitiveType::String),
            (3, "more", PrimitiveType::Long),
        ];
        let schema = Schema::builder().with_fields(columns.map(column)).build().unwrap();
        table.add_current_schema(schema)
    };
    fixture.change(evolved).await;
    let (known, reason) = conflict(&fixture.lake, &staged).await;
    assert!(known.is_empty() && reason.contains("schema"), "{reason}");

    let fixture = begun().await;
    let other = fixture.stage(&[("a", 5)], 10..15).await;
    let spec = UnboundPartitionSpec::builder()
        .add_partition_field(1, "id".to_owned(), Transform::Identity)
        .unwrap()
        .build();
    fixture.change(|table| table.add_default_partition_spec(spec)).await;
    let (known, reason) = conflict(&fixture.lake, &other).await;
    assert!(known.is_empty() && reason.contains("partitioned"), "{reason}");

    let fixture = begun().await;
    let gone = fixture.stage(&[("a", 5)], 10..15).await;
    fixture.change(|table| Ok(table.remove_ref(&gone.stage.as_ref().unwrap().branch))).await;
    let (known, reason) = conflict(&fixture.lake, &gone).await;
    assert!(known.is_empty() && reason.contains("gone"), "{reason}");
}

#[tokio::test]
async fn what_another_program_took_into_main_stops_for_a_person() {
    for copied in [false, true] {
        let fixture = begun().await;
        let staged = fixture.stage(&[("a", 5)], 10..15).await;
        let stage = staged.stage.clone().unwrap();
        let table = fixture.table().await;
        if copied {
            let original = table.metadata().snapshot_by_id(stage.snapshot_id).unwrap();
            fixture.cherry_pick(original).await;
        } else {
            fixture.roll_back(stage.snapshot_id).await;
        }
        let error = fixture.lake.publish_staged(&staged).await.unwrap_err();
        assert_eq!(error.kind(), lake::ErrorKind::Inconsistent, "{error}");
        assert_eq!(fixture.ids().await, (0..15).collect::<Vec<_>>(), "no row is doubled");
    }
}

#[tokio::test]
async fn a_rollback_of_what_was_published_is_honoured_and_it_can_be_staged_again() {
    let fixture = begun().await;
    let before = fixture.table().await.metadata().current_snapshot_id().unwrap();
    let staged = fixture.stage(&[("a", 5)], 10..15).await;
    let first = published(&fixture.lake, &staged).await;
    let copy = fixture.table().await.metadata().current_snapshot().unwrap().clone();
    fixture.roll_back(before).await;
    assert!(conflict(&fixture.lake, &staged).await.1.contains("gone"));
    let again = published(&fixture.lake, &fixture.stage(&[("a", 5)], 10..15).await).await;
    assert_ne!(again.snapshot_id, first.snapshot_id);
    assert_eq!(fixture.ids().await, (0..15).collect::<Vec<_>>());
    assert_agreement(&fixture).await;
    // A copy of the one that was rolled back brings its own run, not the stage's.
    fixture.roll_back(before).await;
    fixture.cherry_pick(&copy).await;
    assert_eq!(fixture.ingest(&["a"]).await.files_skipped, 1);
}

#[tokio::test]
async fn expiry_before_and_after_publishing_loses_nothing() {
    let fixture = begun().await;
    let staged = fixture.stage(&[("a", 5)], 10..15).await;
    let parent = fixture.table().await.metadata().current_snapshot_id().unwrap();
    fixture.ingest(&["b"]).await;
    // The branch point goes while the job waits.
    fixture.expire(&[parent]).await;
    published(&fixture.lake, &staged).await;
    fixture.expire(&[staged.stage.unwrap().snapshot_id]).await;
    assert_eq!(fixture.ids().await, (0..20).collect::<Vec<_>>());
    assert_eq!(fixture.ingest(&["a", "b", "seed"]).await.files_skipped, 3);
    assert_agreement(&fixture).await;
    assert!(fixture.table().await.metadata().snapshot_for_ref(MAIN_BRANCH).is_some());
}

#[tokio::test]
async fn the_heavy_root_is_no_table_to_any_clean_up() {
    let fixture = begun().await;
    let staged = fixture.stage(&[("a", 5)], 10..15).await;
    let heavy = fixture.folder().join("warehouse/_event_ingest/heavy");
    // Names as bad as they could be.
    let seen = fixture.lake.inspect(&name()).await.unwrap().unwrap();
    for folder in ["heads", "runs", "quarantine"] {
        std::fs::create_dir_all(heavy.join(folder)).unwrap();
    }
    let run = format!("runs/5-{}.parquet", uuid::Uuid::nil());
    std::fs::write(heavy.join(&run), "x").unwrap();
    let mut found = search(&fixture, 365).await;
    delete(&fixture, &mut found).await;
    let age = chrono::TimeDelta::zero();
    let later = chrono::Utc::now() + chrono::TimeDelta::days(365);
    let gone: Vec<_> = seen
        .ledger
        .unreachable(seen.table.metadata(), later, age)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert!(gone.iter().all(|file| file.path != run), "{gone:?}");
    assert!(heavy.join(run).exists());
    assert_eq!(published(&fixture.lake, &staged).await.rows, 5);
    assert_eq!(fixture.lake.ingest(&request(&["a"])).await.unwrap().files_skipped, 1);
}
