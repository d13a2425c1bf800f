//! Which runs make the ledger of `main`, when no head can be believed: a pure choice.

use std::collections::{BTreeSet, HashSet};

use iceberg::spec::TableMetadata;

use super::history::known;
use crate::history::{ancestry, source};
use crate::ledger::{FileKind, PROPERTY_LEDGER, Run, SUMMARY_LEDGER, SUMMARY_RUN};

/// The ancestry of `main`, as far as a ledger is concerned.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// From `main`'s snapshot on.
    pub(super) ancestors: Vec<Ancestor>,
    /// What the table property says of the parent that has expired.
    pub(super) at_cut: Option<String>,
}

/// A snapshot of `main`.
#[derive(Debug)]
pub(super) struct Ancestor {
    pub(super) id: i64,
    pub(super) source: Option<i64>,
    pub(super) pointer: Option<String>,
    /// It says that it brought a run of ours.
    pub(super) ours: bool,
    pub(super) added_rows: u64,
}

impl Chain {
    pub(super) fn of(table: &TableMetadata) -> Self {
        let mut chain = Self::default();
        for snapshot in ancestry(table) {
            let summary = &snapshot.summary().additional_properties;
            let missing = snapshot.parent_snapshot_id().filter(|id| table.snapshot_by_id(*id).is_none());
            let property = table.properties().get(PROPERTY_LEDGER).and_then(|value| value.split_once(':'));
            if let (Some(missing), Some((id, pointer))) = (missing, property)
                && id.parse() == Ok(missing)
                && made_for(pointer, missing)
            {
                chain.at_cut = Some(pointer.to_owned());
            }
            chain.ancestors.push(Ancestor {
                id: snapshot.snapshot_id(),
                source: source(snapshot),
                // Another's pointer in a copied summary is no pointer: the copy did not follow the same parents.
                pointer: summary
                    .get(SUMMARY_LEDGER)
                    .filter(|at| made_for(at, snapshot.snapshot_id()))
                    .cloned(),
                ours: summary.contains_key(SUMMARY_RUN),
                added_rows: summary.get("added-records").and_then(|rows| rows.parse().ok()).unwrap_or(0),
            });
        }
        chain
    }
}

/// Whether a ledger file was made for this very snapshot.
fn made_for(path: &str, snapshot_id: i64) -> bool {
    FileKind::of(path).and_then(FileKind::snapshot_id) == Some(snapshot_id)
}

/// A run that can be read, and the snapshots of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunFacts {
    pub(super) run: Run,
    pub(super) snapshots: BTreeSet<i64>,
}

/// What is known of snapshots that have no head.
#[derive(Debug, Default)]
pub(super) struct Proof {
    /// Ancestors of `main`, their sources, and whoever added a file that `main` has.
    pub(super) landed: HashSet<i64>,
    /// Snapshots that the table has, and not in `main`.
    pub(super) elsewhere: HashSet<i64>,
}

impl Proof {
    pub(super) fn of(table: &TableMetadata, chain: &Chain, authors: HashSet<i64>) -> Self {
        let mut landed = authors;
        for ancestor in &chain.ancestors {
            landed.insert(ancestor.id);
            landed.extend(ancestor.source);
        }
        let elsewhere = known(table).into_iter().filter(|id| !landed.contains(id)).collect();
        Self { landed, elsewhere }
    }
}

/// The runs that were chosen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) taken: Vec<Run>,
    /// Snapshots whose entries are in the ledger with these runs.
    pub(super) covered: HashSet<i64>,
    /// Runs that were left out, or were taken only because that was asked for.
    pub(super) unproven: Vec<Run>,
}

/// Chooses among `candidates`, the proven before the others and the larger before the smaller, to add to a head whose runs cover the snapshots `covered`.
///
/// | the snapshots of a run are | it is |
/// |---|---|
/// | all covered | left out: it is there, perhaps merged |
/// | partly covered | unproven, and never taken: its entries would stand there twice |
/// | all landed | taken |
/// | one of them elsewhere than in `main` | left out: rolled back |
/// | otherwise | unproven, and taken if `all` is wanted |
pub(super) fn choose(
    covered: HashSet<i64>,
    mut candidates: Vec<RunFacts>,
    proof: &Proof,
    all: bool,
) -> Choice {
    let proven = |facts: &RunFacts| facts.snapshots.iter().all(|id| proof.landed.contains(id));
    candidates.sort_by(|a, b| {
        (proven(b), b.run.entries, &b.run.path).cmp(&(proven(a), a.run.entries, &a.run.path))
    });
    let mut choice = Choice { covered, ..Choice::default() };
    for RunFacts { run, snapshots } in candidates {
        if snapshots.iter().all(|id| choice.covered.contains(id)) {
            continue;
        }
        let apart = snapshots.iter().all(|id| !choice.covered.contains(id));
        let landed = snapshots.iter().all(|id| proof.landed.contains(id));
        if apart && !landed && snapshots.iter().any(|id| proof.elsewhere.contains(id)) {
            continue;
        }
        if !apart || !landed {
            choice.unproven.push(run.clone());
        }
        if apart && (landed || all) {
            choice.covered.extend(snapshots);
            choice.taken.push(run);
        }
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(path: &str, entries: u64, snapshots: &[i64]) -> RunFacts {
        RunFacts {
            run: Run { path: path.to_owned(), entries },
            snapshots: snapshots.iter().copied().collect(),
        }
    }

    fn paths(runs: &[Run]) -> Vec<&str> {
        runs.iter().map(|run| run.path.as_str()).collect()
    }

    #[test]
    fn what_is_proven_is_taken_once_and_the_rest_is_said() {
        let proof = Proof { landed: HashSet::from([1, 2, 3, 4]), elsewhere: HashSet::from([8]) };
        let candidates = vec![
            facts("one", 1, &[1]),
            facts("two", 1, &[2]),
            facts("merged-one-two", 2, &[1, 2]),
            facts("base", 1, &[3]),
            facts("base-and-four", 2, &[3, 4]),
            facts("rolled-back", 1, &[8]),
            facts("lost-in-time", 1, &[9]),
            facts("empty", 0, &[]),
        ];
        let choice = choose(HashSet::from([3]), candidates.clone(), &proof, false);
        assert_eq!(paths(&choice.taken), ["merged-one-two"]);
        assert_eq!(paths(&choice.unproven), ["base-and-four", "lost-in-time"]);
        assert_eq!(choice.covered, HashSet::from([1, 2, 3]));
        let choice = choose(HashSet::from([3]), candidates, &proof, true);
        assert_eq!(paths(&choice.taken), ["merged-one-two", "lost-in-time"]);
        assert_eq!(paths(&choice.unproven), ["base-and-four", "lost-in-time"]);
    }

    #[test]
    fn what_is_unproven_never_takes_the_place_of_what_is_proven() {
        let proof = Proof { landed: HashSet::from([1]), elsewhere: HashSet::new() };
        let candidates = vec![facts("merged", 9, &[1, 8]), facts("one", 1, &[1]), facts("nine", 1, &[9])];
        let choice = choose(HashSet::new(), candidates, &proof, true);
        assert_eq!(paths(&choice.taken), ["one", "nine"]);
        assert_eq!(paths(&choice.unproven), ["merged", "nine"]);
    }
}
