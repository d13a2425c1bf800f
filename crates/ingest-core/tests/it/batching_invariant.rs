//! Invariant 1 under random interleavings: whatever stands before a committed position was requested or set aside, and
//! that was acknowledged. Nothing is skipped, through crashes and rebalances.

use std::{collections::BTreeSet, time::Duration};

use ingest_core::batching::{Action, Batcher, BatchingConfig, Offset, Overflow, Partition, Record};
use ingest_core::{LightLimits, ObjectUri};
use proptest::prelude::*;

use crate::batching::{at, object, route};

const PARTITIONS: [Partition; 3] = [0, 1, 2];
const TABLES: [&str; 2] = ["db.t", "db.u"];

/// What a record in a log holds: the table and size of each object, and whether it has to be set aside as well.
#[derive(Debug, Clone)]
struct Spec {
    objects: Vec<(usize, u64)>,
    poison: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Read(Partition, usize),
    Wait(u64),
    Acknowledge(usize),
    Fail(usize),
    Commit,
    CommitFails,
    Revoke(Partition, bool),
    Lose(Partition),
    Assign(Partition),
    Drain,
    /// The process dies; what it had sent arrives all the same, or does not.
    Crash(bool),
}

/// Everything outside the machine: what survives a crash.
struct World {
    logs: Vec<Vec<Spec>>,
    committed: Vec<Offset>,
    requested: BTreeSet<ObjectUri>,
    set_aside: BTreeSet<(Partition, Offset)>,
}

/// One process.
struct Process {
    batcher: Batcher,
    reading: Vec<Option<usize>>,
    sent: Vec<Action>,
    millis: u64,
}

/// Offsets have gaps, as in a compacted log.
fn offset_of(index: usize) -> Offset {
    10 + 3 * Offset::try_from(index).unwrap()
}

fn name(partition: Partition, index: usize, part: usize) -> String {
    format!("{partition}/{index}/{part}")
}

fn config() -> BatchingConfig {
    BatchingConfig {
        max_files: 4,
        max_request_bytes: 500,
        max_wait: Duration::from_millis(100),
        idle: Some(Duration::from_millis(60)),
        light: LightLimits { max_bytes: 100, max_files: 3 },
        overflow: Overflow::Split,
        max_held: 16,
        max_dead_letters: 4,
    }
}

impl World {
    fn new(logs: Vec<Vec<Spec>>) -> Self {
        Self {
            committed: vec![offset_of(0); logs.len()],
            logs,
            requested: BTreeSet::new(),
            set_aside: BTreeSet::new(),
        }
    }

    fn record(&self, partition: Partition, index: usize) -> Record {
        let spec = &self.logs[partition as usize][index];
        Record {
            partition,
            offset: offset_of(index),
            objects: spec
                .objects
                .iter()
                .enumerate()
                .map(|(part, (table, size))| {
                    (route(TABLES[*table]), object(&name(partition, index, part), *size))
                })
                .collect(),
            dead_letter: spec.poison.then(|| "poison".to_owned()),
        }
    }

    fn arrives(&mut self, action: &Action) {
        match action {
            Action::Produce(batch) => {
                self.requested.extend(batch.request.objects.iter().map(|object| object.uri.clone()));
            }
            Action::DeadLetter(letter) => {
                self.set_aside.insert((letter.partition, letter.offset));
            }
        }
    }

    fn check(&self) {
        for partition in PARTITIONS {
            for (index, spec) in self.logs[partition as usize].iter().enumerate() {
                if offset_of(index) >= self.committed[partition as usize] {
                    break;
                }
                for part in 0..spec.objects.len() {
                    let uri = ObjectUri::new("b", &name(partition, index, part)).unwrap();
                    assert!(self.requested.contains(&uri), "{uri} was skipped");
                }
                let letter = (partition, offset_of(index));
                assert!(
                    !spec.poison || self.set_aside.contains(&letter),
                    "dead letter {letter:?} was skipped"
                );
            }
        }
    }
}

impl Process {
    fn start() -> Self {
        let batcher = Batcher::new(config()).unwrap();
        Self { batcher, reading: vec![None; PARTITIONS.len()], sent: Vec::new(), millis: 0 }
    }

    fn send(&mut self, actions: Vec<Action>) {
        for action in &actions {
            if let Action::Produce(batch) = action {
                let request = &batch.request;
                assert!((1..=4).contains(&request.file_count()));
                assert_eq!(batch.lane, config().light.lane(request.total_bytes(), request.file_count()));
                assert!(batch.opened_at + Duration::from_millis(100) >= Duration::from_millis(self.millis));
            }
        }
        self.sent.extend(actions);
    }

    fn assign(&mut self, partition: Partition, world: &World) {
        let reading = &mut self.reading[partition as usize];
        if reading.is_none() {
            self.batcher.assigned(&[partition]);
            let committed = world.committed[partition as usize];
            let log = &world.logs[partition as usize];
            *reading = (0..=log.len()).find(|index| offset_of(*index) >= committed);
        }
    }

    fn read(&mut self, partition: Partition, count: usize, world: &World) {
        for _ in 0..count {
            let Some(index) = self.reading[partition as usize] else {
                return;
            };
            if index >= world.logs[partition as usize].len() || !self.batcher.accepting() {
                return;
            }
            let actions = self.batcher.take_in(world.record(partition, index), at(self.millis));
            self.send(actions);
            self.reading[partition as usize] = Some(index + 1);
        }
    }

