//! When batches close, where they go, and what rebalances do to them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::DateTime;
use ingest_core::{
    FileFormat, Lane, LightLimits, ObjectHint, ObjectUri, RequestedObject, Route, TableName,
    batching::{
        Action, ActionId, Batch, Batcher, BatchingConfig, BatchingError, Moment, Offset, Overflow, Partition,
        Record,
    },
};

pub fn at(millis: u64) -> Moment {
    let utc = DateTime::UNIX_EPOCH + Duration::from_millis(millis);
    Moment { elapsed: Duration::from_millis(millis), utc }
}

pub fn route(table: &str) -> Arc<Route> {
    Arc::new(Route {
        table: TableName::parse(table).unwrap(),
        format: FileFormat::Parquet,
        options: BTreeMap::new(),
    })
}

pub fn object(name: &str, size: u64) -> RequestedObject {
    RequestedObject {
        uri: ObjectUri::new("b", name).unwrap(),
        hint: ObjectHint { size: Some(size), ..ObjectHint::default() },
    }
}

/// A record of one object of table `db.t`, named after the record.
pub fn record(partition: Partition, offset: Offset, size: u64) -> Record {
    Record {
        partition,
        offset,
        objects: vec![(route("db.t"), object(&format!("{partition}-{offset}"), size))],
        dead_letter: None,
    }
}

pub fn batcher(config: BatchingConfig) -> Batcher {
    let mut batcher = Batcher::new(config).unwrap();
    batcher.assigned(&[0, 1]);
    batcher
}

/// The batches among some actions, which have to be all of them.
pub fn batches(actions: Vec<Action>) -> Vec<Batch> {
    actions
        .into_iter()
        .map(|action| match action {
            Action::Produce(batch) => batch,
            Action::DeadLetter(letter) => panic!("unexpected {letter:?}"),
        })
        .collect()
}

pub fn positions(batcher: &mut Batcher) -> Vec<(Partition, Offset)> {
    batcher.commits().iter().map(|position| (position.partition, position.offset)).collect()
}

pub fn keys(batch: &Batch) -> Vec<&str> {
    batch.request.objects.iter().map(|object| object.uri.key()).collect()
}

pub fn only(actions: Vec<Action>) -> Batch {
    let mut batches = batches(actions);
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}

#[test]
fn a_batch_closes_at_fifty_files() {
    let mut batcher = batcher(BatchingConfig::default());
    for offset in 0..49 {
        assert_eq!(batcher.take_in(record(0, offset, 1), at(0)), []);
    }
    let batch = only(batcher.take_in(record(0, 49, 1), at(7)));
    assert_eq!((batch.request.file_count(), batch.lane), (50, Lane::Light));
    assert_eq!(batch.request.timestamp, at(7).utc);
    assert_eq!(batch.opened_at, Duration::ZERO);
    assert_eq!(batcher.next_deadline(), None);
}

#[test]
fn a_batch_closes_thirty_seconds_after_its_first_file() {
    let mut batcher = batcher(BatchingConfig::default());
    batcher.take_in(record(0, 0, 1), at(1_000));
    batcher.take_in(record(0, 1, 1), at(30_999));
    assert_eq!(batcher.next_deadline(), Some(Duration::from_secs(31)));
    assert_eq!(batcher.tick(at(30_999)), []);
    assert_eq!(keys(&only(batcher.tick(at(31_000)))), ["0-0", "0-1"]);
}

#[test]
fn a_late_record_begins_a_new_batch() {
    let mut batcher = batcher(BatchingConfig::default());
    batcher.take_in(record(0, 0, 1), at(0));
    assert_eq!(keys(&only(batcher.take_in(record(0, 1, 1), at(30_000)))), ["0-0"]);
    assert_eq!(batcher.next_deadline(), Some(Duration::from_secs(60)));
}

#[test]
fn idle_closes_early_and_never_later_than_the_wait() {
    let idle = Some(Duration::from_secs(2));
    let mut batcher =
        batcher(BatchingConfig { idle, max_wait: Duration::from_secs(5), ..Default::default() });
    for (offset, seconds) in [(0, 0), (1, 1), (2, 2), (3, 3)] {
        assert_eq!(batcher.take_in(record(0, offset, 1), at(seconds * 1_000)), []);
    }
    assert_eq!(batcher.next_deadline(), Some(Duration::from_secs(5)));
    batcher.tick(at(5_000));
    batcher.take_in(record(0, 4, 1), at(6_000));
    assert_eq!(batcher.next_deadline(), Some(Duration::from_secs(8)));
    assert_eq!(keys(&only(batcher.tick(at(8_000)))), ["0-4"]);
}

