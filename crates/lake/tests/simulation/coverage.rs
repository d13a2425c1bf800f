//! What schedules met.

use std::collections::BTreeMap;
use std::fmt;

/// How often each thing happened.
#[derive(Debug, Default, Clone)]
pub struct Coverage(BTreeMap<String, u64>);

/// What has to be met, or the simulation says nothing about it.
const WANTED: &[&str] = &[
    // The table of the protocol, line by line.
    "Looking: landed",
    "Looking: no table",
    "Looking: out of rounds or refused",
    "Looking: misfit",
    "Looking: ledger moved",
    "Looking: ledger unmoved",
    "Checking: some known",
    "Checking: none known",
    "Preparing: prepared",
    "Sending: Committed",
    "Sending: Conflict",
    "Sending: Unknown",
    "Sending: Refused",
    "Resting: rested",
    "Looking: failed",
    "Checking: failed",
    "Preparing: failed",
    "Preparing: failed for good",
    "end: Committed",
    "end: Replan",
    "end: Alone",
    "end: GaveUp",
    // What goes wrong on the way to a catalog and back.
    "network: as it should",
    "network: answer lost",
    "network: request lost",
    "network: refused, whatever became of it",
    "network: repeated, second answer",
    "network: arrives after we gave up",
    "catalog: made",
    "catalog: refused",
    "catalog: stale sequence number or time",
    // What happens to workers.
    "worker: crash while idle",
    "worker: crash while planning",
    "worker: crash while Looking",
    "worker: crash while Checking",
    "worker: crash while Preparing",
    "worker: crash while Sending",
    "worker: crash while Resting",
    "worker: ledger begun",
    "worker: known before it was written",
    "worker: waits for a claim",
    "worker: group of several",
    "delivery: again after success",
    "delivery: to two workers at once",
    // What others do to the table.
    "foreign: append",
    "foreign: compaction",
    "foreign: schema changed",
    "foreign: partition spec changed",
    "foreign: property set",
    "foreign: stage on a branch",
    "foreign: main set to another snapshot",
    "foreign: cherry-pick",
    "foreign: expiry",
    "foreign: expiry that removes parents' ids",
    "foreign: replaced",
    "foreign: dropped and made again",
    "stage: posted",
    "stage: published",
    "stage: its branch is gone",
    "ledger: by the property after expiry",
    "ledger: with the run of a copied snapshot",
    "janitor: deleted a data file",
    "janitor: deleted an attempt",
    "janitor: kept what is referenced",
    "janitor: kept what landed",
    "janitor: kept what could land",
    "janitor: kept what is young",
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
