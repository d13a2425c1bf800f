//! Keeping runs few: which of them become one next, and what a finished merge does to a head.
//!
//! A look-up asks every run, so their number has to grow with the logarithm of the entries, not with the commits.
//! Eight runs of a size become one of the next, up to a size that can be written in bounded memory; an entry is
//! rewritten once for each level that it passes.

use super::head::{Head, Run};

/// Runs of one level before they become one of the next.
const FAN_IN: usize = 8;
/// The most entries of a merged run. What a writer holds until the end (Bloom filters, page index) is some bytes
/// an entry. A larger ledger has one more run for every two to four million entries.
const MAX_ENTRIES: u64 = 4 * 1024 * 1024;

/// Runs to be merged into one next, if any: the smallest of the lowest level that has enough of them. Those that
/// are `busy` do not count.
pub(super) fn due(runs: &[Run], busy: impl Fn(&Run) -> bool) -> Option<Vec<Run>> {
    let mut free: Vec<&Run> = runs.iter().filter(|run| !busy(run)).collect();
    free.sort_by_key(|run| run.entries);
    free.chunk_by(|a, b| level(a) == level(b)).filter(|level| level.len() >= FAN_IN).find_map(|level| {
        let mut entries = 0;
        let fits = level[..FAN_IN].iter().take_while(|run| {
            entries += run.entries;
            entries <= MAX_ENTRIES
        });
        let group: Vec<Run> = fits.map(|run| (*run).clone()).collect();
        (group.len() > 1).then_some(group)
    })
}

/// Each level holds runs of up to eight times as many entries as the one below.
fn level(run: &Run) -> u32 {
    run.entries.max(1).ilog(FAN_IN as u64)
}

/// Runs that were merged, and the run that can stand for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Merge {
    pub(super) inputs: Vec<Run>,
    pub(super) output: Run,
}

/// How a merge stands to a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The head names the output.
    Adopted,
    /// The head names every input: the output can take their place.
    Applies,
    /// The head names neither: another process was first, or the table went back in time.
    Void,
}

impl Merge {
    pub(super) fn standing(&self, head: &Head) -> Standing {
        if head.names(&self.output.path) {
            Standing::Adopted
        } else if self.inputs.iter().all(|run| head.runs.contains(run)) {
            Standing::Applies
        } else {
            Standing::Void
        }
    }

    /// Puts the output in the place of exactly the inputs. To be called when the merge applies.
    pub(super) fn apply(&self, head: &mut Head) {
        head.runs.retain(|run| !self.inputs.contains(run));
        head.runs.push(self.output.clone());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn run(name: usize, entries: u64) -> Run {
        Run { path: name.to_string(), entries }
    }

    fn head(runs: Vec<Run>) -> Head {
        let mut head = Head::new(Uuid::nil());
        head.runs = runs;
        head
    }

    /// The head after commits of these sizes, and how many entries were written for it in all.
    fn after(commits: &[u64]) -> (Head, u64) {
        let (mut head, mut written) = (head(Vec::new()), 0);
        for (name, entries) in commits.iter().enumerate() {
            head.runs.push(run(name, *entries));
            written += entries;
            while let Some(inputs) = due(&head.runs, |_| false) {
                let entries = inputs.iter().map(|run| run.entries).sum();
                Merge { inputs, output: run(1_000_000 + written as usize, entries) }.apply(&mut head);
                written += entries;
            }
        }
        (head, written)
    }

    #[test]
    fn runs_grow_with_the_logarithm_of_the_commits() {
        let (head, written) = after(&vec![1; 10_000]);
        assert!(head.runs.len() <= 7 * 5, "{} runs", head.runs.len());
        assert!(written <= 10_000 * 6, "{written} entries written");
    }

    #[test]
    fn no_merged_run_is_larger_than_can_be_written_in_bounded_memory() {
        let (head, _) = after(&vec![300_000; 300]);
        assert!(head.runs.iter().all(|run| run.entries <= MAX_ENTRIES));
        assert!(head.runs.len() <= 300 * 300_000 / 2_000_000 + 8, "{} runs", head.runs.len());
    }

    #[test]
    fn runs_that_are_being_merged_are_left_alone() {
        let runs: Vec<Run> = (0..9).map(|name| run(name, 1)).collect();
        assert_eq!(due(&runs, |run| run.path == "3").unwrap().len(), 8);
        assert_eq!(due(&runs, |run| ["3", "4"].contains(&run.path.as_str())), None);
    }

    #[test]
    fn a_merge_replaces_exactly_its_inputs_and_only_if_all_are_named() {
        let merge = Merge { inputs: vec![run(1, 1), run(2, 1)], output: run(9, 2) };
        let mut base = head(vec![run(1, 1), run(2, 1), run(3, 1)]);
        assert_eq!(merge.standing(&base), Standing::Applies);
        merge.apply(&mut base);
        assert_eq!(base.runs, [run(3, 1), run(9, 2)]);
        assert_eq!(merge.standing(&base), Standing::Adopted);
        assert_eq!(merge.standing(&head(vec![run(1, 1), run(3, 1)])), Standing::Void);
        assert_eq!(merge.standing(&head(Vec::new())), Standing::Void);
    }

    proptest! {
        #[test]
        fn no_entry_is_lost_or_doubled(commits in prop::collection::vec(1u64..300, 0..200)) {
            let (head, _) = after(&commits);
            prop_assert_eq!(head.runs.iter().map(|run| run.entries).sum::<u64>(), commits.iter().sum::<u64>());
            prop_assert!(due(&head.runs, |_| false).is_none());
        }
    }
}
