//! Batches of rules that say themselves when they close.

use std::{sync::Arc, time::Duration};

use ingest_core::batching::{Action, Batch, Batcher, BatchingConfig, Offset, Overflow, Record, RouteLimits};
use ingest_core::{Lane, Route};

use crate::batching::{at, object, route};

fn with(limits: RouteLimits) -> Arc<Route> {
    Arc::new(Route { limits, ..(*route("db.t")).clone() })
}

fn batcher() -> Batcher {
    let mut batcher = Batcher::new(BatchingConfig::default()).unwrap();
    batcher.assigned(&[0]);
    batcher
}

fn record(route: &Arc<Route>, offset: Offset, size: u64) -> Record {
    let objects = vec![(Arc::clone(route), object(&offset.to_string(), size))];
    Record { partition: 0, offset, objects, dead_letter: None }
}

fn batches(actions: Vec<Action>) -> Vec<Batch> {
    let batch = |action| match action {
        Action::Produce(batch) => batch,
        Action::DeadLetter(letter) => panic!("unexpected {letter:?}"),
    };
    actions.into_iter().map(batch).collect()
}

#[test]
fn a_route_closes_by_its_own_number_of_files() {
    let mut batcher = batcher();
    let small = with(RouteLimits { max_files: Some(2), ..RouteLimits::default() });
    assert_eq!(batcher.take_in(record(&small, 0, 1), at(0)), []);
    // Another route of the same table: a batch of its own, with the limits of all.
    assert_eq!(batcher.take_in(record(&route("db.t"), 1, 1), at(0)), []);
    let closed = batches(batcher.take_in(record(&small, 2, 1), at(0)));
    assert_eq!(closed[0].request.file_count(), 2);
    assert_eq!(batcher.open_batches(), 1);
}

#[test]
fn a_route_closes_by_its_own_times() {
    let mut batcher = batcher();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let soon = with(RouteLimits { max_wait: seconds(1), ..RouteLimits::default() });
    let late = with(RouteLimits { max_wait: seconds(60), idle: seconds(40), ..RouteLimits::default() });
    for (offset, route) in [&late, &route("db.t"), &soon].into_iter().enumerate() {
        batcher.take_in(record(route, offset as Offset, 1), at(0));
    }
    assert_eq!(batches(batcher.tick(at(1_000))).len(), 1);
    assert_eq!(batches(batcher.tick(at(30_000))).len(), 1);
    // Silence is counted from the last file, the longest wait from the first.
    batcher.take_in(record(&late, 3, 1), at(30_000));
    assert_eq!(batcher.next_deadline(), seconds(60));
    assert_eq!(batches(batcher.tick(at(60_000)))[0].request.file_count(), 2);
}

#[test]
fn a_route_says_what_is_light() {
    let mut batcher = batcher();
    let limits = RouteLimits { max_files: Some(1), light_max_bytes: Some(10), ..RouteLimits::default() };
    let lane = |batcher: &mut Batcher, offset, size| {
        batches(batcher.take_in(record(&with(limits), offset, size), at(0)))[0].lane
    };
    assert_eq!(lane(&mut batcher, 0, 9), Lane::Light);
    assert_eq!(lane(&mut batcher, 1, 10), Lane::Heavy);

    let split = with(RouteLimits {
        light_max_files: Some(2),
        overflow: Some(Overflow::Split),
        ..RouteLimits::default()
    });
    for offset in 2..4 {
        assert_eq!(batcher.take_in(record(&split, offset, 1), at(0)), []);
    }
    let closed = batches(batcher.take_in(record(&split, 4, 1), at(0)));
    assert_eq!((closed[0].request.file_count(), closed[0].lane), (2, Lane::Light));
}

#[test]
fn no_route_waits_for_more_than_may_be_held() {
    let config = BatchingConfig { max_files: 2, max_held: 3, ..BatchingConfig::default() };
    let mut batcher = Batcher::new(config).unwrap();
    batcher.assigned(&[0]);
    let large = with(RouteLimits { max_files: Some(10_000), ..RouteLimits::default() });
    for offset in 0..2 {
        assert_eq!(batcher.take_in(record(&large, offset, 1), at(0)), []);
    }
    assert_eq!(batches(batcher.take_in(record(&large, 2, 1), at(0)))[0].request.file_count(), 3);
}
