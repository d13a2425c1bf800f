//! How far the partitions are done with.

use std::collections::BTreeMap;

use super::partition::Progress;

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
    /// Behind the last record that was taken in: what lies between is read again after a crash.
    pub head: Offset,
}

/// One part of a record, to be settled when what it led to is acknowledged. It holds for one assignment of its
/// partition: what an earlier owner's life left behind settles nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) partition: Partition,
    assignment: u64,
    serial: u64,
}

/// The partitions that are assigned.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    partitions: BTreeMap<Partition, Progress>,
    last: u64,
    set_back: u64,
}

impl Assignments {
    /// Begins a new assignment of a partition.
    pub(super) fn begin(&mut self, partition: Partition) {
        self.last += 1;
        self.partitions.insert(partition, Progress::new(self.last));
    }

    /// Begins an assignment anew on another log, to be read from its first record on.
    pub(super) fn begin_anew(&mut self, partition: Partition) {
        if self.partitions.get(&partition).is_some_and(|progress| !progress.closed) {
            self.begin(partition);
            let progress = self.partitions.get_mut(&partition).expect("it has just begun");
            progress.let_go = Some(0);
            progress.goes_back = true;
        }
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
        self.set_back += u64::from(progress.sets_back(offset));
        let serial = progress.take_in(offset, parts);
        Some(Claim { partition, assignment: progress.assignment, serial })
    }

    /// Whether a claim still holds: its assignment is not over, and its record will not be read again anyway.
    pub(super) fn counts(&self, claim: Claim) -> bool {
        self.of(claim).is_some_and(|progress| progress.find(claim.serial).is_some())
    }

    /// Settles one part of a record.
    pub(super) fn settle(&mut self, claim: Claim) {
        if let Some(progress) = self.of_mut(claim) {
            progress.settle(claim.serial);
        }
    }

    /// Settles one part of a record, which therefore has to be read again.
    pub(super) fn let_go(&mut self, claim: Claim) {
        let Some(progress) = self.of_mut(claim) else { return };
        if let Some(index) = progress.find(claim.serial) {
            let offset = progress.outstanding[index].offset;
            progress.let_go = Some(progress.let_go.map_or(offset, |lowest| lowest.min(offset)));
            progress.settle(claim.serial);
        }
    }

    /// It is time to read again what was let go of.
    pub(super) fn go_back(&mut self) {
        for progress in self.partitions.values_mut() {
            progress.goes_back = progress.let_go.is_some();
        }
    }

    /// The partitions that have to go back, and to where.
    pub(super) fn going_back(&self) -> impl Iterator<Item = (Partition, Offset)> {
        let going = self.partitions.iter().filter(|(_, progress)| progress.goes_back && !progress.closed);
        going.filter_map(|(&partition, progress)| Some((partition, progress.let_go?)))
    }

    /// The next record of a partition is the first that was let go of.
    pub(super) fn went_back(&mut self, partition: Partition) {
        if let Some(progress) = self.partitions.get_mut(&partition)
            && let Some(offset) = progress.let_go.take()
        {
            progress.goes_back = false;
            progress.back_to(offset);
        }
    }

    /// The positions that have moved since the last call, or whose heads have.
    pub(super) fn moved(&mut self) -> Vec<Position> {
        self.partitions
            .iter_mut()
            .filter_map(|(&partition, progress)| {
                let position = Position { partition, offset: progress.position()?, head: progress.head };
                (progress.reported.replace(position) != Some(position)).then_some(position)
            })
            .collect()
    }

    /// Makes `moved` name all positions again.
    pub(super) fn forget_reported(&mut self) {
        for progress in self.partitions.values_mut() {
            progress.reported = None;
        }
    }

    /// How far the heads are before the positions, in offsets.
    pub(super) fn ahead(&self) -> u64 {
        let ahead = |progress: &Progress| progress.head - progress.position().unwrap_or(progress.head);
        self.partitions.values().map(|progress| u64::try_from(ahead(progress)).unwrap_or(0)).sum()
    }

