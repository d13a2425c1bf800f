//! Invariants 2 and 3 with real processes: two workers on one catalog, killed again and again while they work.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use testkit::eventually;
use tokio::task::JoinSet;

use crate::bucket::{Lakehouse, Standalone, WITHIN};
use crate::catalogs::{counted, source};
use crate::rounds;
use crate::worker::Worker;

const TABLE: &str = "db.killed";
/// New objects of a round, and rows of each.
const OBJECTS: i64 = 6;
const ROWS: i64 = 10;
/// Objects of a request. Each object is in two requests, which go to different workers.
const FILES: i64 = 3;
/// A round's work takes some tenths of a second: the kill comes at any moment within.
const LONGEST_LIFE: Duration = Duration::from_millis(250);
/// A round whose kill came when all was done does not count. So many rounds for one that counts are enough.
const TRIES: usize = 4;

/// The objects of a request, which is sent until it is answered.
type Request = Vec<String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_killed_in_the_middle_of_their_work_lose_nothing_and_double_nothing() {
    let seed = rounds::seed();
    println!("seed {seed}: repeat with SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &[]).await;
    let lakehouse = Lakehouse::new();
    let mut workers = [start(&bucket, &lakehouse).await, start(&bucket, &lakehouse).await];

    let (mut hit, mut round) = (0, 0);
    let mut unanswered: Vec<Request> = Vec::new();
    while hit < rounds::kills() {
        assert!(round < rounds::kills() * TRIES, "seed {seed}: {hit} of {round} kills met any work");
        let first = i64::try_from(round).unwrap() * OBJECTS;
        for n in first..first + OBJECTS {
            bucket.put(&key(n), source(n * ROWS..(n + 1) * ROWS)).await;
        }
        let new = (0..OBJECTS).map(|n| (0..FILES).map(|k| key(first + (n + k) % OBJECTS)).collect());
        let victim = random.random_range(0..2);
        let before = taken(&workers[victim].program.log()).len();
        let mut answers = JoinSet::new();
        for (n, request) in unanswered.drain(..).chain(new).enumerate() {
            answers.spawn(send(workers[n % 2].client.clone(), workers[n % 2].url.clone(), request));
        }
        eventually("one of the new requests is worked on", WITHIN, async || {
            (taken(&workers[victim].program.log()).len() > before).then_some(())
        })
        .await;
        // No synchronisation: where in its work this finds the process is left to chance, and asked afterwards.
        tokio::time::sleep(random.random_range(Duration::ZERO..LONGEST_LIFE)).await;
        let log = workers[victim].program.end_at_once();
        hit += usize::from(!in_work(&log).is_empty());
        workers[victim] = start(&bucket, &lakehouse).await;
        while let Some(answer) = answers.join_next().await {
            unanswered.extend(answer.unwrap().err());
        }
        round += 1;
    }

    // As Kafka or a producer would: what was not answered is sent until it is.
    for (n, request) in unanswered.into_iter().enumerate() {
        let worker = &workers[n % 2];
        send(worker.client.clone(), worker.url.clone(), request).await.expect("nobody is killed now");
    }
    println!("seed {seed}: {hit} of {round} kills met work in flight");
    let total = i64::try_from(round).unwrap() * OBJECTS * ROWS;
    let ids: Vec<i64> = (0..total).collect();
    let seen = lakehouse.read(TABLE).await;
    assert_eq!(seen["pyiceberg"], json!(ids), "seed {seed}");
    assert_eq!(seen["duckdb"], json!(ids), "seed {seed}");
    let ledger = counted(&lakehouse.lake().await, TABLE).await;
    assert_eq!(ledger, u64::try_from(total).unwrap(), "seed {seed}: the ledger's rows");
    bucket.stop().await;
}

fn key(n: i64) -> String {
    format!("killed/{n}.parquet")
}

async fn start(bucket: &Standalone, lakehouse: &Lakehouse) -> Worker {
    Worker::start_with(bucket, lakehouse, &[("LOG_LEVEL", "info,light_worker=debug")]).await
}

/// Sends a request; one that got no answer, or was told to come again, is the error.
async fn send(client: Client, url: String, files: Request) -> Result<(), Request> {
    let uris: Vec<String> = files.iter().map(|key| format!("s3://inbox/{key}")).collect();
    let body = json!({"files": uris, "table": TABLE}).to_string();
    let answer = client.post(url).header("content-type", "application/json").body(body).send().await;
    match answer {
        Ok(answer) if answer.status() == StatusCode::OK => {
            // An answer that is cut short is none.
            let Ok(result) = answer.json::<Value>().await else { return Err(files) };
            let done =
                result["files_processed"].as_u64().unwrap() + result["files_skipped"].as_u64().unwrap();
            assert_eq!(done, files.len() as u64, "{result:#}");
            Ok(())
        }
        Ok(answer) => {
            let status = answer.status();
            let retry = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status);
            assert!(retry, "{status}: {}", answer.text().await.unwrap_or_default());
            Err(files)
        }
        Err(_) => Err(files),
    }
}

/// Requests that a worker has begun.
fn taken(log: &str) -> BTreeSet<String> {
    named(log, &["taken"])
}

/// Requests that a worker had begun and not ended when its log ended.
fn in_work(log: &str) -> BTreeSet<String> {
    &taken(log) - &named(log, &["ingested", "not ingested"])
}

/// Ids of the requests that these messages are about. The last line may have been cut by the kill.
fn named(log: &str, messages: &[&str]) -> BTreeSet<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["message"].as_str().is_some_and(|message| messages.contains(&message)))
        .map(|line| line["request_id"].as_str().unwrap().to_owned())
        .collect()
}
