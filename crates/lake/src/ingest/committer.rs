//! One committer for each table in this process: requests that are ready while a commit is under way, or while
//! others are still being written, share the next.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use ingest_core::{ObjectIdentity, TableName};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::flight::{Files, Landing, Prepared, fly};
use super::gathering::{self, MAX_REQUESTS, sets_off};
use super::tables::Tables;
use crate::commit::protocol::Member;
use crate::error::Error;

/// Requests that wait for the commit after the next. More wait for a place here.
const QUEUE: usize = 2 * MAX_REQUESTS;

/// The committers of a process, by table. A table that nobody writes to has none.
#[derive(Debug)]
pub(super) struct Committers {
    tables: Arc<Tables>,
    by_table: Mutex<HashMap<TableName, Weak<Committer>>>,
}

/// The way into one table.
#[derive(Debug)]
pub(super) struct Committer {
    queue: mpsc::Sender<Queued>,
    company: Arc<Company>,
}

#[derive(Debug)]
struct Queued {
    request: Prepared,
    since: Instant,
    answer: oneshot::Sender<Landing>,
}

impl Queued {
    fn identities(&self) -> impl Iterator<Item = &ObjectIdentity> {
        self.request.entries.iter().map(|entry| &entry.identity)
    }
}

/// How many requests for the table are being written: those that a group may wait for.
#[derive(Debug, Default)]
struct Company {
    on_their_way: AtomicUsize,
    changed: Notify,
}

/// A request that is being written for the table. Dropping it says that the request will not come.
#[derive(Debug)]
pub(super) struct OnItsWay(Arc<Company>);

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.on_their_way.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_one();
    }
}

impl Committers {
    pub(super) fn new(tables: Arc<Tables>) -> Self {
        Self { tables, by_table: Mutex::default() }
    }

    /// The committer of a table. It ends when nobody holds it any more.
    pub(super) fn of(&self, name: &TableName) -> Arc<Committer> {
        let mut by_table = self.by_table.lock().expect("no code panics while it holds this lock");
        let living =
            by_table.get(name).and_then(Weak::upgrade).filter(|committer| !committer.queue.is_closed());
        if let Some(committer) = living {
            return committer;
        }
        by_table.retain(|_, committer| committer.strong_count() > 0);
        let (queue, queued) = mpsc::channel(QUEUE);
        let committer = Arc::new(Committer { queue, company: Arc::default() });
        by_table.insert(name.clone(), Arc::downgrade(&committer));
        // A task of its own: a request whose sender went away does not cut the commit of its companions short.
        tokio::spawn(work(self.tables.clone(), name.clone(), queued, committer.company.clone()));
        committer
    }
}

impl Committer {
    /// Says that a request is being written and will be submitted, or dropped.
    pub(super) fn expect(&self) -> OnItsWay {
        self.company.on_their_way.fetch_add(1, Ordering::SeqCst);
        OnItsWay(self.company.clone())
    }

    /// Hands a request over, and waits for its end.
    pub(super) async fn submit(&self, request: Prepared, announced: OnItsWay) -> Landing {
        let (answer, landed) = oneshot::channel();
        let sent = self.queue.send(Queued { request, since: Instant::now(), answer }).await;
        drop(announced);
        let ended = || Landing::GaveUp {
            error: Error::unavailable("the committer of this table has ended"),
            files: Files::Sent,
        };
        if sent.is_err() {
            return ended();
        }
        landed.await.unwrap_or_else(|_| ended())
    }
}

async fn work(
    tables: Arc<Tables>,
    name: TableName,
    mut queue: mpsc::Receiver<Queued>,
    company: Arc<Company>,
) {
    let mut kept = None;
    while let Some(group) = gather(&mut queue, &mut kept, &company).await {
        commit(&tables, &name, group).await;
    }
}

/// The next group, in order of arrival; `None` when none will come. What would make a group too large, or has an
/// object of it, is `kept` for the next.
async fn gather(
    queue: &mut mpsc::Receiver<Queued>,
    kept: &mut Option<Queued>,
    company: &Company,
) -> Option<Vec<Queued>> {
    let first = match kept.take() {
        Some(first) => first,
        None => queue.recv().await?,
    };
    if first.request.flies_alone() {
        return Some(vec![first]);
    }
    let deadline = first.since + gathering::MAX_WAIT;
    let mut objects = first.request.entries.len();
    let mut taken: HashSet<ObjectIdentity> = first.identities().cloned().collect();
    let mut group = vec![first];
    loop {
        while group.len() < MAX_REQUESTS && objects < gathering::MAX_OBJECTS {
            let Ok(next) = queue.try_recv() else { break };
            let larger = objects + next.request.entries.len();
            let alone = next.request.flies_alone();
            // Claims keep two requests with the same object apart; this holds even if they did not.
            if alone
                || larger > gathering::MAX_OBJECTS
                || next.identities().any(|identity| taken.contains(identity))
            {
                *kept = Some(next);
                return Some(group);
            }
            taken.extend(next.identities().cloned());
            objects = larger;
            group.push(next);
        }
        let waited = gathering::MAX_WAIT.saturating_sub(deadline.saturating_duration_since(Instant::now()));
        if sets_off(group.len(), objects, company.on_their_way.load(Ordering::SeqCst), waited) {
            return Some(group);
        }
        // Each of these only means: look again.
        tokio::select! {
            () = company.changed.notified() => {}
            () = tokio::time::sleep_until(deadline) => {}
        }
    }
}

async fn commit(tables: &Tables, name: &TableName, group: Vec<Queued>) {
    let (requests, mut answers): (Vec<Prepared>, Vec<_>) =
        group.into_iter().map(|queued| (queued.request, Some(queued.answer))).unzip();
    let mut unwanted = Vec::new();
    let mut answer = |member: Member, landing| {
        let answer = answers[member].take().expect("a member leaves once");
        // Whoever asked may be gone. What was done stays done, and the next delivery finds it.
        if let Err(Landing::Replan { files } | Landing::GaveUp { files, .. }) = answer.send(landing) {
            unwanted.push(files);
        }
    };
    let alone = fly(tables, name, requests, &mut answer).await;
    for (member, request) in alone {
        fly(tables, name, vec![request], |_, landing| answer(member, landing)).await;
    }
    for files in unwanted {
        files.discard().await;
    }
}
