//! What others do to the history of `main`, and what the ledger makes of it.

use serde_json::json;

use crate::catalogs::world::{Kind, World};

pub async fn a_rollback_takes_its_objects_out_of_the_ledger(world: &World) {
    world.put("a", 0..3).await;
    world.put("b", 3..5).await;
    world.put("c", 5..6).await;
    world.ingest(&["a"]).await;
    let before = world.main().await;
    world.ingest(&["b"]).await;
    world.peer("set_main", json!({"snapshot": before})).await;
    world.assert_holds(0..3, 3).await;

    // By a process that had cached what is no longer so.
    assert_eq!(world.ingest(&["a", "c"]).await.rows, 1);
    world.assert_holds([0, 1, 2, 5], 4).await;
    assert_eq!(
        world.ingest(&["b"]).await.rows,
        2,
        "b was rolled back: to ask for it again is to want it again"
    );
    world.assert_holds(0..6, 6).await;
}

pub async fn a_branch_may_raise_the_sequence_number_and_become_main(world: &World) {
    world.put("a", 0..3).await;
    world.put("b", 3..5).await;
    world.ingest(&["a"]).await;
    world.peer("make_branch", json!({"branch": "stage"})).await;
    world.peer("append", json!({"ids": [100], "branch": "stage"})).await;
    world.peer("append", json!({"ids": [101], "branch": "stage"})).await;
    assert_eq!(world.ingest(&["b"]).await.rows, 2);
    world.assert_holds(0..5, 5).await;

    world.peer("set_main", json!({"branch": "stage"})).await;
    world.assert_holds([0, 1, 2, 100, 101], 3).await;
    let result = world.ingest(&["a", "b"]).await;
    assert_eq!((result.files_skipped, result.rows), (1, 2));
    world.assert_holds((0..5).chain([100, 101]), 5).await;
}

pub async fn a_replaced_main_begins_a_new_ledger(world: &World) {
    world.put("a", 0..3).await;
    world.ingest(&["a"]).await;
    world.peer("replace", json!({"ids": [100]})).await;
    assert_eq!(world.ingest(&["a"]).await.rows, 3, "the rows went when main was replaced");
    world.assert_holds([0, 1, 2, 100], 3).await;
    assert_eq!(world.ingest(&["a"]).await.files_skipped, 1);
}

pub async fn expired_history_is_bridged_or_said(world: &World) {
    world.put("a", 0..3).await;
    world.put("b", 3..5).await;
    world.ingest(&["a"]).await;
    world.ingest(&["b"]).await;
    // Our last snapshot is the newest: whatever went below it, it names the ledger.
    world.peer("expire", json!({})).await;
    assert_eq!(world.ingest(&["a", "b"]).await.files_skipped, 2);
    world.assert_holds(0..5, 5).await;

    // Our last snapshot goes, below another's. Iceberg's own code leaves its id as the parent, and the table property
    // is about that; PyIceberg removes the id, so that the other's looks like the first snapshot of a new table.
    world.peer("append", json!({"ids": [100]})).await;
    world.peer("expire", json!({})).await;
    if world.kind == Kind::Rest {
        assert_eq!(world.ingest(&["a", "b"]).await.files_skipped, 2);
        // Now the missing one is another's: whether ours is below it nobody can tell.
        world.peer("append", json!({"ids": [101]})).await;
        world.peer("append", json!({"ids": [102]})).await;
        world.peer("expire", json!({})).await;
    }
    let before = world.peer("read", json!({})).await;
    for lake in [world.lake.clone(), world.another().await] {
        let refused = lake.ingest(&world.request(&["a"])).await.unwrap_err();
        assert_eq!(refused.kind(), lake::ErrorKind::Inconsistent, "{refused}");
        assert!(refused.to_string().contains("event-ingest ledger verify"), "{refused}");
    }
    assert_eq!(world.peer("read", json!({})).await, before, "nothing was added on a guess");
}
