//! Branches that nobody wants any more.

use std::collections::HashMap;
use std::time::Duration;

use lake::stage::Branch;

use crate::fixture::Fixture;

use super::job::{Append, published};
use super::{begun, name};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes the snapshots of a table older, as if that much time had gone by.
async fn age(fixture: &Fixture, by: Duration) {
    let pointer = fixture.table().await.metadata_location().unwrap().to_owned();
    let path = pointer.strip_prefix("file://").unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let older =
        |time: &mut serde_json::Value| *time = (time.as_i64().unwrap() - by.as_millis() as i64).into();
    older(&mut json["last-updated-ms"]);
    for (list, key) in
        [("snapshots", "timestamp-ms"), ("snapshot-log", "timestamp-ms"), ("metadata-log", "timestamp-ms")]
    {
        json[list].as_array_mut().unwrap().iter_mut().for_each(|entry| older(&mut entry[key]));
    }
    std::fs::write(path, json.to_string()).unwrap();
}

async fn drop_stale(fixture: &Fixture, keep: impl Fn(&Branch) -> bool) -> usize {
    // A process of its own has nothing in memory.
    let lake = fixture.another(|port| port).await;
    lake.drop_stale_branches(&name(), keep, Duration::ZERO).await.unwrap().len()
}

#[tokio::test]
async fn old_stages_of_no_live_record_go_and_nothing_else() {
    let fixture = begun().await;
    let stale = fixture.stage(&[("a", 5)], 10..15).await;
    let live = fixture.stage(&[("b", 5)], 15..20).await;
    let kept = live.stage.clone().unwrap().branch;
    let append = Append {
        operation: iceberg::spec::Operation::Append,
        summary: HashMap::new(),
        files: Vec::new(),
        deleted: Vec::new(),
        parent: fixture.table().await.metadata().current_snapshot_id(),
    };
    fixture.snapshot_on("somebody-elses", append).await;
    let branches = fixture.lake.stage_branches(&name()).await.unwrap();
    assert_eq!(branches.len(), 2, "{branches:?}");
    assert!(branches.iter().all(|branch| branch.of.request_id == super::job::REQUEST));
    assert_eq!(drop_stale(&fixture, |_| false).await, 0, "they are young");

    age(&fixture, DAY).await;
    assert_eq!(drop_stale(&fixture, |branch| branch.name == kept).await, 1);
    let lake = fixture.another(|port| port).await;
    assert_eq!(lake.stage_branches(&name()).await.unwrap().len(), 1);
    assert!(fixture.table().await.metadata().snapshot_for_ref("somebody-elses").is_some());
    assert!(super::conflict(&lake, &stale).await.1.contains("gone"));
    assert_eq!(published(&lake, &live).await.rows, 5);
}

#[tokio::test]
async fn a_branch_without_an_append_is_old_only_once_main_has_moved_on() {
    let fixture = begun().await;
    let main = fixture.table().await.metadata().current_snapshot_id().unwrap();
    let branch = format!("event-ingest-{}-1-00ff00ff", super::job::REQUEST);
    let retention = iceberg::spec::SnapshotRetention::branch(None, None, None);
    let reference = iceberg::spec::SnapshotReference::new(main, retention);
    fixture.change(|table| table.set_ref(&branch, reference)).await;
    age(&fixture, DAY).await;
    assert_eq!(drop_stale(&fixture, |_| false).await, 0, "a job may just have made it");
    let lake = fixture.another(|port| port).await;
    lake.ingest(&crate::fixture::request(&["a"])).await.unwrap();
    age(&fixture, DAY).await;
    assert_eq!(drop_stale(&fixture, |_| false).await, 1);
}
