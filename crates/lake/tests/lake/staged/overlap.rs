//! Light requests and jobs for the same objects at the same time.

use std::sync::Arc;

use ingest_core::staged::StagedList;
use lake::Lake;
use lake::ingest::{Publication, Standing};
use rand::Rng;

use crate::fixture::{Fixture, file, request};

use super::assert_agreement;

const OBJECTS: i64 = 8;
const ROWS: i64 = 3;

fn key(n: i64) -> String {
    format!("k{n}")
}

/// What a job does until every object is in the table: stage what is not, post, and begin anew at a conflict.
async fn job(fixture: Arc<Fixture>, lake: Arc<Lake>, objects: Vec<i64>) {
    loop {
        let keys: Vec<String> = objects.iter().map(|n| key(*n)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let standings = lake.outstanding(&request(&keys)).await.unwrap();
        let new = standings.iter().filter(|(_, standing)| matches!(standing, Standing::New(_)));
        let left: Vec<i64> = new.map(|(place, _)| objects[*place]).collect();
        if left.is_empty() {
            return;
        }
        let named: Vec<String> = left.iter().map(|n| key(*n)).collect();
        let named: Vec<(&str, u64)> = named.iter().map(|key| (key.as_str(), ROWS as u64)).collect();
        let list: StagedList = fixture.list(&named).await;
        let mut files = Vec::new();
        for n in &left {
            files.push(fixture.data_file(n * ROWS..(n + 1) * ROWS).await);
        }
        let Some(stage) = fixture.try_append_on_branch(&list, files).await else { continue };
        let staged = fixture.written(&list, Some(stage));
        match lake.publish_staged(&staged).await {
            Ok(Publication::Published(_) | Publication::Conflict(_)) => {}
            Err(error) => assert!(error.retryable(), "{error}"),
        }
    }
}

async fn light(lake: Arc<Lake>, objects: Vec<i64>) {
    let keys: Vec<String> = objects.iter().map(|n| key(*n)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    while let Err(error) = lake.ingest(&request(&keys)).await {
        assert!(error.retryable(), "{error}");
    }
}

fn some() -> Vec<i64> {
    let mut rng = rand::rng();
    (0..OBJECTS).filter(|_| rng.random_bool(0.6)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_brings_an_object_in_its_rows_are_there_once() {
    for _ in 0..4 {
        let fixture = Arc::new(Fixture::new().await);
        fixture.put("seed", file(-1..0)).await;
        fixture.ingest(&["seed"]).await;
        for n in 0..OBJECTS {
            fixture.put(&key(n), file(n * ROWS..(n + 1) * ROWS)).await;
        }
        let other = fixture.another(|port| port).await;
        let mut tasks = Vec::new();
        for lake in [&fixture.lake, &other] {
            tasks.push(tokio::spawn(job(fixture.clone(), lake.clone(), some())));
            tasks.push(tokio::spawn(light(lake.clone(), some())));
        }
        // Between them they miss none.
        tasks.push(tokio::spawn(job(fixture.clone(), other.clone(), (0..OBJECTS).collect())));
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(fixture.ids().await, (-1..OBJECTS * ROWS).collect::<Vec<_>>());
        assert_agreement(&fixture).await;
    }
}
