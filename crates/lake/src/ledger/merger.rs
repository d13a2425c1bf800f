//! Merges of one table in this process: which are under way, which are finished and wait for a head to name them.

use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::head::{Head, Run};
use super::merge::{Merge, Standing, due};

/// Merges of up to so many entries do not wait for larger ones, which may take a minute.
const SMALL_ENTRIES: u64 = 32 * 1024;
/// After a merge that failed, so many commits pass before another is begun.
const PAUSE_COMMITS: u32 = 32;
/// A merge that found no head for so long is given up, well before a clean-up may delete its file.
const LIFETIME: TimeDelta = TimeDelta::days(1);

/// Bounds the merges that go on beside the commits in a process, whatever the number of tables: one small and one
/// large at a time. A large one takes some 100 MiB.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { small: Arc::new(Semaphore::new(1)), large: Arc::new(Semaphore::new(1)) }
    }
}

impl Lanes {
    fn enter(&self, inputs: &[Run]) -> Option<OwnedSemaphorePermit> {
        let entries: u64 = inputs.iter().map(|run| run.entries).sum();
        let lane = if entries <= SMALL_ENTRIES { &self.small } else { &self.large };
        lane.clone().try_acquire_owned().ok()
    }
}

/// The merges of one table.
#[derive(Debug, Default)]
pub(super) struct Merger {
    lanes: Lanes,
    state: Mutex<State>,
    under_way: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    running: Vec<Vec<Run>>,
    finished: Vec<Finished>,
    pause: u32,
}

#[derive(Debug)]
struct Finished {
    merge: Merge,
    /// Whether a head that names the output was, or is about to be, written. Such a file is never deleted here.
    named: bool,
    since: DateTime<Utc>,
}

impl Merger {
    /// The merges of a table in a process with these lanes.
    pub(super) fn new(lanes: Lanes) -> Self {
        Self { lanes, ..Self::default() }
    }

    /// Puts the outputs of finished merges in the place of their inputs, and returns the outputs that no head names
    /// nor will name: they can be deleted. What is adopted stays here until a base names it, so that a commit that
    /// loses a race adopts it again.
    pub(super) fn adopt(&self, head: &mut Head, now: DateTime<Utc>) -> Vec<Run> {
        let mut unused = Vec::new();
        self.lock().finished.retain_mut(|finished| match finished.merge.standing(head) {
            Standing::Adopted => false,
            Standing::Applies if now - finished.since < LIFETIME => {
                finished.merge.apply(head);
                finished.named = true;
                true
            }
            Standing::Applies | Standing::Void => {
                if !finished.named {
                    unused.push(finished.merge.output.clone());
                }
                false
            }
        });
        unused
    }

    /// A merge that should be made now, if its lane is free. If it is not, a later commit asks again.
    pub(super) fn begin(self: &Arc<Self>, head: &Head) -> Option<Begun> {
        let mut state = self.lock();
        if state.pause > 0 {
            state.pause -= 1;
            return None;
        }
        let inputs = due(&head.runs, |run| state.is_busy(run))?;
        let lane = self.lanes.enter(&inputs)?;
        Some(self.take(&mut state, inputs, Some(lane)))
    }

    /// A merge that a commit has to make itself, because the head names too many runs.
    pub(super) fn overdue(self: &Arc<Self>, head: &Head) -> Option<Begun> {
        let mut state = self.lock();
        let inputs = due(&head.runs, |run| state.is_busy(run))?;
        Some(self.take(&mut state, inputs, None))
    }

    fn take(
        self: &Arc<Self>,
        state: &mut State,
        inputs: Vec<Run>,
        lane: Option<OwnedSemaphorePermit>,
    ) -> Begun {
        state.running.push(inputs.clone());
        self.under_way.send_replace(state.running.len());
        Begun { merger: self.clone(), inputs, failed: true, _lane: lane }
    }

