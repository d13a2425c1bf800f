//! Invariant 1: what was announced is requested, whatever happens to a dispatcher.

use std::collections::BTreeSet;

use testkit::eventually;
use testkit::kafka::{Kafka, Received, Record};
use testkit::notifications::{Object, Producer};

use crate::bucket::WITHIN;
use crate::metrics::metric;
use crate::pipeline::{MISSED_SOON, Pipeline};

/// Announcements of objects of one byte, named by numbers.
pub fn announcements(keys: std::ops::Range<usize>) -> Vec<Record> {
    announcements_of(keys, 1)
}

/// The same, of another size.
pub fn announcements_of(keys: std::ops::Range<usize>, size: u64) -> Vec<Record> {
    keys.map(|n| {
        let key = format!("incoming/{n}.parquet");
        let object = Object { bucket: "inbox", key: &key, size, etag: "e", version_id: None };
        Record { value: Producer::Ceph.created(&object), ..Record::default() }
    })
    .collect()
}

/// The files that are requested.
pub fn requested(records: &[Received]) -> BTreeSet<String> {
    let bodies =
        records.iter().map(|record| serde_json::from_slice::<serde_json::Value>(&record.value).unwrap());
    bodies
        .flat_map(|body| {
            body["files"]
                .as_array()
                .unwrap()
                .iter()
                .map(|file| file.as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test]
async fn announcements_that_wait_in_an_open_batch_survive_a_kill() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    // 60 files: a batch of 50 goes out at once, the rest waits in an open batch when the dispatcher is killed.
    kafka.produce(&pipeline.events, announcements(0..60)).await;
    let first = pipeline.dispatcher(&[&MISSED_SOON[..], &["--batch-max-wait", "1h"]].concat()).await;
    kafka.consume_until(&pipeline.light, WITHIN, |records| !records.is_empty()).await;
    first.program.kill();
    let held: usize = requested(&kafka.records(&pipeline.light).await).len();
    assert!(held < 60, "the test has nothing to lose");

    let second = pipeline.dispatcher(&["--batch-max-wait", "1s"]).await;
    kafka.consume_until(&pipeline.light, WITHIN, |records| requested(records).len() == 60).await;
    pipeline.caught_up().await;
    assert!(second.program.terminate().await.success());
}

#[tokio::test]
async fn a_graceful_stop_sends_open_batches() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    kafka.produce(&pipeline.events, announcements(0..7)).await;
    let dispatcher = pipeline.dispatcher(&["--batch-max-wait", "1h"]).await;
    eventually("all seven are in open batches", WITHIN, async || {
        let held = metric(&dispatcher.url, "event_ingest_dispatcher_held_announcements").await;
        (held == Some(7.0)).then_some(())
    })
    .await;
    assert_eq!(kafka.records(&pipeline.light).await.len(), 0, "a batch was not held");
    assert!(dispatcher.program.terminate().await.success());
    assert_eq!(requested(&kafka.records(&pipeline.light).await).len(), 7);
    pipeline.caught_up().await;
}

#[tokio::test]
async fn a_second_dispatcher_takes_over_and_nothing_is_skipped() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    kafka.produce(&pipeline.events, announcements(0..30)).await;
    let options = [&MISSED_SOON[..], &["--batch-max-wait", "2s"]].concat();
    let first = pipeline.dispatcher(&options).await;
    let second = pipeline.dispatcher(&options).await;
    kafka.produce(&pipeline.events, announcements(30..60)).await;
    first.program.kill();
    kafka.consume_until(&pipeline.light, WITHIN, |records| requested(records).len() == 60).await;
    pipeline.caught_up().await;
    assert!(second.program.terminate().await.success());
}
