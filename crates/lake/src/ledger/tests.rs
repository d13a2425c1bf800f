//! The ledger on a local folder: what is written is found, and nothing is ever taken for an empty ledger.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use chrono::{TimeDelta, Utc};
use iceberg::spec::MAIN_BRANCH;
use ingest_core::ObjectVersion;

use super::columns::tests::entry;
use super::locate::tests as table;
use super::*;
use crate::ErrorKind;

const TABLE: Uuid = Uuid::from_u128(7);
/// A test that waits longer for a background task has failed.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);

fn ledger_of(folder: &Path, table: Uuid) -> Ledger {
    let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
    Ledger::new(stores, &format!("file://{}", folder.display()), table)
}

fn ledger(folder: &Path) -> Ledger {
    ledger_of(folder, TABLE)
}

async fn written(ledger: &Ledger, base: &Head, snapshot_id: i64, entries: Vec<Entry>) -> Head {
    let written = ledger.write(base, snapshot_id, entries).await.unwrap();
    ledger.head(&written.pointer).await.unwrap()
}

#[tokio::test]
async fn what_was_written_is_found_again_through_every_run() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let mut head = Head::new(TABLE);
    for n in 0..3 {
        let mut entry = entry(&format!("key-{n}"));
        entry.snapshot_id = n;
        head = written(&ledger, &head, n, vec![entry]).await;
    }
    assert_eq!(head.generation, 3);
    let asked: Vec<_> = ["key-0", "key-2", "absent"].iter().map(|key| entry(key).identity).collect();
    let found = ledger.look_up(&head, &asked).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[&asked[0]], Found { snapshot_id: 0 });
    assert_eq!(found[&asked[1]], Found { snapshot_id: 2 });
}

#[tokio::test]
async fn every_entry_of_a_run_of_many_row_groups_is_found_and_nothing_else() {
    const ENTRIES: usize = 60_000;
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let entries: Vec<Entry> = (0..ENTRIES).map(|n| entry(&n.to_string())).collect();
    let head = written(&ledger, &Head::new(TABLE), 1, entries).await;
    let present: Vec<_> = (0..ENTRIES).step_by(7).map(|n| entry(&n.to_string()).identity).collect();
    let found = ledger.look_up(&head, &present).await.unwrap();
    assert_eq!(found.len(), present.len());
    let mut other_versions = present;
    other_versions.iter_mut().for_each(|identity| identity.version = ObjectVersion::ETag("other".into()));
    assert!(ledger.look_up(&head, &other_versions).await.unwrap().is_empty());

    let all: Vec<Entry> = ledger.entries(&head).try_collect().await.unwrap();
    assert_eq!(all.len(), ENTRIES);
    assert_eq!(all.iter().map(|entry| &entry.identity).collect::<HashSet<_>>().len(), ENTRIES);
}

#[tokio::test]
async fn an_object_with_more_versions_than_a_row_group_holds_is_found_whole() {
    const VERSIONS: usize = 30_000;
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let version = |n: usize| {
        let mut entry = entry("hot");
        entry.identity.version = ObjectVersion::VersionId(format!("{n:06}"));
        entry
    };
    let mut entries: Vec<Entry> = (0..VERSIONS).map(version).collect();
    entries.extend((0..2_000).map(|n| entry(&n.to_string())));
    let head = written(&ledger, &Head::new(TABLE), 1, entries).await;

    let asked: Vec<_> = (0..VERSIONS).step_by(1_009).map(|n| version(n).identity).collect();
    assert_eq!(ledger.look_up(&head, &asked).await.unwrap().len(), asked.len());
    let names = [ObjectName::of(&version(0).identity), ObjectName::of(&entry("17").identity)];
    let found = ledger.versions(&head, &names).await.unwrap();
    assert_eq!(found.len(), VERSIONS + 1);
    assert!(found.contains(&entry("17")));
    let absent = [ObjectName::of(&entry("absent").identity)];
    assert_eq!(ledger.versions(&head, &absent).await.unwrap(), []);
}