#[test]
fn routes_do_not_share_batches() {
    let mut batcher = batcher(BatchingConfig::default());
    let csv = Arc::new(Route { format: FileFormat::Csv, ..(*route("db.t")).clone() });
    let options = BTreeMap::from([("mode".to_owned(), "rewrite".to_owned())]);
    let with_options = Arc::new(Route { options, ..(*route("db.t")).clone() });
    let routes = [route("db.t"), route("db.u"), csv, with_options];
    let objects = routes.iter().map(|route| (Arc::clone(route), object("k", 1))).collect();
    batcher.take_in(Record { objects, ..record(0, 0, 0) }, at(0));
    batcher.take_in(record(0, 1, 1), at(0));
    assert_eq!(batcher.open_batches(), 4);
    let batches = batches(batcher.drain(at(0)));
    assert_eq!(batches.len(), 4);
    for batch in &batches {
        let shared = batch.request.options.is_empty() && batch.request.format == FileFormat::Parquet;
        let expected = if shared && batch.request.table.name() == "t" { 2 } else { 1 };
        assert_eq!(batch.request.file_count(), expected);
    }
    for batch in &batches[1..] {
        batcher.acknowledged(batch.id);
    }
    assert_eq!(positions(&mut batcher), [(0, 0)]);
    batcher.acknowledged(batches[0].id);
    assert_eq!(positions(&mut batcher), [(0, 2)]);
}

#[test]
fn routing_thresholds_are_exact() {
    let lane = |sizes: &[u64], max_files| {
        let mut batcher = batcher(BatchingConfig { max_files, ..Default::default() });
        for (offset, size) in (0..).zip(sizes) {
            assert_eq!(batcher.take_in(record(0, offset, *size), at(0)), []);
        }
        only(batcher.drain(at(0))).lane
    };
    assert_eq!(lane(&[499_999_998, 1], 50), Lane::Light);
    assert_eq!(lane(&[499_999_999, 1], 50), Lane::Heavy);
    assert_eq!(lane(&[500_000_000], 50), Lane::Heavy);
    assert_eq!(lane(&[1; 200], 1_000), Lane::Light);
    assert_eq!(lane(&[1; 201], 1_000), Lane::Heavy);
}

#[test]
fn repeated_announcements_count_once_for_the_lane() {
    let mut batcher = batcher(BatchingConfig::default());
    for offset in 0..2 {
        let objects = vec![(route("db.t"), object("same", 300_000_000))];
        batcher.take_in(Record { objects, ..record(0, offset, 0) }, at(0));
    }
    let batch = only(batcher.drain(at(0)));
    assert_eq!((batch.request.total_bytes(), batch.lane), (300_000_000, Lane::Light));
    batcher.acknowledged(batch.id);
    assert_eq!(positions(&mut batcher), [(0, 2)]);
}

#[test]
fn split_keeps_small_files_out_of_the_heavy_lane() {
    let light = LightLimits { max_bytes: 100, max_files: 3 };
    let mut batcher = batcher(BatchingConfig { overflow: Overflow::Split, light, ..Default::default() });
    let mut closed = Vec::new();
    for (offset, size) in (0..).zip([60, 39, 1, 100, 5, 1, 1, 1]) {
        closed.extend(batches(batcher.take_in(record(0, offset, size), at(0))));
    }
    let seen: Vec<_> = closed.iter().map(|batch| (keys(batch), batch.lane)).collect();
    assert_eq!(
        seen,
        [
            (vec!["0-0", "0-1"], Lane::Light),
            (vec!["0-2"], Lane::Light),
            (vec!["0-3"], Lane::Heavy),
            (vec!["0-4", "0-5", "0-6"], Lane::Light),
        ]
    );
    assert_eq!(keys(&only(batcher.drain(at(0)))), ["0-7"]);
}

#[test]
fn a_request_stays_within_its_bytes() {
    let max_request_bytes = 10_000;
    let mut batcher = batcher(BatchingConfig { max_request_bytes, ..Default::default() });
    let mut closed = Vec::new();
    for offset in 0..40 {
        let key = format!("{offset}{}", "\"".repeat(900));
        let objects = vec![(route("db.t"), object(&key, 1))];
        closed.extend(batches(batcher.take_in(Record { objects, ..record(0, offset, 0) }, at(0))));
    }
    assert!(closed.len() > 1);
    for batch in closed {
        let bytes = batch.request.to_json().len();
        assert!((max_request_bytes / 2..=max_request_bytes + 500).contains(&bytes), "{bytes}");
    }
}

#[test]
fn ignored_records_move_the_position() {
    let mut batcher = batcher(BatchingConfig::default());
    assert_eq!(positions(&mut batcher), []);
    assert_eq!(batcher.take_in(Record { objects: vec![], ..record(1, 41, 0) }, at(0)), []);
    assert_eq!(positions(&mut batcher), [(1, 42)]);
    assert_eq!(positions(&mut batcher), []);
    batcher.commit_failed();
    assert_eq!(positions(&mut batcher), [(1, 42)]);
}

