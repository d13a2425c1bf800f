//! Batches that still take files: one a route.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
    time::Duration,
};

use super::{BatchingConfig, Overflow, progress::Claim};
use crate::{Lane, RequestedObject, Route};

/// A route that batches are kept by. Nearly always it is the same allocation, and not looked into.
#[derive(Debug, Clone)]
struct Key(Arc<Route>);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

/// A batch that takes no more files.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) route: Arc<Route>,
    pub(super) objects: Vec<RequestedObject>,
    /// The record of each object.
    pub(super) claims: Vec<Claim>,
    pub(super) opened_at: Duration,
}

#[derive(Debug)]
struct OpenBatch {
    opened_at: Duration,
    deadline: Duration,
    bytes: u64,
    json_bytes: usize,
    objects: Vec<RequestedObject>,
    claims: Vec<Claim>,
}

impl OpenBatch {
    fn push(&mut self, object: RequestedObject, json_bytes: usize, claim: Claim) {
        self.bytes = self.bytes.saturating_add(object.hint.size.unwrap_or(0));
        self.json_bytes += json_bytes;
        self.objects.push(object);
        self.claims.push(claim);
    }
}

#[derive(Debug, Default)]
pub(super) struct OpenBatches {
    batches: BTreeMap<Key, OpenBatch>,
    /// The deadline of each batch, soonest first.
    deadlines: BTreeSet<(Duration, Key)>,
    objects: usize,
}

impl OpenBatches {
    /// Adds an object to its route's batch, and closes what is full: at most the batch before and the batch with it.
    pub(super) fn add(
        &mut self,
        config: &BatchingConfig,
        route: Arc<Route>,
        object: RequestedObject,
        claim: Claim,
        now: Duration,
    ) -> impl Iterator<Item = Closed> + use<> {
        let size = object.hint.size.unwrap_or(0);
        let json_bytes = object.json_bytes();
        let limits = route.limits.over(config);
        let route = Key(route);
        let heavy = |bytes: u64, files: usize| limits.light.lane(bytes, files) == Lane::Heavy;
        let splits = |bytes, files| limits.overflow == Overflow::Split && heavy(bytes, files);

        let would_overflow = self.batches.get(&route).is_some_and(|batch| {
            splits(batch.bytes.saturating_add(size), batch.objects.len() + 1)
                || batch.json_bytes + json_bytes > config.max_request_bytes
        });
        let before = would_overflow.then(|| self.close(&route)).flatten();

        let batch = self.batches.entry(route.clone()).or_insert_with(|| {
            let deadline = now.saturating_add(limits.max_wait);
            self.deadlines.insert((deadline, route.clone()));
            OpenBatch {
                opened_at: now,
                deadline,
                bytes: 0,
                json_bytes: 0,
                objects: Vec::new(),
                claims: Vec::new(),
            }
        });
        batch.push(object, json_bytes, claim);
        self.objects += 1;
        if let Some(idle) = limits.idle {
            let deadline = batch.opened_at.saturating_add(limits.max_wait).min(now.saturating_add(idle));
            self.deadlines.remove(&(batch.deadline, route.clone()));
            self.deadlines.insert((deadline, route.clone()));
            batch.deadline = deadline;
        }
        let full = batch.objects.len() >= limits.max_files || splits(batch.bytes, batch.objects.len());
        let with = full.then(|| self.close(&route)).flatten();
        before.into_iter().chain(with)
    }

    /// Closes a batch whose deadline is reached.
    pub(super) fn close_due(&mut self, now: Duration) -> Option<Closed> {
        if self.next_deadline()? > now {
            return None;
        }
        self.close_first()
    }

    /// Closes the batch with the soonest deadline.
    pub(super) fn close_first(&mut self) -> Option<Closed> {
        let (_, route) = self.deadlines.first()?.clone();
        self.close(&route)
    }

    /// Keeps only the objects of some records.
    pub(super) fn retain(&mut self, keeps: impl Fn(&Claim) -> bool) {
        let Self { batches, deadlines, objects } = self;
        batches.retain(|route, batch| {
            let before = batch.objects.len();
            let taken = mem::take(&mut batch.objects).into_iter().zip(mem::take(&mut batch.claims));
            (batch.bytes, batch.json_bytes) = (0, 0);
            for (object, claim) in taken.filter(|(_, claim)| keeps(claim)) {
                let json_bytes = object.json_bytes();
                batch.push(object, json_bytes, claim);
            }
            *objects -= before - batch.objects.len();
            if batch.objects.is_empty() {
                deadlines.remove(&(batch.deadline, route.clone()));
            }
            !batch.objects.is_empty()
        });
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Number of batches.
    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Number of objects in them.
    pub(super) fn objects(&self) -> usize {
        self.objects
    }

    fn close(&mut self, route: &Key) -> Option<Closed> {
        let (route, batch) = self.batches.remove_entry(route)?;
        self.deadlines.remove(&(batch.deadline, route.clone()));
        self.objects -= batch.objects.len();
        Some(Closed {
            route: route.0,
            objects: batch.objects,
            claims: batch.claims,
            opened_at: batch.opened_at,
        })
    }
}
