//! A process: it plans requests as `lake::ingest` does, and drives the real commit machine.

use std::collections::{BTreeMap, VecDeque};

use iceberg::spec::{Operation, TableMetadata};
use ingest_core::staged;
use lake::commit::protocol::{Action, Answer, End, Flight, Footing, Input, State};
use lake::commit::{Append, commit_of, landed};
use lake::ledger::{Lineage, Located, Written, locate};
use lake::observe::LedgerSize;
use lake::stage::SUMMARY_STAGE;
use rand::Rng;
use uuid::Uuid;

use super::catalog::snapshot;
use super::store::{Attempt, DataFile, Object, Store};
use super::world::{Event, Flaw, Post, Reply, World};

/// Requests that share a commit at most.
const GROUP: usize = 3;
/// How likely a request goes by the heavy path.
const STAGED: f64 = 0.15;

/// The ledger of `main`.
pub enum Ledger {
    At { mark: Lineage, runs: Vec<String> },
    New,
    Undecided(String),
}

/// What the real rules say, read from the simulated store. An error: a head is gone.
pub fn ledger_of(table: &TableMetadata, store: &Store) -> Result<Ledger, String> {
    Ok(match locate(table) {
        Located::At(lineage) if lineage.is_new() => Ledger::New,
        Located::At(lineage) => {
            let mut runs = match &lineage.head {
                Some(head) => store.heads.get(head).ok_or_else(|| format!("head {head} is gone"))?.clone(),
                None => Vec::new(),
            };
            runs.extend(lineage.copied.iter().filter(|run| !runs.contains(run)).cloned().collect::<Vec<_>>());
            Ledger::At { mark: lineage, runs }
        }
        Located::Undecided(why) => Ledger::Undecided(why),
    })
}

/// A process and what it holds in memory.
#[derive(Debug, Default)]
pub struct Worker {
    /// Counts its lives: what was meant for an earlier one is ignored.
    pub life: u32,
    /// How wrong its clock is.
    pub skew_ms: i64,
    jobs: BTreeMap<u32, Job>,
    next_id: u32,
    claims: BTreeMap<Object, u32>,
    queue: VecDeque<Prepared>,
    /// Groups that have to try one by one.
    alone: VecDeque<Prepared>,
    flight: Option<Flying>,
}

#[derive(Debug)]
struct Job {
    request: usize,
    /// Objects that the ledger did not have.
    new: Vec<Object>,
    stage: Stage,
    footing: Option<Footing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Claiming,
    Planning,
    Writing,
    Committing,
}

#[derive(Debug, Clone)]
struct Prepared {
    job: u32,
    footing: Footing,
    objects: Vec<Object>,
    file: DataFile,
}

#[derive(Debug)]
struct Flying {
    id: u32,
    flight: Flight,
    group: Vec<Prepared>,
    view: Option<View>,
    post: Option<Post>,
}

#[derive(Debug, Clone)]
struct View {
    table: TableMetadata,
    runs: Vec<String>,
}

impl Worker {
    pub fn new(skew_ms: i64) -> Self {
        Self { skew_ms, ..Self::default() }
    }

    /// Where it would be hit by a crash now.
    pub fn doing(&self) -> String {
        match &self.flight {
            Some(flying) => format!("{:?}", flying.flight.state()),
            None if self.jobs.is_empty() => "idle".to_owned(),
            None => "planning".to_owned(),
        }
    }

    /// Everything in memory is gone. The requests that were under way come again.
    pub fn crash(&mut self) -> Vec<usize> {
        let lost = self.jobs.values().map(|job| job.request).collect();
        *self = Self { life: self.life + 1, skew_ms: self.skew_ms, next_id: self.next_id, ..Self::default() };
        lost
    }
}

/// A request arrives.
pub fn deliver(world: &mut World, worker: usize, request: usize) {
    let id = world.workers[worker].next_id;
    world.workers[worker].next_id += 1;
    let job = Job { request, new: Vec::new(), stage: Stage::Claiming, footing: None };
    world.workers[worker].jobs.insert(id, job);
    let life = world.workers[worker].life;
    world.soon(Event::Job { worker, life, job: id });
}

