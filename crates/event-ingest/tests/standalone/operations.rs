//! What an operator sees and may do, over the admin API of a whole server.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use iceberg::TableUpdate;
use lake::catalog::{Catalog, Commit, Outcome};
use lake::storage::Stores;
use operations::model::{
    Changed, DeadLetter, FileLine, FileState, Health, Page, Place, Quarantined, Status, Story, Uploaded,
    VersionState,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testkit::eventually;

use crate::server::{Running, flights};

const DEADLINE: Duration = Duration::from_secs(60);
const TABLE: &str = "db.my_table";

impl Running {
    async fn look<T: DeserializeOwned>(&self, path: &str) -> T {
        let (status, text) = self.get(&format!("/api/v1/{path}")).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error} in {text}"))
    }

    async fn change<T: DeserializeOwned>(&self, path: &str, body: &Value) -> T {
        let request = reqwest::Client::new()
            .post(format!("{}/api/v1/{path}", self.endpoint.admin_url))
            .bearer_auth(&self.endpoint.admin_token)
            .json(body);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn upload(&self, key: &str, content: Vec<u8>) -> Uploaded {
        let request = reqwest::Client::new()
            .post(format!("{}/api/v1/uploads", self.endpoint.admin_url))
            .query(&[("key", key)])
            .bearer_auth(&self.endpoint.admin_token)
            .header("content-type", "application/octet-stream")
            .body(content);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// The status, once it is as it should be.
    async fn status(&self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        eventually(what, DEADLINE, async || {
            Some(self.look::<Status>("status").await).filter(|status| is(status))
        })
        .await
    }

    async fn set_property(&self, name: &str, value: &str) {
        let properties = BTreeMap::from([
            ("uri".to_owned(), self.endpoint.catalog_uri.clone()),
            ("warehouse".to_owned(), self.endpoint.warehouse.clone()),
        ]);
        let stores = Arc::new(Stores::new(properties.clone()).unwrap());
        let catalog = Catalog::open(&self.endpoint.catalog_name, &properties, stores).await.unwrap();
        let table = catalog.load(&TABLE.parse().unwrap()).await.unwrap().unwrap();
        let updates = HashMap::from([(name.to_owned(), value.to_owned())]);
        let updates = vec![TableUpdate::SetProperties { updates }];
        let outcome = catalog.commit(&table, Commit { requirements: Vec::new(), updates }).await;
        assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    }
}

fn encoded(uri: &str) -> String {
    percent_encoding::utf8_percent_encode(uri, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn kinds(status: &Status) -> Vec<&str> {
    status.problems.iter().map(|problem| problem.kind.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_uploaded_file_is_followed_from_its_announcement_to_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path()).await;
    let status: Status = server.look("status").await;
    assert_eq!((status.health, kinds(&status).len(), status.tables[0].exists), (Health::Ok, 0, Some(false)));

    let uploaded = server.upload("in ü/flights+1.parquet", flights()).await;
    assert_eq!(uploaded.file, "s3://inbox/in ü/flights+1.parquet");
    assert_eq!(uploaded.bytes, flights().len() as u64);
    let status = server.status("rows in the table", |status| status.tables[0].rows > Some(0)).await;
    let table = &status.tables[0];
    assert_eq!((table.table.as_str(), table.ledger_entries, table.data_files), (TABLE, Some(1), Some(1)));
    assert_eq!((table.commits.len(), table.commits[0].rows), (2, table.rows));
    assert!(table.last_file.is_some() && table.last_commit >= table.last_file);

    let files: Page<FileLine> = server.look("files?text=flights%2B1").await;
    let line = &files.items[0];
    assert_eq!((files.items.len(), line.state, line.rows), (1, FileState::Ingested, table.rows));
    let nothing: Page<FileLine> = server.look("files?text=flights-1").await;
    assert!(nothing.items.is_empty());

    let story: Story = server.look(&format!("story?object={}", encoded(&uploaded.file))).await;
    let version = &story.versions[0];
    assert_eq!((story.in_bucket.place, version.state), (Place::Present, VersionState::Ingested));
    assert_eq!(version.version, Some(format!("ETag {}", uploaded.etag)));
    assert_eq!((version.rows, version.snapshot_id.as_ref()), (table.rows, table.snapshot_id.as_ref()));
    assert!(version.mode_reason.is_some() && version.latency_ms.is_some(), "{version:?}");
    assert_eq!(version.parts.len(), 1);
    let (status, _) = server.get("/api/v1/story?object=s3%3A%2F%2Finbox%2Fnever").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_set_aside_comes_in_by_a_retry_once_the_table_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path()).await;
    server.put("flights.parquet", flights()).await;
    server.activity(1).await;
    server.put("other.csv", "colour,number\nred,1\nblue,2\n").await;
    server.put("broken.parquet", "this is no parquet").await;
    let status = server.status("two set aside", |status| status.set_aside.quarantined.number == 2).await;
    assert_eq!((status.health, kinds(&status)), (Health::Attention, vec!["quarantine-grows"]));

    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let page: Page<Quarantined> = server.look(&format!("quarantine?limit=1{after}")).await;
        ids.extend(page.items.into_iter().map(|item| (item.file, item.id)));
        let Some(next) = page.next else { break };
        after = format!("&after={}", encoded(&next));
    }
    ids.sort();
    let files: Vec<&str> = ids.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(files, ["s3://inbox/broken.parquet", "s3://inbox/other.csv"]);

    let ids = [&ids[0].1, &ids[1].1, "no-such-id"];
    let wanted = json!({"table": TABLE, "ids": ids});
    let changed: Changed = server.change("quarantine/retry", &wanted).await;
    assert!(changed.outcomes.iter().all(|outcome| !outcome.done), "{changed:?}");

    server.set_property("event-ingest.schema-policy", "evolve").await;
    let changed: Changed = server.change("quarantine/retry", &wanted).await;
    let done: Vec<bool> = changed.outcomes.iter().map(|outcome| outcome.done).collect();
    assert_eq!(done, [false, true, false], "{changed:?}");
    assert!(changed.outcomes[1].message.contains("2 rows"), "{changed:?}");
    let status = server.status("one set aside", |status| status.set_aside.quarantined.number == 1).await;
    assert!(status.problems[0].detail.contains("1 object"), "{status:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_and_refused_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let rules = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&rules, "rules: [{match: {regex: '(?<t>[a-z.]+)/.*'}, table: 'db.${t}'}]").unwrap();
    let server = Running::start_with(folder.path(), &["--rules", rules.path().to_str().unwrap()]).await;
    for key in ["no.name/a.parquet", "no.name/b.parquet"] {
        server.put(key, flights()).await;
    }
    let status = server.status("two letters", |status| status.set_aside.dead_letters.number == 2).await;
    assert_eq!(kinds(&status), ["poison-records"]);
    let first: Page<DeadLetter> = server.look("dead-letters?limit=1").await;
    assert!(
        first.items[0].text.contains("no.name/b.parquet") && first.items[0].reason.contains("bad-table-name")
    );
    let after = encoded(&first.next.expect("there are two"));
    let second: Page<DeadLetter> = server.look(&format!("dead-letters?limit=1&after={after}")).await;
    assert!(second.items[0].text.contains("no.name/a.parquet") && second.next.is_none());

    let wanted = json!({"ids": [first.items[0].id, "no-such-letter"]});
    let changed: Changed = server.change("dead-letters/redrive", &wanted).await;
    assert_eq!((changed.outcomes[0].done, changed.outcomes[1].done), (true, false));
    // The rules say the same as before, so it is set aside again: under another name, and never lost.
    let again = eventually("the letter is back", DEADLINE, async || {
        let letters: Page<DeadLetter> = server.look("dead-letters").await;
        (letters.items.len() == 2).then_some(letters.items)
    })
    .await;
    assert!(again.iter().all(|letter| letter.id != first.items[0].id), "{again:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warehouse_that_is_away_is_a_problem_while_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path()).await;
    server.put("a.parquet", flights()).await;
    server.activity(1).await;
    let (warehouse, away) = (folder.path().join("warehouse"), folder.path().join("away"));
    std::fs::rename(&warehouse, &away).unwrap();
    std::fs::write(&warehouse, "no folder").unwrap();
    server.put("b.parquet", flights()).await;
    let status =
        server.status("a failing request", |status| kinds(status).contains(&"requests-failing")).await;
    assert_eq!(status.health, Health::Broken);
    let failing = status.problems.iter().find(|problem| problem.kind == "requests-failing").unwrap();
    assert!(failing.since.is_some() && failing.subject == TABLE, "{failing:?}");
    let waiting: Page<FileLine> = server.look("files?state=waiting").await;
    assert_eq!(waiting.items[0].file, "s3://inbox/b.parquet");
    restore(&warehouse, &away);
    let status = server.status("all is well", |status| status.health == Health::Ok).await;
    assert_eq!(status.tables[0].ledger_entries, Some(2));
    server.end().await;
}

fn restore(warehouse: &Path, away: &Path) {
    std::fs::remove_file(warehouse).unwrap();
    std::fs::rename(away, warehouse).unwrap();
}
