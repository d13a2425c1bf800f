//! What schedules met.

use std::collections::BTreeMap;
use std::fmt;

/// How often each thing happened.
#[derive(Debug, Default, Clone)]
pub struct Coverage(BTreeMap<String, u64>);

/// What has to be met, or the simulation says nothing about it.
const WANTED: &[&str] = &[
    // What becomes of a record.
    "batch: light",
    "batch: heavy",
    "batch: of several partitions",
    "batch: several for one record",
    "batch: let go of",
    "dead letter: sent",
    "dead letter: let go of",
    // When reading waits, and when it does not.
    "reading: waits",
    "reading: waits for both lanes",
    "reading: waits no longer",
    "stuck: light",
    "stuck: heavy",
    "stuck: dead-letters",
    "free again: light",
    "free again: heavy",
    "free again: dead-letters",
    "going back: done",
    "going back: failed",
    "going back: with open batches",
    // What goes wrong on the way to the broker and back.
    "network: stored and reported",
    "network: stored, reported as failed",
    "network: not stored, reported as failed",
    "network: report of a dead process",
    "network: report after revocation",
    "network: sent again",
    "outlet: down",
    "outlet: up again",
    "commit: made",
    "commit: made, answer lost",
    "commit: failed",
    "commit: late",
    "commit: refused",
    // What becomes of instances and partitions.
    "crash: idle",
    "crash: with open batches",
    "crash: with unacknowledged requests",
    "crash: while records are let go of",
    "crash: between revocation and commit",
    "rebalance: assigned",
    "rebalance: revoked with open batches",
    "rebalance: revoked with requests in flight",
    "rebalance: revoked, all of it acknowledged in time",
    "rebalance: revoked while records are let go of",
    "rebalance: lost",
    "rebalance: read on after the loss",
    "stop: all of it out in time",
    "stop: not all of it out in time",
    // What becomes of the source.
    "source: position reset",
    "source: retention overtook the reader",
    "source: partition added",
    "source: replaced",
    "source: replaced with open batches",
    "source: replaced, old position committed",
    "source: no position",
];

impl Coverage {
    pub fn met(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub fn add(&mut self, other: &Coverage) {
        for (what, times) in &other.0 {
            *self.0.entry(what.clone()).or_default() += times;
        }
    }

    /// Wanted, and never met.
    pub fn missing(&self) -> Vec<String> {
        WANTED.iter().filter(|what| !self.0.contains_key(**what)).map(|what| (*what).to_owned()).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, times)| writeln!(f, "{times:>10}  {what}"))
    }
}
