//! `console`: the page and the API over a cluster; changes for who shows the token.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::kafka::{Kafka, Record};
use testkit::{ANY_PORT, Program, eventually};

use super::{lake, words};
use crate::bucket::{Lakehouse, Standalone, WITHIN};
use crate::pipeline::{Pipeline, TABLE};

const TOKEN: &str = "a-token-of-the-test-0123456789";

#[tokio::test]
async fn letters_are_seen_by_all_and_sent_back_by_who_shows_the_token() {
    let kafka = Kafka::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &[]).await;
    let (lakehouse, pipeline) = (Lakehouse::new(), Pipeline::new(kafka).await);
    let letter = |n: usize| {
        let headers = [("dead-letter-topic", pipeline.events.as_str()), ("dead-letter-reason", "no JSON")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Record { headers, value: format!("letter {n}").into_bytes(), ..Record::default() }
    };
    kafka.produce(&pipeline.dead, (0..3).map(letter)).await;

    let token = folder.path().join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let token = token.display().to_string();
    let mut arguments = words(&["console", "--listen", ANY_PORT, "--token-file", &token, "--table", TABLE]);
    arguments.extend(pipeline.topics(&[]));
    arguments.extend(lake(&lakehouse, &bucket));
    let mut console = Program::start("event-ingest", arguments, pipeline.environment());
    let url = console.serving().await;
    let client = reqwest::Client::new();
    let get = async |path: &str| -> Value {
        let answer = client.get(format!("{url}{path}")).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    };
    let page = client.get(format!("{url}/")).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("<html"));
    assert!(client.get(format!("{url}/metrics")).send().await.unwrap().status().is_success());

    let status = get("/api/v1/status").await;
    assert_eq!(
        (&status["mode"], &status["set_aside"]["dead_letters"]["number"]),
        (&"cluster".into(), &3.into()),
        "{status:#}"
    );
    let first = get("/api/v1/dead-letters?limit=2").await;
    let next = first["next"].as_str().unwrap();
    let rest = get(&format!("/api/v1/dead-letters?limit=2&after={next}")).await;
    let texts: Vec<&str> = [&first, &rest]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| item["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["letter 2", "letter 1", "letter 0"], "the newest first");
    assert_eq!(rest["next"], Value::Null);

    let id = first["items"][0]["id"].as_str().unwrap();
    let redrive =
        || client.post(format!("{url}/api/v1/dead-letters/redrive")).json(&json!({"ids": [id, "0/99"]}));
    assert_eq!(redrive().send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(kafka.end_offsets(&pipeline.events).await.iter().all(|(_, end)| *end == 0));
    let changed: Value = redrive().bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap();
    let done: Vec<_> =
        changed["outcomes"].as_array().unwrap().iter().map(|outcome| outcome["done"].clone()).collect();
    assert_eq!(done, [json!(true), json!(false)], "{changed:#}");
    let back = kafka.records(&pipeline.events).await;
    assert_eq!((back.len(), back[0].value.as_slice()), (1, b"letter 2".as_slice()));
    assert_eq!(back[0].header("dlq-redriven"), Some("1"));
    // A status is given to others for a moment.
    eventually("the status knows of it", WITHIN, async || {
        let status = get("/api/v1/status").await;
        (status["set_aside"]["dead_letters"]["number"] == 2).then_some(())
    })
    .await;

    assert!(!console.log().contains(TOKEN), "the token is in the log");
    assert!(console.terminate().await.success());
    bucket.stop().await;
}
