//! Table, Spark and time, as far as a launcher sees them; each does its worst.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ingest_core::{IngestRequest, IngestResult, TableName};
use lake::{Error, ErrorKind};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use spark_launcher::sink::{Sink, Standing};
use spark_launcher::{Attempt, AttemptName, AttemptState, Backend, BackendError};

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(0) };
}

/// The time; each time it is asked for, it is later.
pub fn now() -> DateTime<Utc> {
    NOW.set(NOW.get() + 1);
    DateTime::from_timestamp_millis(NOW.get()).expect("a time of this century")
}

pub fn set_time(milliseconds: i64) {
    NOW.set(milliseconds);
}

pub fn pass(milliseconds: i64) {
    NOW.set(NOW.get() + milliseconds);
}

/// Lets others go on.
pub fn pause() -> Pause {
    Pause(false)
}

pub struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// What a job does with its attempt.
#[derive(Debug, Clone)]
pub struct Job {
    pub request: IngestRequest,
    pub state: AttemptState,
}

#[derive(Debug)]
pub struct World {
    pub rng: StdRng,
    /// Of 100 calls, so many fail.
    pub faults: u32,
    pub spark: bool,
    /// Whether a bad object fits by now.
    pub mended: bool,
    pub table: BTreeSet<String>,
    pub set_aside: BTreeMap<String, DateTime<Utc>>,
    pub jobs: BTreeMap<AttemptName, Job>,
    /// Names of jobs that were removed by hand.
    pub removed: BTreeSet<AttemptName>,
    pub wrong: Vec<String>,
    pub seen: BTreeSet<&'static str>,
}

#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(World {
            rng: StdRng::seed_from_u64(seed),
            faults: 4,
            spark: true,
            mended: false,
            table: BTreeSet::new(),
            set_aside: BTreeMap::new(),
            jobs: BTreeMap::new(),
            removed: BTreeSet::new(),
            wrong: Vec::new(),
            seen: BTreeSet::new(),
        })))
    }

    pub fn get(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("not poisoned")
    }

    pub fn fault(&self) -> bool {
        let mut world = self.get();
        let faults = world.faults;
        world.rng.random_range(0..100) < faults
    }

    fn failed(&self) -> lake::Result<()> {
        match self.fault() {
            true => Err(Error::new(ErrorKind::Unavailable, "as the test says")),
            false => Ok(()),
        }
    }
}

impl World {
    /// An object was read and published, or does not fit.
    fn settle(&mut self, object: &str) {
        if object.contains("bad") && !self.mended && !self.table.contains(object) {
            self.seen.insert("set aside");
            self.set_aside.insert(object.to_owned(), now());
        } else {
            self.table.insert(object.to_owned());
        }
    }

    pub fn standing(&self, object: &str) -> Standing {
        match self.set_aside.get(object) {
            _ if self.table.contains(object) => Standing::InTable,
            Some(time) => Standing::SetAside(*time),
            None => Standing::New,
        }
    }

    /// A job goes on: some of its objects are published, it ends somehow, or somebody removes it.
    pub fn work(&mut self) {
        let live: Vec<AttemptName> = self.jobs.keys().cloned().collect();
        if live.is_empty() {
            return;
        }
        let name = live[self.rng.random_range(0..live.len())].clone();
        let job = self.jobs.get(&name).cloned().expect("it was just listed");
        let objects: Vec<String> = job.request.objects.iter().map(|object| object.uri.to_string()).collect();
        let state = match (job.state, self.rng.random_range(0..10)) {
            (AttemptState::Live(_), 0..4) => {
                objects.iter().for_each(|object| self.settle(object));
                AttemptState::Succeeded
            }
            (AttemptState::Live(_), 4) => {
                self.settle(&objects[0]);
                self.seen.insert("half done");
                AttemptState::Failed("driver killed".to_owned())
            }
            (AttemptState::Live(_), 5) => AttemptState::Failed("out of memory".to_owned()),
            (AttemptState::Live(_), 6) => {
                self.seen.insert("lie");
                AttemptState::Succeeded
            }
            (AttemptState::Live(_), 8) => {
                self.seen.insert("refused");
                AttemptState::Refused("the table is gone".to_owned())
            }
            (_, 7) => {
                self.seen.insert("removed by hand");
                self.jobs.remove(&name);
                self.removed.insert(name);
                return;
            }
            (state, _) => state,
        };
        self.jobs.get_mut(&name).expect("it is there").state = state;
    }

    /// Another way into the table.
    pub fn ingest_elsewhere(&mut self, object: &str) {
        self.settle(object);
    }
}

#[async_trait]
impl Sink for Shared {
    async fn outstanding(&self, request: &IngestRequest) -> lake::Result<Vec<Standing>> {
        pause().await;
        self.failed()?;
        let found: Vec<Standing> = {
            let world = self.get();
            request.objects.iter().map(|object| world.standing(&object.uri.to_string())).collect()
        };
        pause().await;
        Ok(found)
    }

    async fn make_ready(&self, _: &IngestRequest) -> lake::Result<bool> {
        pause().await;
        self.failed()?;
        Ok(true)
    }

    async fn ingest(&self, _: &IngestRequest) -> lake::Result<IngestResult> {
        Err(Error::new(ErrorKind::Invalid, "not in this world"))
    }

    async fn drop_stale_branches(&self, _: &TableName, _: &BTreeSet<String>) -> lake::Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn ready(&self) -> lake::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Backend for Shared {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn start(&self, attempt: &Attempt) -> Result<(), BackendError> {
        pause().await;
        let lost_answer = self.fault();
        let mut world = self.get();
        if !world.spark {
            world.seen.insert("no spark");
            return Err(BackendError::Unavailable("no room".to_owned()));
        }
        match world.jobs.get(&attempt.name) {
            Some(job) if job.request != attempt.request => {
                return Err(BackendError::Rejected("another content".to_owned()));
            }
            Some(Job { state: AttemptState::Failed(_) | AttemptState::Refused(_), .. }) => {
                return Err(BackendError::Rejected("failed before".to_owned()));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        let id = &attempt.name.record_id;
        let beside = world
            .jobs
            .iter()
            .find(|(name, job)| &name.record_id == id && matches!(job.state, AttemptState::Live(_)));
        if let Some((other, _)) = beside
            && !world.removed.contains(&attempt.name)
        {
            let wrong = format!("{} was started beside {other}", attempt.name);
            world.wrong.push(wrong);
        }
        let job = Job { request: attempt.request.clone(), state: AttemptState::Live("running".to_owned()) };
        world.jobs.insert(attempt.name.clone(), job);
        if lost_answer {
            return Err(BackendError::Unavailable("no answer".to_owned()));
        }
        Ok(())
    }

    async fn state(&self, name: &AttemptName) -> Result<AttemptState, BackendError> {
        pause().await;
        if self.fault() {
            return Err(BackendError::Unavailable("no answer".to_owned()));
        }
        let state = self.get().jobs.get(name).map_or(AttemptState::Absent, |job| job.state.clone());
        pause().await;
        Ok(state)
    }

    async fn stop(&self, name: &AttemptName) -> Result<(), BackendError> {
        pause().await;
        self.get().jobs.remove(name);
        Ok(())
    }
}