    /// How often a source went back by itself.
    pub(super) fn set_back(&self) -> u64 {
        self.set_back
    }

    /// Records that are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.partitions.values().map(|progress| progress.outstanding.len()).sum()
    }

    fn of(&self, claim: Claim) -> Option<&Progress> {
        let progress = self.partitions.get(&claim.partition)?;
        (progress.assignment == claim.assignment).then_some(progress)
    }

    fn of_mut(&mut self, claim: Claim) -> Option<&mut Progress> {
        let progress = self.partitions.get_mut(&claim.partition)?;
        (progress.assignment == claim.assignment).then_some(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::super::partition::SWEPT_AT;
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
        assert_eq!(positions(&mut assignments), [(0, 8)]);
        assignments.settle(high);
        assert_eq!(positions(&mut assignments), [], "it comes again, and is nothing to wait for");

        // Back and forth to the same offset is another log all the same.
        let again = assignments.take_in(0, 7, 1).unwrap();
        assignments.settle(again);
        assert_eq!(positions(&mut assignments), [(0, 8)]);
    }

    #[test]
    fn what_is_let_go_of_holds_the_position_until_it_is_read_again() {
        let mut assignments = Assignments::default();
        assignments.begin(0);
        let claims: Vec<Claim> = (0..10).map(|offset| assignments.take_in(0, offset, 1).unwrap()).collect();
        assignments.let_go(claims[4]);
        assignments.let_go(claims[2]);
        for claim in [0, 1, 3, 5, 6, 7] {
            assignments.settle(claims[claim]);
        }
        assert_eq!(positions(&mut assignments), [(0, 2)]);
        assert_eq!((assignments.ahead(), assignments.going_back().count()), (8, 0));
        assignments.go_back();
        assert_eq!(assignments.going_back().collect::<Vec<_>>(), [(0, 2)]);
        assignments.went_back(0);
        assert_eq!(assignments.going_back().count(), 0);
        assert!(!assignments.counts(claims[8]), "it is read again");
        let again = assignments.take_in(0, 2, 1).unwrap();
        assignments.settle(claims[8]);
        assert_eq!(positions(&mut assignments), []);
        assignments.settle(again);
        assert_eq!(positions(&mut assignments), [(0, 3)]);
    }

    #[test]
    fn an_old_record_does_not_make_all_later_ones_be_remembered() {
        let mut assignments = Assignments::default();
        assignments.begin(0);
        let oldest = assignments.take_in(0, 0, 1).unwrap();
        for offset in 1..100_000 {
            let claim = assignments.take_in(0, offset, 2).unwrap();
            assignments.settle(claim);
            assignments.settle(claim);
        }
        assert!(assignments.remembered() <= 2 * SWEPT_AT, "{}", assignments.remembered());
        assert_eq!(positions(&mut assignments), [(0, 0)]);
        assignments.settle(oldest);
        assert_eq!(positions(&mut assignments), [(0, 100_000)]);
    }

    #[test]
    fn another_log_is_read_from_its_beginning_and_settled_by_nothing_of_the_old() {
        let mut assignments = Assignments::default();
        assignments.begin(0);
        let old = assignments.take_in(0, 50, 1).unwrap();
        assignments.begin_anew(0);
        assert_eq!(assignments.going_back().collect::<Vec<_>>(), [(0, 0)]);
        assignments.take_in(0, 60, 0).unwrap();
        assert_eq!(positions(&mut assignments), [(0, 0)]);
        assignments.went_back(0);
        let new = assignments.take_in(0, 0, 1).unwrap();
        assignments.settle(old);
        assert_eq!(positions(&mut assignments), []);
        assignments.settle(new);
        assert_eq!(positions(&mut assignments), [(0, 1)]);
    }
}
