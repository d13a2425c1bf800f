//! The batching machine: the one place that decides which announcements share a request, and which input is done with.
//!
//! Any source of numbered records can drive it: a Kafka consumer, or an inbox in a database as one partition whose
//! offsets are row ids. Inputs are method calls, outputs are [`Action`]s to carry out and positions to commit; time is an
//! argument. It upholds invariant 1:
//!
//! | a partition's committed position | is |
//! |---|---|
//! | some record of it is in an open batch, or in a request or dead letter that is not acknowledged | the lowest such offset |
//! | none is | the offset behind the last record taken in |
//! | nothing was taken in since it was assigned | unknown, so nothing is committed |
//!
//! What is requested again after a crash or a rebalance, the sink drops.

mod config;
mod open;
mod progress;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use crate::{IngestRequest, Lane, RequestedObject, Route};

pub use config::{BatchingConfig, BatchingError, Limits, Overflow, RouteLimits};
pub use progress::{Offset, Partition, Position};

use open::{Closed, OpenBatches};
use progress::{Assignments, Claim};

/// A point in time, as the caller's clocks tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Time since any fixed start, by a clock that never goes back: deadlines go by it.
    pub elapsed: Duration,
    /// The wall clock: requests are dated by it.
    pub utc: DateTime<Utc>,
}

/// Names a request or dead letter until it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(u64);

/// One record of a partition, already judged by the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its partition.
    pub partition: Partition,
    /// Its number within the partition.
    pub offset: Offset,
    /// The objects that it announces, each with its route; none if all of it was ignored.
    pub objects: Vec<(Arc<Route>, RequestedObject)>,
    /// Why it has to go to the dead letters, if it has to.
    pub dead_letter: Option<String>,
}

/// A closed batch, to be produced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What to acknowledge it by.
    pub id: ActionId,
    /// Where to.
    pub lane: Lane,
    /// What.
    pub request: Arc<IngestRequest>,
    /// When its first file was taken in, in the caller's [`Moment::elapsed`].
    pub opened_at: Duration,
}

/// A record to be set aside as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What to acknowledge it by.
    pub id: ActionId,
    /// The record's partition.
    pub partition: Partition,
    /// The record's offset.
    pub offset: Offset,
    /// Why.
    pub reason: String,
}

/// What the caller has to do; it answers with [`Batcher::acknowledged`] or [`Batcher::failed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a request.
    Produce(Batch),
    /// Send a dead letter.
    DeadLetter(DeadLetter),
}

impl Action {
    /// What to acknowledge it by.
    pub fn id(&self) -> ActionId {
        match self {
            Self::Produce(batch) => batch.id,
            Self::DeadLetter(letter) => letter.id,
        }
    }
}

/// Sent, and waiting for its acknowledgement.
#[derive(Debug)]
struct Pending {
    action: Action,
    /// One for each object of a batch, or for the dead letter.
    claims: Vec<Claim>,
}

/// The machine.
#[derive(Debug)]
pub struct Batcher {
    config: BatchingConfig,
    assignments: Assignments,
    open: OpenBatches,
    pending: BTreeMap<ActionId, Pending>,
    last_id: u64,
    unacknowledged_objects: usize,
    unacknowledged_letters: usize,
    saturated: bool,
}

impl Batcher {
    /// A machine without partitions.
    pub fn new(config: BatchingConfig) -> Result<Self, BatchingError> {
        config.validate()?;
        Ok(Self {
            open: OpenBatches::default(),
            assignments: Assignments::default(),
            pending: BTreeMap::new(),
            last_id: 0,
            unacknowledged_objects: 0,
            unacknowledged_letters: 0,
            saturated: false,
            config,
        })
    }

    /// Partitions to read from now on, from their committed positions.
    pub fn assigned(&mut self, partitions: &[Partition]) {
        self.lost(partitions);
        for &partition in partitions {
            self.assignments.begin(partition);
        }
    }

    /// Partitions to hand over. What is ready stays out and may still be acknowledged; other records of theirs leave the
    /// open batches, and hold the position back for the next owner. Once the last positions are committed, call
    /// [`Batcher::lost`].
    pub fn revoked(&mut self, partitions: &[Partition]) {
        for &partition in partitions {
            self.assignments.close(partition);
        }
        self.open.remove(partitions);
        self.weigh();
    }

    /// Partitions that somebody else reads already: no position of theirs may be committed any more.
    pub fn lost(&mut self, partitions: &[Partition]) {
        self.open.remove(partitions);
        for partition in partitions {
            self.assignments.end(*partition);
        }
        self.weigh();
    }

