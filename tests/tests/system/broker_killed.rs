//! The broker is killed under load and comes back: dispatchers and worker go on by themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use testkit::eventually;
use testkit::kafka::{Broker, Kafka};

use crate::announced::{Announced, Announcement, Load, assert_rows};
use crate::bucket::{Lakehouse, Standalone, WITHIN};
use crate::pipeline::{Pipeline, TABLE};
use crate::requested::Requested;

/// Objects that are announced around each death of the broker.
const OBJECTS: usize = 40;
const DEATHS: usize = 2;
/// Between two announcements.
const PAUSE: Duration = Duration::from_millis(10);
/// Batches are open at any time.
const OPTIONS: [&str; 4] = ["--batch-max-files", "8", "--batch-max-wait", "200ms"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_under_load_and_comes_back_is_waited_for() {
    let began = Instant::now();
    let mut broker = Broker::start().await;
    let kafka = broker.kafka().await;
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &["--batch-wait", "1h", "--batch-files", "10000"]).await;
    let lakehouse = Lakehouse::new();
    let pipeline = Pipeline::new(&kafka).await;
    let worker = pipeline.worker(&bucket, &lakehouse).await;
    let dispatchers = [pipeline.dispatcher(&OPTIONS).await, pipeline.dispatcher(&OPTIONS).await];
    let feed = Arc::new(kafka.feed(&pipeline.events));

    let mut announced = Announced::new();
    for death in 0..DEATHS {
        let objects =
            join_all((death * OBJECTS..).take(OBJECTS).map(|n| Announcement::put(&bucket, n))).await;
        let before = held(&kafka, &pipeline.light).await;
        // Each twice.
        let load = Load::start(feed.clone(), PAUSE, [&objects[..], &objects[..]].concat(), []);
        // In the middle of the work: some is requested, much is not.
        eventually("some is requested", WITHIN, async || {
            (held(&kafka, &pipeline.light).await > before).then_some(())
        })
        .await;
        broker.kill();
        broker.restart().await;
        announced.extend(load.stop().await);
        pipeline.caught_up().await;
    }
    let requested = Requested::read(&pipeline).await;
    requested.assert_all_of(&announced);
    requested.answered(&pipeline).await;
    assert_rows(&lakehouse, TABLE, DEATHS * OBJECTS).await;
    // None of them has ended meanwhile.
    for program in dispatchers.map(|dispatcher| dispatcher.program).into_iter().chain([worker]) {
        assert!(program.terminate().await.success());
    }
    bucket.stop().await;
    println!("{} records over {DEATHS} deaths of the broker; {:?}", announced.len(), began.elapsed());
}

/// Records in a topic.
async fn held(kafka: &Kafka, topic: &str) -> i64 {
    kafka.end_offsets(topic).await.iter().map(|(first, end)| end - first).sum()
}