#[tokio::test]
async fn runs_are_merged_beside_the_commits_and_every_entry_is_still_found_once() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let mut head = Head::new(TABLE);
    for n in 0..200 {
        head = written(&ledger, &head, n, vec![entry(&format!("{}", (n * 37) % 200))]).await;
        ledger.merges_end().await;
    }
    assert!(head.runs.len() <= 8 * 3 + 1, "{} runs", head.runs.len());
    assert_eq!(head.runs.iter().map(|run| run.entries).sum::<u64>(), 200);
    let all: Vec<_> = (0..200).map(|n| entry(&n.to_string()).identity).collect();
    assert_eq!(ledger.look_up(&head, &all).await.unwrap().len(), 200);
    let keys: Vec<Entry> = ledger.entries(&head).try_collect().await.unwrap();
    assert_eq!(keys.into_iter().map(|e| e.identity.key).collect::<BTreeSet<_>>().len(), 200);
}

#[tokio::test]
async fn commits_that_lose_their_race_neither_redo_a_merge_nor_leave_its_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let mut base = Head::new(TABLE);
    for n in 0..8 {
        base = written(&ledger, &base, n, vec![entry(&n.to_string())]).await;
    }
    let before_the_merge = base.clone();
    ledger.write(&base, 8, Vec::new()).await.unwrap();
    ledger.merges_end().await;
    let lost = written(&ledger, &base, 9, vec![entry("a")]).await;
    let again = written(&ledger, &base, 10, vec![entry("a")]).await;
    assert_eq!(lost.runs[0], again.runs[0], "the same merged run");
    assert_eq!(again.runs.len(), 2);
    assert_eq!(merged_files(folder.path()), 1);

    // Another process merged the same runs, and was first.
    let other = self::ledger(folder.path());
    other.write(&before_the_merge, 11, Vec::new()).await.unwrap();
    other.merges_end().await;
    assert_eq!(merged_files(folder.path()), 2);
    other.write(&again, 12, Vec::new()).await.unwrap();
    let deleted = async {
        while merged_files(folder.path()) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, deleted).await.expect("what cannot be used any more is deleted");
    assert_eq!(other.look_up(&again, &[entry("3").identity]).await.unwrap().len(), 1);
}

fn merged_files(folder: &Path) -> usize {
    let runs = std::fs::read_dir(folder.join(TABLE.to_string()).join("runs")).unwrap();
    runs.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("merged-")).count()
}

#[tokio::test]
async fn a_head_with_too_many_runs_is_merged_before_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let mut head = Head::new(TABLE);
    // Conflicts without end: no merge that is under way is ever waited for.
    for n in 0..150 {
        head = written(&ledger, &head, n, vec![entry(&n.to_string())]).await;
    }
    assert!(head.runs.len() <= 100, "{} runs", head.runs.len());
    let all: Vec<_> = (0..150).map(|n| entry(&n.to_string()).identity).collect();
    assert_eq!(ledger.look_up(&head, &all).await.unwrap().len(), 150);
}

#[tokio::test]
async fn lost_and_foreign_files_are_errors_and_never_an_empty_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let written = ledger.write(&Head::new(TABLE), 1, vec![entry("a")]).await.unwrap();
    let head = ledger.head(&written.pointer).await.unwrap();
    let other = Ledger { table: Uuid::from_u128(8), ..ledger.clone() };
    assert_eq!(other.head(&written.pointer).await.unwrap_err().kind(), ErrorKind::Inconsistent);

    let run = folder.path().join(TABLE.to_string()).join(written.run.unwrap());
    let whole = std::fs::read(&run).unwrap();
    let asked = [entry("a").identity];
    let mut cut = whole.clone();
    cut.truncate(whole.len() / 2);
    for damage in [b"PAR1 damaged PAR1".to_vec(), cut] {
        std::fs::write(&run, damage).unwrap();
        let error = self::ledger(folder.path()).look_up(&head, &asked).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Inconsistent, "{error}");
        let error = self::ledger(folder.path()).entries(&head).try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Inconsistent, "{error}");
    }
    std::fs::remove_file(run).unwrap();
    let error = self::ledger(folder.path()).look_up(&head, &asked).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Inconsistent, "{error}");
}

