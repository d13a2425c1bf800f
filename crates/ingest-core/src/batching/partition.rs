//! How far one partition is done with.

use std::collections::VecDeque;

use super::progress::{Offset, Position};

/// A record of which some part is not settled.
#[derive(Debug)]
pub(super) struct Outstanding {
    serial: u64,
    pub(super) offset: Offset,
    unsettled: usize,
}

/// Settled records that may lie between unsettled ones before they are swept out.
pub(super) const SWEPT_AT: usize = 64;

/// One partition during one assignment. What it takes to remember grows with the records that are not settled, not with
/// those that were read behind them.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) assignment: u64,
    /// Records that are not settled, and some that are; serial numbers and offsets increase.
    pub(super) outstanding: VecDeque<Outstanding>,
    /// Those among them that are settled.
    settled: usize,
    next_serial: u64,
    /// Behind the last record taken in.
    next: Option<Offset>,
    /// The highest that `next` has been.
    pub(super) head: Offset,
    /// The lowest offset of which something was let go of: from there on all is to be read again.
    pub(super) let_go: Option<Offset>,
    /// Whether it is time for that.
    pub(super) goes_back: bool,
    pub(super) reported: Option<Position>,
    pub(super) closed: bool,
}

impl Progress {
    pub(super) fn new(assignment: u64) -> Self {
        Self {
            assignment,
            outstanding: VecDeque::new(),
            settled: 0,
            next_serial: 0,
            next: None,
            head: 0,
            let_go: None,
            goes_back: false,
            reported: None,
            closed: false,
        }
    }

    pub(super) fn take_in(&mut self, offset: Offset, parts: usize) -> u64 {
        if self.sets_back(offset) {
            // The log was cut, or the client's position was reset. What was committed before may be of another log.
            self.back_to(offset);
            self.reported = None;
        }
        self.next = Some(offset + 1);
        self.head = self.head.max(offset + 1);
        let serial = self.next_serial;
        if parts > 0 {
            self.next_serial += 1;
            self.outstanding.push_back(Outstanding { serial, offset, unsettled: parts });
        }
        serial
    }

    /// Whether the source has gone back, if this is its next record.
    pub(super) fn sets_back(&self, offset: Offset) -> bool {
        self.next.is_some_and(|next| offset < next)
    }

    /// The next record is this one. What was read from there on comes again, and is nothing to wait for.
    pub(super) fn back_to(&mut self, offset: Offset) {
        let kept = self.outstanding.partition_point(|record| record.offset < offset);
        let dropped = self.outstanding.drain(kept..);
        self.settled -= dropped.filter(|record| record.unsettled == 0).count();
        self.next = Some(offset);
    }

    pub(super) fn find(&self, serial: u64) -> Option<usize> {
        let index = self.outstanding.binary_search_by_key(&serial, |record| record.serial).ok()?;
        (self.outstanding[index].unsettled > 0).then_some(index)
    }

    pub(super) fn settle(&mut self, serial: u64) {
        let Some(index) = self.find(serial) else { return };
        self.outstanding[index].unsettled -= 1;
        if self.outstanding[index].unsettled > 0 {
            return;
        }
        self.settled += 1;
        while self.outstanding.front().is_some_and(|record| record.unsettled == 0) {
            self.outstanding.pop_front();
            self.settled -= 1;
        }
        if self.settled > SWEPT_AT.max(self.outstanding.len() / 2) {
            self.outstanding.retain(|record| record.unsettled > 0);
            self.settled = 0;
        }
    }

    /// The lowest offset that is not done with.
    pub(super) fn position(&self) -> Option<Offset> {
        let unsettled = self.outstanding.front().map(|record| record.offset).or(self.next);
        match (unsettled, self.let_go) {
            (Some(unsettled), Some(let_go)) => Some(unsettled.min(let_go)),
            (unsettled, let_go) => unsettled.or(let_go),
        }
    }
}
