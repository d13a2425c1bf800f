//! One process: the machine, and what its shell has to remember.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use chrono::DateTime;
use ingest_core::batching::{ActionId, Batcher, BatchingConfig, Moment, Offset, Outlet, Partition, Position};

use super::broker::RecordId;

#[derive(Debug)]
pub struct Instance {
    pub batcher: Batcher,
    /// Which process this is, of those that ran in its place.
    pub life: u32,
    /// The partitions that it believes to have, and what it reads next of each.
    pub reading: BTreeMap<Partition, Offset>,
    /// Records behind the dead letters that wait for their acknowledgement.
    pub letters: BTreeMap<ActionId, RecordId>,
    /// What failed and is to be sent again.
    pub failed: VecDeque<ActionId>,
    /// Commits that the broker has not got yet, for which topic.
    pub commits: VecDeque<(Vec<Position>, u32)>,
    /// The incarnation of the topic that it knows.
    pub topic: u32,
    /// Its session is over, and it does not know.
    pub expired: bool,
    /// Records of a topic that is gone, which it had read: nobody can read them again.
    pub orphans: BTreeSet<RecordId>,
    /// All that it read of topics that are gone.
    pub gone: BTreeSet<RecordId>,
    /// What it has read of the partitions that it has.
    pub read: BTreeMap<Partition, Vec<(Offset, RecordId)>>,
    pub accepting: bool,
    pub stuck: [bool; 3],
}

impl Instance {
    pub fn new(config: &BatchingConfig, life: u32, topic: u32) -> Self {
        Self {
            batcher: Batcher::new(config.clone()).unwrap(),
            life,
            reading: BTreeMap::new(),
            letters: BTreeMap::new(),
            failed: VecDeque::new(),
            commits: VecDeque::new(),
            topic,
            expired: false,
            orphans: BTreeSet::new(),
            gone: BTreeSet::new(),
            read: BTreeMap::new(),
            accepting: true,
            stuck: [false; 3],
        }
    }

    /// Forgets partitions, as the shell does.
    pub fn forget(&mut self, partitions: &[Partition]) {
        self.batcher.lost(partitions);
        for partition in partitions {
            self.reading.remove(partition);
            self.read.remove(partition);
        }
    }

    /// Whether a record is of a partition that it has, and not to be read again.
    pub fn has(&self, record: RecordId) -> bool {
        self.read.values().flatten().any(|(_, read)| *read == record)
    }

    pub fn lets_go(&self) -> bool {
        Outlet::ALL.into_iter().any(|outlet| self.batcher.is_stuck(outlet))
    }
}

pub fn at(millis: u64) -> Moment {
    let elapsed = Duration::from_millis(millis);
    Moment { elapsed, utc: DateTime::UNIX_EPOCH + elapsed }
}
