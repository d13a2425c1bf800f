//! `sql` as a user runs it, beside a standalone server and after it.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::server::{Running, flights};

async fn ask(folder: &Path, line: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_event-ingest"));
    command.arg("sql").args(line).arg("--data").arg(folder).env_clear();
    command.output().await.unwrap()
}

async fn with_flights(folder: &Path) -> Running {
    let server = Running::start(folder).await;
    for key in ["a.parquet", "b.parquet"] {
        server.put(key, flights()).await;
    }
    let mut ingest = tokio::process::Command::new(env!("CARGO_BIN_EXE_event-ingest"));
    ingest
        .args(["ingest", "s3://inbox/", "--table", "db.flights", "--create-table"])
        .arg("--data")
        .arg(folder);
    let ingest = ingest.env_clear().output().await.unwrap();
    assert!(ingest.status.success(), "{ingest:?}");
    server
}

async fn said(folder: &Path, line: &[&str]) -> String {
    let output = ask(folder, line).await;
    assert!(output.status.success(), "{line:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn refused(folder: &Path, statement: &str) -> String {
    let output = ask(folder, &[statement]).await;
    assert_eq!(output.status.code(), Some(1), "{statement}: {output:?}");
    assert_eq!(output.stdout, b"", "{statement}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_answered_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let server = with_flights(folder.path()).await;
    let count = said(folder.path(), &["select count(*) as flights from db.flights"]).await;
    let lines: Vec<&str> = count.lines().map(str::trim).collect();
    assert_eq!(lines[0], "flights");
    let flights: u64 = lines[1].parse().unwrap();
    assert!(flights > 0 && flights.is_multiple_of(2), "two files of the same rows: {flights}");

    // A filter, a group, an order, a join of the table with itself.
    let statement = "select l.origin, count(*) as n from db.flights l join (select distinct origin from db.flights) r \
                     on l.origin = r.origin where l.origin is not null group by l.origin order by n desc, l.origin";
    let answer = said(folder.path(), &[statement, "--output", "json"]).await;
    let rows: Vec<Value> = answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts: Vec<u64> = rows.iter().map(|row| row["n"].as_u64().unwrap()).collect();
    assert!(counts.iter().sum::<u64>() <= flights && counts.is_sorted_by(|a, b| a >= b), "{rows:?}");
    assert!(rows.len() > 1 && rows[0]["origin"].is_string(), "{rows:?}");

    let bounded =
        ask(folder.path(), &["select * from db.flights", "--max-rows", "3", "--output", "json"]).await;
    assert_eq!(String::from_utf8(bounded.stdout).unwrap().lines().count(), 3);
    assert!(String::from_utf8(bounded.stderr).unwrap().contains("more rows than 3"));

    assert!(refused(folder.path(), "select * from flights").await.contains("db.flights"));
    assert!(
        refused(folder.path(), "select * from db.nothing").await.contains("there is no table `db.nothing`")
    );
    assert!(refused(folder.path(), "select wrong from db.flights").await.contains("wrong"));
    for (change, why) in [
        ("insert into db.flights select * from db.flights", "DML not supported"),
        ("explain analyze insert into db.flights select * from db.flights", "DML not supported"),
        ("create view db.new as select * from db.flights", "DDL not supported"),
        ("copy db.flights to '/tmp/never.csv'", "DML not supported"),
        ("set datafusion.execution.batch_size = 1", "Statement not supported"),
        ("create external table db.x stored as csv location '/etc/passwd'", "there is no table `db.x`"),
        ("select * from '/etc/passwd'", "has no namespace"),
        ("delete from db.flights", ""),
        ("drop table db.flights", ""),
    ] {
        let said = refused(folder.path(), change).await;
        assert!(said.contains(why), "{change}: {said}");
    }
    // Every line has every column, with a value or without.
    let nulls = said(
        folder.path(),
        &["select origin, nullif(1, 1) as n from db.flights limit 1", "--output", "json"],
    )
    .await;
    assert!(nulls.contains(r#""n":null"#), "{nulls}");
    server.end().await;

    // The folder answers without its server: the tables are files.
    let again = said(folder.path(), &["select count(*) as n from db.flights", "--output", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(again.trim()).unwrap(), json!({ "n": flights }));
}