/// The next step of a request.
pub fn step(world: &mut World, worker: usize, id: u32) {
    let Some(job) = world.workers[worker].jobs.get(&id) else { return };
    let (request, stage) = (job.request, job.stage);
    match stage {
        Stage::Claiming => {
            let objects = world.requests[request].objects.clone();
            let me = &mut world.workers[worker];
            let unclaimed = world.flaw == Some(Flaw::NoClaims);
            if !unclaimed && objects.iter().any(|object| me.claims.contains_key(object)) {
                world.coverage.met("worker: waits for a claim");
            } else {
                me.claims.extend(objects.into_iter().map(|object| (object, id)));
                me.jobs.get_mut(&id).unwrap().stage = Stage::Planning;
            }
            again(world, worker, id);
        }
        Stage::Planning => plan(world, worker, id),
        Stage::Writing if world.rng.random_bool(STAGED) => stage_on_branch(world, worker, id),
        Stage::Writing => {
            let job = world.workers[worker].jobs.get_mut(&id).unwrap();
            job.stage = Stage::Committing;
            let (objects, footing) = (job.new.clone(), job.footing.clone().unwrap());
            let file = world.store.write_data(objects.clone());
            world.workers[worker].queue.push_back(Prepared { job: id, footing, objects, file });
            depart_soon(world, worker);
        }
        Stage::Committing => {}
    }
}

/// What a Spark job does, and posts: its rows lie on a branch before anybody asks the ledger for them again.
fn stage_on_branch(world: &mut World, worker: usize, id: u32) {
    let job = world.workers[worker].jobs.get_mut(&id).unwrap();
    let (objects, mut footing) = (job.new.clone(), job.footing.clone().unwrap());
    let Some(table) = world.catalog.table.clone().filter(|table| table.uuid() == footing.table) else {
        job.stage = Stage::Planning;
        return again(world, worker, id);
    };
    job.stage = Stage::Committing;
    let snapshot_id = world.new_snapshot_id();
    let file = world.store.write_data(objects.clone());
    let (list, branch) = (format!("staged-{snapshot_id}"), format!("event-ingest-r-1-{snapshot_id:08x}"));
    let mut held = world.store.held(&table);
    held.push(file);
    world.store.lists.insert(list.clone(), held);
    let summary = [(SUMMARY_STAGE.to_owned(), "digest".to_owned())];
    let (main, append) = (table.current_snapshot_id(), Operation::Append);
    let snapshot = snapshot(&table, snapshot_id, main, append, list, summary);
    let builder = table.into_builder(None).set_branch_snapshot(snapshot, &branch).unwrap();
    world.catalog.table = Some(builder.build().unwrap().metadata);
    footing.stage = Some(staged::Stage { branch, snapshot_id });
    world.coverage.met("stage: posted");
    world.workers[worker].queue.push_back(Prepared { job: id, footing, objects, file });
    depart_soon(world, worker);
}

fn again(world: &mut World, worker: usize, job: u32) {
    let life = world.workers[worker].life;
    world.soon(Event::Job { worker, life, job });
}

fn depart_soon(world: &mut World, worker: usize) {
    let life = world.workers[worker].life;
    world.soon(Event::Depart { worker, life });
}

