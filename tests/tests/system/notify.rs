//! The dispatcher's webhook: what it acknowledges is in Kafka, what it cannot put there it refuses.

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use testkit::kafka::{Kafka, Received};
use testkit::notifications::{Object, Producer, aws_test_event};
use testkit::{ANY_PORT, Program, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bucket::WITHIN;
use crate::metrics::{assert_documented, metric};
use crate::pipeline::Pipeline;

const TOKEN: &str = "t0k3n-of-the-webhook";
const REQUESTS: &str = "event_ingest_dispatcher_notify_requests_total";

/// The address of the webhook, from the dispatcher's log.
async fn webhook(program: &Program) -> String {
    let address = eventually("the dispatcher says where its webhook is", WITHIN, async || {
        let log = program.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let said = lines.find(|line| line["message"] == "taking notifications")?;
        Some(said["address"].as_str()?.to_owned())
    })
    .await;
    format!("http://{address}/notify")
}

fn object(key: &str) -> Object<'_> {
    Object { bucket: "inbox", key, size: 7, etag: "e", version_id: None }
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

/// Sends a body of a length that is not told, and returns the answer.
async fn post_in_chunks(url: &str, body: &[u8]) -> String {
    let address = url.strip_prefix("http://").unwrap().strip_suffix("/notify").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!(
        "POST /notify HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\n\
         transfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for chunk in body.chunks(1000) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    stream.write_all(&request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn what_is_acknowledged_reaches_a_request() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{TOKEN}\n")).unwrap();
    let path = file.path().to_str().unwrap();
    let options = ["--notify-listen", ANY_PORT, "--notify-token-file", path, "--batch-max-files", "3"];
    let dispatcher = pipeline.dispatcher(&options).await;
    let url = webhook(&dispatcher.program).await;
    let client = Client::new();

    // As MinIO asks before it sends anything.
    assert_eq!(send(client.head(&url).bearer_auth(TOKEN)).await.status(), StatusCode::OK);
    let minio = Producer::Minio.created(&object("incoming/ä b+c.parquet"));
    let sent =
        client.post(&url).bearer_auth(TOKEN).header("content-type", "application/json").body(minio.clone());
    assert_eq!(send(sent).await.status(), StatusCode::NO_CONTENT);
    // As RGW sends with `cloudevents=true`, to an address with a user in it.
    let ceph = Producer::Ceph.created(&object("incoming/d%20e.parquet"));
    let attributes = [
        ("ce-specversion", "1.0"),
        ("ce-type", "com.amazonaws.ObjectCreated:Put"),
        ("ce-source", "ceph:s3.default.inbox"),
        ("ce-id", "503a4c37.14d2-default-default"),
        ("ce-subject", "incoming/d%20e.parquet"),
    ];
    let request = client.post(&url).basic_auth("rgw", Some(TOKEN)).body(ceph.clone());
    let request = attributes.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    assert_eq!(send(request).await.status(), StatusCode::NO_CONTENT);
    // A CloudEvent in structured mode around another one's.
    let aws = Producer::Aws.created(&object("incoming/f g.parquet"));
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "/s", "type": "t",
        "data": {"Type": "Notification", "Message": String::from_utf8(aws).unwrap()},
    });
    let request = client.post(&url).bearer_auth(TOKEN).header("content-type", "application/cloudevents+json");
    assert_eq!(send(request.body(event.to_string())).await.status(), StatusCode::NO_CONTENT);

    // They are in the topic as they were, the last of them acknowledged before we were.
    let records = kafka.records(&pipeline.events).await;
    let of =
        |body: &[u8]| -> Received { records.iter().find(|record| record.value == body).unwrap().clone() };
    assert_eq!(of(&minio).header("content-type"), Some("application/json"));
    assert_eq!(of(event.to_string().as_bytes()).header("content-type"), Some("application/cloudevents+json"));
    let record = of(&ceph);
    for (name, value) in attributes {
        assert_eq!(record.header(&name.replace("ce-", "ce_")), Some(value));
    }
    assert!(records.iter().all(|record| record.header("authorization").is_none()), "{records:?}");

    let light = kafka.consume_until(&pipeline.light, WITHIN, |records| !records.is_empty()).await;
    let request: Value = serde_json::from_slice(&light[0].value).unwrap();
    let mut files: Vec<&str> =
        request["files"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    files.sort_unstable();
    let expected = [
        "s3://inbox/incoming/d%20e.parquet",
        "s3://inbox/incoming/f g.parquet",
        "s3://inbox/incoming/ä b+c.parquet",
    ];
    assert_eq!(files, expected);
    assert_eq!(metric(&dispatcher.url, &format!("{REQUESTS}{{outcome=\"done\"}}")).await, Some(3.0));
    assert_documented(&dispatcher.url).await;
    let log = dispatcher.program.log();
    assert!(!log.contains(TOKEN), "{log}");
    assert!(dispatcher.program.terminate().await.success());
}

