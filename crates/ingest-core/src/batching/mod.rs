//! The batching machine: the one place that decides which announcements share a request, which input is done with, when
//! to read on and where.
//!
//! Any source of numbered records can drive it: a Kafka consumer, or an inbox in a database as one partition whose
//! offsets are row ids. Inputs are method calls, outputs are [`Action`]s to carry out, positions to commit, places to go
//! back to, and whether to read on; time is an argument. It upholds invariant 1:
//!
//! | a partition's committed position | is |
//! |---|---|
//! | some record of it is in an open batch, or in a request or dead letter that is not acknowledged, or was let go of | the lowest such offset |
//! | none is | the offset behind the last record taken in |
//! | nothing was taken in since it was assigned | unknown, so nothing is committed |
//!
//! What is requested again after a crash or a rebalance, the sink drops.
//!
//! Memory is bounded by [`BatchingConfig::max_held`] and [`BatchingConfig::max_dead_letters`], however long an outlet is
//! out of order: reading waits, or, if only some outlets are stuck, goes on for the others, and what the stuck ones are
//! given is let go of. Its place is remembered as one offset a partition, which holds the position; once the outlet is
//! free again, the source goes back there.

mod action;
mod config;
mod load;
mod open;
mod partition;
mod progress;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::IngestRequest;

pub use action::{Action, ActionId, Batch, DeadLetter, Moment, Outlet, Record};
pub use config::{BatchingConfig, BatchingError, Limits, Overflow, RouteLimits};
pub use progress::{Offset, Partition, Position};

use load::Load;
use open::{Closed, OpenBatches};
use progress::{Assignments, Claim};

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
    load: Load,
    last_id: u64,
    /// The last time that the caller told.
    now: Duration,
    saturated: bool,
    let_go: u64,
}

impl Batcher {
    /// A machine without partitions.
    pub fn new(config: BatchingConfig) -> Result<Self, BatchingError> {
        config.validate()?;
        Ok(Self {
            open: OpenBatches::default(),
            assignments: Assignments::default(),
            pending: BTreeMap::new(),
            load: Load::new(&config),
            last_id: 0,
            now: Duration::ZERO,
            saturated: false,
            let_go: 0,
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
        self.open.retain(|claim| !partitions.contains(&claim.partition));
        self.weigh();
    }

    /// Partitions that somebody else reads already: no position of theirs may be committed any more.
    pub fn lost(&mut self, partitions: &[Partition]) {
        self.open.retain(|claim| !partitions.contains(&claim.partition));
        for partition in partitions {
            self.assignments.end(*partition);
        }
        self.weigh();
    }

    /// The source was deleted and made anew under its name, and these partitions are of the new one. What was read of the
    /// old one cannot be read again and goes out now; the new one is to be read from its first record on
    /// ([`Batcher::going_back`]).
    pub fn replaced(&mut self, partitions: &[Partition], now: Moment) -> Vec<Action> {
        for partition in partitions {
            self.assignments.begin_anew(*partition);
        }
        self.drain(now)
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
                actions.extend(self.produce(closed, now));
            }
        }
        if let Some(reason) = dead_letter {
            let letter = DeadLetter { id: self.next_id(), partition, offset, reason };
            actions.extend(self.send(Action::DeadLetter(letter), vec![claim]));
        }
        self.weigh();
        actions
    }

    /// Closes the batches whose time has come, and sees which outlets are stuck by now.
    pub fn tick(&mut self, now: Moment) -> Vec<Action> {
        self.now = now.elapsed;
        if self.load.next_deadline().is_some_and(|deadline| deadline <= now.elapsed) {
            self.weigh();
        }
        let mut actions = Vec::new();
        while let Some(closed) = self.open.close_due(now.elapsed) {
            actions.extend(self.produce(closed, now));
        }
        if !actions.is_empty() {
            self.weigh();
        }
        actions
    }

    /// Closes all open batches, as before a shutdown.
    pub fn drain(&mut self, now: Moment) -> Vec<Action> {
        self.now = now.elapsed;
        let mut actions = Vec::new();
        while let Some(closed) = self.open.close_first() {
            actions.extend(self.produce(closed, now));
        }
        self.weigh();
        actions
    }

