//! The launcher's records where they are in production: in a bucket. The launcher's own tests have them in folders and in
//! memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use ingest_core::{IngestRequest, RequestDefaults};
use lake::storage::Stores;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ObjectStore, ObjectStoreExt};
use reqwest::Method;
use spark_launcher::record::Record;
use spark_launcher::record::closed::Closing;
use spark_launcher::record::documents::{End, Ended, Note, Taken};
use spark_launcher::record::files::Files;
use spark_launcher::record::names::Mark;
use spark_launcher::record::store::{Found, Records};
use testkit::Minio;

use crate::bucket::{Standalone, WITHIN};

const BUCKET: &str = "warehouse";
/// More files than one page of a listing has.
const RECORDS: u32 = 30;
const MARKS: u32 = 40;
/// Requests to the store at the same time.
const AT_ONCE: usize = 16;

#[tokio::test]
async fn records_in_our_own_s3() {
    let folder = tempfile::tempdir().unwrap();
    let server = Standalone::start(folder.path(), &["--batch-wait", "1h"]).await;
    let endpoint = &server.endpoint;
    whole_lives_of_records(&endpoint.url, &endpoint.access_key, &endpoint.secret_key).await;
}

#[tokio::test]
async fn records_in_minio() {
    let Some(server) = Minio::start().await else {
        return eprintln!("MinIO is not installed: scripts/setup.sh minio builds it");
    };
    let (access_key, secret_key) = server.credentials();
    whole_lives_of_records(&server.url(), access_key, secret_key).await;
}

async fn whole_lives_of_records(url: &str, access_key: &str, secret_key: &str) {
    let client = AmazonS3Builder::new()
        .with_endpoint(url)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_access_key_id(access_key)
        .with_secret_access_key(secret_key)
        .with_bucket_name(BUCKET)
        .build()
        .unwrap();
    let made = client.signed_url(Method::PUT, &Path::default(), WITHIN).await.unwrap();
    let answer = reqwest::Client::new().put(made).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let properties = [
        ("s3.endpoint", url),
        ("s3.region", "us-east-1"),
        ("s3.access-key-id", access_key),
        ("s3.secret-access-key", secret_key),
    ];
    let properties: BTreeMap<String, String> =
        properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let stores = Arc::new(Stores::new(properties).unwrap());
    let records = Records::new(Files::new(stores, &format!("s3://{BUCKET}/ledger/heavy")).unwrap());

    of_many_that_take_it_one_does(&records).await;
    a_large_one_lives_and_is_closed(&records, &client).await;
    all_of_many_are_listed(&records).await;
}

fn request(files: impl IntoIterator<Item = String>) -> IngestRequest {
    let files: Vec<String> = files.into_iter().collect();
    let body = serde_json::json!({"files": files, "table": "db.t"}).to_string();
    IngestRequest::from_json(body.as_bytes(), &RequestDefaults::default(), DateTime::UNIX_EPOCH).unwrap()
}

fn taken(request: &IngestRequest) -> Taken {
    let record_id = request.request_id.clone();
    Taken { record_id, received: Utc::now(), set_aside_before: BTreeMap::new(), traceparent: None }
}

async fn live(records: &Records, id: &str) -> Record {
    match records.find(id).await.unwrap() {
        Found::Live(record) => *record,
        Found::Vacant(first) => panic!("{id} is vacant from {first} on"),
    }
}

/// `If-None-Match: *`: what decides between two launchers.
async fn of_many_that_take_it_one_does(records: &Records) {
    let wanted = request(["s3://inbox/once.csv".to_owned()]);
    let note = taken(&wanted);
    let takes = (0..AT_ONCE).map(|_| records.take(&wanted, 1, &note));
    let took: Vec<bool> = stream::iter(takes).buffer_unordered(AT_ONCE).try_collect().await.unwrap();
    assert_eq!(took.iter().filter(|took| **took).count(), 1, "{took:?}");

    let id = &note.record_id;
    let record = &live(records, id).await;
    let others = (0..AT_ONCE).map(|n| {
        let other = request([format!("s3://inbox/{n}.csv")]);
        async move { records.begin(record, 1, &other).await.map(|attempt| attempt.request) }
    });
    let begun: Vec<_> = stream::iter(others).buffer_unordered(AT_ONCE).try_collect().await.unwrap();
    assert!(begun.iter().all(|request| *request == begun[0]), "all are told the same: {begun:?}");
    let note = Note { time: Utc::now(), reason: Some("first".to_owned()) };
    assert!(records.mark(id, Mark::Failed, 1, &note).await.unwrap());
    assert!(!records.mark(id, Mark::Failed, 1, &Note { reason: None, ..note.clone() }).await.unwrap());
    assert_eq!(records.says::<Note>(id, Mark::Failed, 1).await.unwrap(), Some(note));
    records.unmark(id, Mark::Failed, 1).await.unwrap();
    records.unmark(id, Mark::Failed, 1).await.unwrap();
    assert_eq!(records.says::<Note>(id, Mark::Failed, 1).await.unwrap(), None);
    let record = live(records, id).await;
    records.close(&record, Closing::Cancelled, Utc::now()).await.unwrap();
}

