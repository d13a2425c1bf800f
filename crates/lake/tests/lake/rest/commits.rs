//! What each answer to a commit is taken for, and that a commit is sent once whatever comes back.

use std::collections::HashMap;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use http::{Method, StatusCode};
use iceberg::spec::{Operation, Snapshot, Summary};
use iceberg::{TableRequirement, TableUpdate};
use lake::ErrorKind;
use lake::catalog::{Commit, Outcome};
use serde_json::json;

use super::server::{Server, cut, fault, json_answer, loaded, made, metadata};
use super::{load, open};

fn commit() -> Commit {
    Commit {
        requirements: vec![TableRequirement::UuidMatch { uuid: metadata().uuid() }],
        updates: vec![TableUpdate::SetProperties {
            updates: HashMap::from([("k".to_owned(), "v".to_owned())]),
        }],
    }
}

/// The outcome if a commit is answered so, and if the table moves with it or not.
async fn outcome(moves: bool, answer: impl Fn() -> Response + Send + Sync + 'static) -> Outcome {
    let server = Server::start(move |seen, before| {
        if seen.is(Method::POST, "/tables/events") {
            return Some(answer());
        }
        let location = if moves { format!("file:/t/{before}.metadata.json") } else { "file:/t/0".to_owned() };
        seen.is(Method::GET, "/tables/events").then(|| json_answer(&loaded(&location, &json!({}))))
    })
    .await;
    let catalog = open(&server, &[]).await;
    let table = load(&catalog).await;
    let outcome = catalog.commit(&table, commit()).await;
    assert_eq!(server.seen(&Method::POST, "/tables/events").len(), 1, "a commit is sent once");
    outcome
}

fn refused(status: u16) -> impl Fn() -> Response + Send + Sync + 'static {
    move || fault(StatusCode::from_u16(status).unwrap(), "SomeException", "some words")
}

#[tokio::test]
async fn a_commit_has_the_protocols_shape() {
    let server = Server::start(|seen, _| seen.is(Method::POST, "/events").then(made)).await;
    let catalog = open(&server, &[]).await;
    let table = load(&catalog).await;
    assert!(matches!(catalog.commit(&table, commit()).await, Outcome::Committed));
    let sent = &server.seen(&Method::POST, "/events")[0];
    assert_eq!(sent.target, "/v1/namespaces/db/tables/events");
    assert_eq!(sent.header("content-type"), Some("application/json"));
    let expected = json!({
        "identifier": { "namespace": ["db"], "name": "events" },
        "requirements": [{ "type": "assert-table-uuid", "uuid": metadata().uuid() }],
        "updates": [{ "action": "set-properties", "updates": { "k": "v" } }],
    });
    assert_eq!(sent.json(), expected);
}

#[tokio::test]
async fn the_branch_of_a_stage_is_required_and_removed_in_the_protocols_words() {
    let server = Server::start(|seen, _| seen.is(Method::POST, "/events").then(made)).await;
    let catalog = open(&server, &[]).await;
    let table = load(&catalog).await;
    let requirements =
        vec![TableRequirement::RefSnapshotIdMatch { r#ref: "b".to_owned(), snapshot_id: Some(7) }];
    let updates = vec![TableUpdate::RemoveSnapshotRef { ref_name: "b".to_owned() }];
    catalog.commit(&table, Commit { requirements, updates }).await;
    let sent = server.seen(&Method::POST, "/events")[0].json();
    let required = json!([{ "type": "assert-ref-snapshot-id", "ref": "b", "snapshot-id": 7 }]);
    assert_eq!(sent["requirements"], required);
    assert_eq!(sent["updates"], json!([{ "action": "remove-snapshot-ref", "ref-name": "b" }]));
}

#[tokio::test]
async fn a_conflict_is_what_the_catalog_or_the_table_says_is_one() {
    assert!(matches!(outcome(false, refused(409)).await, Outcome::Conflict));
    assert!(matches!(outcome(false, refused(404)).await, Outcome::Conflict));
    assert!(matches!(outcome(true, refused(400)).await, Outcome::Conflict), "a stale sequence number");
}

#[tokio::test]
async fn a_request_that_is_wrong_in_itself_is_not_worth_another_try() {
    for status in [400, 406, 413, 422] {
        let Outcome::Unknown(error) = outcome(false, refused(status)).await else { panic!("{status}") };
        assert_eq!(error.kind(), ErrorKind::Invalid, "{status}");
        assert!(error.to_string().contains("some words"), "{error}");
    }
}

#[tokio::test]
async fn every_other_answer_leaves_the_outcome_open() {
    for status in [401, 403, 408, 419, 429, 500, 502, 503, 504] {
        let Outcome::Unknown(error) = outcome(true, refused(status)).await else { panic!("{status}") };
        assert!(error.retryable(), "{status}: {error}");
    }
    let elsewhere = || (StatusCode::TEMPORARY_REDIRECT, [("location", "/v1/config")]).into_response();
    assert!(matches!(outcome(true, elsewhere).await, Outcome::Unknown(_)), "a redirect is not followed");
    let proxy = || (StatusCode::NOT_FOUND, "nginx").into_response();
    assert!(matches!(outcome(false, proxy).await, Outcome::Unknown(_)), "not the catalog's own 404");
}

#[tokio::test]
async fn an_answer_without_the_table_proves_nothing() {
    let answers: [fn() -> Response; 4] = [
        || "<html>Welcome</html>".into_response(),
        || json_answer(&json!({})),
        || StatusCode::NO_CONTENT.into_response(),
        || (StatusCode::ACCEPTED, made()).into_response(),
    ];
    for answer in answers {
        assert!(matches!(outcome(true, answer).await, Outcome::Unknown(error) if error.retryable()));
    }
    assert!(matches!(outcome(true, made).await, Outcome::Committed));

    let server = Server::start(|seen, _| seen.is(Method::POST, "/events").then(made)).await;
    let catalog = open(&server, &[]).await;
    let table = load(&catalog).await;
    let snapshot = Snapshot::builder()
        .with_snapshot_id(7)
        .with_sequence_number(1)
        .with_timestamp_ms(0)
        .with_manifest_list("s3://lake/db/events/metadata/snap-7.avro")
        .with_summary(Summary { operation: Operation::Append, additional_properties: HashMap::new() })
        .build();
    let updates = vec![TableUpdate::AddSnapshot { snapshot }];
    let outcome = catalog.commit(&table, Commit { requirements: Vec::new(), updates }).await;
    assert!(matches!(outcome, Outcome::Unknown(error) if error.retryable()), "the answer lacks the snapshot");
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_not_sent_again() {
    assert!(matches!(outcome(true, cut).await, Outcome::Unknown(error) if error.retryable()));
    let halfway = || {
        let parts = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("line cut"))];
        Body::from_stream(stream::iter(parts)).into_response()
    };
    assert!(matches!(outcome(true, halfway).await, Outcome::Unknown(error) if error.retryable()));
}
