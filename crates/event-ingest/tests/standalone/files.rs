//! `files` and `ledger` as an operator runs them, beside a standalone server.

use std::path::Path;
use std::process::Output;

use event_ingest::commands::exit::EXIT_DISAGREE;
use event_ingest::commands::exit::EXIT_SET_ASIDE;
use lake::allow::OUTSIDE;
use serde_json::Value;
use tempfile::TempDir;

use crate::server::{Running, flights};

const TABLE: &str = "db.flights";
/// A key that the server's own rules do not want.
const BAD: &str = "incoming/b ad+1.pq";
const BAD_URI: &str = "s3://inbox/incoming/b ad+1.pq";

struct Place {
    server: Running,
    folder: TempDir,
}

impl Place {
    /// A table with one good file, and a bad one that was set aside.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { server: Running::start(folder.path()).await, folder };
        place.server.put("incoming/good.pq", flights()).await;
        place.server.put(BAD, "this is no parquet").await;
        let ingest =
            place.run(&["ingest", "s3://inbox/incoming/", "--format", "parquet", "--create-table"]).await;
        assert_eq!(ingest.status.code(), Some(EXIT_SET_ASIDE.into()), "{ingest:?}");
        place
    }

    async fn run(&self, line: &[&str]) -> Output {
        self.run_for(TABLE, line).await
    }

    async fn run_for(&self, table: &str, line: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_event-ingest"));
        command.args(line).arg("--table").arg(table).arg("--data").arg(self.folder.path()).env_clear();
        command.output().await.unwrap()
    }

    /// What a command that succeeds says.
    async fn said(&self, line: &[&str]) -> String {
        self.said_of(TABLE, line).await
    }

    async fn said_of(&self, table: &str, line: &[&str]) -> String {
        let output = self.run_for(table, line).await;
        assert!(output.status.success(), "{line:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    async fn json(&self, line: &[&str]) -> Vec<Value> {
        self.said(line).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_was_set_aside_is_explained_mended_and_put_back() {
    let place = Place::new().await;
    let all = place.json(&["files", "list", "--json"]).await;
    let statuses: Vec<_> = all.iter().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(
        (statuses.contains(&"ingested"), statuses.contains(&"quarantined"), all.len()),
        (true, true, 2)
    );
    let aside =
        place.json(&["files", "list", "--json", "--quarantined", "--prefix", "s3://inbox/incoming/b"]).await;
    assert_eq!((aside.len(), aside[0]["file"].as_str()), (1, Some(BAD_URI)));
    assert!(place.json(&["files", "list", "--json", "--since", "2100-01-01T00:00:00Z"]).await.is_empty());
    assert_eq!(place.json(&["files", "list", "--json", "--limit", "1"]).await.len(), 1);

    let told = place.said(&["files", "explain", BAD_URI]).await;
    assert!(told.contains("18 bytes") && told.contains("set aside") && told.contains("PAR1"), "{told}");
    let told = place.said(&["files", "explain", "s3://inbox/never.pq"]).await;
    assert!(told.contains("no such object") && told.contains("never seen"), "{told}");
    let told = place.said(&["files", "show", "s3://inbox/never.pq"]).await;
    assert!(told.contains("never seen") && !told.contains("does not exist"), "{told}");
    let told = place.said_of("db.none", &["files", "show", "s3://inbox/never.pq"]).await;
    assert!(told.contains("never seen") && told.contains("`db.none` does not exist"), "{told}");

    let again = place.run(&["files", "retry", BAD_URI]).await;
    assert_eq!(again.status.code(), Some(EXIT_SET_ASIDE.into()), "{again:?}");
    place.server.put(BAD, flights()).await;
    let dry = place.said(&["files", "retry", "--all", "--dry-run"]).await;
    assert!(dry.contains("would retry"), "{dry}");
    let other = place.said(&["files", "retry", "--all", "--reason", "no such text"]).await;
    assert!(other.is_empty(), "{other}");
    let mended = place.said(&["files", "retry", BAD_URI]).await;
    assert!(mended.starts_with("ingested"), "{mended}");
    assert!(place.json(&["files", "list", "--json", "--quarantined"]).await.is_empty());
    let gone = place.run(&["files", "retry", BAD_URI]).await;
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");

    let shown = place.json(&["files", "explain", BAD_URI, "--json"]).await.remove(0);
    let entry = &shown["ingested"][0];
    assert_eq!((entry["standing"].as_str(), entry["mode"].as_str()), (Some("in main"), Some("splice")));
    assert!(entry["rows"].as_u64().unwrap() > 0 && entry["parts"][0]["row_groups"].as_u64().unwrap() > 0);
    place.server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_is_verified_and_rebuilt_and_has_no_orphans() {
    let place = Place::new().await;
    let report = place.said(&["ledger", "verify"]).await;
    assert!(report.contains("1 entries in 1 runs") && report.contains("they agree"), "{report}");
    assert!(place.said(&["ledger", "rebuild"]).await.contains("nothing to rebuild"));
    assert!(place.said(&["ledger", "orphans", "--delete"]).await.starts_with("0 files"));

    remove_ledgers(place.folder.path(), "heads");
    let broken = place.run(&["ledger", "verify"]).await;
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    let planned = place.run(&["ledger", "rebuild"]).await;
    assert_eq!(planned.status.code(), Some(EXIT_DISAGREE.into()), "{planned:?}");
    assert!(place.said(&["ledger", "rebuild", "--apply"]).await.contains("made it the ledger of main"));
    assert!(place.said(&["ledger", "verify"]).await.contains("they agree"));

    // What is lost would come a second time: that is asked for by name.
    remove_ledgers(place.folder.path(), "heads");
    remove_ledgers(place.folder.path(), "runs");
    let refused = place.run(&["ledger", "rebuild", "--apply"]).await;
    assert_eq!(refused.status.code(), Some(EXIT_DISAGREE.into()), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stdout).contains("nothing was changed"), "{refused:?}");
    assert_eq!(place.run(&["ledger", "verify"]).await.status.code(), Some(1), "it was applied");
    let applied = place.run(&["ledger", "rebuild", "--apply", "--accept-loss"]).await;
    assert_eq!(applied.status.code(), Some(EXIT_DISAGREE.into()), "{applied:?}");
    assert!(String::from_utf8_lossy(&applied.stdout).contains("made it the ledger of main"), "{applied:?}");
    place.server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outside_the_lists_is_read_or_written() {
    let place = Place::new().await;
    place.server.put(BAD, flights()).await;
    let elsewhere = ["--allow-source", "s3://elsewhere"];
    let told = place.said(&[&["files", "explain", BAD_URI][..], &elsewhere].concat()).await;
    assert!(told.contains("in the bucket: not known") && told.contains(OUTSIDE), "{told}");
    for line in [&["files", "retry", "--all"][..], &["ingest", BAD_URI], &["ingest", "s3://inbox/incoming/"]]
    {
        let left = place.run(&[line, &elsewhere].concat()).await;
        assert_eq!(left.status.code(), Some(EXIT_SET_ASIDE.into()), "{left:?}");
        assert!(String::from_utf8_lossy(&left.stdout).contains(OUTSIDE), "{left:?}");
    }
    let writes = [
        &["files", "retry", "--all"][..],
        &["ingest", BAD_URI],
        &["ledger", "rebuild", "--apply"],
        &["ledger", "orphans", "--delete"],
    ];
    for line in writes {
        let refused = place.run(&[line, &["--allow-table", "other.*"]].concat()).await;
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("allowed tables"), "{refused:?}");
    }
    assert_eq!(place.json(&["files", "list", "--json", "--quarantined"]).await.len(), 1, "it was retried");
    place.server.end().await;
}

fn remove_ledgers(data: &Path, part: &str) {
    for table in std::fs::read_dir(data.join("warehouse/_event_ingest")).unwrap() {
        let part = table.unwrap().path().join(part);
        if part.exists() {
            std::fs::remove_dir_all(part).unwrap();
        }
    }
}
