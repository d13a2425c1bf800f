//! How far each partition may be committed while its records finish in any order. Pure: no Kafka, no clock.

use std::collections::{BTreeMap, BTreeSet};

/// A record that is being worked on. It counts only for the ownership of the partition under which it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    ownership: u64,
}

#[derive(Debug)]
struct Progress {
    ownership: u64,
    unfinished: BTreeSet<i64>,
    /// One after the record taken last; `None` before the first.
    next: Option<i64>,
    /// The position that [`OffsetTracker::finish`] gave out last; to begin with, where we began.
    reported: Option<i64>,
}

/// Commit positions of the partitions owned, by this rule: never past a record that is unfinished.
#[derive(Debug, Default)]
pub struct OffsetTracker {
    partitions: BTreeMap<i32, Progress>,
    ownerships: u64,
}

impl OffsetTracker {
    /// The partition is ours from now on. What was taken before no longer counts.
    pub fn assign(&mut self, partition: i32) {
        self.ownerships += 1;
        let fresh =
            Progress { ownership: self.ownerships, unfinished: BTreeSet::new(), next: None, reported: None };
        self.partitions.insert(partition, fresh);
    }

    /// The partition is no longer ours: whatever finishes now is its next owner's to commit.
    pub fn revoke(&mut self, partition: i32) {
        self.partitions.remove(&partition);
    }

    /// A record is taken in. `None` if its partition is not ours; it is then read again by its owner.
    pub fn take(&mut self, partition: i32, offset: i64) -> Option<Ticket> {
        let progress = self.partitions.get_mut(&partition)?;
        if progress.next.is_some_and(|next| offset < next) {
            // The topic went back: it was made anew, or cut. What was taken before is of another log, and says nothing of
            // this one.
            self.ownerships += 1;
            progress.ownership = self.ownerships;
            progress.unfinished.clear();
            progress.reported = None;
        }
        progress.unfinished.insert(offset);
        progress.next = Some(offset + 1);
        progress.reported.get_or_insert(offset);
        Some(Ticket { partition, offset, ownership: progress.ownership })
    }

    /// A record's work is durably done. Gives the partition's position if that moved it, to be committed.
    pub fn finish(&mut self, ticket: Ticket) -> Option<i64> {
        let progress = self.partitions.get_mut(&ticket.partition)?;
        if progress.ownership != ticket.ownership || !progress.unfinished.remove(&ticket.offset) {
            return None;
        }
        // Where a new owner should begin: at the lowest unfinished record, or after the last.
        let position = progress.unfinished.first().copied().or(progress.next);
        if position == progress.reported {
            return None;
        }
        progress.reported = position;
        position
    }

    /// The position of every partition of which a record was taken, for the last commit before leaving.
    pub fn positions(&self) -> BTreeMap<i32, i64> {
        let reported = self.partitions.iter().filter_map(|(&partition, p)| Some((partition, p.reported?)));
        reported.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_that_finish_out_of_order_wait_for_the_lowest() {
        let mut tracker = OffsetTracker::default();
        tracker.assign(0);
        let [five, six, nine] = [5, 6, 9].map(|offset| tracker.take(0, offset).expect("ours"));
        assert_eq!(tracker.finish(six), None);
        assert_eq!(tracker.finish(five), Some(9), "compacted offsets are no gap");
        assert_eq!(tracker.finish(nine), Some(10));
        assert_eq!(tracker.positions(), BTreeMap::from([(0, 10)]));
    }

    #[test]
    fn work_of_an_earlier_ownership_is_dropped() {
        let mut tracker = OffsetTracker::default();
        assert_eq!(tracker.take(0, 1), None, "not ours");
        tracker.assign(0);
        let old = tracker.take(0, 1).expect("ours");
        tracker.revoke(0);
        assert_eq!(tracker.finish(old), None);
        tracker.assign(0);
        let again = tracker.take(0, 1).expect("ours again");
        assert_eq!(tracker.finish(old), None, "the record was given out anew");
        assert_eq!(tracker.finish(again), Some(2));
        assert_eq!(tracker.finish(again), None, "once");
    }

    #[test]
    fn a_topic_that_goes_back_is_another_log() {
        let mut tracker = OffsetTracker::default();
        tracker.assign(0);
        let [high, low] = [1_000, 5].map(|offset| tracker.take(0, offset).expect("ours"));
        let again = tracker.take(0, 6).expect("ours");
        assert_eq!(tracker.finish(low), Some(6), "not what is unfinished of the old log");
        assert_eq!(tracker.finish(high), None);
        assert_eq!(tracker.finish(again), Some(7));
        let same = tracker.take(0, 6).expect("ours");
        assert_eq!(tracker.finish(again), None, "its offset is another record's by now");
        assert_eq!(tracker.finish(same), Some(7));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Take { partition: i32, gap: i64 },
        Finish(prop::sample::Index),
        Revoke(i32),
        Assign(i32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..3, 0..4i64).prop_map(|(partition, gap)| Step::Take { partition, gap }),
            6 => any::<prop::sample::Index>().prop_map(Step::Finish),
            1 => (0..3).prop_map(Step::Revoke),
            1 => (0..3).prop_map(Step::Assign),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: no commit passes an unfinished record, none goes backwards within an
        /// ownership, and once all is finished everything is committed.
        #[test]
        fn never_commits_past_an_unfinished_record(steps in prop::collection::vec(step(), 1..200)) {
            let mut tracker = OffsetTracker::default();
            let mut live: Vec<Ticket> = Vec::new();
            let mut stale: Vec<Ticket> = Vec::new();
            let mut next = BTreeMap::from([(0, 0), (1, 0), (2, 0)]);
            let mut committed: BTreeMap<i32, i64> = BTreeMap::new();
            let mut finish = |tracker: &mut OffsetTracker, live: &[Ticket], ticket: Ticket, owned: bool| {
                let Some(position) = tracker.finish(ticket) else { return Ok(()) };
                prop_assert!(owned, "a stale ticket committed {position}");
                for other in live.iter().filter(|other| other.partition == ticket.partition) {
                    prop_assert!(position <= other.offset, "{position} passes unfinished {}", other.offset);
                }
                let before = committed.insert(ticket.partition, position);
                prop_assert!(before.is_none_or(|before| before < position));
                Ok(())
            };
            for step in steps {
                match step {
                    Step::Take { partition, gap } => {
                        let offset = next[&partition] + gap;
                        if let Some(ticket) = tracker.take(partition, offset) {
                            next.insert(partition, offset + 1);
                            live.push(ticket);
                        }
                    }
                    Step::Finish(index) if !live.is_empty() => {
                        let ticket = live.swap_remove(index.index(live.len()));
                        finish(&mut tracker, &live, ticket, true)?;
                    }
                    Step::Finish(_) => {
                        for ticket in stale.drain(..) {
                            finish(&mut tracker, &live, ticket, false)?;
                        }
                    }
                    Step::Revoke(partition) => {
                        tracker.revoke(partition);
                        stale.extend(live.extract_if(.., |ticket| ticket.partition == partition));
                    }
                    Step::Assign(partition) => {
                        tracker.assign(partition);
                        stale.extend(live.extract_if(.., |ticket| ticket.partition == partition));
                    }
                }
            }
            let taken: BTreeMap<i32, i64> = live.iter().map(|ticket| (ticket.partition, next[&ticket.partition])).collect();
            while let Some(ticket) = live.pop() {
                finish(&mut tracker, &live, ticket, true)?;
            }
            for (partition, end) in taken {
                prop_assert_eq!(tracker.positions()[&partition], end);
            }
        }
    }
}
