//! Topics that change under a running dispatcher.

use std::time::{Duration, Instant};

use testkit::{Kafka, eventually};

use crate::announced::{Load, announce};
use crate::bucket::WITHIN;
use crate::metrics::metric;
use crate::pipeline::{Dispatcher, Pipeline};
use crate::requested::Requested;

/// Between two announcements.
const PAUSE: Duration = Duration::from_millis(5);
/// Batches close soon, and changes of topics are noticed soon.
const OPTIONS: [&str; 4] = ["--batch-max-wait", "100ms", "--kafka", "topic.metadata.refresh.interval.ms=500"];

#[tokio::test]
async fn partitions_that_a_topic_gains_under_load_are_read_from_their_beginning() {
    let began = Instant::now();
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline { events: kafka.topic("s3-events", 1).await, ..Pipeline::new(kafka).await };
    let dispatchers = [pipeline.dispatcher(&OPTIONS).await, pipeline.dispatcher(&OPTIONS).await];
    let load = Load::endless(kafka, &pipeline.events, PAUSE);
    kafka.consume_until(&pipeline.light, WITHIN, |records| !records.is_empty()).await;
    kafka.grow_topic(&pipeline.events, 4).await;
    eventually("the producer has found the new partitions", WITHIN, async || {
        kafka.end_offsets(&pipeline.events).await.iter().all(|(_, end)| *end > 0).then_some(())
    })
    .await;
    let announced = load.stop().await;
    pipeline.caught_up().await;
    Requested::read(&pipeline).await.assert_all_of(&announced);
    for dispatcher in dispatchers {
        assert!(dispatcher.program.terminate().await.success());
    }
    println!("{} records, {:?}", announced.len(), began.elapsed());
}

#[tokio::test]
async fn a_lane_that_is_missing_at_first_is_waited_for() {
    let began = Instant::now();
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline { light: Kafka::unique("light-ingest"), ..Pipeline::new(kafka).await };
    let announced = announce(kafka, &pipeline.events, 0..20).await;
    let dispatcher = pipeline.dispatcher_that_is_not_ready(&OPTIONS).await;
    eventually("all is held in batches that cannot be sent", WITHIN, async || {
        let held = metric(&dispatcher.url, "event_ingest_dispatcher_held_announcements").await;
        let open = metric(&dispatcher.url, "event_ingest_dispatcher_open_batches").await;
        (held == Some(20.0) && open == Some(0.0)).then_some(())
    })
    .await;
    let ready = reqwest::get(format!("{}/readyz", dispatcher.url)).await.unwrap();
    assert!(!ready.status().is_success());
    assert!(ready.text().await.unwrap().contains(&pipeline.light), "/readyz names the topic that is missing");
    let committed = kafka.committed(&pipeline.group, &pipeline.events).await;
    assert!(
        committed.iter().all(|position| position.unwrap_or(0) == 0),
        "{committed:?} of nothing requested"
    );

    kafka.create_topic(&pipeline.light, 3).await;
    pipeline.caught_up().await;
    let requested = Requested::read(&pipeline).await;
    requested.assert_all_of(&announced);
    assert_eq!(requested.again(&announced).0, 0);
    assert!(dispatcher.program.terminate().await.success());
    println!("{:?}", began.elapsed());
}

/// A dispatcher with more than it may hold reads nothing. Room comes right behind a rebalance, in which it got no
/// partition: its own are read again all the same.
#[tokio::test]
async fn partitions_that_are_paused_in_a_rebalance_are_resumed() {
    let began = Instant::now();
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline { light: Kafka::unique("light-ingest"), ..Pipeline::new(kafka).await };
    let announced = announce(kafka, &pipeline.events, 0..200).await;
    let options = [&OPTIONS[..], &["--batch-max-files", "10", "--max-held", "20"]].concat();
    let first = pipeline.dispatcher_that_is_not_ready(&options).await;
    // One lane may take half of what may be held.
    eventually("as much is held as may be", WITHIN, async || {
        metric(&first.url, "event_ingest_dispatcher_held_announcements").await.filter(|held| *held >= 10.0)
    })
    .await;
    let second = pipeline.dispatcher_that_is_not_ready(&options).await;
    eventually("both have partitions", WITHIN, async || {
        let assigned =
            |dispatcher: &Dispatcher| dispatcher.program.log().matches("partitions assigned").count();
        (assigned(&first) > 1 && assigned(&second) > 0).then_some(())
    })
    .await;
    kafka.create_topic(&pipeline.light, 3).await;
    pipeline.caught_up().await;
    Requested::read(&pipeline).await.assert_all_of(&announced);
    for dispatcher in [first, second] {
        assert!(dispatcher.program.terminate().await.success());
    }
    println!("{:?}", began.elapsed());
}

/// The new topic is another log under the same name: positions in the old one mean nothing in it.
#[tokio::test]
async fn a_source_topic_that_is_made_anew_is_read_from_its_beginning() {
    let began = Instant::now();
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline { events: kafka.topic("s3-events", 1).await, ..Pipeline::new(kafka).await };
    let dispatcher = pipeline.dispatcher(&OPTIONS).await;
    let old = announce(kafka, &pipeline.events, 0..30).await;
    pipeline.caught_up().await;
    kafka.delete_topic(&pipeline.events).await;
    kafka.create_topic(&pipeline.events, 1).await;
    let new = announce(kafka, &pipeline.events, 30..40).await;
    eventually("all of the new topic is requested", WITHIN, async || {
        Requested::read(&pipeline).await.skipped(&new).is_empty().then_some(())
    })
    .await;
    Requested::read(&pipeline).await.assert_all_of(&old);
    pipeline.caught_up().await;
    assert!(dispatcher.program.terminate().await.success());
    println!("{:?}", began.elapsed());
}
