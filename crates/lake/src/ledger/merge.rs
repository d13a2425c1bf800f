//! Keeping runs few: eight of a size become one of the next.
//!
//! A look-up asks every run, so their number has to grow with the logarithm of the entries, not with the commits,
//! up to the size that a commit can merge without making others wait. An entry is rewritten once for each level
//! that it passes.

use bytes::Bytes;
use parquet::errors::ParquetError;

use super::entry::Entry;
use super::head::Run;
use super::run::{RunWriter, entries};

/// Runs of one level before they become one of the next.
const FAN_IN: usize = 8;
/// Runs that would have more entries together stay as they are: a commit must not wait for long, nor hold much.
const MAX_ENTRIES: u64 = 250_000;

/// The runs to be merged into one next, if any: the smallest eight of the lowest level that has so many.
pub(super) fn due(runs: &[Run]) -> Option<Vec<Run>> {
    let mut sorted: Vec<&Run> = runs.iter().collect();
    sorted.sort_by_key(|run| run.entries);
    let group = sorted.chunk_by(|a, b| level(a) == level(b)).find(|level| level.len() >= FAN_IN)?;
    let group: Vec<Run> = group[..FAN_IN].iter().map(|run| (*run).clone()).collect();
    (group.iter().map(|run| run.entries).sum::<u64>() <= MAX_ENTRIES).then_some(group)
}

/// One run file of several, and its number of entries.
pub(super) fn merge(runs: Vec<Bytes>) -> Result<(Bytes, u64), ParquetError> {
    let mut sources =
        runs.into_iter().map(|run| entries(run).map(Iterator::peekable)).collect::<Result<Vec<_>, _>>()?;
    let mut writer = RunWriter::new()?;
    loop {
        let mut least: Option<(usize, &Entry)> = None;
        for (index, source) in sources.iter_mut().enumerate() {
            match source.peek() {
                Some(Ok(entry)) if least.is_none_or(|(_, held)| entry.identity < held.identity) => {
                    least = Some((index, entry))
                }
                // A run that cannot be read ends the merge with its error, taken below.
                Some(Err(_)) => return Err(source.next().and_then(Result::err).unwrap_or_else(unreadable)),
                _ => {}
            }
        }
        let Some((index, _)) = least else { return writer.finish() };
        if let Some(entry) = sources[index].next() {
            writer.push(entry?)?;
        }
    }
}

fn unreadable() -> ParquetError {
    ParquetError::General("a run ended while it was read".to_owned())
}

/// Each level holds runs of up to eight times as many entries as the one below.
fn level(run: &Run) -> u32 {
    run.entries.max(1).ilog(FAN_IN as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(name: usize, entries: u64) -> Run {
        Run { path: name.to_string(), entries }
    }

    /// The runs after commits of these sizes, and how many entries were written for them in all.
    fn after(commits: &[u64]) -> (Vec<Run>, u64) {
        let (mut runs, mut written) = (Vec::new(), 0);
        for (name, entries) in commits.iter().enumerate() {
            runs.push(run(name, *entries));
            written += entries;
            while let Some(group) = due(&runs) {
                runs.retain(|run| !group.contains(run));
                let entries = group.iter().map(|run| run.entries).sum();
                runs.push(run(1_000_000 + written as usize, entries));
                written += entries;
            }
        }
        (runs, written)
    }

    #[test]
    fn runs_grow_with_the_logarithm_of_the_commits() {
        let (runs, written) = after(&vec![1; 10_000]);
        assert!(runs.len() <= 7 * 5, "{} runs", runs.len());
        assert!(written <= 10_000 * 6, "{written} entries written");
    }

    #[test]
    fn a_merge_that_would_take_too_long_is_left() {
        let runs: Vec<Run> = (0..FAN_IN).map(|name| run(name, 40_000)).collect();
        assert_eq!(due(&runs), None);
    }

    proptest! {
        #[test]
        fn no_entry_is_lost_or_doubled(commits in prop::collection::vec(1u64..300, 0..200)) {
            let (runs, _) = after(&commits);
            prop_assert_eq!(runs.iter().map(|run| run.entries).sum::<u64>(), commits.iter().sum::<u64>());
            prop_assert!(due(&runs).is_none());
        }
    }
}
