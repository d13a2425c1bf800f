//! `status` of a cluster: every fault is seen at the next look, with what mends it.

use std::time::Duration;

use serde_json::Value;
use testkit::kafka::Kafka;
use testkit::notifications::Producer;
use testkit::{eventually, paths};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{lake, words};
use crate::bucket::{Lakehouse, Standalone, Stored, WITHIN};
use crate::pipeline::{Pipeline, TABLE};

/// Longer than a store may take for a small question, by the rule of `status`.
const SLOW: Duration = Duration::from_millis(2_500);

struct Place<'k> {
    pipeline: Pipeline<'k>,
    bucket: Standalone,
    lakehouse: Lakehouse,
}

impl Place<'_> {
    async fn status(&self, further: &[&str]) -> (Option<i32>, Value) {
        let mut arguments = words(&["status", "--table", TABLE]);
        arguments.extend(self.pipeline.topics(further));
        arguments.extend(lake(&self.lakehouse, &self.bucket));
        arguments.extend(words(further));
        let (status, mut lines) = self.pipeline.ask(&arguments).await;
        (status, lines.pop().unwrap_or_default())
    }

    /// The kinds of the problems, each of which says what to do and where to read more.
    async fn problems(&self, further: &[&str]) -> Vec<String> {
        let (code, status) = self.status(further).await;
        let problems = status["problems"].as_array().unwrap_or_else(|| panic!("{status:#}"));
        assert_eq!(code, Some(if problems.is_empty() { 0 } else { 3 }), "{status:#}");
        let told = |problem: &Value, part: &str| problem[part].as_str().is_some_and(|text| !text.is_empty());
        assert!(
            problems.iter().all(|problem| told(problem, "detail") && told(problem, "mend")),
            "{status:#}"
        );
        problems.iter().map(|problem| problem["kind"].as_str().unwrap().to_owned()).collect()
    }
}

/// A store that takes its time for every answer, which is that there is no such object. It ends with the test's runtime.
async fn slow_store() -> String {
    const NOTHING: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                if stream.read(&mut request).await.is_ok() {
                    tokio::time::sleep(SLOW).await;
                    // Whoever did not wait for it is gone.
                    let _ = stream.write_all(NOTHING).await;
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn every_fault_is_seen_at_the_next_look_with_what_mends_it() {
    let kafka = Kafka::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &[]).await;
    let place = Place { pipeline: Pipeline::new(kafka).await, bucket, lakehouse: Lakehouse::new() };
    let Place { pipeline, bucket, lakehouse } = &place;
    let dispatcher = pipeline.dispatcher(&["--batch-max-wait", "100ms"]).await;
    let worker = pipeline.worker(bucket, lakehouse).await;
    let name = bucket.endpoint.bucket.as_str();
    let good = Stored::put(bucket, "incoming/a.parquet", &paths::example_files()[0]).await;
    kafka.send(&pipeline.events, Producer::Ceph.created(&good.object(name))).await;
    pipeline.answers().await;

    let (code, status) = place.status(&[]).await;
    assert_eq!((code, &status["health"]), (Some(0), &"ok".into()), "{status:#}");
    let stage = |status: &Value, id: &str| {
        let stages = status["stages"].as_array().unwrap().clone();
        stages.into_iter().find(|stage| stage["id"] == id).unwrap()
    };
    let announcements = stage(&status, "announcements");
    assert_eq!((&announcements["total"], &announcements["waiting"]), (&1.into(), &0.into()), "{status:#}");
    let table = &status["tables"][0];
    assert_eq!(
        (&table["table"], &table["exists"], &table["ledger_entries"]),
        (&TABLE.into(), &true.into(), &1.into())
    );
    assert!(
        table["rows"].as_u64().unwrap() > 0 && !table["commits"].as_array().unwrap().is_empty(),
        "{table:#}"
    );

    // A poison record, and a file that is none.
    kafka.send(&pipeline.events, "this is no notification").await;
    bucket.put("incoming/bad.parquet", "this is no parquet").await;
    let bad = Stored {
        key: "incoming/bad.parquet".to_owned(),
        etag: String::new(),
        size: 18,
        source: good.source.clone(),
    };
    kafka.send(&pipeline.events, Producer::Ceph.created(&bad.object(name))).await;
    pipeline.answers().await;
    eventually("the poison record is a dead letter", WITHIN, async || {
        (kafka.records(&pipeline.dead).await.len() == 1).then_some(())
    })
    .await;
    assert_eq!(place.problems(&[]).await, ["poison-records", "quarantine-grows"]);

    // Parts that are away, each by itself.
    let with = |further: &'static str| [further, "poison-records", "quarantine-grows"];
    assert_eq!(
        place.problems(&["--kafka", "bootstrap.servers=127.0.0.1:1"]).await,
        ["kafka-unreachable", "quarantine-grows"]
    );
    assert_eq!(
        place.problems(&["--catalog", "uri=http://127.0.0.1:1"]).await,
        ["catalog-unreachable", "poison-records"]
    );
    let rules = folder.path().join("rules.yaml");
    std::fs::write(&rules, "rules: [{match: {buckets: [inbox, slow]}, table: db.flights}]").unwrap();
    let rules = rules.display().to_string();
    let slow = format!("bucket.slow.s3.endpoint={}", slow_store().await);
    let problems = place.problems(&["--rules", &rules, "--catalog", &slow]).await;
    assert_eq!(problems, ["poison-records", "quarantine-grows", "store-slow"]);
    let dead = "bucket.slow.s3.endpoint=http://127.0.0.1:1";
    assert_eq!(place.problems(&["--rules", &rules, "--catalog", dead]).await, with("store-unreachable"));
    let often = format!("rules: [{{match: {{buckets: [inbox]}}, table: {TABLE}, expect-every: 1s}}]");
    std::fs::write(&rules, often).unwrap();
    eventually("no file came for a second", WITHIN, async || {
        let problems = place.problems(&["--rules", &rules]).await;
        (problems == ["poison-records", "quarantine-grows", "table-stale"]).then_some(())
    })
    .await;
    std::fs::write(&rules, "rules: [{tabel: db.flights}]").unwrap();
    let problems = place.problems(&["--rules", &rules]).await;
    assert_eq!(problems, ["poison-records", "quarantine-grows", "rules-broken"]);
    let missing = Kafka::unique("missing");
    assert_eq!(place.problems(&["--heavy-topic", &missing]).await, with("topic-unusable"));

    // Nobody reads any more, and something waits.
    assert!(dispatcher.program.terminate().await.success());
    kafka.send(&pipeline.events, Producer::Ceph.created(&good.object(name))).await;
    assert_eq!(place.problems(&[]).await, with("nobody-reads"));
    let (_, status) = place.status(&[]).await;
    let announcements = stage(&status, "announcements");
    assert!(announcements["oldest_waiting"].is_string(), "{status:#}");
    assert_eq!(announcements["waiting"], 1, "{status:#}");

    assert!(worker.terminate().await.success());
    place.bucket.stop().await;
}
