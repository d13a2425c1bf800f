//! One run from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt};
use ingest_core::{IngestRequest, RequestDefaults};
use lake::storage::Stores;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rand::Rng;
use service_kit::metrics::Metrics;

use super::store::Unreliable;
use super::world::{self, Shared};
use spark_launcher::LauncherMetrics;
use spark_launcher::accept::{Accepted, content_id};
use spark_launcher::decide::Limits;
use spark_launcher::launcher::{Launcher, Parts, Rule};
use spark_launcher::record::closed::Closed;
use spark_launcher::record::documents::{End, Ended, Note};
use spark_launcher::record::files::Files;
use spark_launcher::record::names::Mark;
use spark_launcher::record::store::{Found, Records};
use spark_launcher::sink::Standing;

/// Events of a run before everything is let go well.
const EVENTS: usize = 600;
/// Operations at once.
const ACTORS: usize = 4;
/// Attempts before a record is given up.
const ATTEMPTS: usize = 3;
/// Scans that have to be enough for everything to end, an hour apart.
const LAST_SCANS: usize = 60;
/// Polls that have to be enough for any operation.
const MAX_POLLS: usize = 100_000;

type Operation = Pin<Box<dyn Future<Output = ()>>>;

/// A request that was answered: its objects are owed.
struct Wish {
    id: String,
    object: String,
    /// When it was sent.
    since: DateTime<Utc>,
}

struct Run {
    world: Shared,
    disk: Arc<InMemory>,
    launchers: Vec<Arc<Launcher>>,
    records: Records,
    requests: Vec<IngestRequest>,
    wishes: Arc<Mutex<Vec<Wish>>>,
    /// When each record was cancelled last.
    cancelled: Arc<Mutex<BTreeMap<String, DateTime<Utc>>>>,
}

/// What happened, or what went wrong.
pub fn simulate(seed: u64, rule: Rule) -> Result<BTreeSet<&'static str>, String> {
    world::set_time(1_700_000_000_000);
    let run = Run::new(seed, rule);
    let mut actors: Vec<Operation> = Vec::new();
    for _ in 0..EVENTS {
        run.event(&mut actors);
        run.check()?;
    }
    run.end(actors)?;
    let seen = run.world.get().seen.clone();
    Ok(seen)
}

