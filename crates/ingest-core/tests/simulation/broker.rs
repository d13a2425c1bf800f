//! What survives every crash: the source topic, what was stored in the others, and the group's positions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest_core::batching::{Offset, Partition, Position, Record};
use ingest_core::{FileFormat, ObjectHint, ObjectUri, RequestedObject, Route, TableName};

/// The number of a record among all that were ever written.
pub type RecordId = usize;
/// A part of a record: one of its objects, or its dead letter.
pub type Part = (RecordId, usize);
/// The part that is the dead letter.
pub const LETTER: usize = usize::MAX;

const TABLES: [&str; 3] = ["db.t", "db.u", "db.v"];

/// A record as it was written.
#[derive(Debug)]
pub struct Written {
    /// Table and size of each object.
    pub objects: Vec<(usize, u64)>,
    pub poison: bool,
    /// The parts that are in no request and no dead letter.
    pub missing: BTreeSet<usize>,
}

/// A partition of the source.
#[derive(Debug, Default)]
pub struct Log {
    pub entries: BTreeMap<Offset, RecordId>,
    pub next: Offset,
}

/// What a group committed, and for which incarnation of the topic.
#[derive(Debug, Clone, Copy)]
pub struct Committed {
    pub position: Position,
    pub topic: u32,
}

#[derive(Debug)]
pub struct Broker {
    pub written: Vec<Written>,
    pub logs: Vec<Log>,
    pub committed: Vec<Option<Committed>>,
    /// The incarnation of the source topic.
    pub topic: u32,
    routes: Vec<Arc<Route>>,
}

impl Broker {
    pub fn new(partitions: usize) -> Self {
        let route = |table| Route::new(TableName::parse(table).unwrap(), FileFormat::Parquet);
        Self {
            written: Vec::new(),
            logs: (0..partitions).map(|_| Log::default()).collect(),
            committed: vec![None; partitions],
            topic: 1,
            routes: TABLES.into_iter().map(|table| Arc::new(route(table))).collect(),
        }
    }

    pub fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        0..Partition::try_from(self.logs.len()).unwrap()
    }

    pub fn log(&self, partition: Partition) -> &Log {
        &self.logs[usize::try_from(partition).unwrap()]
    }

    pub fn log_mut(&mut self, partition: Partition) -> &mut Log {
        &mut self.logs[usize::try_from(partition).unwrap()]
    }

    /// Writes a record; offsets have gaps, as in a compacted log.
    pub fn append(&mut self, partition: Partition, objects: Vec<(usize, u64)>, poison: bool, gap: Offset) {
        let id = self.written.len();
        let missing = (0..objects.len()).chain(poison.then_some(LETTER)).collect();
        self.written.push(Written { objects, poison, missing });
        let log = self.log_mut(partition);
        let offset = log.next + gap;
        log.entries.insert(offset, id);
        log.next = offset + 1;
    }

    /// The next record from an offset on, as the machine is given it.
    pub fn read(&self, partition: Partition, from: Offset) -> Option<(RecordId, Record)> {
        let (&offset, &id) = self.log(partition).entries.range(from..).next()?;
        let written = &self.written[id];
        let object = |(part, (table, size)): (usize, &(usize, u64))| {
            let uri = ObjectUri::new("b", &format!("{id}/{part}")).unwrap();
            let hint = ObjectHint { size: Some(*size), ..ObjectHint::default() };
            (Arc::clone(&self.routes[*table]), RequestedObject { uri, hint })
        };
        let objects = written.objects.iter().enumerate().map(object).collect();
        let dead_letter = written.poison.then(|| "poison".to_owned());
        Some((id, Record { partition, offset, objects, dead_letter }))
    }

    pub fn store(&mut self, parts: &[Part]) {
        for (record, part) in parts {
            self.written[*record].missing.remove(part);
        }
    }

    pub fn commit(&mut self, position: Position, topic: u32) {
        let partition = usize::try_from(position.partition).unwrap();
        // A topic that was made anew may have fewer partitions.
        if let Some(committed) = self.committed.get_mut(partition) {
            *committed = Some(Committed { position, topic });
        }
    }

    pub fn committed(&self, partition: Partition) -> Option<Committed> {
        self.committed[usize::try_from(partition).unwrap()]
    }

    /// Deletes the topic with all positions, and makes it anew.
    pub fn replace(&mut self) {
        self.topic += 1;
        self.committed.fill(None);
        for log in &mut self.logs {
            *log = Log::default();
        }
    }

    /// The part that an object stands for.
    pub fn part(object: &RequestedObject) -> Part {
        let (record, part) = object.uri.key().split_once('/').unwrap();
        (record.parse().unwrap(), part.parse().unwrap())
    }
}
