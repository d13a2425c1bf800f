//! Standalone mode with Spark: heavy batches go to a driver on this machine, which posts to the process itself.

use std::path::Path;

use serde_json::Value;
use testkit::{Program, eventually, paths};

use super::world::WITHIN;
use crate::bucket::{Standalone, Stored};

/// The table that objects go to unless a rule says otherwise.
const TABLE: &str = "db.my_table";

/// Every batch is heavy, and closes at once or when there are so many files.
async fn start(data: &Path, options: &[&str]) -> Standalone {
    let repository = paths::repository();
    let submit = repository.join("scripts/spark-submit.sh").display().to_string();
    let job = repository.join("spark/main.py").display().to_string();
    let heavy = [
        "--light-max-bytes",
        "1",
        "--spark-submit",
        &submit,
        "--spark-job",
        &job,
        "--spark-master",
        "local[2,4]",
    ];
    let conf = ["--spark-conf", "spark.driver.memory=1g", "--spark-conf", "spark.sql.shuffle.partitions=2"];
    Standalone::start(data, &[&heavy[..], &conf, options].concat()).await
}

async fn put_examples(server: &Standalone, range: std::ops::Range<usize>) -> Vec<std::path::PathBuf> {
    let mut sources = Vec::new();
    for place in range {
        let source = paths::example_files().swap_remove(place);
        Stored::put(server, &format!("{place}.parquet"), &source).await;
        sources.push(source);
    }
    sources
}

fn stories(data: &Path) -> Vec<Value> {
    let Ok(closed) = data.join("warehouse/_event_ingest/heavy/closed").read_dir() else { return Vec::new() };
    closed
        .map(|file| serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap())
        .collect()
}

async fn closed(data: &Path) -> Value {
    eventually("the record is closed", WITHIN, async || stories(data).pop()).await
}

#[tokio::test]
async fn a_heavy_batch_becomes_rows_by_spark() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = start(data, &["--heavy", "spark-submit", "--batch-files", "3"]).await;
    let sources = put_examples(&server, 0..3).await;
    let story = closed(data).await;
    assert_eq!((&story["files"], &story["through"]), (&3.into(), &1.into()), "{story}");
    assert_eq!(story["attempts"][0]["backend"], "spark-submit", "{story}");
    server.reader(TABLE).assert_holds(&sources).await;
    let activity = server.settled().await;
    let counters = &activity["counters"];
    assert_eq!(
        (&counters["requests_to_spark"], &counters["files_processed"]),
        (&1.into(), &3.into()),
        "{activity}"
    );

    // The same objects again are in the table: no Spark is started for them.
    let again = put_examples(&server, 0..3).await;
    assert_eq!(again, sources);
    eventually("all are skipped", WITHIN, async || {
        (server.activity().await["counters"]["files_skipped"] == 3).then_some(())
    })
    .await;
    assert_eq!(stories(data).len(), 1);
    server.reader(TABLE).assert_holds(&sources).await;

    // Only jobs are listened to where they post.
    let url = format!("{}/api/v1/staged", server.endpoint.admin_url);
    let request = format!(r#"{{"files": ["s3://{}/0.parquet"]}}"#, server.endpoint.bucket);
    let answer = reqwest::Client::new().post(url).body(request).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    server.stop().await;
}

#[tokio::test]
async fn what_spark_was_about_when_it_was_stopped_or_killed_comes_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = start(data, &["--batch-files", "2"]).await;
    let sources = put_examples(&server, 0..2).await;
    // Processes that are known: those that the next start finds.
    let process =
        |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().path().join("process.json").exists();
    let attempts = || {
        let folders = data.join("spark/attempts").read_dir();
        folders.map_or(0, |folders| folders.filter_map(|entry| process(entry).then_some(())).count())
    };
    eventually("Spark was started", WITHIN, async || (attempts() > 0).then_some(())).await;
    server.stop().await;
    assert_eq!(attempts(), 0, "what ran was ended with it");

    // What is owned is left to its record: it is not announced again.
    let server = start(data, &["--batch-files", "2"]).await;
    eventually("Spark was started again", WITHIN, async || (attempts() > 0).then_some(())).await;
    server.kill();
    let server = start(data, &["--batch-files", "2"]).await;
    let story = closed(data).await;
    assert_eq!(story["attempts"][0]["how"], "stopped", "{story}");
    server.reader(TABLE).assert_holds(&sources).await;
    assert_eq!(stories(data).len(), 1, "one record from first to last");
    server.stop().await;
}

#[tokio::test]
async fn without_spark_it_says_what_is_missing_or_reads_heavy_batches_itself() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let line =
        ["standalone", "--data", &data, "--heavy", "spark-submit", "--spark-submit", "/no/such/program"];
    let (status, said) = Program::start("event-ingest", line, [("LOG_FORMAT", "json")]).exited().await;
    assert!(
        !status.success() && said.contains("spark-submit is not at /no/such/program"),
        "{status}: {said}"
    );

    let options = ["--light-max-bytes", "1", "--batch-files", "2", "--spark-submit", "/no/such/program"];
    let server = Standalone::start(folder.path(), &options).await;
    let sources = put_examples(&server, 0..2).await;
    let activity = server.settled().await;
    assert_eq!(activity["counters"]["requests_to_spark"], 0, "{activity}");
    server.reader(TABLE).assert_holds(&sources).await;
    server.stop().await;
}
