//! How prepared files get into a table: the commit protocol, as a machine without I/O, clock or randomness.
//!
//! A [`Flight`] carries a group of requests, its members, until each of them has its [`End`]. Whoever drives it
//! does the one [`Action`] that it asks for and tells it the outcome as an [`Input`].
//!
//! | state | input | next state | action, ends |
//! |---|---|---|---|
//! | looking | the table, and an attempt of this flight is in the ancestry of `main` | ended | all members: committed |
//! | looking | no such table | ended | all: replan |
//! | looking | the table, and the last answer was a refusal, or out of rounds | ended | all: gave up |
//! | looking | the table; for some members its uuid, schema, spec or their branch is another | as below for the rest | those: replan |
//! | looking | … and its ledger moved since some members were checked | checking | look those up |
//! | looking | … and its ledger did not move | preparing | prepare |
//! | checking | which members have an object in the ledger now | preparing | those: replan; prepare the rest |
//! | preparing | the attempt's files are written | sending | send it |
//! | sending | committed | ended | all: committed |
//! | sending | conflict, no clear answer, or a refusal | resting | rest |
//! | resting | rested | looking | load |
//! | looking, checking, preparing | failed, may pass | resting; ended when out of rounds | rest; all: gave up |
//! | preparing | failed for good, nothing sent, several members | ended | all: alone |
//! | looking, checking, preparing | failed for good | ended | all: gave up |
//!
//! Why it loses and doubles nothing:
//! - Every attempt requires the `main` at which it was checked. Of all attempts that were sent for one `main`, by
//!   whichever process, one at most is made (invariant 2), however late it arrives.
//! - No answer but "committed" is believed: each round begins with the table, in whose ancestry the attempts of
//!   this flight are searched (invariant 5). That is why every attempt has a name of its own.
//! - Members leave a flight, none joins: an attempt whose outcome is open holds at least the members of the next.
//! - Once anything was sent, the files of a member may be referenced, and are not this flight's to delete.

use std::collections::BTreeMap;

use ingest_core::staged::Stage;
use uuid::Uuid;

use crate::ledger::Lineage;

/// Rounds of a flight before its members are asked to come again. With the pauses between them: about half a minute.
pub const MAX_ROUNDS: u32 = 20;

/// What a member's files and their absence from the ledger rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footing {
    /// The table, whatever its name is now.
    pub table: Uuid,
    /// The schema whose field ids stand in the files.
    pub schema_id: i32,
    /// The last field id that the table gave away: a member that adds columns gave them the next ones.
    pub last_column_id: i32,
    /// How the table maps names to columns of files that bear no field ids; members may add to it.
    pub name_mapping: Option<String>,
    /// The partition spec that the files were written for.
    pub spec_id: i32,
    /// The append whose files they are, as long as its branch ends there. One that is published flies alone.
    pub stage: Option<Stage>,
    /// The ledger that had none of the member's objects.
    pub ledger: Lineage,
}

/// A member by its place in the group.
pub type Member = usize;

/// What the driver found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The table as it is now.
    Table {
        /// What a member that was planned now would rest on.
        footing: Footing,
        /// Which of [`Flight::attempts`] is in the ancestry of `main`.
        landed: Option<i64>,
    },
    /// There is no table of that name.
    NoTable,
    /// These of the members that were asked for have an object in the ledger.
    Ledger(Vec<Member>),
    /// The files of an attempt with this snapshot id are written. The id was never used before.
    Prepared(i64),
    /// The catalog's answer.
    Answer(Answer),
    /// What was asked for could not be done; true if it may be done later.
    Failed(bool),
    /// The pause is over.
    Rested,
}

/// What a catalog answered to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was made.
    Committed,
    /// It was not made, says the catalog.
    Conflict,
    /// Nothing that could be understood.
    Unknown,
    /// It will never be made, says the catalog.
    Refused,
}

/// What the driver shall do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Load the table.
    Load,
    /// Ask the ledger of the table just loaded for the objects of these members.
    LookUp(Vec<Member>),
    /// Write what a commit of these members to the table just loaded takes: run, head, manifests.
    Prepare(Vec<Member>),
    /// Send what was prepared.
    Send,
    /// Pause; longer with each round, and not as long as others do.
    Rest(u32),
}

