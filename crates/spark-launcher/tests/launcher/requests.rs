use serde_json::json;
use spark_launcher::decide::Limits;
use spark_launcher::{AttemptState, BackendError};

use crate::fakes::Service;

const A: &str = "s3://inbox/a.csv";
const B: &str = "s3://inbox/b.csv";

#[tokio::test]
async fn a_request_is_owned_before_it_is_answered_and_spark_gets_its_uri() {
    let service = Service::eager().await;
    service.world.get().table.insert(A.to_owned());
    let body = json!({"files": [A, B], "table": "db.t", "request_id": "label"}).to_string();
    let (status, ty, answer) = service.post(body.clone()).await;
    assert_eq!((status, ty.as_deref()), (202, Some("dev.eventingest.accepted.v1")));
    let id = answer["record_id"].as_str().expect("an id").to_owned();
    let application = format!("ingest-{id}-1");
    assert_eq!(answer["application"], application);
    assert_eq!(
        (&answer["request_id"], &answer["files"], &answer["files_skipped"]),
        (&json!("label"), &json!(2), &json!(1))
    );

    let started = service.world.get().started.clone();
    assert_eq!((started.len(), started[0].name.to_string()), (1, application.clone()));
    // What is in the table is left out; the rest is written down where Spark is told.
    let document = started[0].document.strip_prefix("file://").expect("a local file");
    let document: serde_json::Value =
        serde_json::from_slice(&std::fs::read(document).expect("it is there")).expect("JSON");
    assert_eq!(
        (&document["files"], &document["attempt"], &document["record_id"]),
        (&json!([B]), &json!(1), &json!(id))
    );
    assert_eq!(service.file(&format!("records/{id}/request-1.json"))["files"], json!([A, B]));

    let (status, _, again) = service.post(body.clone()).await;
    assert_eq!((status, &again["application"]), (202, &json!(application)));
    assert_eq!(service.world.get().started.len(), 1);

    service.world.end(AttemptState::Succeeded, &[B]);
    assert!(service.scan().await.is_empty());
    assert_eq!(service.file(&format!("closed/{id}.json"))["attempts"][0]["how"], "succeeded");
    let (status, ty, result) = service.post(body).await;
    assert_eq!((status, ty.as_deref()), (200, Some("dev.eventingest.completed.v1")));
    assert_eq!((&result["files_skipped"], &result["mode"]), (&json!(2), &json!("none")));
}

#[tokio::test]
async fn what_nobody_may_read_is_left_out_or_refused() {
    let service = Service::eager().await;
    let (status, answer) = service.send(&["s3://inbox/forbidden.csv"]).await;
    assert_eq!((status, &answer["error"]), (403, &json!("forbidden")));
    assert_eq!(service.send(&["s3://inbox/forbidden.csv", A]).await.0, 202);
    assert_eq!(service.world.get().started[0].request.file_count(), 1);
    let (status, _, answer) = service.post("{}").await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid")));
}

#[tokio::test]
async fn without_spark_a_request_is_owned_all_the_same_and_starts_when_spark_is_there() {
    let service = Service::eager().await;
    service.world.get().no_spark = Some(BackendError::Unavailable("no room".to_owned()));
    assert_eq!(service.send(&[A]).await.0, 202);
    for _ in 0..20 {
        assert_eq!(service.scan().await, [("unstarted", 1)].into());
    }
    service.world.get().no_spark = None;
    assert_eq!(service.scan().await, [("running", 1)].into());
    assert_eq!(service.world.get().started[0].name.number, 1, "what was not started is no attempt");
}

#[tokio::test]
async fn thousands_of_long_keys_pass() {
    let service = Service::eager().await;
    let files: Vec<String> =
        (0..10_000).map(|n| format!("s3://inbox/{n:05}/{}.csv", "ü\"k".repeat(200))).collect();
    let (status, _, answer) = service.post(json!({"files": files, "table": "db.t"}).to_string()).await;
    assert_eq!((status, &answer["files"]), (202, &json!(10_000)));
    assert_eq!(service.world.get().started[0].request.file_count(), 10_000);
}

#[tokio::test]
async fn there_are_no_more_records_than_may_be() {
    let service = Service::start(Limits::default(), 1).await;
    assert_eq!(service.send(&[A]).await.0, 202);
    assert_eq!(service.send(&[B]).await.0, 429);
    assert_eq!(service.send(&[A]).await.0, 202, "this one is owned already");
    service.world.end(AttemptState::Succeeded, &[A]);
    service.scan().await;
    assert_eq!(service.send(&[B]).await.0, 202);
}

#[tokio::test]
async fn what_was_set_aside_and_mended_is_tried_again() {
    let service = Service::eager().await;
    service.send(&[A]).await;
    service.world.get().set_aside.insert(A.to_owned(), chrono::Utc::now());
    service.world.end(AttemptState::Succeeded, &[]);
    // The record has not seen it yet: its attempt has to end first.
    let (status, answer) = service.send(&[A]).await;
    assert_eq!((status, &answer["error"]), (503, &json!("unavailable")));
    assert!(service.scan().await.is_empty());
    let (status, answer) = service.send(&[A]).await;
    assert_eq!(status, 202);
    let id = answer["record_id"].as_str().expect("an id");
    assert_eq!(answer["application"], format!("ingest-{id}-2"));
    assert_eq!(service.scan().await, [("running", 1)].into());
    service.world.end(AttemptState::Succeeded, &[A]);
    assert!(service.scan().await.is_empty());
}

#[tokio::test]
async fn the_service_ends_when_it_is_told_and_attempts_go_on() {
    let service = Service::eager().await;
    service.send(&[A]).await;
    service.stop.cancel();
    service.ended.await.expect("no panic").expect("told to");
    assert!(service.world.get().stopped.is_empty());
}