#[test]
fn a_dead_letter_holds_the_position_until_it_is_acknowledged() {
    let mut batcher = batcher(BatchingConfig::default());
    let poison = Record { objects: vec![], dead_letter: Some("not-json".into()), ..record(0, 3, 0) };
    let actions = batcher.take_in(poison, at(0));
    let [Action::DeadLetter(letter)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!((letter.partition, letter.offset, letter.reason.as_str()), (0, 3, "not-json"));
    assert_eq!(positions(&mut batcher), [(0, 3)]);
    assert_eq!(batcher.failed(letter.id), Some(actions[0].clone()));
    batcher.acknowledged(letter.id);
    assert_eq!(positions(&mut batcher), [(0, 4)]);
}

#[test]
fn a_record_may_lead_to_requests_and_a_dead_letter() {
    let mut batcher = batcher(BatchingConfig { max_files: 1, ..Default::default() });
    let actions = batcher.take_in(Record { dead_letter: Some("no-rule".into()), ..record(0, 0, 1) }, at(0));
    let ids: Vec<ActionId> = actions.iter().map(Action::id).collect();
    assert_eq!(ids.len(), 2);
    batcher.acknowledged(ids[0]);
    assert_eq!(positions(&mut batcher), [(0, 0)]);
    batcher.acknowledged(ids[1]);
    assert_eq!(positions(&mut batcher), [(0, 1)]);
}

#[test]
fn what_failed_is_produced_again_as_it_was() {
    let mut batcher = batcher(BatchingConfig { max_files: 1, ..Default::default() });
    let batch = only(batcher.take_in(record(0, 0, 1), at(0)));
    assert_eq!(batcher.failed(batch.id), Some(Action::Produce(batch.clone())));
    assert_eq!(batcher.acknowledged(batch.id), Some(Action::Produce(batch.clone())));
    assert_eq!(batcher.failed(batch.id), None);
    assert_eq!(batcher.acknowledged(batch.id), None);
}

#[test]
fn a_revoked_partition_leaves_the_open_batches_and_holds_its_position() {
    let mut batcher = batcher(BatchingConfig { max_files: 3, ..Default::default() });
    let mut ready = Vec::new();
    for (partition, offset) in [(0, 0), (1, 0), (0, 1), (0, 2), (1, 1)] {
        ready.extend(batches(batcher.take_in(record(partition, offset, 1), at(0))));
    }
    batcher.revoked(&[0]);
    assert_eq!(batcher.held(), 4);
    assert_eq!(batcher.take_in(record(0, 3, 1), at(0)), [], "it is not ours any more");

    assert!(batcher.awaiting(&[0]) && batcher.awaiting(&[1]));
    batcher.acknowledged(ready[0].id);
    assert!(!batcher.awaiting(&[0, 1]));
    assert_eq!(positions(&mut batcher), [(0, 2), (1, 1)], "up to what left the open batch");
    batcher.lost(&[0]);
    assert_eq!(keys(&only(batcher.drain(at(0)))), ["1-1"]);
    assert_eq!(positions(&mut batcher), []);
}

#[test]
fn a_batch_of_a_revoked_partition_alone_is_dropped() {
    let mut batcher = batcher(BatchingConfig::default());
    batcher.take_in(record(0, 0, 1), at(0));
    batcher.revoked(&[0]);
    assert_eq!((batcher.open_batches(), batcher.held(), batcher.next_deadline()), (0, 0, None));
}

#[test]
fn a_lost_partition_is_never_committed() {
    let mut batcher = batcher(BatchingConfig { max_files: 1, ..Default::default() });
    let old = only(batcher.take_in(record(0, 0, 1), at(0)));
    batcher.lost(&[0]);
    assert!(!batcher.awaiting(&[0]));
    batcher.acknowledged(old.id);
    assert_eq!(positions(&mut batcher), []);

    batcher.assigned(&[0]);
    let new = only(batcher.take_in(record(0, 0, 1), at(0)));
    assert_eq!(positions(&mut batcher), [(0, 0)]);
    batcher.acknowledged(new.id);
    assert_eq!(positions(&mut batcher), [(0, 1)]);
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let error = |config: BatchingConfig| Batcher::new(config).map(drop).unwrap_err();
    let defaults = BatchingConfig::default;
    assert_eq!(error(BatchingConfig { max_files: 0, ..defaults() }), BatchingError::MaxFiles(0));
    assert_eq!(error(BatchingConfig { max_files: 10_001, ..defaults() }), BatchingError::MaxFiles(10_001));
    assert_eq!(
        error(BatchingConfig { max_wait: Duration::ZERO, ..defaults() }),
        BatchingError::NoWait("wait")
    );
    let idle = Some(Duration::ZERO);
    assert_eq!(error(BatchingConfig { idle, ..defaults() }), BatchingError::NoWait("idle time"));
    let held = BatchingError::MaxHeld { max_files: 50, max_held: 49 };
    assert_eq!(error(BatchingConfig { max_held: 49, ..defaults() }), held);
    assert_eq!(error(BatchingConfig { max_dead_letters: 0, ..defaults() }), BatchingError::MaxDeadLetters);
}
