//! Time, the network, and what happens when.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use iceberg::spec::TableMetadata;
use iceberg::{TableRequirement, TableUpdate};
use lake::catalog::Commit;
use lake::commit::protocol::{Action, Answer, Input};
use lake::commit::{Append, commit_of};
use lake::ledger::{PROPERTY_LEDGER, SUMMARY_LEDGER, SUMMARY_RUN, Written};
use lake::maintain::orphans::{self, Held, OLDER_THAN, Required, Shown, deletable};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::catalog::{Catalog, Made};
use super::coverage::Coverage;
use super::store::{DataFile, Object, Store};
use super::worker::{self, Ledger, Worker};
use super::{check, foreign};

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
/// How long a catalog is out of reach: longer than a flight tries.
const CUT_OFF_MS: u64 = 30 * SECOND;
/// No commit is under way for longer.
const UNDER_WAY_MS: u64 = HOUR;
/// When the simulated clock begins, in milliseconds since the epoch: before the real clock, which the metadata builder
/// asks when a change brings no time of its own.
const EPOCH_MS: i64 = 1_700_000_000_000;
/// A schedule that takes more steps does not come to an end.
const MAX_STEPS: u32 = 200_000;

/// What is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The pointer is set by a commit of its own.
    PointerApart,
    /// After a conflict the ledger is not asked again.
    NoSecondLookUp,
    /// A 409 is believed.
    ConflictIsFailure,
    /// The catalog is told to put the commit on top of whatever it finds.
    BaseNotCompared,
    /// Files of an attempt that was not found are deleted at once.
    DeletedTooEarly,
    /// Two requests of a group may have the same object.
    NoClaims,
    /// Files of a stage that was not published are deleted as our own are.
    StageIsOurs,
}

impl Flaw {
    pub const ALL: [Flaw; 7] = [
        Flaw::PointerApart,
        Flaw::NoSecondLookUp,
        Flaw::ConflictIsFailure,
        Flaw::BaseNotCompared,
        Flaw::DeletedTooEarly,
        Flaw::NoClaims,
        Flaw::StageIsOurs,
    ];

    /// What it leads to.
    pub fn breaks(self) -> &'static str {
        match self {
            Flaw::PointerApart => "invariant 4",
            Flaw::NoSecondLookUp | Flaw::BaseNotCompared | Flaw::NoClaims => "invariant 2",
            Flaw::ConflictIsFailure | Flaw::DeletedTooEarly | Flaw::StageIsOurs => "invariant 5",
        }
    }
}

/// What happens at some time.
#[derive(Debug)]
pub enum Event {
    Deliver { worker: usize, request: usize },
    Job { worker: usize, life: u32, job: u32 },
    Depart { worker: usize, life: u32 },
    Act { worker: usize, life: u32, flight: u32, action: Action },
    Tell { worker: usize, life: u32, flight: u32, input: Input },
    Arrive { post: Box<Post>, reply: Option<Reply> },
    Crash { worker: usize },
    Foreign,
    Janitor,
    FaultsEnd,
}

/// A commit on its way.
#[derive(Debug, Clone)]
pub struct Post {
    pub snapshot_id: i64,
    pub commit: Commit,
    pub written: Written,
    pub files: Vec<DataFile>,
    pub now_ms: i64,
}

/// Who waits for the answer.
#[derive(Debug)]
pub enum Reply {
    Flight {
        worker: usize,
        life: u32,
        flight: u32,
    },
    /// Whatever the answer is, this comes next.
    Resume(Box<Event>),
}

/// What a sender of files wants in the table.
#[derive(Debug)]
pub struct Request {
    pub objects: Vec<Object>,
    answered: bool,
}

pub struct World {
    pub rng: SmallRng,
    pub now_ms: u64,
    pub flaw: Option<Flaw>,
    /// Whether things still go wrong.
    pub faults: bool,
    pub catalog: Catalog,
    pub store: Store,
    pub workers: Vec<Worker>,
    pub requests: Vec<Request>,
    pub coverage: Coverage,
    /// Whether what happens is told.
    pub told: bool,
    /// When nothing reaches the catalog.
    cut_off: Range<u64>,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    next_snapshot: i64,
    /// What was ever in `main`, by the table's uuid.
    seen: BTreeSet<(Uuid, Object)>,
    broken: Option<String>,
}