    /// Waits until no merge is under way.
    pub(super) async fn idle(&self) {
        let mut under_way = self.under_way.subscribe();
        // The sender lives as long as this does.
        let _ = under_way.wait_for(|merges| *merges == 0).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

/// A merge that is under way. Dropped before its end, it has failed.
pub(super) struct Begun {
    merger: Arc<Merger>,
    inputs: Vec<Run>,
    failed: bool,
    _lane: Option<OwnedSemaphorePermit>,
}

impl Begun {
    /// The runs to be merged.
    pub(super) fn inputs(&self) -> &[Run] {
        &self.inputs
    }

    /// Hands in what they became.
    pub(super) fn finish(mut self, output: Run, now: DateTime<Utc>) {
        self.failed = false;
        let merge = Merge { inputs: self.inputs.clone(), output };
        self.merger.lock().finished.push(Finished { merge, named: false, since: now });
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut state = self.merger.lock();
        state.running.retain(|other| *other != self.inputs);
        self.merger.under_way.send_replace(state.running.len());
        if self.failed {
            state.pause = PAUSE_COMMITS;
        }
    }
}

impl State {
    fn is_busy(&self, run: &Run) -> bool {
        let finished = self.finished.iter().flat_map(|finished| &finished.merge.inputs);
        self.running.iter().flatten().chain(finished).any(|other| other == run)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn head(runs: impl IntoIterator<Item = (usize, u64)>) -> Head {
        let mut head = Head::new(Uuid::nil());
        head.runs = runs.into_iter().map(|(name, entries)| run(name, entries)).collect();
        head
    }

    fn run(name: usize, entries: u64) -> Run {
        Run { path: name.to_string(), entries }
    }

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    #[test]
    fn a_finished_merge_survives_conflicts_until_a_base_names_it() {
        let merger = Arc::new(Merger::default());
        let base = head((0..8).map(|name| (name, 1)));
        merger.begin(&base).unwrap().finish(run(100, 8), now());
        for _ in 0..3 {
            let mut next = base.clone();
            assert_eq!(merger.adopt(&mut next, now()), []);
            assert_eq!(next.runs, [run(100, 8)]);
        }
        let mut landed = head([(100, 8), (8, 1)]);
        assert_eq!(merger.adopt(&mut landed, now()), []);
        assert_eq!(landed.runs.len(), 2);
        assert!(merger.lock().finished.is_empty());
    }

    #[test]
    fn an_output_is_given_up_for_deletion_only_if_no_head_was_to_name_it() {
        let base = head((0..8).map(|name| (name, 1)));
        let elsewhere = head([(50, 8)]);
        let merger = Arc::new(Merger::default());
        merger.begin(&base).unwrap().finish(run(100, 8), now());
        assert_eq!(merger.adopt(&mut elsewhere.clone(), now()), [run(100, 8)]);

        merger.begin(&base).unwrap().finish(run(101, 8), now());
        merger.adopt(&mut base.clone(), now());
        assert_eq!(
            merger.adopt(&mut elsewhere.clone(), now()),
            [],
            "a head that names it may have been written"
        );
        assert!(merger.lock().finished.is_empty());
    }

    #[test]
    fn a_merge_that_waited_too_long_is_given_up() {
        let merger = Arc::new(Merger::default());
        let base = head((0..8).map(|name| (name, 1)));
        merger.begin(&base).unwrap().finish(run(100, 8), now());
        let mut next = base.clone();
        assert_eq!(merger.adopt(&mut next, now() + LIFETIME), [run(100, 8)]);
        assert_eq!(next, base);
    }

    #[test]
    fn a_merge_of_merged_runs_is_adopted_after_them() {
        let merger = Arc::new(Merger::default());
        let mut base = head((0..8).map(|name| (name, 1)).chain((10..17).map(|name| (name, 8))));
        merger.begin(&base).unwrap().finish(run(100, 8), now());
        merger.adopt(&mut base, now());
        merger.begin(&base).unwrap().finish(run(200, 64), now());
        let mut again = head((0..8).map(|name| (name, 1)).chain((10..17).map(|name| (name, 8))));
        assert_eq!(merger.adopt(&mut again, now()), []);
        assert_eq!(again.runs, [run(200, 64)]);
    }

    #[test]
    fn a_large_merge_does_not_hold_up_small_ones_and_none_is_begun_twice() {
        let merger = Arc::new(Merger::default());
        let both = head((0..8).map(|name| (name, 1)).chain((10..18).map(|name| (name, 50_000))));
        let small = merger.begin(&both).unwrap();
        let large = merger.begin(&both).unwrap();
        assert_eq!((small.inputs()[0].entries, large.inputs()[0].entries), (1, 50_000));
        assert!(merger.begin(&both).is_none() && merger.overdue(&both).is_none());
    }

    #[test]
    fn tables_share_the_lanes_but_a_commit_that_has_to_merge_does_not_wait() {
        let lanes = Lanes::default();
        let (one, other) = (Arc::new(Merger::new(lanes.clone())), Arc::new(Merger::new(lanes)));
        let base = head((0..8).map(|name| (name, 1)));
        let begun = one.begin(&base).unwrap();
        assert!(other.begin(&base).is_none());
        begun.finish(run(100, 8), now());
        let held = other.begin(&base).unwrap();
        assert!(one.overdue(&head((20..28).map(|name| (name, 1)))).is_some());
        drop(held);
    }

    #[test]
    fn a_merge_that_fails_is_not_tried_again_with_every_commit() {
        let merger = Arc::new(Merger::default());
        let base = head((0..8).map(|name| (name, 1)));
        drop(merger.begin(&base).unwrap());
        for _ in 0..PAUSE_COMMITS {
            assert!(merger.begin(&base).is_none());
        }
        assert!(merger.begin(&base).is_some());
    }
}