    /// Takes in one record. Records of partitions that are not assigned are left to their owner.
    pub fn take_in(&mut self, record: Record, now: Moment) -> Vec<Action> {
        let mut actions = self.tick(now);
        let Record { partition, offset, objects, dead_letter } = record;
        let parts = objects.len() + usize::from(dead_letter.is_some());
        let Some(claim) = self.assignments.take_in(partition, offset, parts) else {
            return actions;
        };
        for (route, object) in objects {
            for closed in self.open.add(&self.config, route, object, claim, now.elapsed) {
                actions.push(self.produce(closed, now));
            }
        }
        if let Some(reason) = dead_letter {
            let letter = DeadLetter { id: self.next_id(), partition, offset, reason };
            self.unacknowledged_letters += 1;
            actions.push(self.send(Action::DeadLetter(letter), vec![claim]));
        }
        self.weigh();
        actions
    }

    /// Closes the batches whose time has come.
    pub fn tick(&mut self, now: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(closed) = self.open.close_due(now.elapsed) {
            actions.push(self.produce(closed, now));
        }
        actions
    }

    /// Closes all open batches, as before a shutdown.
    pub fn drain(&mut self, now: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(closed) = self.open.close_first() {
            actions.push(self.produce(closed, now));
        }
        actions
    }

    /// What was sent under this id is durable. Gives back what it was; `None` for an id that is not waited for.
    pub fn acknowledged(&mut self, id: ActionId) -> Option<Action> {
        let Pending { action, claims } = self.pending.remove(&id)?;
        match &action {
            Action::Produce(_) => self.unacknowledged_objects -= claims.len(),
            Action::DeadLetter(_) => self.unacknowledged_letters -= 1,
        }
        for claim in claims {
            self.assignments.settle(claim);
        }
        self.weigh();
        Some(action)
    }

    /// What was sent under this id did not arrive, or nobody knows: the same again. `None` for an id that is not waited
    /// for.
    pub fn failed(&self, id: ActionId) -> Option<Action> {
        self.pending.get(&id).map(|pending| pending.action.clone())
    }

    /// The positions to commit that have moved since they were last asked for.
    pub fn commits(&mut self) -> Vec<Position> {
        self.assignments.moved()
    }

    /// A commit failed: [`Batcher::commits`] names all positions again.
    pub fn commit_failed(&mut self) {
        self.assignments.forget_reported();
    }

    /// When [`Batcher::tick`] has to be called next, in [`Moment::elapsed`].
    pub fn next_deadline(&self) -> Option<Duration> {
        self.open.next_deadline()
    }

    /// Whether to hand in more records. Turns false at a bound of the configuration and true again below half of it, so
    /// that a caller who pauses its source does so seldom.
    pub fn accepting(&self) -> bool {
        !self.saturated
    }

    /// Whether something that was sent for these partitions, since they were assigned, waits for its acknowledgement.
    pub fn awaiting(&self, partitions: &[Partition]) -> bool {
        let ours = |claim: &Claim| partitions.contains(&claim.partition) && self.assignments.counts(*claim);
        self.pending.values().any(|pending| pending.claims.iter().any(ours))
    }

    /// Number of open batches.
    pub fn open_batches(&self) -> usize {
        self.open.len()
    }

    /// Number of announcements in open and unacknowledged batches.
    pub fn held(&self) -> usize {
        self.open.objects() + self.unacknowledged_objects
    }

    /// Number of requests and dead letters that wait for their acknowledgement.
    pub fn unacknowledged(&self) -> usize {
        self.pending.len()
    }

    fn produce(&mut self, closed: Closed, now: Moment) -> Action {
        let Closed { route, objects, claims, opened_at } = closed;
        let request =
            IngestRequest::new(route.table.clone(), route.format, route.options.clone(), objects, now.utc);
        let batch = Batch {
            id: self.next_id(),
            lane: route.limits.light(&self.config.light).lane(request.total_bytes(), request.file_count()),
            request: Arc::new(request),
            opened_at,
        };
        self.unacknowledged_objects += claims.len();
        self.send(Action::Produce(batch), claims)
    }

    fn send(&mut self, action: Action, claims: Vec<Claim>) -> Action {
        let id = action.id();
        self.pending.insert(id, Pending { action: action.clone(), claims });
        action
    }

    fn next_id(&mut self) -> ActionId {
        self.last_id += 1;
        ActionId(self.last_id)
    }

    fn weigh(&mut self) {
        let over = |share: usize| {
            self.held() >= self.config.max_held.div_ceil(share)
                || self.unacknowledged_letters >= self.config.max_dead_letters.div_ceil(share)
        };
        self.saturated = if self.saturated { over(2) } else { over(1) };
    }
}
