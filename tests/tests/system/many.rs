//! Many requests at once to many processes on one table.

use futures::future::join_all;
use ingest_core::TableName;
use serde_json::{Value, json};

use crate::bucket::{Lakehouse, Standalone};
use crate::catalogs::{counted, source};
use crate::rounds;
use crate::worker::Worker;

const TABLE: &str = "db.many";
const PROCESSES: usize = 8;
/// So many requests share a snapshot, at least, when many come at once. How many do depends on the machine, some ten to
/// twenty: were none shared, it would be one.
const REQUESTS_A_SNAPSHOT: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_processes_answer_every_request_with_its_own_result() {
    let requests = rounds::requests();
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &[]).await;
    let lakehouse = Lakehouse::new();
    let workers = join_all((0..PROCESSES).map(|_| {
        // None is turned away: that many wait.
        Worker::start_with(&bucket, &lakehouse, &[("REQUEST_QUEUE", "10000")])
    }))
    .await;
    // Each request has its own number of rows, so that no other's answer passes for its own.
    let mut next = 0;
    let mut expected = Vec::new();
    for n in 0..requests {
        let rows = i64::try_from(n % 50).unwrap() + 1;
        bucket.put(&format!("many/{n}.parquet"), source(next..next + rows)).await;
        expected.push(rows);
        next += rows;
    }

    let results = join_all((0..requests).map(|n| {
        let worker = &workers[n % PROCESSES];
        async move {
            let file = format!("s3://inbox/many/{n}.parquet");
            let answer = worker.plain(&json!({"files": [file], "table": TABLE})).await;
            let (status, body) = (answer.status(), answer.text().await.unwrap());
            assert!(status.is_success(), "request {n}: {status} {body}");
            serde_json::from_str::<Value>(&body).unwrap()
        }
    }))
    .await;
    for (n, (result, rows)) in results.iter().zip(&expected).enumerate() {
        assert_eq!(result["rows"], json!(rows), "request {n}: {result:#}");
        assert!(
            result["files"][0]["file"].as_str().unwrap().ends_with(&format!("/{n}.parquet")),
            "{result:#}"
        );
    }
    let ids: Vec<i64> = (0..next).collect();
    let seen = lakehouse.read(TABLE).await;
    assert_eq!(seen["pyiceberg"], json!(ids));
    assert_eq!(seen["duckdb"], json!(ids));
    let lake = lakehouse.lake().await;
    assert_eq!(counted(&lake, TABLE).await, u64::try_from(next).unwrap(), "the ledger's rows");
    let table = lake.inspect(&TableName::parse(TABLE).unwrap()).await.unwrap().unwrap().table;
    let snapshots = table.metadata().snapshots().count();
    println!("{requests} requests in {snapshots} snapshots");
    assert!(snapshots <= requests / REQUESTS_A_SNAPSHOT, "{requests} requests took {snapshots} snapshots");
    bucket.stop().await;
}
