//! What happens in a schedule, and in which order.

use std::time::Duration;

use ingest_core::LightLimits;
use ingest_core::batching::{ActionId, BatchingConfig, Outlet, Overflow, Partition};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::broker::{Broker, Part};
use super::check;
use super::coverage::Coverage;
use super::flaw::Flaw;
use super::instance::Instance;

/// Steps of a schedule while things go wrong.
const STEPS: std::ops::Range<u32> = 100..400;
/// In the end everything has to get through within so many rounds.
const ROUNDS: u32 = 2_000;
/// Most objects that a record announces.
const OBJECTS: usize = 4;

/// A request or dead letter on its way to the broker.
#[derive(Debug, Clone)]
pub struct Sent {
    pub instance: usize,
    pub life: u32,
    pub id: ActionId,
    pub outlet: Outlet,
    pub parts: Vec<Part>,
}

/// What became of it, on its way back.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    pub instance: usize,
    pub life: u32,
    pub id: ActionId,
    pub stored: bool,
}

/// What memory may hold.
#[derive(Debug)]
pub struct Bounds {
    pub held: usize,
    pub letters: usize,
    pub objects: usize,
    pub remembered: usize,
}

pub struct World {
    pub rng: SmallRng,
    pub now: u64,
    pub flaw: Option<Flaw>,
    /// Whether things still go wrong.
    pub faults: bool,
    pub config: BatchingConfig,
    pub broker: Broker,
    /// The instance that the group gave each partition to.
    pub owners: Vec<Option<usize>>,
    pub instances: Vec<Instance>,
    pub sent: Vec<Sent>,
    pub reports: Vec<Report>,
    pub down: [bool; 3],
    pub coverage: Coverage,
    /// Whether what happens is told.
    pub told: bool,
    pub broken: Option<String>,
    bounds: Bounds,
}

impl World {
    pub fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let config = config(&mut rng);
        let broker = Broker::new(rng.random_range(1..=3));
        let instances: Vec<_> =
            (0..rng.random_range(1..=3)).map(|_| Instance::new(&config, 0, broker.topic)).collect();
        let bounds = Bounds {
            // Half of it is kept for the lanes that are not stuck.
            held: config.max_held + config.max_held.div_ceil(2),
            letters: config.max_dead_letters,
            objects: OBJECTS,
            // What a sweep leaves behind: see the machine.
            remembered: 65 * (broker.logs.len() + 4),
        };
        Self {
            rng,
            now: 0,
            flaw,
            faults: true,
            config,
            owners: vec![None; broker.logs.len()],
            broker,
            instances,
            sent: Vec::new(),
            reports: Vec::new(),
            down: [false; 3],
            coverage: Coverage::default(),
            told: false,
            broken: None,
            bounds,
        }
    }

    pub fn flawed(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    pub fn met(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.tell(|| what.clone());
        self.coverage.met(what);
    }

    pub fn tell(&self, what: impl Fn() -> String) {
        if self.told {
            println!("{:>7} {}", self.now, what());
        }
    }

    /// From beginning to end.
    pub fn run(&mut self) -> Result<(), String> {
        for _ in 0..self.rng.random_range(STEPS) {
            self.step();
            self.check()?;
        }
        self.faults = false;
        self.calm()
    }

    fn step(&mut self) {
        match self.rng.random_range(0..1000) {
            0..120 => self.write(),
            120..350 => self.read(),
            350..520 => self.arrive(),
            520..680 => self.report(),
            680..740 => self.pass_time(0..40),
            740..770 => self.pass_time(40..400),
            770..850 => self.commit_some(),
            850..870 => self.commit_arrives(),
            870..890 => self.send_again(),
            890..920 => self.go_back(),
            920..935 => self.toggle_outlet(),
            935..955 => self.assign_some(),
            955..970 => self.revoke_some(),
            970..975 => self.expire(),
            975..980 => self.hear_of_expiry(),
            980..988 => self.crash(),
            988..991 => self.stop(),
            991..994 => self.reset(),
            994..997 => self.retain(),
            997..999 => self.replace(),
            _ => self.add_partition(),
        }
    }

    pub fn any_instance(&mut self) -> usize {
        self.rng.random_range(0..self.instances.len())
    }

    pub fn any_partition(&mut self) -> Partition {
        Partition::try_from(self.rng.random_range(0..self.broker.logs.len())).unwrap()
    }

    fn write(&mut self) {
        let partition = self.any_partition();
        for _ in 0..self.rng.random_range(1..6) {
            let objects = (0..self.rng.random_range(0..=OBJECTS))
                .map(|_| (self.rng.random_range(0..3), self.rng.random_range(0..120)))
                .collect();
            let (poison, gap) = (self.rng.random_bool(0.15), i64::from(self.rng.random_bool(0.2)));
            self.broker.append(partition, objects, poison, gap);
        }
    }

    /// Nothing goes wrong any more: everything gets through.
    fn calm(&mut self) -> Result<(), String> {
        self.down = [false; 3];
        for instance in 0..self.instances.len() {
            self.give_up_expired(instance);
        }
        for _ in 0..ROUNDS {
            for partition in self.broker.partitions() {
                self.assign(partition);
            }
            while !self.sent.is_empty() {
                self.arrive();
            }
            while !self.reports.is_empty() {
                self.report();
            }
            for instance in 0..self.instances.len() {
                self.retry_all(instance);
                self.go_back_of(instance);
                for partition in self.broker.partitions() {
                    self.poll(instance, partition, usize::MAX);
                }
                self.commit(instance);
                self.commits_arrive(instance);
            }
            self.pass_time(20..60);
            self.check()?;
            if self.done() {
                let orphans = self.instances.iter().flat_map(|instance| instance.orphans.iter().copied());
                return check::all_of_it(&self.broker, orphans);
            }
        }
        Err(format!("progress: not all is committed after {ROUNDS} rounds: {:?}", self.broker.committed))
    }

    /// Whether everything is committed and nothing held.
    fn done(&self) -> bool {
        let committed = self.broker.partitions().all(|partition| {
            let end = self.broker.log(partition).entries.last_key_value().map(|(offset, _)| offset + 1);
            let known = self.broker.committed(partition).filter(|known| known.topic == self.broker.topic);
            end.is_none_or(|end| known.is_some_and(|known| known.position.offset == end))
        });
        let idle = |instance: &Instance| {
            let batcher = &instance.batcher;
            (batcher.held(), batcher.unacknowledged(), batcher.accepting()) == (0, 0, true)
        };
        committed && self.sent.is_empty() && self.instances.iter().all(idle)
    }

    fn check(&mut self) -> Result<(), String> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        check::nothing_skipped(&self.broker)?;
        self.instances.iter().try_for_each(|instance| check::bounded(instance, &self.bounds))
    }
}

fn config(rng: &mut SmallRng) -> BatchingConfig {
    BatchingConfig {
        max_files: rng.random_range(2..=5),
        max_request_bytes: rng.random_range(100..600),
        max_wait: Duration::from_millis(100),
        idle: rng.random_bool(0.5).then_some(Duration::from_millis(60)),
        light: LightLimits { max_bytes: 110, max_files: 4 },
        overflow: if rng.random() { Overflow::Split } else { Overflow::Heavy },
        max_held: rng.random_range(5..24),
        max_dead_letters: rng.random_range(1..=3),
        let_go_after: rng.random_bool(0.8).then_some(Duration::from_millis(300)),
    }
}
