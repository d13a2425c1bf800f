//! A heavy batch in, rows out.

use serde_json::json;

use super::world::{Kind, World};

#[tokio::test]
async fn a_heavy_batch_becomes_rows_through_a_sql_catalog() {
    batch(Kind::Sqlite).await;
}

#[tokio::test]
async fn a_heavy_batch_becomes_rows_through_a_rest_catalog() {
    batch(Kind::Rest).await;
}

async fn batch(kind: Kind) {
    let world = World::new(kind).await;
    let (sources, files) = world.put_examples(4).await;
    let launcher = world.launcher().await;
    let id = launcher.take(&world, &world.request(&files)).await;
    // The same again is the same record.
    assert_eq!(launcher.take(&world, &world.request(&files)).await, id);
    world.closed(&id).await;
    world.assert_holds(&sources).await;

    // Spark published nothing itself, and left nothing behind.
    let log = world.log(&id, 1);
    assert!(log.contains("staged branch=") && log.contains("published rows="), "{log}");
    assert_eq!(world.record_files(&id), 0);

    // All of it is there: no Spark is started for that.
    let answer = world.client.post(&launcher.url).json(&world.request(&files)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let result: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((&result["files_skipped"], &result["rows"]), (&json!(4), &json!(0)), "{result}");
    assert_eq!(world.light(&files).await["files_skipped"], 4);
    world.assert_holds(&sources).await;
}
