//! A rolling restart under load: each instance's successor starts, then it is asked to end.

use std::time::{Duration, Instant};

use testkit::{Kafka, eventually};

use crate::announced::Load;
use crate::bucket::WITHIN;
use crate::metrics::metric;
use crate::pipeline::{Dispatcher, Pipeline};
use crate::requested::Requested;

const INSTANCES: usize = 3;
/// More than there ever are instances at once.
const PARTITIONS: i32 = 6;
/// Between two announcements.
const PAUSE: Duration = Duration::from_millis(2);
/// At most one of so many records is requested again.
const REQUESTED_AGAIN: usize = 10;
/// Batches are open at any time, and are sent in the middle of rebalances.
const OPTIONS: [&str; 4] = ["--batch-max-files", "20", "--batch-max-wait", "300ms"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_are_replaced_twice_and_nothing_is_skipped() {
    let began = Instant::now();
    let kafka = Kafka::shared().await;
    let pipeline =
        Pipeline { events: kafka.topic("s3-events", PARTITIONS).await, ..Pipeline::new(kafka).await };
    let load = Load::endless(kafka, &pipeline.events, PAUSE);
    let mut instances: Vec<Dispatcher> = Vec::new();
    for _ in 0..INSTANCES {
        instances.push(pipeline.dispatcher(&OPTIONS).await);
    }
    // The first time around each successor has its share of the partitions before its predecessor goes; the second time
    // they follow one another as fast as they are ready, in the middle of rebalances.
    for at_ease in [true, false] {
        for instance in &mut instances {
            let successor = pipeline.dispatcher(&OPTIONS).await;
            if at_ease {
                takes_part(instance).await;
                takes_part(&successor).await;
            }
            let predecessor = std::mem::replace(instance, successor);
            assert!(predecessor.program.terminate().await.success());
        }
    }
    for instance in &instances {
        takes_part(instance).await;
    }
    let announced = load.stop().await;
    pipeline.caught_up().await;
    for instance in instances {
        assert!(instance.program.terminate().await.success());
    }
    let requested = Requested::read(&pipeline).await;
    requested.assert_all_of(&announced);
    let (again, all) = requested.again(&announced);
    println!("{again} of {all} records were requested again; {:?}", began.elapsed());
    // Whoever hands a partition over waits for what it has sent and commits it; should that commit fail, what was
    // acknowledged since the last one is read again.
    assert!(again * REQUESTED_AGAIN <= all, "{again} of {all} records were requested again");
}

/// Waits until an instance reads.
async fn takes_part(instance: &Dispatcher) {
    eventually("the instance reads records", WITHIN, async || {
        metric(&instance.url, "event_ingest_dispatcher_records_total").await.filter(|records| *records > 0.0)
    })
    .await;
}