fn plan(world: &mut World, worker: usize, id: u32) {
    let Some(table) = world.catalog.table.clone() else {
        world.catalog.create();
        return again(world, worker, id);
    };
    let (mark, runs) = match ledger_of(&table, &world.store) {
        Ok(Ledger::At { mark, runs }) => (mark, runs),
        Ok(Ledger::New) => {
            let life = world.workers[worker].life;
            return begin_ledger(world, worker, &table, Event::Job { worker, life, job: id });
        }
        Ok(Ledger::Undecided(_)) | Err(_) => return end(world, worker, id, None),
    };
    if !mark.copied.is_empty() {
        world.coverage.met("ledger: with the run of a copied snapshot");
    }
    let Ok(known) = world.store.objects(&runs) else { return end(world, worker, id, None) };
    let footing = footing(&table, mark);
    let request = world.workers[worker].jobs[&id].request;
    let (old, new): (Vec<Object>, Vec<Object>) =
        world.requests[request].objects.iter().partition(|object| known.contains(object));
    if !old.is_empty() {
        world.coverage.met("worker: known before it was written");
    }
    if new.is_empty() {
        return end(world, worker, id, Some(table.uuid()));
    }
    let job = world.workers[worker].jobs.get_mut(&id).unwrap();
    (job.new, job.footing, job.stage) = (new, Some(footing), Stage::Writing);
    again(world, worker, id);
}

fn footing(table: &TableMetadata, ledger: Lineage) -> Footing {
    Footing {
        table: table.uuid(),
        schema_id: table.current_schema_id(),
        last_column_id: table.last_column_id(),
        name_mapping: None,
        spec_id: table.default_partition_spec_id(),
        stage: None,
        ledger,
    }
}

/// The request is answered.
fn end(world: &mut World, worker: usize, id: u32, success: Option<Uuid>) {
    let Some(job) = world.workers[worker].jobs.remove(&id) else { return };
    world.workers[worker].claims.retain(|_, holder| *holder != id);
    world.answered(job.request, success);
}

/// The first commit of a table: no rows, only a pointer. Then `resume`.
fn begin_ledger(world: &mut World, worker: usize, table: &TableMetadata, resume: Event) {
    world.coverage.met("worker: ledger begun");
    let post = prepare(world, worker, table, &[], Vec::new(), Vec::new(), None);
    world.send(post, Reply::Resume(Box::new(resume)));
}

/// A group sets off, if none is on its way.
pub fn depart(world: &mut World, worker: usize) {
    let me = &mut world.workers[worker];
    if me.flight.is_some() {
        return;
    }
    let group: Vec<Prepared> = match me.alone.pop_front() {
        Some(alone) => vec![alone],
        None => {
            let others = me.queue.iter().take(GROUP).take_while(|request| request.footing.stage.is_none());
            let count = others.count().max(1).min(me.queue.len());
            me.queue.drain(..count).collect()
        }
    };
    if group.is_empty() {
        return;
    }
    if group.len() > 1 {
        world.coverage.met("worker: group of several");
    }
    me.next_id += 1;
    let (id, life) = (me.next_id, me.life);
    let flight = Flight::new(group.iter().map(|request| request.footing.clone()));
    me.flight = Some(Flying { id, flight, group, view: None, post: None });
    world.soon(Event::Act { worker, life, flight: id, action: Action::Load });
}