impl Run {
    fn new(seed: u64, rule: Rule) -> Self {
        let world = Shared::new(seed);
        let disk = Arc::new(InMemory::new());
        let stores = Arc::new(Stores::new(BTreeMap::new()).expect("no properties"));
        stores.lend("b", Arc::new(Unreliable::new(disk.clone(), world.clone())));
        let records = Records::new(Files::new(stores, "s3://b/heavy").expect("a location"));
        let launcher = |_| {
            let parts = Parts {
                sink: Arc::new(world.clone()),
                backend: Arc::new(world.clone()),
                records: records.clone(),
                limits: Limits { attempts: ATTEMPTS, given_up_look: Duration::ZERO, ..Limits::default() },
                max_records: 100,
                metrics: LauncherMetrics::new(&Metrics::new()),
            };
            Arc::new(Launcher::simulated(parts, world::now, rule))
        };
        let request = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(|file| format!("s3://inbox/{file}.csv")).collect();
            let body = serde_json::json!({"files": files, "request_id": "label"}).to_string();
            IngestRequest::from_json(body.as_bytes(), &RequestDefaults::default(), DateTime::UNIX_EPOCH)
                .expect("valid")
        };
        Self {
            disk,
            launchers: (0..2).map(launcher).collect(),
            records,
            requests: vec![
                request(&["a", "b"]),
                request(&["b", "c", "bad"]),
                request(&["bad", "d"]),
                request(&["e"]),
            ],
            wishes: Arc::default(),
            cancelled: Arc::default(),
            world,
        }
    }

    fn roll(&self, sides: usize) -> usize {
        self.world.get().rng.random_range(0..sides)
    }

    fn event(&self, actors: &mut Vec<Operation>) {
        match self.roll(100) {
            0..6 if actors.len() < ACTORS => actors.push(self.accept()),
            6..14 if actors.len() < ACTORS => actors.push(self.scan()),
            14..24 => self.world.get().work(),
            24..26 if !actors.is_empty() => {
                let dead = self.roll(actors.len());
                drop(actors.swap_remove(dead));
                self.world.get().seen.insert("crash");
            }
            26..30 => world::pass([1_000, 60_000, 3_600_000][self.roll(3)]),
            30 => {
                let mut world = self.world.get();
                world.spark = !world.spark;
            }
            31 if self.roll(4) == 0 => {
                let mut world = self.world.get();
                world.mended = !world.mended;
                world.seen.insert("mended");
            }
            32 if actors.len() < ACTORS && self.roll(3) == 0 => actors.push(self.person(true)),
            33 if actors.len() < ACTORS => actors.push(self.person(false)),
            34 if self.roll(10) == 0 => self.world.get().ingest_elsewhere("s3://inbox/b.csv"),
            _ if !actors.is_empty() => {
                let actor = self.roll(actors.len());
                for _ in 0..=self.roll(12) {
                    if poll(&mut actors[actor]) {
                        drop(actors.swap_remove(actor));
                        break;
                    }
                }
            }
            _ => {}
        }
    }

    fn accept(&self) -> Operation {
        let launcher = self.launchers[self.roll(2)].clone();
        let request = self.requests[self.roll(self.requests.len())].clone();
        let (wishes, world) = (self.wishes.clone(), self.world.clone());
        Box::pin(async move {
            let since = world::now();
            let id = content_id(&request);
            let Ok(accepted) = launcher.accept(&request).await else { return };
            let Accepted::Owned(_) = accepted else {
                world.get().seen.insert("in");
                return;
            };
            let mut wishes = wishes.lock().expect("not poisoned");
            let again = wishes.iter().any(|wish| wish.id == id);
            world.get().seen.insert(if again { "sent again" } else { "owned" });
            let objects = request.objects.iter().map(|object| object.uri.to_string());
            wishes.extend(objects.map(|object| Wish { id: id.clone(), object, since }));
        })
    }

    fn scan(&self) -> Operation {
        let launcher = self.launchers[self.roll(2)].clone();
        Box::pin(async move {
            let _ = launcher.scan_and_tidy().await;
        })
    }

    /// A person cancels or retries.
    fn person(&self, cancel: bool) -> Operation {
        let id = content_id(&self.requests[self.roll(self.requests.len())]);
        let (records, world, cancelled) = (self.records.clone(), self.world.clone(), self.cancelled.clone());
        Box::pin(async move {
            let Ok(Found::Live(record)) = records.find(&id).await else { return };
            let note = Note { time: world::now(), reason: None };
            if cancel {
                // From now on it may be so, whatever the answer.
                cancelled.lock().expect("not poisoned").insert(id.clone(), DateTime::<Utc>::MAX_UTC);
                let _ = records.cancel(&record, &note).await;
                cancelled.lock().expect("not poisoned").insert(id, world::now());
                world.get().seen.insert("cancelled");
            } else if record.failed && records.retry(&record, &note).await.is_ok() {
                world.get().seen.insert("retried");
            }
        })
    }

    /// What must always hold.
    fn check(&self) -> Result<(), String> {
        let mut world = self.world.get();
        if let Some(wrong) = world.wrong.first() {
            return Err(wrong.clone());
        }
        let mut wishes = self.wishes.lock().expect("not poisoned");
        let cancelled = self.cancelled.lock().expect("not poisoned");
        wishes.retain(|wish| {
            let void = cancelled.get(&wish.id).is_some_and(|time| *time >= wish.since);
            let done = match world.standing(&wish.object) {
                Standing::InTable => true,
                Standing::SetAside(time) => time > wish.since,
                _ => false,
            };
            !void && !done
        });
        for id in wishes.iter().map(|wish| &wish.id).collect::<BTreeSet<_>>() {
            if self.live(id).is_none() {
                return Err(format!("{id} is owed and nobody owns it"));
            }
        }
        for request in &self.requests {
            let id = content_id(request);
            let Some((first, files)) = self.live(&id) else { continue };
            let retried =
                files.iter().filter(|(mark, _)| *mark == Mark::Retried).map(|(_, n)| *n).max().unwrap_or(0);
            let counts =
                |(mark, number): &&(Mark, u32)| *mark == Mark::Ended && *number >= first && *number > retried;
            let says = |(mark, n): &(Mark, u32)| {
                Some((*n, self.says::<Ended>(&format!("records/{id}/{}", mark.file(*n)))?))
            };
            let ended = files.iter().filter(counts).filter_map(says);
            let undone: Vec<(u32, Ended)> = ended.filter(|(_, ended)| ended.left_undone()).collect();
            if undone.len() > ATTEMPTS {
                return Err(format!("{id} has more attempts than it may"));
            }
            let newest = files.iter().filter(|(mark, _)| *mark == Mark::Attempt).map(|(_, n)| *n).max();
            if undone.iter().any(|(n, ended)| ended.how == End::Refused && newest > Some(*n)) {
                return Err(format!("{id} has another attempt after one that says that none can do better"));
            }
            if files.iter().any(|(mark, number)| *mark == Mark::Failed && *number >= first) {
                world.seen.insert("given up");
            }
        }
        Ok(())
    }

    /// The files of a live record, and the number of its request.
    fn live(&self, id: &str) -> Option<(u32, Vec<(Mark, u32)>)> {
        let through = self.says::<Closed>(&format!("closed/{id}.json")).map_or(0, |closed| closed.through);
        let folder = Path::from(format!("heavy/records/{id}"));
        let listed =
            self.disk.list(Some(&folder)).map(|meta| meta.expect("in memory").location).collect::<Vec<_>>();
        let listed = listed.now_or_never().expect("in memory");
        let files: Vec<(Mark, u32)> =
            listed.iter().filter_map(|path| Mark::parse(path.filename()?)).collect();
        let requests = files.iter().filter(|(mark, number)| *mark == Mark::Request && *number > through);
        let first = requests.map(|(_, number)| *number).max()?;
        Some((first, files))
    }

    fn says<T: serde::de::DeserializeOwned>(&self, file: &str) -> Option<T> {
        let path = Path::from(format!("heavy/{file}"));
        let answer = self.disk.get(&path).now_or_never().expect("in memory").ok()?;
        let bytes = answer.bytes().now_or_never().expect("in memory").expect("in memory");
        Some(serde_json::from_slice(&bytes).expect("a whole file"))
    }

    /// Everything goes well from now on: everything has to end.
    fn end(&self, actors: Vec<Operation>) -> Result<(), String> {
        {
            let mut world = self.world.get();
            (world.faults, world.spark) = (0, true);
        }
        for mut actor in actors {
            finish(&mut actor)?;
        }
        for _ in 0..LAST_SCANS {
            for launcher in &self.launchers {
                let launcher = launcher.clone();
                finish(
                    &mut (Box::pin(async move { launcher.scan().await.map(|_| ()).expect("all goes well") })
                        as Operation),
                )?;
            }
            world::pass(3_600_000);
            (0..10).for_each(|_| self.world.get().work());
            for request in &self.requests {
                let (records, id) = (self.records.clone(), content_id(request));
                let person: Operation = Box::pin(async move {
                    if let Ok(Found::Live(record)) = records.find(&id).await
                        && record.failed
                    {
                        let note = Note { time: world::now(), reason: None };
                        records.retry(&record, &note).await.expect("all goes well");
                    }
                });
                finish(&mut { person })?;
            }
            self.check()?;
        }
        match self.requests.iter().map(content_id).find(|id| self.live(id).is_some()) {
            Some(id) => Err(format!("{id} does not end: {:?}", self.live(&id))),
            None => Ok(()),
        }
    }
}

/// Lets an operation do a step; says whether it has ended.
fn poll(operation: &mut Operation) -> bool {
    operation.as_mut().poll(&mut Context::from_waker(futures::task::noop_waker_ref())).is_ready()
}

fn finish(operation: &mut Operation) -> Result<(), String> {
    match (0..MAX_POLLS).any(|_| poll(operation)) {
        true => Ok(()),
        false => Err("an operation does not end".to_owned()),
    }
}
