//! The one rule by which a file that nobody seems to need may be deleted (invariant 5).
//!
//! An attempt to commit leaves data files, manifests and ledger files behind if it fails. A catalog's answer proves
//! nothing, so a file is let go only when nothing can bring its attempt back:
//!
//! | of a file | it stays because |
//! |---|---|
//! | a retained snapshot's manifests or a reachable ledger name it | it is needed |
//! | an attempt that names it is a retained snapshot, or was copied into one | that attempt landed |
//! | the ledger has an entry of an attempt that names it | that attempt landed, and its snapshot has expired |
//! | an attempt that names it was sent, and `main` is where that commit required it to be | it could still land |
//! | it, or an attempt that names it, is younger than a request can be | it may be in use right now |
//! | the files of an attempt that may name it cannot be read | nobody knows |
//!
//! Nothing else keeps it.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use iceberg::spec::TableMetadata;

use super::history::known;
use crate::catalog::COMMIT_DEADLINE;

/// The age below which nothing is deleted, unless told otherwise: far longer than any request of ours takes.
pub const OLDER_THAN: Duration = Duration::from_secs(24 * 60 * 60);
/// The age below which nothing is deleted, whatever was told: longer than any request takes, and than a commit can be
/// under way, with a margin for what a server still executes after we stopped waiting.
pub const LEAST: Duration = Duration::from_secs(60 * 60);
const _: () =
    assert!(LEAST.as_secs() >= 10 * COMMIT_DEADLINE.as_secs() && LEAST.as_secs() <= OLDER_THAN.as_secs());

/// What a table shows at one moment, as far as the fate of attempts depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The snapshot of `main`.
    pub main: Option<i64>,
    /// Every retained snapshot, on any branch, and the sources of those that were copied.
    pub snapshots: HashSet<i64>,
}

impl Shown {
    /// What this metadata shows.
    pub fn of(table: &TableMetadata) -> Self {
        Self { main: table.current_snapshot_id(), snapshots: known(table) }
    }
}

/// An attempt to commit, as its files tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The snapshot that it would have made.
    pub snapshot_id: i64,
    /// What its commit required.
    pub required: Required,
    /// Whether the ledger of `main` has an entry with its snapshot id.
    pub in_ledger: bool,
    /// Time since its run was written.
    pub age: Duration,
}

/// What the commit of an attempt required of `main`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// Its manifest list was never written, so no commit was ever sent.
    NeverSent,
    /// To be at this snapshot; `None`: to have none yet.
    Main(Option<i64>),
    /// Its files cannot be read: what it required, and what it would have brought, is not known.
    Unknown,
}

/// Why a file stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// A retained snapshot or the ledger names it.
    Referenced,
    /// This attempt landed.
    Landed(i64),
    /// The commit of this attempt could still be made.
    CouldLand(i64),
    /// Somebody may still be working with it.
    Young,
    /// The files of this attempt cannot be read.
    Unreadable(i64),
    /// Nothing tells whose it is.
    Unattributed,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Referenced => f.write_str("a snapshot or the ledger names it"),
            Self::Landed(id) => write!(f, "its attempt {id} landed"),
            Self::CouldLand(id) => write!(f, "main has not moved since its attempt {id}"),
            Self::Young => f.write_str("a request may still be working with it"),
            Self::Unreadable(id) => write!(f, "the files of attempt {id} cannot be read"),
            Self::Unattributed => f.write_str("another catalog may refer to it: look at it yourself"),
        }
    }
}

