//! The batching machine against a broker and a network that fail on purpose.
//!
//! Several instances run the real machine ([`ingest_core::batching`]). Broker, network, consumer group and time are
//! simulated, from a seed. After every step the invariants are checked.
//!
//! One schedule again, told step by step: `SIMULATION_SEED=<seed> cargo test --test simulation one_seed -- --nocapture`.
//! More of them: `SIMULATION_SCHEDULES=1000000 cargo test --test simulation every_schedule`.
#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails with the line that says so")]

mod broker;
mod check;
mod coverage;
mod faults;
mod flaw;
mod instance;
mod shell;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use coverage::Coverage;
use flaw::Flaw;
use world::World;

/// Schedules in an ordinary run of the tests.
const SCHEDULES: u64 = 20_000;
/// Schedules within which each planted flaw has to be found.
const FLAW_SCHEDULES: u64 = 50_000;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The first seed that breaks an invariant, with what it broke, and what all of them covered.
fn explore(seeds: std::ops::Range<u64>, flaw: Option<Flaw>) -> (Option<(u64, String)>, Coverage) {
    let next = AtomicU64::new(seeds.start);
    let broken = Mutex::new(None::<(u64, String)>);
    let covered = Mutex::new(Coverage::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut mine = Coverage::default();
                while broken.lock().unwrap().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    if let Err(what) = run(seed, flaw, &mut mine) {
                        *broken.lock().unwrap() = Some((seed, what));
                    }
                }
                covered.lock().unwrap().add(&mine);
            });
        }
    });
    (broken.into_inner().unwrap(), covered.into_inner().unwrap())
}

/// One schedule from beginning to end.
fn run(seed: u64, flaw: Option<Flaw>, coverage: &mut Coverage) -> Result<(), String> {
    let mut world = World::new(seed, flaw);
    world.told = from_environment("SIMULATION_SEED") == Some(seed);
    let ended = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        Err(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "the machine panicked".to_owned()))
    });
    coverage.add(&world.coverage);
    ended
}

#[test]
fn every_schedule_keeps_the_invariants_and_every_fault_is_met() {
    let schedules = from_environment("SIMULATION_SCHEDULES").unwrap_or(SCHEDULES);
    let (broken, coverage) = explore(0..schedules, None);
    if let Some((seed, what)) = broken {
        panic!("SIMULATION_SEED={seed}: {what}");
    }
    println!("{schedules} schedules\n{coverage}");
    assert_eq!(coverage.missing(), Vec::<String>::new(), "nothing was learnt about these");
}

#[test]
fn one_seed() {
    if let Some(seed) = from_environment("SIMULATION_SEED") {
        let mut coverage = Coverage::default();
        let ended = run(seed, None, &mut coverage);
        println!("{coverage}");
        assert_eq!(ended, Ok(()), "SIMULATION_SEED={seed}");
    }
}

#[test]
fn a_seed_leads_to_the_same_schedule_every_time() {
    let coverage = |seed| {
        let mut coverage = Coverage::default();
        run(seed, None, &mut coverage).unwrap();
        coverage.to_string()
    };
    assert!((0..50).all(|seed| coverage(seed) == coverage(seed)));
    assert_ne!(coverage(1), coverage(2));
}

/// The simulation is worth what it finds: each of these skips records or stands still, and is found out.
#[test]
fn every_planted_flaw_is_found() {
    for flaw in Flaw::ALL {
        let (broken, _) = explore(0..FLAW_SCHEDULES, Some(flaw));
        let (seed, what) = broken.unwrap_or_else(|| panic!("{flaw:?} was not found"));
        assert!(what.starts_with(flaw.breaks()), "{flaw:?} was found by something else, seed {seed}: {what}");
        println!("{flaw:?}: seed {seed}: {what}");
    }
}