/// Does what the machine asks for.
pub fn act(world: &mut World, worker: usize, id: u32, action: Action) {
    let Some(mut flying) = take(world, worker, id) else { return };
    let life = world.workers[worker].life;
    let fails = world.faults && world.rng.random_bool(0.03);
    let input = match &action {
        Action::Load | Action::LookUp(_) | Action::Prepare(_) if fails => Some(Input::Failed(true)),
        Action::Load => match world.catalog.table.clone() {
            None => Some(Input::NoTable),
            Some(table) => match ledger_of(&table, &world.store) {
                Ok(Ledger::At { mark, runs }) => {
                    let landed = landed(&table, flying.flight.attempts());
                    let stage = flying.group.iter().find_map(|request| request.footing.stage.clone());
                    let stands = |stage: &staged::Stage| {
                        let end = table.snapshot_for_ref(&stage.branch);
                        end.is_some_and(|end| end.snapshot_id() == stage.snapshot_id)
                    };
                    if landed.is_none() && stage.as_ref().is_some_and(|stage| !stands(stage)) {
                        world.coverage.met("stage: its branch is gone");
                    }
                    let footing = Footing { stage: stage.filter(stands), ..footing(&table, mark) };
                    flying.view = Some(View { table, runs });
                    Some(Input::Table { footing, landed })
                }
                Ok(Ledger::New) => {
                    let resume = Event::Act { worker, life, flight: id, action };
                    begin_ledger(world, worker, &table, resume);
                    None
                }
                Ok(Ledger::Undecided(_)) | Err(_) => Some(Input::Failed(false)),
            },
        },
        Action::LookUp(_) if world.flaw == Some(Flaw::NoSecondLookUp) => Some(Input::Ledger(Vec::new())),
        Action::LookUp(members) => Some(match world.store.objects(&flying.view.as_ref().unwrap().runs) {
            Err(_) => Input::Failed(false),
            Ok(known) => {
                let knows =
                    |id: &usize| flying.group[*id].objects.iter().any(|object| known.contains(object));
                Input::Ledger(members.iter().copied().filter(knows).collect())
            }
        }),
        Action::Prepare(_) if world.faults && world.rng.random_bool(0.01) => Some(Input::Failed(false)),
        Action::Prepare(members) => {
            let view = flying.view.clone().unwrap();
            let objects = members.iter().flat_map(|id| flying.group[*id].objects.clone()).collect();
            let files = members.iter().map(|id| flying.group[*id].file).collect();
            let stage = flying.group.iter().find_map(|request| request.footing.stage.clone());
            let post = prepare(world, worker, &view.table, &view.runs, files, objects, stage);
            let snapshot_id = post.snapshot_id;
            flying.post = Some(post);
            Some(Input::Prepared(snapshot_id))
        }
        Action::Send => {
            let post = flying.post.take().unwrap();
            world.send(post, Reply::Flight { worker, life, flight: id });
            None
        }
        Action::Rest(round) => {
            let pause = world.rng.random_range(5..10 << (*round).min(7));
            world.at(pause, Event::Tell { worker, life, flight: id, input: Input::Rested });
            None
        }
    };
    world.workers[worker].flight = Some(flying);
    if let Some(input) = input {
        tell(world, worker, id, input);
    }
}

fn take(world: &mut World, worker: usize, id: u32) -> Option<Flying> {
    let flight = &mut world.workers[worker].flight;
    if flight.as_ref().is_some_and(|flying| flying.id == id) { flight.take() } else { None }
}

/// Tells the machine what happened, and does what follows.
pub fn tell(world: &mut World, worker: usize, id: u32, input: Input) {
    let Some(mut flying) = take(world, worker, id) else { return };
    if world.flaw == Some(Flaw::ConflictIsFailure) && input == Input::Answer(Answer::Conflict) {
        // What a worker does that believes a 409: clear up and report a failure.
        for request in flying.group {
            world.store.data.remove(&request.file);
            end(world, worker, request.job, None);
        }
        return depart_soon(world, worker);
    }
    let before = flying.flight.state();
    let met = describe(before, &input);
    let turn = flying.flight.step(input);
    let met = met.unwrap_or_else(|| match (&turn.next, turn.ends.is_empty()) {
        (None, _) if matches!(turn.ends[0].1, End::GaveUp) => "Looking: out of rounds or refused",
        (_, false) => "Looking: misfit",
        (Some(Action::LookUp(_)), _) => "Looking: ledger moved",
        _ => "Looking: ledger unmoved",
    });
    world.coverage.met(met);
    let sent = !flying.flight.attempts().is_empty();
    for (member, end) in turn.ends {
        leave(world, worker, flying.group[member].clone(), end, sent);
    }
    let life = world.workers[worker].life;
    match turn.next {
        Some(action) => {
            world.workers[worker].flight = Some(flying);
            world.soon(Event::Act { worker, life, flight: id, action });
        }
        None => depart_soon(world, worker),
    }
}