/// Whether a file may be deleted: `attempts` are all that name it (none: no attempt ever did), `referenced` says
/// whether a retained snapshot or a reachable ledger names it, `age` is the time since it was written. It must be
/// more than `older_than`, and than [`LEAST`].
///
/// # Errors
/// Why it may not.
pub fn deletable<'a>(
    attempts: impl IntoIterator<Item = &'a Attempt>,
    referenced: bool,
    age: Duration,
    shown: &Shown,
    older_than: Duration,
) -> Result<(), Held> {
    if referenced {
        return Err(Held::Referenced);
    }
    let mut youngest = age;
    for attempt in attempts {
        let id = attempt.snapshot_id;
        if attempt.in_ledger || shown.snapshots.contains(&id) {
            return Err(Held::Landed(id));
        }
        match attempt.required {
            Required::Unknown => return Err(Held::Unreadable(id)),
            Required::Main(main) if main == shown.main => return Err(Held::CouldLand(id)),
            Required::Main(_) | Required::NeverSent => {}
        }
        youngest = youngest.min(attempt.age);
    }
    if youngest > older_than.max(LEAST) { Ok(()) } else { Err(Held::Young) }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// Units of time that a commit may be under way, and that a request may go on sending its file.
    const DELAY: u32 = 4;
    const REQUEST: u32 = 4;
    /// So long that nothing is younger than [`LEAST`] at the end of either.
    const UNIT: Duration = Duration::from_secs(LEAST.as_secs() / 4);

    #[derive(Debug, Clone)]
    enum Act {
        /// A request writes a file.
        Write,
        /// A request sends a commit with a file that it wrote, on `main` as it is.
        Send(usize),
        /// A commit that is under way arrives.
        Arrive(usize),
        /// Another program commits.
        Foreign,
        /// `main` goes back to a retained snapshot.
        RollBack(usize),
        /// Maintenance forgets a snapshot that no other needs.
        Expire(usize),
        /// Time goes by.
        Wait(u32),
        /// What may be deleted is deleted.
        Sweep,
    }

    /// A table, the files beside it, and commits under way.
    #[derive(Default)]
    struct World {
        now: u32,
        next_id: i64,
        main: Option<i64>,
        snapshots: BTreeMap<i64, BTreeSet<usize>>,
        /// Time of each file.
        files: Vec<u32>,
        deleted: BTreeSet<usize>,
        /// Snapshot id, file, required main, time.
        sent: Vec<(i64, usize, Option<i64>, u32)>,
    }

    impl World {
        fn commit(&mut self, id: i64, file: Option<usize>) {
            let mut files = self.main.map(|main| self.snapshots[&main].clone()).unwrap_or_default();
            files.extend(file);
            self.snapshots.insert(id, files);
            self.main = Some(id);
        }

        fn id(&mut self) -> i64 {
            self.next_id += 1;
            self.next_id
        }

        fn pick(&self, n: usize) -> Option<i64> {
            self.snapshots.keys().nth(n % self.snapshots.len().max(1)).copied()
        }

        fn act(&mut self, act: &Act) {
            match *act {
                Act::Write => self.files.push(self.now),
                Act::Send(n) => {
                    let file = n % self.files.len().max(1);
                    // A request that has its rows in the table sends no more.
                    let landed =
                        self.sent.iter().any(|(id, f, ..)| *f == file && self.snapshots.contains_key(id));
                    if self.files.get(file).is_some_and(|time| self.now < time + REQUEST) && !landed {
                        let id = self.id();
                        self.sent.push((id, file, self.main, self.now));
                    }
                }
                Act::Arrive(n) => {
                    let Some((id, file, required, time)) = self.sent.get(n % self.sent.len().max(1)).copied()
                    else {
                        return;
                    };
                    if required == self.main && self.now < time + DELAY && !self.snapshots.contains_key(&id) {
                        self.commit(id, Some(file));
                    }
                }
                Act::Foreign => {
                    let id = self.id();
                    self.commit(id, None);
                }
                Act::RollBack(n) => self.main = self.pick(n).or(self.main),
                Act::Expire(n) => {
                    if let Some(id) = self.pick(n).filter(|id| Some(*id) != self.main) {
                        self.snapshots.remove(&id);
                    }
                }
                Act::Wait(units) => self.now += units,
                Act::Sweep => self.sweep(),
            }
        }

        fn sweep(&mut self) {
            let shown = Shown { main: self.main, snapshots: self.snapshots.keys().copied().collect() };
            let age = |time: u32| UNIT * (self.now - time);
            for (file, time) in self.files.iter().enumerate() {
                let attempts: Vec<Attempt> = self
                    .sent
                    .iter()
                    .filter(|(_, f, ..)| *f == file)
                    .map(|&(snapshot_id, _, required, time)| Attempt {
                        snapshot_id,
                        required: Required::Main(required),
                        in_ledger: false,
                        age: age(time),
                    })
                    .collect();
                let referenced = self.snapshots.values().any(|files| files.contains(&file));
                // Whatever an operator asks for.
                if deletable(&attempts, referenced, age(*time), &shown, Duration::ZERO).is_ok() {
                    self.deleted.insert(file);
                }
            }
        }
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            Just(Act::Write),
            any::<usize>().prop_map(Act::Send),
            any::<usize>().prop_map(Act::Arrive),
            Just(Act::Foreign),
            any::<usize>().prop_map(Act::RollBack),
            any::<usize>().prop_map(Act::Expire),
            (0..4u32).prop_map(Act::Wait),
            Just(Act::Sweep),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn what_a_snapshot_names_now_or_later_was_never_deleted(acts in prop::collection::vec(act(), 0..60)) {
            let mut world = World::default();
            for act in &acts {
                world.act(act);
                let lost = world.snapshots.values().flatten().any(|file| world.deleted.contains(file));
                prop_assert!(!lost, "a snapshot names a file that was deleted");
            }
        }
    }

    fn attempt(snapshot_id: i64, required: Required) -> Attempt {
        Attempt { snapshot_id, required, in_ledger: false, age: OLDER_THAN * 2 }
    }

    #[test]
    fn each_reason_holds_by_itself_and_without_one_it_goes() {
        let shown = Shown { main: Some(3), snapshots: HashSet::from([1, 2, 3]) };
        let old = OLDER_THAN * 2;
        let rule =
            |attempts: &[Attempt], referenced, age| deletable(attempts, referenced, age, &shown, OLDER_THAN);
        let failed = attempt(9, Required::Main(Some(2)));
        let alone = std::slice::from_ref(&failed);
        assert_eq!(rule(alone, false, old), Ok(()));
        assert_eq!(rule(&[], false, old), Ok(()));
        assert_eq!(rule(&[attempt(9, Required::NeverSent)], false, old), Ok(()));
        assert_eq!(rule(alone, true, old), Err(Held::Referenced));
        assert_eq!(rule(alone, false, OLDER_THAN), Err(Held::Young));
        let late = Attempt { age: Duration::ZERO, ..failed.clone() };
        assert_eq!(rule(&[failed.clone(), late], false, old), Err(Held::Young));
        let landed = attempt(2, Required::Main(Some(1)));
        assert_eq!(rule(&[failed.clone(), landed], false, old), Err(Held::Landed(2)));
        let waiting = attempt(8, Required::Main(Some(3)));
        assert_eq!(rule(&[failed.clone(), waiting], false, old), Err(Held::CouldLand(8)));
        let recorded = Attempt { in_ledger: true, ..failed };
        assert_eq!(rule(&[recorded], false, old), Err(Held::Landed(9)));
        assert_eq!(rule(&[attempt(9, Required::Unknown)], false, old), Err(Held::Unreadable(9)));
        let hasty = |age| deletable(&[], false, age, &shown, Duration::ZERO);
        assert_eq!(hasty(LEAST), Err(Held::Young));
        assert_eq!(hasty(LEAST + Duration::from_secs(1)), Ok(()));
    }
}
