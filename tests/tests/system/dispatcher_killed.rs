//! Invariant 1 at any moment: two dispatchers, killed again and again under load, also in the middle of rebalances. And
//! with a light worker behind them invariant 2: each object's rows are in the table once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde_json::Value;
use testkit::{Kafka, eventually};

use crate::announced::{Announced, Announcement, Load, Wanted, assert_rows};
use crate::bucket::{Lakehouse, Standalone, WITHIN};
use crate::pipeline::{Dispatcher, MISSED_SOON, Pipeline, TABLE};
use crate::requested::Requested;
use crate::rounds;

const PARTITIONS: i32 = 4;
/// What is new in a round: objects, large ones that nobody fetches, and records that are no notifications. Then objects
/// are announced again, until the round is over.
const OBJECTS: usize = 12;
const LARGE: usize = 2;
const POISON: usize = 1;
/// Between two announcements.
const PAUSE: Duration = Duration::from_millis(10);
/// The kill comes at any moment within this, from when the victim has taken in a first record of the round.
const LONGEST_LIFE: Duration = Duration::from_millis(350);
/// A round whose kill found nothing open and nothing unacknowledged does not count. So many rounds for one that counts
/// are enough.
const TRIES: usize = 3;

/// Batches close soon.
const OPTIONS: [&str; 8] = [
    "--batch-max-files",
    "8",
    "--batch-max-wait",
    "300ms",
    "--overflow",
    "split",
    "--log-level",
    "info,dispatcher=debug",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dispatchers_killed_at_random_moments_skip_nothing() {
    let seed = rounds::seed();
    println!("seed {seed}: repeat with SEED={seed}");
    let began = Instant::now();
    let mut random = StdRng::seed_from_u64(seed);
    let kafka = Kafka::shared().await;
    let folder = tempfile::tempdir().unwrap();
    // The bucket's own worker is to stay out of this.
    let bucket = Standalone::start(folder.path(), &["--batch-wait", "1h", "--batch-files", "10000"]).await;
    let lakehouse = Lakehouse::new();
    let pipeline =
        Pipeline { events: kafka.topic("s3-events", PARTITIONS).await, ..Pipeline::new(kafka).await };
    let worker = pipeline.worker(&bucket, &lakehouse).await;
    let options = [&MISSED_SOON[..], &OPTIONS].concat();
    let mut dispatchers = [pipeline.dispatcher(&options).await, pipeline.dispatcher(&options).await];
    let feed = Arc::new(kafka.feed(&pipeline.events));

    let mut announced = Announced::new();
    let mut objects: Vec<Announcement> = Vec::new();
    let (mut lives, mut held): (Vec<String>, Vec<usize>) = (Vec::new(), Vec::new());
    let hits = |held: &[usize]| held.iter().filter(|announcements| **announcements > 0).count();
    while hits(&held) < rounds::dispatcher_kills() {
        // What a kill has hit is asked afterwards, of all at once.
        for _ in hits(&held)..rounds::dispatcher_kills() {
            let round = lives.len();
            assert!(round < rounds::dispatcher_kills() * TRIES, "seed {seed}: {held:?} were lost");
            let mut new =
                join_all((objects.len()..).take(OBJECTS).map(|n| Announcement::put(&bucket, n))).await;
            objects.extend(new.iter().cloned());
            new.extend((round * LARGE..).take(LARGE).map(Announcement::heavy));
            new.extend((round * POISON..).take(POISON).map(Announcement::poison));
            new.shuffle(&mut random);
            let (known, mut choice) = (objects.clone(), StdRng::seed_from_u64(random.random()));
            let again = std::iter::repeat_with(move || known.choose(&mut choice).unwrap().clone());

            let victim = &mut dispatchers[random.random_range(0..2)];
            let before = taken(victim);
            let load = Load::start(feed.clone(), PAUSE, new, again);
            eventually("a record of this round is taken in", WITHIN, async || {
                (taken(victim) > before).then_some(())
            })
            .await;
            // No synchronisation: where in its work this finds the process is left to chance, and asked afterwards.
            tokio::time::sleep(random.random_range(Duration::ZERO..LONGEST_LIFE)).await;
            lives.push(victim.program.end_at_once());
            *victim = pipeline.dispatcher(&options).await;
            announced.extend(load.stop().await);
        }
        let requested = Requested::read(&pipeline).await;
        held = lives.iter().map(|log| lost(log, &announced, &requested)).collect();
    }

    pipeline.caught_up().await;
    let requested = Requested::read(&pipeline).await;
    requested.assert_all_of(&announced);
    let (again, once) = requested.again(&announced);
    let (hit, lost) = (hits(&held), held.iter().sum::<usize>());
    println!(
        "seed {seed}: {hit} of {} kills hit, {lost} of {} announcements were in open or unacknowledged batches then, \
         {again} requests again for {once} files announced once, {:?}",
        held.len(),
        announced.len(),
        began.elapsed()
    );
    requested.answered(&pipeline).await;
    assert_rows(&lakehouse, TABLE, objects.len()).await;
    for program in dispatchers.map(|dispatcher| dispatcher.program).into_iter().chain([worker]) {
        assert!(program.terminate().await.success());
    }
    bucket.stop().await;
    println!("seed {seed}: {:?} in all", began.elapsed());
}

/// Records that a dispatcher has taken in.
fn taken(dispatcher: &Dispatcher) -> usize {
    dispatcher.program.log().matches("record taken in").count()
}

/// Announcements that were in open or unacknowledged batches of a dispatcher when its log ended: taken in, of a partition
/// that was still its own, of a file that is in no request whose acknowledgement it has seen since.
fn lost(log: &str, announced: &Announced, requested: &Requested) -> usize {
    let mut held: BTreeMap<(i32, i64), &str> = BTreeMap::new();
    // The last line may have been cut by the kill.
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if let Some(partitions) = line["partitions"].as_str() {
            // They came, or went: either way none of their records is held.
            let partitions: Vec<i32> = serde_json::from_str(partitions).unwrap();
            held.retain(|(partition, _), _| !partitions.contains(partition));
        } else if line["message"] == "record taken in" {
            let partition = i32::try_from(line["partition"].as_i64().unwrap()).unwrap();
            let place = (partition, line["offset"].as_i64().unwrap());
            match &announced[&place] {
                Wanted::Light(file) | Wanted::Heavy(file) => held.insert(place, file),
                // Its acknowledgement is not logged.
                Wanted::DeadLetter => None,
            };
        } else if line["message"] == "batch dispatched" {
            let files = requested.files_of(line["request_id"].as_str().unwrap());
            held.retain(|_, file| !files.contains(*file));
        }
    }
    held.len()
}