/// How a flight ends for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its rows are in `main` since this snapshot.
    Committed(i64),
    /// Its files do not fit the table as it is now, or hold an object that came in by another way.
    Replan,
    /// The group could not be prepared: let each member try without the others.
    Alone,
    /// Not now.
    GaveUp,
}

/// What an input leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The members that leave.
    pub ends: Vec<(Member, End)>,
    /// What to do for the others; nothing if none is left.
    pub next: Option<Action>,
}

/// Where a flight is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Waiting for the table.
    Looking,
    /// Waiting for the ledger.
    Checking,
    /// Waiting for the files of an attempt.
    Preparing,
    /// Waiting for the catalog.
    Sending,
    /// Waiting.
    Resting,
    /// Every member has its end.
    Ended,
}

/// A group of members on its way into a table.
#[derive(Debug)]
pub struct Flight {
    state: State,
    aboard: BTreeMap<Member, Footing>,
    /// What the table was at the last look.
    seen: Option<Footing>,
    attempts: Vec<i64>,
    rounds: u32,
    refused: bool,
}

impl Flight {
    /// A flight of members that rest on these footings; its first action is [`Action::Load`].
    pub fn new(footings: impl IntoIterator<Item = Footing>) -> Self {
        let aboard = footings.into_iter().enumerate().collect();
        Self { state: State::Looking, aboard, seen: None, attempts: Vec::new(), rounds: 0, refused: false }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Snapshot ids of everything that was sent. While it is empty no one can refer to a member's files.
    pub fn attempts(&self) -> &[i64] {
        &self.attempts
    }

    /// Takes in what the last action led to.
    ///
    /// # Panics
    /// On an input that answers another action than the last: a fault of the driver.
    pub fn step(&mut self, input: Input) -> Turn {
        match (self.state, input) {
            (State::Looking, Input::Table { landed: Some(id), .. }) => self.end_all(End::Committed(id)),
            (State::Looking, Input::NoTable) => self.end_all(End::Replan),
            (State::Looking, Input::Table { .. }) if self.refused || self.rounds >= MAX_ROUNDS => {
                self.end_all(End::GaveUp)
            }
            (State::Looking, Input::Table { footing, landed: None }) => self.check(footing),
            (State::Checking, Input::Ledger(known)) => self.checked(&known),
            (State::Preparing, Input::Prepared(snapshot_id)) => {
                self.attempts.push(snapshot_id);
                self.go(State::Sending, Action::Send)
            }
            (State::Sending, Input::Answer(Answer::Committed)) => {
                let id = *self.attempts.last().expect("something was sent");
                self.end_all(End::Committed(id))
            }
            (State::Sending, Input::Answer(answer)) => {
                self.refused = answer == Answer::Refused;
                self.rest()
            }
            (State::Resting, Input::Rested) => self.go(State::Looking, Action::Load),
            (State::Looking | State::Checking | State::Preparing, Input::Failed(true)) => {
                if self.rounds + 1 >= MAX_ROUNDS { self.end_all(End::GaveUp) } else { self.rest() }
            }
            (State::Preparing, Input::Failed(false)) if self.attempts.is_empty() && self.aboard.len() > 1 => {
                self.end_all(End::Alone)
            }
            (State::Looking | State::Checking | State::Preparing, Input::Failed(false)) => {
                self.end_all(End::GaveUp)
            }
            (state, input) => panic!("{input:?} answers nothing that was asked for while {state:?}"),
        }
    }

    fn check(&mut self, now: Footing) -> Turn {
        let misfits = self.leave(End::Replan, |_, member| {
            let of = |footing: &Footing| {
                (footing.table, footing.schema_id, footing.last_column_id, footing.spec_id)
            };
            of(member) != of(&now) || member.name_mapping != now.name_mapping || member.stage != now.stage
        });
        let unchecked: Vec<Member> =
            self.aboard.iter().filter(|(_, member)| member.ledger != now.ledger).map(|(id, _)| *id).collect();
        self.seen = Some(now);
        let turn = if self.aboard.is_empty() {
            self.end_all(End::Replan)
        } else if unchecked.is_empty() {
            self.prepare()
        } else {
            self.go(State::Checking, Action::LookUp(unchecked))
        };
        Turn { ends: misfits, ..turn }
    }

    fn checked(&mut self, known: &[Member]) -> Turn {
        let known = self.leave(End::Replan, |id, _| known.contains(&id));
        let seen = self.seen.as_ref().expect("the table was seen before its ledger was asked");
        for member in self.aboard.values_mut() {
            member.ledger.clone_from(&seen.ledger);
        }
        let turn = if self.aboard.is_empty() { self.end_all(End::Replan) } else { self.prepare() };
        Turn { ends: known, ..turn }
    }

    fn prepare(&mut self) -> Turn {
        let members = self.aboard.keys().copied().collect();
        self.go(State::Preparing, Action::Prepare(members))
    }

    fn rest(&mut self) -> Turn {
        self.rounds += 1;
        self.go(State::Resting, Action::Rest(self.rounds))
    }

    fn go(&mut self, state: State, action: Action) -> Turn {
        self.state = state;
        Turn { ends: Vec::new(), next: Some(action) }
    }

    fn leave(&mut self, end: End, leaves: impl Fn(Member, &Footing) -> bool) -> Vec<(Member, End)> {
        let gone: Vec<Member> =
            self.aboard.iter().filter(|(id, footing)| leaves(**id, footing)).map(|(id, _)| *id).collect();
        self.aboard.retain(|id, _| !gone.contains(id));
        gone.into_iter().map(|id| (id, end)).collect()
    }

    fn end_all(&mut self, end: End) -> Turn {
        self.state = State::Ended;
        let ends = std::mem::take(&mut self.aboard).into_keys().map(|id| (id, end)).collect();
        Turn { ends, next: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footing(schema_id: i32, ledger: &str) -> Footing {
        let ledger = Lineage { head: Some(ledger.to_owned()), copied: Vec::new() };
        Footing {
            table: Uuid::nil(),
            schema_id,
            last_column_id: 0,
            name_mapping: None,
            spec_id: 0,
            stage: None,
            ledger,
        }
    }

    fn table(ledger: &str) -> Input {
        Input::Table { footing: footing(0, ledger), landed: None }
    }

    /// A flight of `members`, checked at ledger `l0`, that was told `inputs`.
    fn told(members: usize, inputs: impl IntoIterator<Item = Input>) -> (Flight, Turn) {
        let mut flight = Flight::new(vec![footing(0, "l0"); members]);
        let turn = inputs.into_iter().map(|input| flight.step(input)).last().expect("there is an input");
        (flight, turn)
    }

    fn all(members: usize, end: End) -> Turn {
        Turn { ends: (0..members).map(|id| (id, end)).collect(), next: None }
    }

    fn go(action: Action) -> Turn {
        Turn { ends: Vec::new(), next: Some(action) }
    }

    #[test]
    fn an_unmoved_ledger_is_not_asked_again() {
        let (_, turn) = told(2, [table("l0")]);
        assert_eq!(turn, go(Action::Prepare(vec![0, 1])));
        let (_, turn) = told(2, [table("l0"), Input::Prepared(7)]);
        assert_eq!(turn, go(Action::Send));
        let (_, turn) = told(2, [table("l0"), Input::Prepared(7), Input::Answer(Answer::Committed)]);
        assert_eq!(turn, all(2, End::Committed(7)));
    }

    #[test]
    fn a_moved_ledger_is_asked_and_known_members_leave() {
        let (mut flight, turn) = told(3, [table("l1")]);
        assert_eq!(turn, go(Action::LookUp(vec![0, 1, 2])));
        let turn = flight.step(Input::Ledger(vec![1]));
        assert_eq!(turn, Turn { ends: vec![(1, End::Replan)], next: Some(Action::Prepare(vec![0, 2])) });
        // The rest was checked now: the same ledger is not asked a second time.
        flight.step(Input::Prepared(7));
        flight.step(Input::Answer(Answer::Conflict));
        flight.step(Input::Rested);
        assert_eq!(flight.step(table("l1")), go(Action::Prepare(vec![0, 2])));
        flight.step(Input::Prepared(8));
        flight.step(Input::Answer(Answer::Unknown));
        flight.step(Input::Rested);
        assert_eq!(flight.step(table("l2")), go(Action::LookUp(vec![0, 2])));
        assert_eq!(flight.step(Input::Ledger(vec![0, 2])).ends.len(), 2);
        assert_eq!(flight.state(), State::Ended);
    }

    #[test]
    fn whatever_the_answer_was_the_table_decides() {
        for answer in [Answer::Conflict, Answer::Unknown, Answer::Refused] {
            let sent = [table("l0"), Input::Prepared(7), Input::Answer(answer)];
            let (mut flight, turn) = told(2, sent);
            assert_eq!(turn, go(Action::Rest(1)));
            assert_eq!(flight.step(Input::Rested), go(Action::Load));
            assert_eq!(flight.attempts(), [7]);
            let landed = Input::Table { footing: footing(5, "l9"), landed: Some(7) };
            assert_eq!(flight.step(landed), all(2, End::Committed(7)), "even if everything else changed too");
        }
    }

    #[test]
    fn a_refusal_that_the_table_bears_out_is_not_repeated() {
        let refused = [table("l0"), Input::Prepared(7), Input::Answer(Answer::Refused), Input::Rested];
        let (mut flight, _) = told(2, refused);
        assert_eq!(flight.step(table("l0")), all(2, End::GaveUp));
    }

    #[test]
    fn members_that_do_not_fit_the_table_any_more_leave_alone() {
        let mut flight = Flight::new([footing(0, "l0"), footing(1, "l0")]);
        let turn = flight.step(table("l0"));
        assert_eq!(turn, Turn { ends: vec![(1, End::Replan)], next: Some(Action::Prepare(vec![0])) });
        let (_, turn) = told(2, [Input::Table { footing: footing(3, "l0"), landed: None }]);
        assert_eq!(turn, all(2, End::Replan));
        let (_, turn) = told(2, [Input::NoTable]);
        assert_eq!(turn, all(2, End::Replan));
    }

    #[test]
    fn a_stage_whose_branch_moved_leaves_unless_it_was_this_flight_that_published_it() {
        let stage = Stage { branch: "b".to_owned(), snapshot_id: 3 };
        let staged = |stage| Footing { stage, ..footing(0, "l0") };
        let at = |stage, landed| Input::Table { footing: staged(stage), landed };
        let mut flight = Flight::new([staged(Some(stage.clone()))]);
        assert_eq!(flight.step(at(None, None)), all(1, End::Replan));
        let mut flight = Flight::new([staged(Some(stage.clone()))]);
        assert_eq!(flight.step(at(Some(stage), None)), go(Action::Prepare(vec![0])));
        flight.step(Input::Prepared(7));
        flight.step(Input::Answer(Answer::Unknown));
        flight.step(Input::Rested);
        assert_eq!(flight.step(at(None, Some(7))), all(1, End::Committed(7)));
    }

    #[test]
    fn rounds_are_bounded_and_the_last_look_still_counts() {
        let round = |id| [table("l0"), Input::Prepared(id), Input::Answer(Answer::Unknown), Input::Rested];
        let rounds: Vec<Input> = (0..i64::from(MAX_ROUNDS)).flat_map(round).collect();
        let (mut flight, _) = told(1, rounds.clone());
        assert_eq!(flight.step(table("l0")), all(1, End::GaveUp));
        let (mut flight, _) = told(1, rounds);
        let landed = Input::Table { footing: footing(0, "l0"), landed: Some(3) };
        assert_eq!(flight.step(landed), all(1, End::Committed(3)));
        let failures = (1..MAX_ROUNDS).flat_map(|_| [Input::Failed(true), Input::Rested]);
        let (mut flight, _) = told(1, failures);
        assert_eq!(flight.step(Input::Failed(true)), all(1, End::GaveUp));
    }

    #[test]
    fn a_group_that_cannot_be_prepared_is_taken_apart() {
        let (_, turn) = told(2, [table("l0"), Input::Failed(false)]);
        assert_eq!(turn, all(2, End::Alone));
        let (_, turn) = told(1, [table("l0"), Input::Failed(false)]);
        assert_eq!(turn, all(1, End::GaveUp));
        let (_, turn) = told(2, [Input::Failed(false)]);
        assert_eq!(turn, all(2, End::GaveUp));
    }
}
