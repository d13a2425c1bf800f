//! The HTTP intake, over a real socket.

mod support;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use support::Service;

const REQUEST: &str = r#"{"files":["s3://b/a.parquet"],"table":"db.t","objects":[{"size":5,"event_time":"2026-01-02T03:04:01.000Z"}]}"#;

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The status and the `error` of a refusal; asserts that it gives a reason.
async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("refusals are JSON");
    assert!(body["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{body}");
    (status, body["error"].as_str().expect("a word").to_owned())
}

#[tokio::test]
async fn binary_structured_and_plain_requests_are_answered_with_a_cloud_event() {
    let service = Service::start(&[]).await;
    let structured =
        json!({"specversion": "1.0", "id": "r", "type": "dev.eventingest.request.light.v1", "source": "/d",
        "traceparent": "00-a-b-01", "data": serde_json::from_str::<Value>(REQUEST).expect("JSON")})
        .to_string();
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "partition:0/offset:1"),
        ("ce-type", "dev.knative.kafka.event"),
        ("ce-source", "/apis/v1/namespaces/n/kafkasources/s#light-ingest"),
        ("ce-traceparent", "00-a-b-01"),
    ];
    let plain = [("content-type", "text/plain"), ("traceparent", "00-a-b-01")];
    let answers = [
        service.post_body(REQUEST, &binary).await,
        service.post_body(&structured, &[("content-type", "application/cloudevents+json")]).await,
        service.post_body(REQUEST, &plain).await,
    ];
    for answer in answers {
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(header(&answer, "ce-type"), Some("dev.eventingest.completed.v1"));
        assert_eq!(header(&answer, "ce-specversion"), Some("1.0"));
        assert_eq!(header(&answer, "ce-subject"), Some("db.t"));
        assert_eq!(header(&answer, "ce-traceparent"), Some("00-a-b-01"));
        assert_eq!(header(&answer, "content-type"), Some("application/json"));
        assert!(header(&answer, "ce-id").is_some_and(|id| !id.is_empty()));
        let result: Value = answer.json().await.expect("JSON");
        assert_eq!(
            (&result["rows"], &result["files_processed"], &result["snapshot_id"]),
            (&json!(10), &json!(1), &json!(7))
        );
        assert_eq!(result["files"][0]["file"], "s3://b/a.parquet");
    }
}

