//! Positions in the source topic that cannot be kept, and outlets that take nothing: told, and nothing is skipped.

use std::collections::BTreeSet;
use std::ops::Range;

use testkit::eventually;
use testkit::kafka::{Kafka, Record};

use crate::bucket::WITHIN;
use crate::crash::{announcements, announcements_of, requested};
use crate::metrics::metric;
use crate::pipeline::{Dispatcher, Pipeline};

const FAST: [&str; 2] = ["--batch-max-wait", "100ms"];

/// Waits until so many positions were not kept for a cause.
async fn told(dispatcher: &Dispatcher, cause: &str, times: f64) {
    let series = format!("event_ingest_dispatcher_offset_resets_total{{cause=\"{cause}\"}}");
    eventually(&format!("{cause} is told"), WITHIN, async || {
        (metric(&dispatcher.url, &series).await == Some(times)).then_some(())
    })
    .await;
}

fn at(partition: i32, keys: Range<usize>) -> Vec<Record> {
    announcements(keys).into_iter().map(|record| Record { partition: Some(partition), ..record }).collect()
}

fn files(keys: Range<usize>) -> BTreeSet<String> {
    keys.map(|n| format!("s3://inbox/incoming/{n}.parquet")).collect()
}

/// Waits until all of these are requested.
async fn all_requested(pipeline: &Pipeline<'_>, keys: Range<usize>) {
    let files = files(keys);
    let enough = |records: &[testkit::kafka::Received]| requested(records).is_superset(&files);
    pipeline.kafka.consume_until(&pipeline.light, WITHIN, enough).await;
}

#[tokio::test]
async fn no_position_and_retention_that_overtook_are_told_apart() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    kafka.produce(&pipeline.events, at(0, 0..10)).await;
    let dispatcher = pipeline.dispatcher(&FAST).await;
    told(&dispatcher, "no-position", 1.0).await;
    all_requested(&pipeline, 0..10).await;
    pipeline.caught_up().await;
    assert!(dispatcher.program.terminate().await.success());

    kafka.produce(&pipeline.events, at(0, 10..30)).await;
    kafka.produce(&pipeline.events, at(1, 30..35)).await;
    kafka.delete_records_before(&pipeline.events, 0, 17).await;
    let dispatcher = pipeline.dispatcher(&FAST).await;
    told(&dispatcher, "overtaken-by-retention", 1.0).await;
    // Partition 1 had no position: nothing was read of it before.
    told(&dispatcher, "new-partition", 1.0).await;
    let skipped = metric(&dispatcher.url, "event_ingest_dispatcher_skipped_records_total").await;
    assert_eq!(skipped, Some(7.0));
    all_requested(&pipeline, 17..35).await;
    pipeline.caught_up().await;
    assert!(dispatcher.program.terminate().await.success());
}

/// The case that librdkafka does not see: the new topic has outgrown the position in the old one.
#[tokio::test]
async fn a_topic_that_is_made_anew_is_read_from_its_beginning_and_what_was_read_of_the_old_one_goes_out() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    kafka.produce(&pipeline.events, at(0, 0..20)).await;
    let dispatcher = pipeline.dispatcher(&["--batch-max-wait", "1h"]).await;
    eventually("all are in an open batch", WITHIN, async || {
        let held = metric(&dispatcher.url, "event_ingest_dispatcher_held_announcements").await;
        (held == Some(20.0)).then_some(())
    })
    .await;
    kafka.delete_topic(&pipeline.events).await;
    eventually("the name is free again", WITHIN, async || {
        (!kafka.has_topic(&pipeline.events).await).then_some(())
    })
    .await;
    kafka.create_topic(&pipeline.events, 3).await;
    // Batches of 50 go out by themselves.
    kafka.produce(&pipeline.events, at(0, 20..120)).await;
    told(&dispatcher, "topic-replaced", 1.0).await;
    all_requested(&pipeline, 0..120).await;
    assert!(dispatcher.program.terminate().await.success());
    pipeline.caught_up().await;
}

#[tokio::test]
async fn what_is_read_again_after_a_kill_is_counted_and_no_more_than_was_open() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    kafka.produce(&pipeline.events, announcements(0..120)).await;
    let options = ["--batch-max-wait", "1h", "--revoke-timeout", "2s", "--kafka", "session.timeout.ms=6000"];
    let first = pipeline.dispatcher(&options).await;
    let open = eventually("what is open is committed beside the positions", WITHIN, async || {
        let heads: i64 =
            kafka.notes(&pipeline.group, &pipeline.events).await.iter().map(|note| head(note)).sum();
        let open = metric(&first.url, "event_ingest_dispatcher_uncommitted_offsets").await;
        open.filter(|_| heads == 120)
    })
    .await;
    first.program.kill();
    let second = pipeline.dispatcher(&FAST).await;
    all_requested(&pipeline, 0..120).await;
    pipeline.caught_up().await;
    let again = metric(&second.url, "event_ingest_dispatcher_read_again_total").await.unwrap();
    assert!(again >= 20.0 && again <= open, "{again} read again, {open} were open");
    assert!(second.program.terminate().await.success());
}

fn head(note: &str) -> i64 {
    note.split(' ').find_map(|word| word.strip_prefix("head=")).map_or(0, |head| head.parse().unwrap())
}

#[tokio::test]
async fn a_heavy_topic_that_takes_nothing_does_not_stop_the_light_one() {
    let kafka = Kafka::shared().await;
    let mut pipeline = Pipeline::new(kafka).await;
    pipeline.heavy = Kafka::unique("heavy-ingest");
    let options =
        ["--batch-max-wait", "100ms", "--batch-max-files", "1", "--max-held", "20", "--light-max-bytes", "2"];
    // Not ready, for a topic is missing: it dispatches all the same.
    let dispatcher = pipeline.dispatcher_that_is_not_ready(&options).await;
    // Thirty heavy ones are more than a lane may hold.
    kafka.produce(&pipeline.events, announcements_of(0..30, 2)).await;
    let stuck = "event_ingest_dispatcher_stuck{outlet=\"heavy\"}";
    eventually("the heavy lane is stuck", WITHIN, async || {
        (metric(&dispatcher.url, stuck).await == Some(1.0)).then_some(())
    })
    .await;
    kafka.produce(&pipeline.events, announcements(30..60)).await;
    all_requested(&pipeline, 30..60).await;
    let held = metric(&dispatcher.url, "event_ingest_dispatcher_held_announcements").await.unwrap();
    assert!(held <= 20.0, "{held} are held");

    kafka.create_topic(&pipeline.heavy, 3).await;
    let files = files(0..30);
    kafka.consume_until(&pipeline.heavy, WITHIN, |records| requested(records).is_superset(&files)).await;
    pipeline.caught_up().await;
    assert!(dispatcher.program.terminate().await.success());
}
