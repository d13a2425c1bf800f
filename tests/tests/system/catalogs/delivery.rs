//! Requests, repeated and at once.

use crate::catalogs::world::{World, request};

pub async fn a_first_request_makes_the_table_and_a_redelivery_adds_nothing(world: &World) {
    world.put("a", 0..10).await;
    world.put("b", 10..15).await;
    let first = world.ingest(&["a", "b"]).await;
    assert_eq!((first.rows, first.files_processed), (15, 2));
    world.assert_holds(0..15, 15).await;

    let again = world.ingest(&["b", "a"]).await;
    assert_eq!((again.rows, again.files_skipped), (0, 2));
    // A process that has seen nothing of it.
    let elsewhere = world.another().await.ingest(&world.request(&["a"])).await.unwrap();
    assert_eq!((elsewhere.rows, elsewhere.files_skipped), (0, 1));
    world.assert_holds(0..15, 15).await;
}

pub async fn namespaces_have_levels(world: &World) {
    let (namespace, _) = world.table.split_once('.').unwrap();
    let deep = format!("{namespace}.below.it.events");
    world.put("a", 0..3).await;
    world.ingest(&["a"]).await;
    // The same object for two tables: each has its own ledger.
    let result = world.lake.ingest(&request(&deep, &["a"])).await.unwrap();
    assert_eq!(result.rows, 3);
    let again = world.another().await.ingest(&request(&deep, &["a"])).await.unwrap();
    assert_eq!(again.files_skipped, 1);
    let seen = world.peer("read", serde_json::json!({"table": deep})).await;
    assert_eq!(seen["pyiceberg"], serde_json::json!([0, 1, 2]));
    world.assert_holds(0..3, 3).await;
}

pub async fn two_processes_with_overlapping_requests_write_each_object_once(world: &World) {
    const OBJECTS: i64 = 6;
    for n in 0..OBJECTS {
        world.put(&format!("f{n}"), n * 10..n * 10 + 10).await;
    }
    let other = world.another().await;
    let flights: Vec<_> = (0..8)
        .map(|n| {
            let lake = if n % 2 == 0 { world.lake.clone() } else { other.clone() };
            let keys: Vec<String> = (0..4).map(|k| format!("f{}", (n + k) % OBJECTS)).collect();
            let request = world.request(&keys.iter().map(String::as_str).collect::<Vec<_>>());
            tokio::spawn(async move { lake.ingest(&request).await })
        })
        .collect();
    let mut rows = 0;
    for flight in flights {
        rows += flight.await.unwrap().unwrap().rows;
    }
    assert_eq!(rows, 60, "the answers together claim each row once");
    world.assert_holds(0..60, 60).await;
}