#[tokio::test]
async fn the_ledger_of_main_has_the_runs_of_copied_snapshots_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut metadata = table::table();
    let ledger = ledger_of(folder.path(), metadata.uuid());
    let new = ledger.of_main(&metadata).await.unwrap();
    assert!(new.lineage.is_new() && new.head.runs.is_empty());

    let first = ledger.write(&new.head, 1, vec![entry("a")]).await.unwrap();
    metadata = table::commit(metadata, MAIN_BRANCH, 1, &summary(&first));
    let staged = ledger.write(&new.head, 50, vec![entry("b"), entry("c")]).await.unwrap();
    metadata = table::commit(metadata, "stage", 50, &summary(&staged));
    for copy in [2, 3] {
        metadata = table::commit(metadata, MAIN_BRANCH, copy, &[(SUMMARY_SOURCE, "50".to_owned())]);
    }
    let main = ledger.of_main(&metadata).await.unwrap();
    assert_eq!(main.head.runs.iter().map(|run| run.entries).collect::<Vec<_>>(), [1, 2]);
    let asked: Vec<_> = ["a", "b", "c"].map(|key| entry(key).identity).into();
    assert_eq!(ledger.look_up(&main.head, &asked).await.unwrap().len(), 3);

    let next = ledger.write(&main.head, 4, vec![entry("d")]).await.unwrap();
    metadata = table::commit(metadata, MAIN_BRANCH, 4, &summary(&next));
    metadata = table::commit(metadata, MAIN_BRANCH, 5, &[(SUMMARY_SOURCE, "50".to_owned())]);
    assert_eq!(ledger.of_main(&metadata).await.unwrap().head.runs.len(), 3, "named by the head already");
}

fn summary(written: &Written) -> Vec<(&'static str, String)> {
    let run = written.run.iter().map(|run| (SUMMARY_RUN, run.clone()));
    [(SUMMARY_LEDGER, written.pointer.clone())].into_iter().chain(run).collect()
}

#[tokio::test]
async fn only_old_files_that_no_retained_snapshot_reaches_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut metadata = table::table();
    let ledger = ledger_of(folder.path(), metadata.uuid());
    let mut head = Head::new(metadata.uuid());
    let mut pointers = Vec::new();
    for id in 1..=3 {
        let written = ledger.write(&head, id, vec![entry(&id.to_string())]).await.unwrap();
        metadata = table::commit(metadata, MAIN_BRANCH, id, &summary(&written));
        head = ledger.head(&written.pointer).await.unwrap();
        pointers.push(written);
    }
    let failed = ledger.write(&head, 99, vec![entry("failed")]).await.unwrap();
    let branch = ledger.write(&head, 50, vec![entry("branch")]).await.unwrap();
    metadata = table::commit(metadata, "stage", 50, &summary(&branch));
    metadata = table::expire(metadata, &[1]);

    let later = Utc::now() + DEFAULT_AGE;
    let may_go = async |now, age| -> BTreeSet<String> {
        let files: Vec<LedgerFile> =
            ledger.unreachable(&metadata, now, age).await.unwrap().try_collect().await.unwrap();
        files.into_iter().map(|file| file.path).collect()
    };
    // The run of the snapshot that expired is still a part of what the others name; its head is not.
    let expected =
        BTreeSet::from([pointers[0].pointer.clone(), failed.pointer.clone(), failed.run.clone().unwrap()]);
    assert_eq!(may_go(later, DEFAULT_AGE).await, expected);
    assert!(may_go(later - TimeDelta::days(1), DEFAULT_AGE).await.is_empty(), "too young");
    assert!(may_go(Utc::now(), TimeDelta::zero()).await.is_empty(), "a commit may be under way");

    let entries: Vec<Entry> =
        ledger.entries_of(&failed.run.unwrap()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(entries, [entry("failed")], "what a failed attempt would have added");
    let files: Vec<LedgerFile> = ledger.files().try_collect().await.unwrap();
    for file in files.iter().filter(|file| expected.contains(&file.path)) {
        ledger.delete(file).await.unwrap();
        ledger.delete(file).await.unwrap();
    }
    let left: Vec<LedgerFile> = ledger.files().try_collect().await.unwrap();
    assert_eq!(left.len(), files.len() - 3);
    std::fs::remove_file(folder.path().join(metadata.uuid().to_string()).join(&pointers[2].pointer)).unwrap();
    let error = ledger.reachable(&metadata).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Inconsistent, "without a head nobody knows what it needs");
}