#[tokio::test]
async fn what_is_refused_is_not_taken_and_what_cannot_be_used_is_kept() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    let options = ["--notify-listen", ANY_PORT, "--notify-token", TOKEN, "--notify-max-body", "4KiB"];
    let dispatcher = pipeline.dispatcher(&options).await;
    let url = webhook(&dispatcher.program).await;
    let client = Client::new();
    let good = Producer::Ceph.created(&object("incoming/a.parquet"));

    for request in [client.post(&url), client.post(&url).bearer_auth("wrong"), client.head(&url)] {
        let answer = send(request.body(good.clone())).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    }
    let post = |body: Vec<u8>| send(client.post(&url).bearer_auth(TOKEN).body(body));
    for foreign in ["", "hello", "{}", "[]", r#"{"files":["s3://inbox/a"]}"#] {
        let answer = post(foreign.into()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{foreign}");
        let said: Value = answer.json().await.unwrap();
        assert!(said["reason"].as_str().unwrap().contains("not a notification"), "{said}");
    }
    let large = [good.clone(), vec![b' '; 5000]].concat();
    assert_eq!(post(large.clone()).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let answer = post_in_chunks(&url, &large).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(send(client.get(&url).bearer_auth(TOKEN)).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    let taken =
        || async { kafka.end_offsets(&pipeline.events).await.iter().map(|(_, end)| end).sum::<i64>() };
    assert_eq!(taken().await, 0);

    // A notification that nobody can read yet is kept for who can.
    let unknown = String::from_utf8(good).unwrap().replace("ceph:s3", "other:s3");
    assert_eq!(post(unknown.clone().into()).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(post(aws_test_event("inbox")).await.status(), StatusCode::NO_CONTENT);
    let dead = kafka.consume_until(&pipeline.dead, WITHIN, |records| !records.is_empty()).await;
    assert_eq!(dead[0].value, unknown.as_bytes());
    assert!(dead[0].header("dead-letter-reason").unwrap().contains("other:s3"), "{dead:?}");
    assert_eq!(taken().await, 2);
    for (outcome, times) in [("unauthorized", 2.0), ("invalid", 5.0), ("too_large", 2.0), ("done", 2.0)] {
        let series = format!("{REQUESTS}{{outcome=\"{outcome}\"}}");
        assert_eq!(metric(&dispatcher.url, &series).await, Some(times), "{outcome}");
    }
    assert!(dispatcher.program.terminate().await.success());
}

#[tokio::test]
async fn without_kafka_senders_are_told_to_send_again_and_only_so_many_wait() {
    let arguments = [
        "--listen",
        ANY_PORT,
        "--notify-listen",
        ANY_PORT,
        "--notify-timeout",
        "1s",
        "--notify-concurrency",
        "1",
    ];
    // Nobody listens there.
    let environment = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("LOG_FORMAT", "json")];
    let dispatcher = Program::start("dispatcher", arguments, environment);
    let url = webhook(&dispatcher).await;
    let client = Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
    let body = Producer::Minio.created(&object("incoming/a.parquet"));
    // One waits for Kafka, one for its turn.
    let answers = join_all((0..5).map(|_| send(client.post(&url).body(body.clone())))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    let times = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((times(503), times(429)), (2, 3), "{statuses:?}");
    assert!(answers.iter().all(|answer| answer.headers().contains_key("retry-after")));
    // Room again.
    assert_eq!(send(client.post(&url).body(body)).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    dispatcher.kill();
}

#[tokio::test]
async fn a_broker_that_goes_takes_nothing_acknowledged_along() {
    let kafka = Kafka::start().await;
    for topic in ["s3-events", "light-ingest", "heavy-ingest", "ingest-dlq"] {
        kafka.create_topic(topic, 1).await;
    }
    let arguments = ["--listen", ANY_PORT, "--notify-listen", ANY_PORT, "--notify-timeout", "2s"];
    let environment = [("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()), ("LOG_FORMAT", "json")];
    let mut dispatcher = Program::start("dispatcher", arguments, environment);
    let admin = dispatcher.serving().await;
    let url = webhook(&dispatcher).await;
    let client = Client::new();
    let body = |key: &str| Producer::Minio.created(&object(key));
    let mut expected = Vec::new();
    for number in 0..20 {
        let body = body(&format!("{number}.parquet"));
        assert_eq!(send(client.post(&url).body(body.clone())).await.status(), StatusCode::NO_CONTENT);
        expected.push(body);
    }
    let records: Vec<Vec<u8>> =
        kafka.records("s3-events").await.into_iter().map(|record| record.value).collect();
    assert_eq!(records, expected);
    drop(kafka);
    let answer = send(client.post(&url).body(body("late.parquet"))).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(metric(&admin, &format!("{REQUESTS}{{outcome=\"unavailable\"}}")).await, Some(1.0));
    dispatcher.kill();
}