impl World {
    pub fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let mut world = Self {
            rng: SmallRng::seed_from_u64(seed),
            now_ms: 0,
            flaw,
            faults: true,
            catalog: Catalog::default(),
            store: Store::default(),
            workers: Vec::new(),
            requests: Vec::new(),
            coverage: Coverage::default(),
            told: false,
            cut_off: 0..0,
            events: BTreeMap::new(),
            next_event: 0,
            next_snapshot: 0,
            seen: BTreeSet::new(),
            broken: None,
        };
        world.set_out();
        world
    }

    /// Workers, requests with overlapping objects, and what else will happen.
    fn set_out(&mut self) {
        for _ in 0..self.rng.random_range(1..=3) {
            let skew_ms = self.rng.random_range(-300_000..300_000);
            self.workers.push(Worker::new(skew_ms));
        }
        for number in 0..self.rng.random_range(1..=5) {
            let mut objects: Vec<Object> =
                (0..self.rng.random_range(1..=3)).map(|_| self.rng.random_range(0..6)).collect();
            objects.sort_unstable();
            objects.dedup();
            self.requests.push(Request { objects, answered: false });
            let mut workers = BTreeSet::new();
            for _ in 0..self.rng.random_range(1..=3) {
                let worker = self.any_worker();
                workers.insert(worker);
                let when = self.rng.random_range(0..2 * SECOND);
                self.at(when, Event::Deliver { worker, request: number });
            }
            if workers.len() > 1 {
                self.coverage.met("delivery: to two workers at once");
            }
        }
        for _ in 0..self.rng.random_range(0..6) {
            let when = self.rng.random_range(0..4 * SECOND);
            self.at(when, Event::Foreign);
        }
        for _ in 0..self.rng.random_range(0..3) {
            let (when, worker) = (self.rng.random_range(0..3 * SECOND), self.any_worker());
            self.at(when, Event::Crash { worker });
        }
        for _ in 0..self.rng.random_range(0..3) {
            let when = self.rng.random_range(0..48 * HOUR);
            self.at(when, Event::Janitor);
            self.at(when / 40_000, Event::Janitor);
        }
        let mut end = self.rng.random_range(3 * SECOND..8 * SECOND);
        if self.rng.random_bool(0.003) {
            let from = self.rng.random_range(SECOND / 4..SECOND);
            self.cut_off = from..from + CUT_OFF_MS;
            end += CUT_OFF_MS;
        }
        self.at(end, Event::FaultsEnd);
    }

    fn any_worker(&mut self) -> usize {
        self.rng.random_range(0..self.workers.len())
    }

    pub fn at(&mut self, in_ms: u64, event: Event) {
        self.next_event += 1;
        self.events.insert((self.now_ms + in_ms, self.next_event), event);
    }

    /// A little later.
    pub fn soon(&mut self, event: Event) {
        let in_ms = self.rng.random_range(1..60);
        self.at(in_ms, event);
    }

    pub fn new_snapshot_id(&mut self) -> i64 {
        self.next_snapshot += 1;
        self.next_snapshot
    }

    pub fn clock(&self, skew_ms: i64) -> i64 {
        EPOCH_MS + self.now_ms as i64 + skew_ms
    }

    /// Until nothing is left to happen.
    pub fn run(&mut self) -> Result<(), String> {
        for _ in 0..MAX_STEPS {
            let Some(((now, _), event)) = self.events.pop_first() else {
                return self.at_the_end();
            };
            self.now_ms = now;
            let before = self.catalog.table.as_ref().map(TableMetadata::last_updated_ms);
            let main = self.catalog.main();
            let changes =
                matches!(event, Event::Foreign | Event::Arrive { .. } | Event::Janitor | Event::Tell { .. });
            if self.told {
                println!("{now:>9} main {main:?}: {event:?}");
            }
            self.happen(event);
            if changes || before.is_none() || main != self.catalog.main() {
                self.check();
            }
            if let Some(broken) = self.broken.take() {
                return Err(broken);
            }
        }
        Err(format!("no end after {MAX_STEPS} steps"))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { worker, request } => {
                if self.requests[request].answered {
                    self.coverage.met("delivery: again after success");
                }
                worker::deliver(self, worker, request);
            }
            Event::Job { worker, life, job } if self.lives(worker, life) => worker::step(self, worker, job),
            Event::Depart { worker, life } if self.lives(worker, life) => worker::depart(self, worker),
            Event::Act { worker, life, flight, action } if self.lives(worker, life) => {
                worker::act(self, worker, flight, action);
            }
            Event::Tell { worker, life, flight, input } if self.lives(worker, life) => {
                worker::tell(self, worker, flight, input);
            }
            Event::Job { .. } | Event::Depart { .. } | Event::Act { .. } | Event::Tell { .. } => {}
            Event::Arrive { post, reply } => self.arrive(*post, reply),
            Event::Crash { worker } => {
                let doing = self.workers[worker].doing();
                self.coverage.met(format!("worker: crash while {doing}"));
                for request in self.workers[worker].crash() {
                    let (when, worker) = (self.rng.random_range(0..SECOND), self.any_worker());
                    self.at(when, Event::Deliver { worker, request });
                }
            }
            Event::Foreign => foreign::act(self),
            Event::Janitor => self.clear_up(),
            Event::FaultsEnd => self.faults = false,
        }
    }

    fn lives(&self, worker: usize, life: u32) -> bool {
        self.workers[worker].life == life
    }

    /// A request got its answer: the table that has its objects, or a failure. One that failed comes again.
    pub fn answered(&mut self, request: usize, success: Option<Uuid>) {
        let Some(table) = success else {
            let (when, worker) = (self.rng.random_range(0..SECOND), self.any_worker());
            return self.at(when, Event::Deliver { worker, request });
        };
        self.requests[request].answered = true;
        let missing: Vec<Object> = self.requests[request]
            .objects
            .iter()
            .copied()
            .filter(|object| !self.seen.contains(&(table, *object)))
            .collect();
        if !missing.is_empty() {
            self.broken = Some(format!("invariant 3: success, and {missing:?} were never in main"));
        }
    }

    /// Sends a commit over a network that does what networks do.
    pub fn send(&mut self, mut post: Post, reply: Reply) {
        if self.flaw == Some(Flaw::PointerApart) && !post.files.is_empty() {
            strip_pointer(&mut post);
        }
        let way = match self.faults {
            true if self.cut_off.contains(&self.now_ms) => 9,
            true => self.rng.random_range(0..13),
            false => 0,
        };
        let (there, back) = (self.rng.random_range(1..80), self.rng.random_range(1..80));
        let post = Box::new(post);
        match way {
            0..7 => {
                self.coverage.met("network: as it should");
                self.at(there, Event::Arrive { post, reply: Some(reply) });
            }
            7 | 8 => {
                self.coverage.met("network: answer lost");
                self.at(there, Event::Arrive { post, reply: None });
                self.reply(there + back, reply, Answer::Unknown);
            }
            9 => {
                self.coverage.met("network: request lost");
                self.reply(back, reply, Answer::Unknown);
            }
            10 => {
                self.coverage.met("network: repeated, second answer");
                self.at(there, Event::Arrive { post: post.clone(), reply: None });
                self.at(there + back, Event::Arrive { post, reply: Some(reply) });
            }
            11 => {
                self.coverage.met("network: refused, whatever became of it");
                if self.rng.random_bool(0.5) {
                    self.at(there, Event::Arrive { post, reply: None });
                }
                self.reply(back, reply, Answer::Refused);
            }
            _ => {
                self.coverage.met("network: arrives after we gave up");
                let longest = if self.rng.random_bool(0.5) { 3 * SECOND } else { UNDER_WAY_MS };
                let late = self.rng.random_range(100..longest);
                self.at(late, Event::Arrive { post, reply: None });
                self.reply(back, reply, Answer::Unknown);
            }
        }
    }

    fn reply(&mut self, in_ms: u64, reply: Reply, answer: Answer) {
        let event = match reply {
            Reply::Resume(event) => *event,
            Reply::Flight { worker, life, flight } => {
                Event::Tell { worker, life, flight, input: Input::Answer(answer) }
            }
        };
        self.at(in_ms, event);
    }

    fn arrive(&mut self, post: Post, reply: Option<Reply>) {
        let main = self.catalog.main();
        let mut commit = post.commit.clone();
        if self.flaw == Some(Flaw::BaseNotCompared) {
            commit = self.rebased(&post).unwrap_or(commit);
        }
        let made = self.catalog.commit(&commit);
        match made {
            Made::Yes => self.coverage.met("catalog: made"),
            Made::No => self.coverage.met("catalog: refused"),
            Made::Stale => self.coverage.met("catalog: stale sequence number or time"),
        }
        if made == Made::Yes {
            let table = self.catalog.table.as_ref().expect("it was just changed");
            if table.current_snapshot().and_then(|snapshot| snapshot.parent_snapshot_id()) != main {
                self.broken = Some("a commit undid what somebody else did to main".to_owned());
            }
        }
        if let Some(reply) = reply {
            let answer = if made == Made::Yes { Answer::Committed } else { Answer::Conflict };
            let back = self.rng.random_range(1..80);
            self.reply(back, reply, answer);
        }
    }

    /// The flaw of a catalog client that repeats its changes on top of whatever it finds.
    fn rebased(&mut self, post: &Post) -> Option<Commit> {
        let table = self.catalog.table.clone()?;
        let mut held = match table.current_snapshot() {
            Some(snapshot) => self.store.lists[snapshot.manifest_list()].clone(),
            None => Vec::new(),
        };
        held.extend(&post.files);
        let list = format!("rebased-{}-{}", post.snapshot_id, self.next_event);
        self.store.lists.insert(list.clone(), held);
        let append = Append {
            files: &[],
            evolved: None,
            objects: 0,
            requests: 1,
            ledger: &post.written,
            properties: Default::default(),
            stage: None,
            snapshot_id: post.snapshot_id,
            now_ms: post.now_ms,
        };
        let mut commit = commit_of(&table, append, list, None).ok()?;
        commit.requirements.retain(|r| !matches!(r, TableRequirement::RefSnapshotIdMatch { .. }));
        Some(commit)
    }

    /// What `event-ingest ledger orphans --delete` does, by its rule.
    fn clear_up(&mut self) {
        let Some(table) = self.catalog.table.clone() else { return };
        let shown = Shown::of(&table);
        let age = |written_ms| match self.flaw {
            Some(Flaw::DeletedTooEarly) => 2 * OLDER_THAN,
            _ => Duration::from_millis(self.now_ms - written_ms),
        };
        let referenced = self.store.referenced(table.snapshots().map(|snapshot| snapshot.manifest_list()));
        let reachable = self.reachable(&table);
        let entries = match worker::ledger_of(&table, &self.store) {
            Ok(Ledger::At { runs, .. }) => runs,
            _ => Vec::new(),
        };
        let attempts: BTreeMap<i64, orphans::Attempt> = (self.store.attempts.iter())
            .map(|(id, attempt)| {
                let required = match self.flaw {
                    Some(Flaw::DeletedTooEarly) => Required::NeverSent,
                    _ => Required::Main(attempt.base),
                };
                let in_ledger = entries.contains(&attempt.run);
                let age = age(attempt.written_ms);
                (*id, orphans::Attempt { snapshot_id: *id, required, in_ledger, age })
            })
            .collect();
        let mut gone = BTreeSet::new();
        for attempt in self.store.attempts.values() {
            for file in attempt.data.iter().filter(|file| self.store.data.contains_key(file)) {
                let naming = self.store.attempts.iter().filter(|(_, other)| other.data.contains(file));
                let naming = naming.map(|(id, _)| &attempts[id]);
                let age = age(attempt.written_ms);
                match deletable(naming, referenced.contains(file), age, &shown, OLDER_THAN) {
                    Ok(()) => drop(gone.insert(*file)),
                    Err(held) => self.coverage.met(match held {
                        Held::Referenced => "janitor: kept what is referenced",
                        Held::Landed(_) => "janitor: kept what landed",
                        Held::CouldLand(_) => "janitor: kept what could land",
                        Held::Young => "janitor: kept what is young",
                        Held::Unreadable(_) | Held::Unattributed => {
                            unreachable!("every file here can be read")
                        }
                    }),
                }
            }
        }
        for file in gone {
            self.coverage.met("janitor: deleted a data file");
            self.store.data.remove(&file);
        }
        let dead: Vec<i64> = (self.store.attempts.iter())
            .filter(|(id, attempt)| {
                let named = reachable.contains(&attempt.run) || reachable.contains(&attempt.head);
                let age = age(attempt.written_ms);
                deletable([&attempts[*id]], named, age, &shown, OLDER_THAN).is_ok()
            })
            .map(|(id, _)| *id)
            .collect();
        for id in dead {
            let attempt = self.store.attempts.remove(&id).expect("it was just found");
            self.coverage.met("janitor: deleted an attempt");
            self.store.runs.remove(&attempt.run);
            self.store.heads.remove(&attempt.head);
        }
    }

    /// The ledger files that a retained snapshot or the table's property leads to.
    fn reachable(&self, table: &TableMetadata) -> BTreeSet<String> {
        let property = table.properties().get(PROPERTY_LEDGER).and_then(|value| value.split_once(':'));
        let heads = table
            .snapshots()
            .filter_map(|snapshot| snapshot.summary().additional_properties.get(SUMMARY_LEDGER))
            .map(String::as_str)
            .chain(property.map(|(_, pointer)| pointer));
        let mut reachable = BTreeSet::new();
        for head in heads {
            reachable.insert(head.to_owned());
            reachable.extend(self.store.heads.get(head).into_iter().flatten().cloned());
        }
        reachable.extend(
            table
                .snapshots()
                .filter_map(|snapshot| snapshot.summary().additional_properties.get(SUMMARY_RUN).cloned()),
        );
        reachable
    }

    fn check(&mut self) {
        let Some(table) = &self.catalog.table else { return };
        if let Some(rows) = table.current_snapshot().and_then(|s| self.store.rows(s.manifest_list()).ok()) {
            let uuid = table.uuid();
            self.seen.extend(rows.into_iter().map(|object| (uuid, object)));
        }
        if check::by_the_property(table) {
            self.coverage.met("ledger: by the property after expiry");
        }
        if self.broken.is_none() {
            self.broken = check::table(table, &self.store).err();
        }
    }

    fn at_the_end(&self) -> Result<(), String> {
        match self.requests.iter().find(|request| !request.answered) {
            Some(request) => Err(format!("{:?} was never answered", request.objects)),
            None => Ok(()),
        }
    }
}

fn strip_pointer(post: &mut Post) {
    for update in &mut post.commit.updates {
        if let TableUpdate::AddSnapshot { snapshot: added } = update {
            let mut summary = added.summary().clone();
            summary.additional_properties.remove(SUMMARY_LEDGER);
            summary.additional_properties.remove(SUMMARY_RUN);
            *added = iceberg::spec::Snapshot::builder()
                .with_snapshot_id(added.snapshot_id())
                .with_parent_snapshot_id(added.parent_snapshot_id())
                .with_sequence_number(added.sequence_number())
                .with_timestamp_ms(added.timestamp_ms())
                .with_manifest_list(added.manifest_list().to_owned())
                .with_summary(summary)
                .with_schema_id(added.schema_id().unwrap_or_default())
                .build();
        }
    }
}