#[tokio::test]
async fn an_attribute_that_is_not_ascii_is_percent_encoded() {
    let service = Service::start(&[]).await;
    let answer = service.post_body(r#"{"files":["s3://b/a.parquet"],"table":"db.t ü%"}"#, &[]).await;
    assert_eq!(header(&answer, "ce-subject"), Some("db.t%20%C3%BC%25"));
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let service = Service::start(&[]).await;
    let invalid = (400, "invalid".to_owned());
    for body in ["", "{", "[]", "{}", r#"{"files":"s3://b/a"}"#, r#"{"files":["http://b/a"]}"#] {
        assert_eq!(refusal(service.post_body(body, &[]).await).await, invalid, "{body}");
    }
    let headers = [("ce-specversion", "1.0"), ("ce-id", "1")];
    assert_eq!(refusal(service.post_body(REQUEST, &headers).await).await, invalid, "no type, no source");
    let headers = [("ce-id", "1"), ("ce-type", "t"), ("ce-source", "/s")];
    assert_eq!(refusal(service.post_body(REQUEST, &headers).await).await, invalid, "no specversion");
    let structured = [("content-type", "application/cloudevents+json")];
    assert_eq!(refusal(service.post_body(REQUEST, &structured).await).await, invalid, "not an event");
    let batch = [("content-type", "application/cloudevents-batch+json")];
    assert_eq!(refusal(service.post_body("[]", &batch).await).await, (415, "unsupported".to_owned()));
    let page = service.metrics().await;
    assert!(page.contains(r#"event_ingest_requests_total{intake="http",outcome="invalid"} 9"#), "{page}");
    assert_eq!(service.post("a").await.status(), StatusCode::OK, "nothing else is harmed");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let service = Service::start(&["--body-limit", "1KiB"]).await;
    let announced = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1025\r\n\r\n";
    assert!(service.raw(announced).await.starts_with("HTTP/1.1 413 "));
    let mut chunked = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..2 {
        chunked.extend_from_slice(b"201\r\n");
        chunked.extend_from_slice(&[b' '; 0x201]);
        chunked.extend_from_slice(b"\r\n");
    }
    assert!(service.raw(&chunked).await.starts_with("HTTP/1.1 413 "), "the end of the body never came");
    let padded = format!("{REQUEST:1024}");
    assert_eq!(service.post_body(&padded, &[]).await.status(), StatusCode::OK, "the limit itself is allowed");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let service = Service::start(&["--body-timeout", "1ms"]).await;
    let answer = service.raw(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn failures_of_the_lake_become_statuses() {
    let service = Service::start(&[]).await;
    for (file, status, error, retry_after) in [
        ("invalid", 400, "invalid", None),
        ("forbidden", 403, "forbidden", None),
        ("busy", 429, "busy", Some("1")),
        ("unavailable", 503, "unavailable", Some("1")),
        ("inconsistent", 503, "unavailable", Some("30")),
        ("panic", 503, "unavailable", Some("1")),
    ] {
        let answer = service.post(file).await;
        assert_eq!(header(&answer, "retry-after"), retry_after, "{file}");
        assert_eq!(refusal(answer).await, (status, error.to_owned()), "{file}");
    }
    let page = service.metrics().await;
    for line in [
        r#"event_ingest_requests_total{intake="http",outcome="unavailable"} 3"#,
        r#"event_ingest_failures_total{kind="inconsistent"} 1"#,
        r#"event_ingest_requests_in_flight{intake="http"} 0"#,
    ] {
        assert!(page.contains(line), "missing {line} in\n{page}");
    }
}

const STAGED: [(&str, &str); 4] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "event-ingest-r-1-00000000"),
    ("ce-type", "dev.eventingest.staged.v1"),
    ("ce-source", "/event-ingest/spark-job"),
];

fn staged(request_id: &str) -> String {
    json!({"version": 1, "request_id": request_id, "attempt": 1, "table": "db.t", "snapshot_id": 3,
        "branch": format!("event-ingest-{request_id}-1-00000000"), "objects": "s3://w/list.json"})
    .to_string()
}

#[tokio::test]
async fn a_stage_is_answered_with_its_result_a_conflict_or_a_refusal() {
    let service = Service::start(&[]).await;
    let answer = service.post_body(&staged("r"), &STAGED).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header(&answer, "ce-type"), Some("dev.eventingest.completed.v1"));
    let result: Value = answer.json().await.expect("JSON");
    assert_eq!(
        (&result["mode"], &result["rows"], &result["snapshot_id"]),
        (&json!("spark"), &json!(7), &json!(8))
    );

    let answer = service.post_body(&staged("conflict"), &STAGED).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let body: Value = answer.json().await.expect("JSON");
    let expected = json!({"error": "conflict", "reason": "as the test says", "known": ["s3://b/known.parquet"],
               "known_objects": [{"file": "s3://b/known.parquet", "version_id": null, "etag": "e"}]});
    assert_eq!(body, expected);

    for (request_id, status) in [("forbidden", 403), ("invalid", 400), ("busy", 429), ("inconsistent", 503)] {
        assert_eq!(
            refusal(service.post_body(&staged(request_id), &STAGED).await).await.0,
            status,
            "{request_id}"
        );
    }
    for body in ["", "{}", REQUEST, &staged("r").replace("\"version\":1", "\"version\":2")] {
        assert_eq!(refusal(service.post_body(body, &STAGED).await).await.0, 400, "{body}");
    }
    let page = service.metrics().await;
    for line in [
        r#"event_ingest_requests_total{intake="http",outcome="conflict"} 1"#,
        r#"event_ingest_files_total{status="processed"} 1"#,
        "event_ingest_rows_total 7",
    ] {
        assert!(page.contains(line), "missing {line} in\n{page}");
    }
}

#[tokio::test]
async fn more_requests_than_may_wait_are_sent_away() {
    let service = Service::start(&["--concurrency", "1", "--queue", "0"]).await;
    let slow = service.post("slow");
    let others = async {
        service.fake.begun.acquire().await.expect("never closed").forget();
        let refused = refusal(service.post("a").await).await;
        assert_eq!(refused, (429, "busy".to_owned()));
        service.fake.release.add_permits(1);
    };
    let (answer, ()) = tokio::join!(slow, others);
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn work_goes_on_when_its_sender_is_answered_before_its_end() {
    let service = Service::start(&["--request-timeout", "1ms"]).await;
    assert_eq!(refusal(service.post("slow").await).await, (503, "unavailable".to_owned()));
    service.fake.release.add_permits(1);
    service.fake.ended.acquire().await.expect("never closed").forget();
}

#[tokio::test]
async fn readiness_and_liveness_differ() {
    let service = Service::start(&[]).await;
    let get = async |path| {
        let answer = reqwest::get(service.url(path)).await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    assert_eq!(get("/readyz").await, (200, "ok\n".to_owned()));
    *service.fake.ready.lock().expect("not poisoned") = Err("the catalog is away");
    assert_eq!(get("/readyz").await, (503, "not ready: the catalog is away\n".to_owned()));
    assert_eq!(get("/livez").await, (200, "ok\n".to_owned()));
}

#[tokio::test]
async fn the_metrics_page_counts_files_rows_and_bytes() {
    let service = Service::start(&[]).await;
    assert_eq!(service.post_body(REQUEST, &[]).await.status(), StatusCode::OK);
    let page = service.metrics().await;
    for line in [
        r#"event_ingest_requests_total{intake="http",outcome="done"} 1"#,
        r#"event_ingest_files_total{status="processed"} 1"#,
        "event_ingest_rows_total 10",
        "event_ingest_announced_bytes_total 5",
        "event_ingest_request_duration_seconds_count 1",
        "event_ingest_arrival_to_queryable_seconds_count 1",
        "process_resident_memory_bytes ",
    ] {
        assert!(page.contains(line), "missing {line} in\n{page}");
    }
}

#[tokio::test]
async fn requests_in_flight_finish_at_shutdown() {
    let service = Service::start(&[]).await;
    let slow = service.post("slow");
    let shutdown = async {
        service.fake.begun.acquire().await.expect("never closed").forget();
        service.stop.cancel();
        service.fake.release.add_permits(1);
    };
    let (answer, ()) = tokio::join!(slow, shutdown);
    assert_eq!(answer.status(), StatusCode::OK);
    service.ended.await.expect("no panic").expect("a clean end");
}
