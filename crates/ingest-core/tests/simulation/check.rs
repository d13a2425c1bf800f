//! The invariants, asserted after every step.

use super::broker::{Broker, RecordId};
use super::instance::Instance;
use super::world::Bounds;

/// Invariant 1: whatever stands before a committed position is in a request or a dead letter that the broker has.
pub fn nothing_skipped(broker: &Broker) -> Result<(), String> {
    for partition in broker.partitions() {
        let Some(committed) = broker.committed(partition).filter(|known| known.topic == broker.topic) else {
            continue;
        };
        let end = committed.position.offset;
        let missing = |id: &RecordId| !broker.written[*id].missing.is_empty();
        if let Some((offset, id)) = broker.log(partition).entries.range(..end).find(|(_, id)| missing(id)) {
            return Err(format!(
                "invariant 1: partition {partition} is committed up to {end}, and of record {id} at {offset} the parts \
                 {:?} are missing",
                broker.written[*id].missing
            ));
        }
    }
    Ok(())
}

/// Invariant 6: memory is bounded by the configuration.
pub fn bounded(instance: &Instance, bounds: &Bounds) -> Result<(), String> {
    let batcher = &instance.batcher;
    let (held, letters) = (batcher.held(), instance.letters.len());
    // The last record may exceed the bounds: that of a lane that is stuck now, and that of the others.
    if held > bounds.held + 2 * bounds.objects || letters > bounds.letters + 1 {
        return Err(format!("invariant 6: {held} announcements and {letters} dead letters are held"));
    }
    let remembered = batcher.remembered();
    if remembered > 2 * (held + letters) + bounds.remembered {
        return Err(format!("invariant 6: {remembered} records are remembered, {held} announcements held"));
    }
    Ok(())
}

/// In the end everything that can be read was requested, and everything is committed.
pub fn all_of_it(broker: &Broker, orphans: impl Iterator<Item = RecordId>) -> Result<(), String> {
    for partition in broker.partitions() {
        for id in broker.log(partition).entries.values() {
            if !broker.written[*id].missing.is_empty() {
                return Err(format!("invariant 1: record {id} of partition {partition} was skipped"));
            }
        }
    }
    for id in orphans {
        if !broker.written[id].missing.is_empty() {
            return Err(format!(
                "invariant 1: record {id} was read before its topic was deleted, and dropped"
            ));
        }
    }
    Ok(())
}
