//! What goes into the machine and what comes out.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::progress::{Offset, Partition};
use crate::{IngestRequest, Lane, RequestedObject, Route};

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
pub struct ActionId(pub(super) u64);

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

/// What the caller has to do; it answers with [`Batcher::acknowledged`](super::Batcher::acknowledged) or
/// [`Batcher::failed`](super::Batcher::failed).
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

    /// Where it goes.
    pub fn outlet(&self) -> Outlet {
        match self {
            Self::Produce(batch) => Outlet::Lane(batch.lane),
            Self::DeadLetter(_) => Outlet::DeadLetters,
        }
    }
}

/// Where requests and dead letters go. Each may be slow or out of order by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlet {
    /// The requests of a lane.
    Lane(Lane),
    /// The dead letters.
    DeadLetters,
}

impl Outlet {
    /// Every outlet there is.
    pub const ALL: [Self; 3] = [Self::Lane(Lane::Light), Self::Lane(Lane::Heavy), Self::DeadLetters];

    /// The name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lane(lane) => lane.as_str(),
            Self::DeadLetters => "dead-letters",
        }
    }
}
