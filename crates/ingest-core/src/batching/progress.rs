//! How far each partition is done with.

use std::collections::{BTreeMap, VecDeque};

/// Number of a partition.
pub type Partition = i32;

/// Number of a record within its partition.
pub type Offset = i64;

/// A position to commit: the offset of the first record that is not done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: Partition,
    /// The next offset to read after a restart.
    pub offset: Offset,
}

/// One part of a record, to be settled when what it led to is acknowledged. It holds for one assignment of its
/// partition: what an earlier owner's life left behind settles nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) partition: Partition,
    assignment: u64,
    serial: u64,
}

/// A record of which some part is not settled.
#[derive(Debug)]
struct Outstanding {
    offset: Offset,
    unsettled: usize,
}

/// One partition during one assignment.
#[derive(Debug)]
struct Progress {
    assignment: u64,
    /// Records taken in, from the first that is not settled; offsets never decrease.
    outstanding: VecDeque<Outstanding>,
    /// Serial number of the front of `outstanding`.
    first_serial: u64,
    /// Behind the last record taken in.
    next: Option<Offset>,
    reported: Option<Offset>,
    closed: bool,
}

/// The partitions that are assigned.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    partitions: BTreeMap<Partition, Progress>,
    last: u64,
}

impl Assignments {
    /// Begins a new assignment of a partition.
    pub(super) fn begin(&mut self, partition: Partition) {
        self.last += 1;
        self.partitions.insert(
            partition,
            Progress {
                assignment: self.last,
                outstanding: VecDeque::new(),
                first_serial: 0,
                next: None,
                reported: None,
                closed: false,
            },
        );
    }

    /// Takes in no more records of a partition.
    pub(super) fn close(&mut self, partition: Partition) {
        if let Some(progress) = self.partitions.get_mut(&partition) {
            progress.closed = true;
        }
    }

    /// Forgets a partition.
    pub(super) fn end(&mut self, partition: Partition) {
        self.partitions.remove(&partition);
    }

    /// Takes in a record of so many parts; `None` if its partition is not ours.
    pub(super) fn take_in(&mut self, partition: Partition, offset: Offset, parts: usize) -> Option<Claim> {
        let progress = self.partitions.get_mut(&partition).filter(|progress| !progress.closed)?;
        let serial = progress.take_in(offset, parts);
        Some(Claim { partition, assignment: progress.assignment, serial })
    }

    /// Whether a claim still holds: its assignment is not over.
    pub(super) fn counts(&self, claim: Claim) -> bool {
        self.partitions.get(&claim.partition).is_some_and(|progress| progress.assignment == claim.assignment)
    }

    /// Settles one part of a record.
    pub(super) fn settle(&mut self, claim: Claim) {
        if let Some(progress) = self
            .partitions
            .get_mut(&claim.partition)
            .filter(|progress| progress.assignment == claim.assignment)
        {
            progress.settle(claim.serial);
        }
    }

    /// The positions that have moved since the last call.
    pub(super) fn moved(&mut self) -> Vec<Position> {
        self.partitions
            .iter_mut()
            .filter_map(|(&partition, progress)| {
                let offset = progress.position()?;
                (progress.reported.replace(offset) != Some(offset)).then_some(Position { partition, offset })
            })
            .collect()
    }

    /// Makes `moved` name all positions again.
    pub(super) fn forget_reported(&mut self) {
        for progress in self.partitions.values_mut() {
            progress.reported = None;
        }
    }
}

impl Progress {
    fn take_in(&mut self, offset: Offset, parts: usize) -> u64 {
        if self.next.is_some_and(|next| offset < next) {
            // The source went back (a log that was cut, a seek): until all older records are settled, a restart has to
            // come back at least this far too. What was committed before may be of another log.
            self.reported = None;
            for record in self.outstanding.iter_mut().rev() {
                if record.offset <= offset {
                    break;
                }
                record.offset = offset;
            }
        }
        self.next = Some(offset + 1);
        let serial = self.first_serial + self.outstanding.len() as u64;
        if parts > 0 {
            self.outstanding.push_back(Outstanding { offset, unsettled: parts });
        }
        serial
    }

    fn settle(&mut self, serial: u64) {
        let index =
            usize::try_from(serial - self.first_serial).expect("a queue in memory is shorter than usize");
        self.outstanding[index].unsettled -= 1;
        while self.outstanding.front().is_some_and(|record| record.unsettled == 0) {
            self.outstanding.pop_front();
            self.first_serial += 1;
        }
    }

    /// The lowest offset that is not done with.
    fn position(&self) -> Option<Offset> {
        match self.outstanding.front() {
            Some(record) => Some(record.offset),
            None => self.next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(assignments: &mut Assignments) -> Vec<(Partition, Offset)> {
        let moved = assignments.moved();
        moved.into_iter().map(|position| (position.partition, position.offset)).collect()
    }

    #[test]
    fn the_lowest_unsettled_record_holds_the_position() {
        let mut assignments = Assignments::default();
        assignments.begin(0);
        assert_eq!(positions(&mut assignments), []);
        let first = assignments.take_in(0, 10, 2).unwrap();
        let second = assignments.take_in(0, 15, 1).unwrap();
        assignments.take_in(0, 16, 0).unwrap();
        assert_eq!(positions(&mut assignments), [(0, 10)]);
        assignments.settle(second);
        assignments.settle(first);
        assert_eq!(positions(&mut assignments), []);
        assignments.settle(first);
        assert_eq!(positions(&mut assignments), [(0, 17)]);
        assert_eq!(positions(&mut assignments), []);
        assignments.forget_reported();
        assert_eq!(positions(&mut assignments), [(0, 17)]);
    }

    #[test]
    fn a_claim_of_an_earlier_assignment_settles_nothing() {
        let mut assignments = Assignments::default();
        assignments.begin(0);
        let old = assignments.take_in(0, 5, 1).unwrap();
        assignments.end(0);
        assert_eq!(assignments.take_in(0, 5, 1), None);
        assignments.settle(old);
        assignments.begin(0);
        let new = assignments.take_in(0, 5, 1).unwrap();
        assignments.settle(old);
        assert_eq!(positions(&mut assignments), [(0, 5)]);
        assignments.settle(new);
        assert_eq!(positions(&mut assignments), [(0, 6)]);
    }

    #[test]
    fn a_source_that_goes_back_is_followed() {
        let mut assignments = Assignments::default();
        assignments.begin(0);
        let low = assignments.take_in(0, 3, 1).unwrap();
        let high = assignments.take_in(0, 9, 1).unwrap();
        let again = assignments.take_in(0, 7, 1).unwrap();
        assignments.settle(low);
        assert_eq!(positions(&mut assignments), [(0, 7)]);
        assignments.settle(again);
        assert_eq!(positions(&mut assignments), []);
        assignments.settle(high);
        assert_eq!(positions(&mut assignments), [(0, 8)]);

        // Back and forth to the same offset is another log all the same.
        let again = assignments.take_in(0, 7, 1).unwrap();
        assignments.settle(again);
        assert_eq!(positions(&mut assignments), [(0, 8)]);
    }
}
