//! Which records of one partition were redriven. Kafka keeps one number for a group; a redrive that passes some records
//! over needs more, and puts it into the metadata that a committed offset may carry.

use std::collections::BTreeMap;

/// Brokers take this much metadata with an offset (`offset.metadata.max.bytes` is 4,096).
const MAX_METADATA_BYTES: usize = 4_000;

/// All records below `next` were redriven, and those of some ranges above it.
///
/// As metadata each range is `<gap>+<records>`, the gap being counted from the end of the one before: with `next` 7,
/// `3+2,5+1` are the records 10, 11 and 17.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    next: i64,
    /// Start and end of each range; they neither touch one another nor `next`.
    above: BTreeMap<i64, i64>,
}

/// The metadata of a committed offset was not written by this command.
#[derive(Debug, thiserror::Error)]
#[error("the metadata {0:?} of its offset is not ours")]
pub(crate) struct Foreign(String);

impl Progress {
    pub fn new(next: i64) -> Self {
        Self { next, above: BTreeMap::new() }
    }

    /// The first record that was not redriven, or is not there yet.
    pub fn next(&self) -> i64 {
        self.next
    }

    pub fn has(&self, offset: i64) -> bool {
        offset < self.next || self.above.range(..=offset).next_back().is_some_and(|(_, end)| offset < *end)
    }

    /// The records from `from` to before `to` were redriven, or are not there any more.
    pub fn add(&mut self, mut from: i64, mut to: i64) {
        if from >= to {
            return;
        }
        // Ranges that overlap or touch the new one are taken into it.
        while let Some((&start, &end)) = self.above.range(..=to).next_back().filter(|(_, end)| **end >= from)
        {
            self.above.remove(&start);
            (from, to) = (from.min(start), to.max(end));
        }
        if from <= self.next {
            self.next = self.next.max(to);
        } else {
            self.above.insert(from, to);
        }
    }

    /// How many of the records from `low` to before `high` were not redriven. Offsets without a record count too.
    pub fn waiting(&self, low: i64, high: i64) -> u64 {
        let from = self.next.max(low);
        let done = self.above.iter().map(|(start, end)| ((*end).min(high) - (*start).max(from)).max(0));
        let waiting = (high - from).max(0) - done.sum::<i64>();
        u64::try_from(waiting).unwrap_or(0)
    }

    /// The metadata beside `next`; `None` if there are too many ranges to be kept.
    pub fn metadata(&self) -> Option<String> {
        let mut before = self.next;
        let ranges = self.above.iter().map(|(start, end)| {
            let range = format!("{}+{}", start - before, end - start);
            before = *end;
            range
        });
        let text = ranges.collect::<Vec<_>>().join(",");
        (text.len() <= MAX_METADATA_BYTES).then_some(text)
    }

    /// What was committed.
    pub fn read(next: i64, metadata: &str) -> Result<Self, Foreign> {
        let mut progress = Self::new(next);
        let mut before = next;
        for range in metadata.split(',').filter(|range| !range.is_empty()) {
            let (start, end) = bounds(before, range).ok_or_else(|| Foreign(metadata.to_owned()))?;
            progress.add(start, end);
            before = end;
        }
        Ok(progress)
    }
}

fn bounds(before: i64, range: &str) -> Option<(i64, i64)> {
    let (gap, records) = range.split_once('+')?;
    let (gap, records): (u32, u32) = (gap.parse().ok()?, records.parse().ok()?);
    let start = before.checked_add(gap.into())?;
    Some((start, start.checked_add(records.into())?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_of_offsets_and_reads_back(ranges in prop::collection::vec((0_i64..120, 0_i64..12), 0..24)) {
            let mut progress = Progress::new(5);
            let mut set: BTreeSet<i64> = (0..5).collect();
            for (from, records) in ranges {
                progress.add(from, from + records);
                set.extend(from..from + records);
                for offset in 0..140 {
                    prop_assert_eq!(progress.has(offset), set.contains(&offset), "{}", offset);
                }
                prop_assert!(!set.contains(&progress.next()), "the next one was not redriven");
                let waiting = (10..100).filter(|offset| !set.contains(offset)).count();
                prop_assert_eq!(progress.waiting(10, 100), waiting as u64);
                let metadata = progress.metadata().expect("few ranges");
                prop_assert_eq!(&Progress::read(progress.next(), &metadata).expect("ours"), &progress);
            }
        }
    }

    #[test]
    fn what_cannot_be_kept_is_said() {
        let mut progress = Progress::new(0);
        for n in 1..700 {
            progress.add(2 * n, 2 * n + 1);
        }
        assert!(progress.metadata().is_some_and(|text| text.len() < MAX_METADATA_BYTES));
        for n in 700..2_000 {
            progress.add(2 * n, 2 * n + 1);
        }
        assert_eq!(progress.metadata(), None);
        progress.add(0, 4_000);
        assert_eq!((progress.next(), progress.metadata().as_deref()), (4_000, Some("")));
    }

    #[test]
    fn metadata_of_others_is_refused() {
        for metadata in ["x", "1+", "-1+2", "1+2;3+4", "99999999999+1"] {
            assert!(Progress::read(0, metadata).is_err(), "{metadata}");
        }
        assert!(Progress::read(i64::MAX, "1+1").is_err());
    }
}