/// The line of the protocol's table, but for those that only the turn tells apart.
fn describe(state: State, input: &Input) -> Option<&'static str> {
    Some(match (state, input) {
        (State::Looking, Input::Table { landed: Some(_), .. }) => "Looking: landed",
        (State::Looking, Input::Table { .. }) => return None,
        (State::Looking, Input::NoTable) => "Looking: no table",
        (State::Looking, Input::Failed(_)) => "Looking: failed",
        (State::Checking, Input::Ledger(known)) if known.is_empty() => "Checking: none known",
        (State::Checking, Input::Ledger(_)) => "Checking: some known",
        (State::Checking, _) => "Checking: failed",
        (State::Preparing, Input::Prepared(_)) => "Preparing: prepared",
        (State::Preparing, Input::Failed(false)) => "Preparing: failed for good",
        (State::Preparing, _) => "Preparing: failed",
        (State::Sending, Input::Answer(Answer::Committed)) => "Sending: Committed",
        (State::Sending, Input::Answer(Answer::Conflict)) => "Sending: Conflict",
        (State::Sending, Input::Answer(Answer::Refused)) => "Sending: Refused",
        (State::Sending, _) => "Sending: Unknown",
        (State::Resting, _) => "Resting: rested",
        (State::Looking | State::Ended, _) => "nothing that was asked for",
    })
}

fn leave(world: &mut World, worker: usize, request: Prepared, how: End, sent: bool) {
    let kind = match how {
        End::Committed(_) => "Committed",
        End::Replan => "Replan",
        End::Alone => "Alone",
        End::GaveUp => "GaveUp",
    };
    world.coverage.met(format!("end: {kind}"));
    let staged = request.footing.stage.is_some();
    if staged && matches!(how, End::Committed(_)) {
        world.coverage.met("stage: published");
    }
    let ours = !staged || world.flaw == Some(Flaw::StageIsOurs);
    if ours && !sent && matches!(how, End::Replan | End::GaveUp) {
        world.store.data.remove(&request.file);
    }
    match how {
        End::Committed(_) => end(world, worker, request.job, Some(request.footing.table)),
        End::GaveUp => end(world, worker, request.job, None),
        End::Alone => world.workers[worker].alone.push_back(request),
        End::Replan => {
            if let Some(job) = world.workers[worker].jobs.get_mut(&request.job) {
                job.stage = Stage::Planning;
                again(world, worker, request.job);
            }
        }
    }
}

/// Writes the files of an attempt, and makes the commit as the real code does.
fn prepare(
    world: &mut World,
    worker: usize,
    table: &TableMetadata,
    base_runs: &[String],
    files: Vec<DataFile>,
    objects: Vec<Object>,
    stage: Option<staged::Stage>,
) -> Post {
    let snapshot_id = world.new_snapshot_id();
    let name = world.store.name(snapshot_id);
    let (pointer, run) = (format!("heads/{name}.json"), format!("runs/{name}.parquet"));
    let mut runs = base_runs.to_vec();
    runs.push(run.clone());
    world.store.runs.insert(run.clone(), objects.clone());
    world.store.heads.insert(pointer.clone(), runs);
    let mut held = world.store.held(table);
    held.extend(&files);
    let list = format!("list-{name}");
    world.store.lists.insert(list.clone(), held);
    let attempt = Attempt {
        // A stage's file is not ours to delete, so no clean-up looks at it.
        data: if stage.is_some() { Vec::new() } else { files.clone() },
        run: run.clone(),
        head: pointer.clone(),
        written_ms: world.now_ms,
        base: table.current_snapshot_id(),
    };
    world.store.added.insert(snapshot_id, files.clone());
    world.store.attempts.insert(snapshot_id, attempt);
    let now_ms = world.clock(world.workers[worker].skew_ms);
    let written = Written { pointer, run: Some(run), size: LedgerSize::default() };
    let append = Append {
        files: &[],
        evolved: None,
        objects: objects.len(),
        requests: 1,
        ledger: &written,
        properties: Default::default(),
        stage: stage.as_ref(),
        snapshot_id,
        now_ms,
    };
    let commit = commit_of(table, append, list, None).expect("a base that was loaded can be followed");
    Post { snapshot_id, commit, written, files, now_ms }
}
