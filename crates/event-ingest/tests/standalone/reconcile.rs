//! What was lost on the way from the bucket to the tables comes back, and nothing else.

use std::path::Path;
use std::time::Duration;

use event_ingest::standalone::store::{Lost, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use testkit::eventually;

use crate::server::{Running, flights};
use crate::support::Place;

const DEADLINE: Duration = Duration::from_secs(60);

/// Forgets every announcement, as nothing but a damaged or restored `state.db` does.
async fn lose_announcements(folder: &Path) {
    let options = SqliteConnectOptions::new().filename(folder.join("state.db"));
    let state = SqlitePool::connect_with(options).await.unwrap();
    let done = sqlx::query("DELETE FROM inbox").execute(&state).await.unwrap();
    assert!(done.rows_affected() > 0, "there was nothing to lose");
    state.close().await;
}

/// The value of a counter, once bucket and ledger were compared.
async fn announced_again(server: &Running) -> u64 {
    let value = |page: &str, name: &str| -> u64 {
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("event_ingest_{name} ")));
        line.unwrap_or_default().parse().unwrap_or_default()
    };
    eventually("a comparison of bucket and ledger", DEADLINE, async || {
        let page = server.get("/metrics").await.1;
        (value(&page, "reconcile_passes_total") > 0).then(|| value(&page, "reconcile_announced_total"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_announcements_are_made_again_at_the_next_start_and_only_those() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path()).await;
    server.put("known.parquet", flights()).await;
    server.put("broken.parquet", "this is no parquet").await;
    server.put("refused.csv", ",nameless\n1,2\n").await;
    server.activity(3).await;
    server.end().await;

    // This one only takes in: its batch never closes.
    let server = Running::start_with(folder.path(), &["--batch-wait", "1h", "--batch-files", "1000"]).await;
    for key in ["lost/a +%2F.parquet", "lost/b.parquet"] {
        server.put(key, flights()).await;
    }
    server.end().await;
    lose_announcements(folder.path()).await;

    let server = Running::start(folder.path()).await;
    assert_eq!(announced_again(&server).await, 2);
    let report = server.activity(2).await;
    let mut files: Vec<(&str, &str)> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["file"].as_str().unwrap(), file["status"].as_str().unwrap()))
        .collect();
    files.sort_unstable();
    let expected = ["s3://inbox/lost/a +%2F.parquet", "s3://inbox/lost/b.parquet"];
    assert_eq!(files, expected.map(|file| (file, "processed")));
    server.end().await;

    let server = Running::start(folder.path()).await;
    assert_eq!(announced_again(&server).await, 0, "everything is settled");
    server.end().await;
}

#[tokio::test]
async fn only_what_is_still_there_as_it_was_seen_is_announced_again() {
    let place = Place::new().await;
    let object = place.put("a b.parquet", "one").await;
    let kept = place.put("kept", "two").await;
    let announced = place.store.announced("inbox", &["a b.parquet", "other"]).await.unwrap();
    assert_eq!(announced.into_iter().collect::<Vec<_>>(), ["a b.parquet"]);

    let lost = |key: &str, etag: &str| Lost { key: key.to_owned(), etag: etag.to_owned() };
    let again = [lost("a b.parquet", &object.etag), lost("kept", "another"), lost("gone", "e")];
    let before = place.announced().await.len();
    assert_eq!(place.store.announce_again("inbox", &again).await.unwrap(), 1);
    let rows = place.announced().await;
    assert_eq!(rows[before..], [("s3:ObjectCreated:Put".to_owned(), "a+b.parquet".to_owned())]);
    assert_eq!(announce(&place.store, &[]).await, 0);
    assert_eq!(announce(&place.store, &[lost("kept", &kept.etag)]).await, 1);
}

async fn announce(store: &Store, lost: &[Lost]) -> u64 {
    store.announce_again("inbox", lost).await.unwrap()
}