    /// What was sent under this id is durable. Gives back what it was; `None` for an id that is not waited for.
    pub fn acknowledged(&mut self, id: ActionId) -> Option<Action> {
        let Pending { action, claims } = self.pending.remove(&id)?;
        self.load.settle(action.outlet(), claims.len());
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

    /// The positions to commit: those that have moved, or whose heads have, since they were last asked for.
    pub fn commits(&mut self) -> Vec<Position> {
        self.assignments.moved()
    }

    /// A commit failed: [`Batcher::commits`] names all positions again.
    pub fn commit_failed(&mut self) {
        self.assignments.forget_reported();
    }

    /// The partitions of which something was let go of that can be read again now, each with the offset to go back to.
    /// They are named until [`Batcher::went_back`] or a rebalance.
    pub fn going_back(&self) -> Vec<(Partition, Offset)> {
        self.assignments.going_back().collect()
    }

    /// The source has gone back with this partition: the next record is the one that [`Batcher::going_back`] named, or, if
    /// that is gone, the next one behind it.
    pub fn went_back(&mut self, partition: Partition) {
        let Self { open, assignments, .. } = self;
        assignments.went_back(partition);
        open.retain(|claim| claim.partition != partition || assignments.counts(*claim));
        self.weigh();
    }

    /// When [`Batcher::tick`] has to be called next, in [`Moment::elapsed`].
    pub fn next_deadline(&self) -> Option<Duration> {
        self.open.next_deadline().into_iter().chain(self.load.next_deadline()).min()
    }

    /// Whether to hand in more records. Turns false at a bound of the configuration and true again below half of it, so
    /// that a caller who pauses its source does so seldom.
    pub fn accepting(&self) -> bool {
        !self.saturated && self.load.flows()
    }

    /// Whether an outlet is stuck, so that what it is given is let go of.
    pub fn is_stuck(&self, outlet: Outlet) -> bool {
        self.load.is_stuck(outlet)
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
        self.open.objects() + self.load.objects()
    }

    /// Number of requests and dead letters that wait for their acknowledgement.
    pub fn unacknowledged(&self) -> usize {
        self.pending.len()
    }

    /// Number of announcements and dead letters that were let go of so far.
    pub fn let_go(&self) -> u64 {
        self.let_go
    }

    /// Number of offsets between the positions and the heads: a crash now would have no more records read again.
    pub fn ahead(&self) -> u64 {
        self.assignments.ahead()
    }

    /// How often a source went back by itself: it lost records, or its client did not find its position.
    pub fn set_back(&self) -> u64 {
        self.assignments.set_back()
    }

    /// Number of records that are remembered.
    pub fn remembered(&self) -> usize {
        self.assignments.remembered()
    }

    fn produce(&mut self, closed: Closed, now: Moment) -> Option<Action> {
        let Closed { route, objects, claims, opened_at } = closed;
        let request =
            IngestRequest::new(route.table.clone(), route.format, route.options.clone(), objects, now.utc);
        let lane = route.limits.light(&self.config.light).lane(request.total_bytes(), request.file_count());
        let batch = Batch { id: self.next_id(), lane, request: Arc::new(request), opened_at };
        self.send(Action::Produce(batch), claims)
    }

    /// Has it sent, or lets go of it if its outlet is stuck. What cannot be read again is never let go of.
    fn send(&mut self, action: Action, claims: Vec<Claim>) -> Option<Action> {
        let outlet = action.outlet();
        if self.load.is_stuck(outlet) && claims.iter().all(|claim| self.assignments.counts(*claim)) {
            self.let_go += claims.len() as u64;
            for claim in claims {
                self.assignments.let_go(claim);
            }
            return None;
        }
        self.load.add(outlet, claims.len());
        self.pending.insert(action.id(), Pending { action: action.clone(), claims });
        Some(action)
    }

    fn next_id(&mut self) -> ActionId {
        self.last_id += 1;
        ActionId(self.last_id)
    }

    fn weigh(&mut self) {
        if self.load.weigh(self.now) {
            self.assignments.go_back();
        }
        // Room that a stuck lane takes is nobody's to wait for; the others have half of all at least, however large the
        // batches were that the stuck one took in at last.
        let stuck = self.load.stuck_objects();
        let held = self.held() - stuck;
        let room = self.config.max_held.saturating_sub(stuck).max(self.config.max_held.div_ceil(2));
        let over = |share: usize| held >= room.div_ceil(share);
        self.saturated = if self.saturated { over(2) } else { over(1) };
    }
}