    fn acknowledge(&mut self, which: usize, world: &mut World) {
        if !self.sent.is_empty() {
            let action = self.sent.remove(which % self.sent.len());
            world.arrives(&action);
            self.batcher.acknowledged(action.id());
        }
    }

    fn acknowledge_all(&mut self, world: &mut World) {
        while !self.sent.is_empty() {
            self.acknowledge(0, world);
        }
    }

    fn deliver(&mut self, world: &mut World) {
        self.drain();
        self.acknowledge_all(world);
    }

    fn commit(&mut self, world: &mut World) {
        for position in self.batcher.commits() {
            let partition = position.partition as usize;
            assert!(self.reading[partition].is_some(), "a position of another owner's partition");
            world.committed[partition] = position.offset;
        }
    }

    fn wait(&mut self, millis: u64) {
        let end = self.millis + millis;
        while let Some(deadline) = self.batcher.next_deadline().filter(|d| *d <= Duration::from_millis(end)) {
            self.millis = u64::try_from(deadline.as_millis()).unwrap();
            let actions = self.batcher.tick(at(self.millis));
            assert!(!actions.is_empty(), "a deadline without effect would make the caller spin");
            self.send(actions);
        }
        self.millis = end;
    }

    fn drain(&mut self) {
        let actions = self.batcher.drain(at(self.millis));
        self.send(actions);
    }
}

fn run(step: Step, process: &mut Process, world: &mut World) {
    match step {
        Step::Read(partition, count) => process.read(partition, count, world),
        Step::Wait(millis) => process.wait(millis),
        Step::Acknowledge(which) => process.acknowledge(which, world),
        Step::Fail(which) => {
            if let Some(action) = process.sent.get(which % process.sent.len().max(1)) {
                assert_eq!(process.batcher.failed(action.id()).as_ref(), Some(action));
            }
        }
        Step::Commit => process.commit(world),
        Step::CommitFails => {
            process.batcher.commits();
            process.batcher.commit_failed();
        }
        Step::Revoke(partition, in_time) => {
            process.batcher.revoked(&[partition]);
            if in_time {
                process.acknowledge_all(world);
            }
            process.commit(world);
            process.batcher.lost(&[partition]);
            process.reading[partition as usize] = None;
        }
        Step::Lose(partition) => {
            process.batcher.lost(&[partition]);
            process.reading[partition as usize] = None;
        }
        Step::Assign(partition) => process.assign(partition, world),
        Step::Drain => process.drain(),
        Step::Crash(arrives) => {
            if arrives {
                process.sent.iter().for_each(|action| world.arrives(action));
            }
            *process = Process::start();
        }
    }
    world.check();
}

fn logs() -> impl Strategy<Value = Vec<Vec<Spec>>> {
    let objects = proptest::collection::vec((0..TABLES.len(), 0..120u64), 0..4);
    let spec =
        (objects, proptest::bool::weighted(0.15)).prop_map(|(objects, poison)| Spec { objects, poison });
    proptest::collection::vec(proptest::collection::vec(spec, 0..30), PARTITIONS.len())
}

fn step() -> impl Strategy<Value = Step> {
    let partition = || proptest::sample::select(PARTITIONS.to_vec());
    prop_oneof![
        8 => (partition(), 1..6usize).prop_map(|(partition, count)| Step::Read(partition, count)),
        3 => (0..150u64).prop_map(Step::Wait),
        8 => any::<usize>().prop_map(Step::Acknowledge),
        1 => any::<usize>().prop_map(Step::Fail),
        4 => Just(Step::Commit),
        1 => Just(Step::CommitFails),
        2 => (partition(), any::<bool>()).prop_map(|(partition, in_time)| Step::Revoke(partition, in_time)),
        1 => partition().prop_map(Step::Lose),
        4 => partition().prop_map(Step::Assign),
        1 => Just(Step::Drain),
        1 => any::<bool>().prop_map(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_is_skipped(logs in logs(), steps in proptest::collection::vec(step(), 0..120)) {
        let mut world = World::new(logs);
        let mut process = Process::start();
        PARTITIONS.into_iter().for_each(|partition| process.assign(partition, &world));
        for step in steps {
            run(step, &mut process, &mut world);
        }

        process.deliver(&mut world);
        // In the end, with nothing in the way, all of it gets through, some of it each time.
        while PARTITIONS.into_iter().any(|p| world.committed[p as usize] < offset_of_end(&world, p)) {
            let before = world.committed.clone();
            for partition in PARTITIONS {
                process.assign(partition, &world);
                process.read(partition, usize::MAX, &world);
            }
            process.deliver(&mut world);
            process.commit(&mut world);
            world.check();
            prop_assert!(before != world.committed, "no progress from {:?}", before);
        }
        prop_assert_eq!((process.batcher.held(), process.batcher.unacknowledged()), (0, 0));
        prop_assert!(process.batcher.accepting());
    }
}

/// Behind the last record; the first offset of an empty log.
fn offset_of_end(world: &World, partition: Partition) -> Offset {
    match world.logs[partition as usize].len() {
        0 => offset_of(0),
        len => offset_of(len - 1) + 1,
    }
}
