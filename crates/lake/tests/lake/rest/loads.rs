//! Paths, configuration, loading, creating, and the storage that a catalog vends.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use iceberg::spec::Schema;
use ingest_core::TableName;
use lake::ErrorKind;
use lake::creation::Design;
use serde_json::{Value, json};

use super::server::{Server, cut, fault, json_answer, loaded};
use super::{events, load, open, try_open};

#[tokio::test]
async fn the_catalogs_configuration_goes_around_ours() {
    let server = Server::start(|seen, _| {
        seen.is(Method::GET, "/v1/config").then(|| {
            json_answer(&json!({
                "defaults": { "warehouse": "theirs", "namespace-separator": "%2E", "prefix": "default" },
                "overrides": { "prefix": "given/a%3Ab", "nothing": null },
            }))
        })
    })
    .await;
    let catalog = open(&server, &[("warehouse", "s3://lake/w"), ("header.X-Team", "ingest")]).await;
    assert_eq!(catalog.warehouse(), "s3://lake/w", "a default gives way");
    assert_eq!(catalog.warehouse_location().unwrap(), "s3://lake/w");
    let named = open(&server, &[]).await.warehouse_location().unwrap_err();
    assert!(named.to_string().contains("`theirs`") && named.to_string().contains("ledger root"), "{named}");
    let name = TableName::parse("a b.c.events").unwrap();
    assert!(catalog.load(&name).await.unwrap().is_some());
    let config = &server.seen(&Method::GET, "/v1/config")[0];
    assert_eq!(config.target, "/v1/config?warehouse=s3%3A%2F%2Flake%2Fw");
    let asked = &server.seen(&Method::GET, "/tables/events")[0];
    assert_eq!(asked.target, "/v1/given/a%3Ab/namespaces/a%20b.c/tables/events?snapshots=all");
    assert_eq!(asked.header("x-team"), Some("ingest"));
    assert_eq!(asked.header("x-iceberg-access-delegation"), Some("vended-credentials"));
}

#[tokio::test]
async fn only_the_catalog_itself_says_that_there_is_no_table() {
    let proxy = Server::start(|seen, _| {
        seen.is(Method::GET, "/events").then(|| (StatusCode::NOT_FOUND, "<html>nginx</html>").into_response())
    })
    .await;
    let catalog = open(&proxy, &[]).await;
    let error = catalog.load(&events()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("nginx"), "{error}");
    let absent = TableName::parse("db.absent").unwrap();
    assert!(catalog.load(&absent).await.unwrap().is_none());
}

