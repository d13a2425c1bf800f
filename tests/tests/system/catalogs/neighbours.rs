//! PyIceberg makes, writes, drops and renames tables that are also ours.

use serde_json::json;

use crate::catalogs::world::World;

pub async fn a_table_that_pyiceberg_made_takes_both_writers_rows(world: &World) {
    world.peer("create", json!({})).await;
    world.peer("append", json!({"ids": [100, 101]})).await;
    world.put("a", 0..3).await;
    world.put("b", 3..5).await;
    assert_eq!(world.ingest(&["a"]).await.rows, 3);
    world.assert_holds([0, 1, 2, 100, 101], 3).await;

    world.peer("append", json!({"ids": [102]})).await;
    let mixed = world.ingest(&["a", "b"]).await;
    assert_eq!((mixed.files_skipped, mixed.rows), (1, 2), "the ledger is the same below a foreign snapshot");
    world.peer("append", json!({"ids": [103]})).await;
    assert_eq!(world.another().await.ingest(&world.request(&["b"])).await.unwrap().files_skipped, 1);
    world.assert_holds((0..5).chain(100..104), 5).await;
}

pub async fn a_table_that_pyiceberg_dropped_is_begun_anew(world: &World) {
    world.put("a", 0..3).await;
    world.put("b", 3..5).await;
    world.ingest(&["a"]).await;
    world.peer("drop", json!({})).await;
    let result = world.ingest(&["b"]).await;
    assert_eq!(result.rows, 2);
    world.assert_holds(3..5, 2).await;
    // The new table knows nothing of the old one's objects.
    assert_eq!(world.ingest(&["a", "b"]).await.rows, 3);
    world.assert_holds(0..5, 5).await;
}

pub async fn a_renamed_table_keeps_its_ledger(world: &World) {
    world.put("a", 0..3).await;
    world.put("b", 3..5).await;
    world.ingest(&["a"]).await;
    let renamed = format!("{}_renamed", world.table);
    world.peer("rename", json!({"to": renamed})).await;

    let mut request = world.request(&["a", "b"]);
    request.table = ingest_core::TableName::parse(&renamed).unwrap();
    let result = world.lake.ingest(&request).await.unwrap();
    assert_eq!((result.files_skipped, result.rows), (1, 2));
    let seen = world.peer("read", json!({"table": renamed})).await;
    assert_eq!(seen["pyiceberg"], json!([0, 1, 2, 3, 4]));

    // Under the old name a new table begins, and the renamed one is not touched by it.
    assert_eq!(world.ingest(&["a"]).await.rows, 3);
    world.assert_holds(0..3, 3).await;
    let seen = world.peer("read", json!({"table": renamed})).await;
    assert_eq!(seen["duckdb"], json!([0, 1, 2, 3, 4]));
}