/// As many and as long keys as a request may have.
async fn a_large_one_lives_and_is_closed(records: &Records, client: &impl ObjectStore) {
    let wanted = request((0..10_000).map(|n| format!("s3://inbox/{n:05}/{}.csv", "ü\"k".repeat(200))));
    let id = wanted.request_id.clone();
    assert!(records.take(&wanted, 1, &taken(&wanted)).await.unwrap());
    let attempt = records.begin(&live(records, &id).await, 1, &wanted).await.unwrap();
    assert_eq!(attempt.request, wanted);
    let ended = Ended { time: Utc::now(), how: End::Succeeded, reason: None, undone: 0 };
    records.mark(&id, Mark::Ended, 1, &ended).await.unwrap();
    let record = live(records, &id).await;
    assert_eq!(
        (record.request.file_count(), record.newest().unwrap().ended.as_ref()),
        (10_000, Some(&ended))
    );
    // What a job leaves beside it.
    let list = Path::from(format!("ledger/heavy/stages/{id}/event-ingest-{id}-1-00ff00ff.json"));
    client.put(&list, "{}".into()).await.unwrap();

    records.close(&record, Closing::Done, Utc::now()).await.unwrap();
    assert!(records.listed(&id).await.unwrap().files.is_empty());
    assert!(matches!(records.find(&id).await.unwrap(), Found::Vacant(2)));
    assert_eq!(records.closed(&id).await.unwrap().unwrap().files, 10_000);
    let stories: BTreeSet<String> =
        records.stories(10).await.unwrap().into_iter().map(|(id, _)| id).collect();
    assert!(stories.len() == 2 && stories.contains(&id), "{stories:?}");
    // Nothing is old enough yet; then it is, by the store's clock.
    let day = TimeDelta::days(1);
    assert!(records.stories_before(Utc::now() - day, 10).await.unwrap().is_empty());
    records.forget(&id, Utc::now() + day).await.unwrap();
    assert!(records.closed(&id).await.unwrap().is_none());
    assert!(matches!(records.find(&id).await.unwrap(), Found::Vacant(1)));
    assert!(client.head(&list).await.is_err(), "its lists go with it");
}

async fn all_of_many_are_listed(records: &Records) {
    let mut ids = BTreeSet::new();
    for number in 0..RECORDS {
        let wanted = request([format!("s3://inbox/many-{number}.csv")]);
        assert!(records.take(&wanted, 1, &taken(&wanted)).await.unwrap());
        ids.insert(wanted.request_id);
    }
    let note = Note { time: Utc::now(), reason: None };
    let marks = ids.iter().flat_map(|id| (1..=MARKS).map(move |number| (id, number)));
    let written = marks.map(|(id, number)| records.mark(id, Mark::Retried, number, &note));
    let written: Vec<bool> = stream::iter(written).buffer_unordered(AT_ONCE).try_collect().await.unwrap();
    assert!(written.len() > 1_000 && written.iter().all(|written| *written));
    let listed = records.list().await.unwrap();
    assert_eq!(listed.iter().map(|listed| listed.id.clone()).collect::<BTreeSet<_>>(), ids);
    assert!(listed.iter().all(|listed| listed.numbers(Mark::Retried, 1).count() == MARKS as usize));
    assert!(
        listed.is_sorted_by_key(|listed| listed.request().map(|(_, written)| written)),
        "the oldest first"
    );
}