#[tokio::test]
async fn a_question_is_asked_again_when_the_catalog_was_briefly_away() {
    let server = Server::start(|seen, before| match before {
        1 => Some(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        2 => Some(cut()),
        _ => seen.is(Method::GET, "/late").then(|| StatusCode::BAD_GATEWAY.into_response()),
    })
    .await;
    let catalog = open(&server, &[]).await;
    load(&catalog).await;
    assert_eq!(server.seen(&Method::GET, "/events").len(), 3);
    let error = catalog.load(&TableName::parse("db.late").unwrap()).await.unwrap_err();
    assert!(error.retryable() && error.to_string().contains("502"), "{error}");
    assert_eq!(server.seen(&Method::GET, "/late").len(), 3, "but not for ever");
}

#[tokio::test]
async fn what_has_not_changed_is_neither_sent_nor_parsed_again() {
    let server = Server::start(|seen, _| {
        if !seen.is(Method::GET, "/events") {
            return None;
        }
        if seen.header("if-none-match") == Some("\"v1\"") {
            return Some(StatusCode::NOT_MODIFIED.into_response());
        }
        let body = loaded("file:/t/metadata/1.metadata.json", &json!({}));
        Some(([("etag", "\"v1\"")], json_answer(&body)).into_response())
    })
    .await;
    let catalog = open(&server, &[]).await;
    let (first, second) = (load(&catalog).await, load(&catalog).await);
    assert!(std::ptr::eq(first.metadata(), second.metadata()), "the parsed metadata is shared");
    assert_eq!(second.metadata_location(), Some("file:/t/metadata/1.metadata.json"));
    assert_eq!(server.seen(&Method::GET, "/events").len(), 2);
}

#[tokio::test]
async fn a_table_is_created_below_its_namespaces() {
    let made = AtomicBool::new(false);
    let server = Server::start(move |seen, _| {
        if seen.is(Method::POST, "/namespaces") {
            return Some(fault(StatusCode::CONFLICT, "AlreadyExistsException", "there"));
        }
        if seen.is(Method::POST, "/tables") {
            made.store(true, Ordering::SeqCst);
            return Some(json_answer(&json!({})));
        }
        let there = seen.is(Method::GET, "/tables/new") && made.load(Ordering::SeqCst);
        there.then(|| json_answer(&loaded("file:/n/1.metadata.json", &json!({}))))
    })
    .await;
    let name = TableName::parse("a.b.new").unwrap();
    let properties = [("p".to_owned(), "v".to_owned())].into();
    let schema = Schema::builder().build().unwrap();
    open(&server, &[]).await.create(&name, Design::plain(schema, properties)).await.unwrap();
    let namespaces: Vec<Value> = server
        .seen(&Method::POST, "/namespaces")
        .iter()
        .map(|seen| seen.json()["namespace"].clone())
        .collect();
    assert_eq!(namespaces, [json!(["a"]), json!(["a", "b"])]);
    let table = &server.seen(&Method::POST, "/tables")[0];
    assert_eq!(table.target, "/v1/namespaces/a%1Fb/tables");
    assert_eq!((&table.json()["name"], &table.json()["properties"]), (&json!("new"), &json!({ "p": "v" })));
}

#[tokio::test]
async fn a_refusal_to_create_says_why() {
    let server = Server::start(|seen, _| {
        let refusal = || fault(StatusCode::BAD_REQUEST, "BadRequestException", "no such location");
        seen.is(Method::POST, "/tables").then(refusal)
    })
    .await;
    let name = TableName::parse("a.new").unwrap();
    let schema = Schema::builder().build().unwrap();
    let error = open(&server, &[]).await.create(&name, Design::plain(schema, [].into())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("no such location"), "{error}");
}

/// A table whose credentials are others with each load.
fn vending(before: usize) -> Response {
    let keys = |id: String| json!({ "s3.access-key-id": id, "s3.secret-access-key": "hush", "s3.session-token": "hush" });
    let mut body = loaded("file:/t/metadata/1.metadata.json", &keys(format!("common-{before}")));
    body["storage-credentials"] = json!([
        { "prefix": "s3://lake/db/events", "config": keys(format!("table-{before}")) },
        { "prefix": "s3://lake/", "config": keys(format!("lake-{before}")) },
    ]);
    ([("etag", "\"same\"")], json_answer(&body)).into_response()
}

#[tokio::test]
async fn vended_credentials_serve_the_tables_own_files_and_are_renewed_by_loading() {
    let server = Server::start(|seen, before| seen.is(Method::GET, "/events").then(|| vending(before))).await;
    let catalog = open(&server, &[("s3.access-key-id", "ours"), ("s3.secret-access-key", "hush")]).await;
    let key = |table, url| format!("{:?}", catalog.stores(table).locate(url).unwrap().store);
    let (first, second) = (load(&catalog).await, load(&catalog).await);
    assert!(server.seen(&Method::GET, "/events")[1].header("if-none-match").is_none());
    for (table, n) in [(&first, 1), (&second, 2)] {
        let own = key(table, "s3://lake/db/events/data/f.parquet");
        assert!(own.contains(&format!("\"table-{n}\"")), "{own}");
        assert!(key(table, "s3://lake/other").contains(&format!("\"lake-{n}\"")));
        assert!(key(table, "s3://elsewhere/f").contains(&format!("\"common-{n}\"")));
        table.file_io().new_input("s3://lake/db/events/f").unwrap();
        assert!(!format!("{table:?}").contains("hush"), "credentials show in the debug form of a table");
    }
    assert!(!format!("{catalog:?}").contains("hush"), "credentials show in the debug form of a catalog");
}

#[tokio::test]
async fn without_vended_credentials_the_configured_ones_serve() {
    let server = Server::start(|_, _| None).await;
    let catalog = open(&server, &[("s3.access-key-id", "ours"), ("s3.secret-access-key", "hush")]).await;
    let store = catalog.stores(&load(&catalog).await).locate("s3://lake/f").unwrap().store;
    assert!(format!("{store:?}").contains("\"ours\""));
}

#[tokio::test]
async fn a_catalog_that_is_none_is_refused_at_the_start() {
    let server = Server::start(|_, _| Some("<html>hello</html>".into_response())).await;
    let error = try_open(&server, &[]).await.unwrap_err();
    assert!(error.to_string().contains("configuration"), "{error}");
    let error = try_open(&server, &[("token", "a\nb")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`token`"), "{error}");
}
