//! When reading waits, when it goes on without a lane, and what becomes of that lane's records.

use std::time::Duration;

use ingest_core::batching::{Action, BatchingConfig, Outlet, Overflow, Record};
use ingest_core::{Lane, LightLimits};

use crate::batching::{at, batcher, batches, keys, only, positions, record};

#[test]
fn backpressure_has_slack() {
    let mut batcher =
        batcher(BatchingConfig { max_files: 2, max_held: 4, let_go_after: None, ..Default::default() });
    let mut out = Vec::new();
    for offset in 0..4 {
        assert!(batcher.accepting());
        out.extend(batches(batcher.take_in(record(0, offset, 1), at(0))));
    }
    assert!(!batcher.accepting());
    batcher.acknowledged(out[0].id);
    assert!(!batcher.accepting(), "half is held still");
    batcher.acknowledged(out[1].id);
    assert!(batcher.accepting());
    assert_eq!((batcher.held(), batcher.unacknowledged()), (0, 0));
}

#[test]
fn dead_letters_have_a_bound_of_their_own() {
    let mut batcher = batcher(BatchingConfig { max_dead_letters: 1, ..Default::default() });
    let poison = Record { objects: vec![], dead_letter: Some("bad".into()), ..record(0, 0, 0) };
    let actions = batcher.take_in(poison, at(0));
    assert!(!batcher.accepting());
    let [Action::DeadLetter(letter)] = &actions[..] else { panic!("{actions:?}") };
    batcher.acknowledged(letter.id);
    assert!(batcher.accepting());
}

/// Sizes from 100 on go to the heavy lane; nothing waits longer than ten seconds for a stuck one.
fn narrow() -> BatchingConfig {
    BatchingConfig {
        max_files: 2,
        max_held: 16,
        light: LightLimits { max_bytes: 100, max_files: 10 },
        overflow: Overflow::Split,
        let_go_after: Some(Duration::from_secs(10)),
        ..Default::default()
    }
}

#[test]
fn a_heavy_lane_that_is_down_for_an_hour_neither_stops_the_light_one_nor_grows() {
    let mut batcher = batcher(narrow());
    let (mut light, mut stuck, mut offset) = (0, Vec::new(), 0);
    for millis in (0..3_600_000).step_by(100) {
        let size = if offset % 3 == 0 { 100 } else { 1 };
        let mut actions = batcher.tick(at(millis));
        if batcher.accepting() {
            actions.extend(batcher.take_in(record(0, offset, size), at(millis)));
            offset += 1;
        }
        for batch in batches(actions) {
            match batch.lane {
                Lane::Light => {
                    light += batch.request.file_count();
                    batcher.acknowledged(batch.id);
                }
                Lane::Heavy => stuck.push(batch),
            }
        }
        assert!(batcher.held() <= 16 && batcher.remembered() <= 200, "{batcher:?}");
        assert!(batcher.commits().iter().all(|position| position.offset == 0));
    }
    assert!(offset > 35_000 && light > 20_000, "{light} of {offset}");
    assert!(batcher.is_stuck(Outlet::Lane(Lane::Heavy)) && batcher.going_back().is_empty());
    assert_eq!(batcher.let_go(), (offset as u64).div_ceil(3) - 8, "all but what fills half of the room");

    // The lane is free again: all from the first on that was let go of is read again.
    for batch in &stuck {
        batcher.acknowledged(batch.id);
    }
    let back = 3 * 8;
    assert_eq!(batcher.going_back(), [(0, back)]);
    assert_eq!(positions(&mut batcher), [(0, back)]);
    batcher.went_back(0);
    let mut again = Vec::new();
    for offset in back..offset {
        let size = if offset % 3 == 0 { 100 } else { 1 };
        for batch in batches(batcher.take_in(record(0, offset, size), at(3_600_000))) {
            batcher.acknowledged(batch.id);
            again.extend(keys(&batch).into_iter().map(str::to_owned));
        }
    }
    assert!((back..offset).step_by(3).all(|offset| again.contains(&format!("0-{offset}"))));
}

#[test]
fn what_cannot_be_read_again_is_never_let_go_of() {
    let mut batcher = batcher(narrow());
    for offset in 0..8 {
        batcher.take_in(record(0, offset, 100), at(0));
    }
    batcher.tick(at(10_000));
    batcher.take_in(record(1, 0, 1), at(10_000));
    assert!(batcher.is_stuck(Outlet::Lane(Lane::Heavy)));
    let open = only(batcher.replaced(&[0, 1], at(10_000)));
    assert_eq!((keys(&open), batcher.going_back()), (vec!["1-0"], vec![(0, 0), (1, 0)]));
    batcher.went_back(0);
    assert_eq!(batcher.take_in(record(0, 0, 100), at(10_000)), [], "the new log can be read again");
    batcher.acknowledged(open.id);
    assert_eq!(positions(&mut batcher), [(0, 0), (1, 0)]);
}
