//! The shell around the commit protocol: does what a flight asks for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use iceberg::spec::{DataFile, SchemaRef};
use ingest_core::staged::Stage;
use ingest_core::{ObjectIdentity, TableName};
use rand::Rng;

use super::tables::{Tables, View, new_snapshot_id};
use crate::catalog::{Commit, Outcome};
use crate::claims::Claim;
use crate::commit::protocol::{Action, Answer, End, Flight, Footing, Input, Member};
use crate::commit::{self, Append, landed};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Entry, ObjectName, REGISTER};
use crate::observe::{Committed, LedgerSize};
use crate::stage::stands;
use crate::storage::Stores;
use crate::write::delete_uncommitted;

/// The longest pause before a commit is sent again: doubled each round up to the bound; the real one is random.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What one request has written for a table, ready to be committed.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The state of the table that it was planned on.
    pub(super) footing: Footing,
    /// The schema that the files were written at, if the table has to get it first.
    pub(super) evolved: Option<SchemaRef>,
    /// Table properties that the files need.
    pub(super) properties: HashMap<String, String>,
    /// Data files that are not ours to delete: sources that become such where they are, and those of a stage.
    pub(super) kept: Vec<DataFile>,
    /// The objects that lie where tables may own sources: another version may have become a data file there.
    pub(super) ownable: Vec<ObjectName>,
    /// Closed data files of our own.
    pub(super) files: Vec<DataFile>,
    /// The stores that hold them.
    pub(super) stores: Arc<Stores>,
    /// One for each object; the snapshot id is that of the attempt, set when there is one.
    pub(super) entries: Vec<Entry>,
    /// Sizes of the objects in bytes, as far as they are known.
    pub(super) sizes: Vec<u64>,
    /// Keeps the objects from other requests, also when whoever asked for these is gone: two of a group with the
    /// same object would both be written.
    pub(super) _claim: Arc<Claim>,
}

impl Prepared {
    /// Whether no other request may be in the same commit: files that were written for a schema are right for no
    /// other, of a key only one version may become a data file, and a snapshot has one source.
    pub(super) fn flies_alone(&self) -> bool {
        self.evolved.is_some() || self.registers() || self.footing.stage.is_some()
    }

    fn registers(&self) -> bool {
        self.entries.iter().any(|entry| entry.mode == REGISTER)
    }
}

/// How a request left the flight.
#[derive(Debug)]
pub(super) enum Landing {
    /// Its rows are in the table.
    Committed { snapshot_id: i64 },
    /// The table is no longer what it was planned on.
    Replan { files: Files },
    /// Not now; the error says why.
    GaveUp { error: Error, files: Files },
}

/// Data files of a request that were not committed.
#[derive(Debug)]
pub(super) enum Files {
    /// Nothing was sent: no one can refer to them.
    Unsent(Arc<Stores>, Vec<DataFile>),
    /// An attempt that names them was sent. They stay until it cannot be under way any more.
    Sent,
}

/// Takes a group into its table, and says how each request left it, by its place in the group, as soon as it has.
/// Returns those that have to try without the others.
pub(super) async fn fly(
    tables: &Tables,
    name: &TableName,
    group: Vec<Prepared>,
    mut left: impl FnMut(Member, Landing),
) -> Vec<(Member, Prepared)> {
    let mut flight = Flight::new(group.iter().map(|request| request.footing.clone()));
    let mut pilot = Pilot {
        tables,
        name,
        group: &group,
        view: None,
        commit: None,
        ledger: LedgerSize::default(),
        error: None,
    };
    let mut alone = HashSet::new();
    let mut next = Some(Action::Load);
    while let Some(action) = next {
        let input = pilot.act(action, &flight).await;
        let turn = flight.step(input);
        let sent = !flight.attempts().is_empty();
        if let Some((_, End::Committed(snapshot_id))) = turn.ends.first() {
            let (requests, attempts) = (turn.ends.len(), flight.attempts().len());
            tracing::info!(table = %name, snapshot_id, requests, attempts, "committed");
            let landed: Vec<&Prepared> = turn.ends.iter().map(|(member, _)| &group[*member]).collect();
            tables.observed.tell(|observer| observer.committed(&pilot.committed(&landed)));
        }
        for (member, end) in turn.ends {
            let Prepared { stores, files, .. } = &group[member];
            let files = || if sent { Files::Sent } else { Files::Unsent(stores.clone(), files.clone()) };
            match end {
                End::Committed(snapshot_id) => left(member, Landing::Committed { snapshot_id }),
                End::Replan => left(member, Landing::Replan { files: files() }),
                End::GaveUp => {
                    let error = gave_up(name, pilot.error.as_ref());
                    left(member, Landing::GaveUp { error, files: files() });
                }
                End::Alone => drop(alone.insert(member)),
            }
        }
        next = turn.next;
    }
    group.into_iter().enumerate().filter(|(member, _)| alone.contains(member)).collect()
}

impl Files {
    /// Deletes those that nobody can refer to.
    pub(super) async fn discard(self) {
        if let Files::Unsent(stores, files) = self {
            delete_uncommitted(&stores, &files).await;
        }
    }
}

/// Each request gets an error of its own.
fn gave_up(name: &TableName, last: Option<&Error>) -> Error {
    match last {
        Some(error) => Error::new(error.kind(), error.to_string()),
        None => Error::new(ErrorKind::Busy, format!("`{name}` is contended: commits did not get through")),
    }
}

struct Pilot<'a> {
    tables: &'a Tables,
    name: &'a TableName,
    group: &'a [Prepared],
    view: Option<View>,
    commit: Option<(i64, Commit)>,
    /// How large the ledger is once the last attempt is in.
    ledger: LedgerSize,
    /// Why the last thing that failed did.
    error: Option<Error>,
}

impl Pilot<'_> {
    async fn act(&mut self, action: Action, flight: &Flight) -> Input {
        let done = match action {
            Action::Load => self.load(flight.attempts()).await,
            Action::LookUp(members) => self.look_up(&members).await.map(Input::Ledger),
            Action::Prepare(members) => self.prepare(&members).await.map(Input::Prepared),
            Action::Send => Ok(Input::Answer(self.send().await)),
            Action::Rest(round) => {
                tokio::time::sleep(pause(round)).await;
                Ok(Input::Rested)
            }
        };
        done.unwrap_or_else(|error| {
            let passes = error.retryable();
            tracing::debug!(table = %self.name, %error, passes, "a commit could not go on");
            self.error = Some(error);
            Input::Failed(passes)
        })
    }

    async fn load(&mut self, attempts: &[i64]) -> Result<Input> {
        let Some(view) = self.tables.view(self.name).await? else { return Ok(Input::NoTable) };
        let metadata = view.table.metadata();
        let landed = if attempts.is_empty() { None } else { landed(metadata, attempts) };
        let stage = self.stage().filter(|stage| stands(metadata, stage)).cloned();
        let input = Input::Table { footing: Footing { stage, ..view.footing() }, landed };
        self.view = Some(view);
        Ok(input)
    }

    /// The members with an object that the ledger has by now, or that cannot get in beside another version.
    async fn look_up(&self, members: &[Member]) -> Result<Vec<Member>> {
        let view = self.view.as_ref().expect("loaded before");
        let asked: Vec<ObjectIdentity> = self
            .of(members)
            .flat_map(|request| &request.entries)
            .map(|entry| entry.identity.clone())
            .collect();
        let found = view.ledger.look_up(&view.head, &asked).await?;
        let mut known = Vec::new();
        for member in members {
            let request = &self.group[*member];
            if request.entries.iter().any(|entry| found.contains_key(&entry.identity))
                || !view.ledger.rivals(&view.head, &request.ownable, request.registers()).await?.is_empty()
            {
                known.push(*member);
            }
        }
        Ok(known)
    }

    async fn prepare(&mut self, members: &[Member]) -> Result<i64> {
        let view = self.view.as_ref().expect("loaded before");
        let snapshot_id = new_snapshot_id();
        let time = Utc::now();
        let entries: Vec<Entry> = self
            .of(members)
            .flat_map(|request| &request.entries)
            .map(|entry| Entry { snapshot_id, time, ..entry.clone() })
            .collect();
        let files =
            |request: &Prepared| request.files.iter().chain(&request.kept).cloned().collect::<Vec<_>>();
        let files: Vec<DataFile> = self.of(members).flat_map(files).collect();
        let objects = entries.len();
        let ledger = view.ledger.write(&view.head, snapshot_id, entries).await?;
        self.ledger = ledger.size;
        let append = Append {
            files: &files,
            // One that changes the schema flies alone.
            evolved: self.of(members).find_map(|request| request.evolved.as_ref()),
            objects,
            requests: members.len(),
            ledger: &ledger,
            stage: self.stage(),
            properties: self.of(members).flat_map(|request| request.properties.clone()).collect(),
            snapshot_id,
            now_ms: time.timestamp_millis(),
        };
        self.commit = Some((snapshot_id, commit::prepare(&view.table, append).await?));
        Ok(snapshot_id)
    }

    async fn send(&mut self) -> Answer {
        let view = self.view.as_ref().expect("loaded before");
        let (snapshot_id, commit) = self.commit.take().expect("prepared before");
        let answer = match self.tables.catalog.commit(&view.table, commit).await {
            Outcome::Committed => Answer::Committed,
            Outcome::Conflict => {
                self.error = None;
                Answer::Conflict
            }
            Outcome::Unknown(error) => {
                let answer = if error.retryable() {
                    tracing::warn!(table = %self.name, snapshot_id, %error, "commit outcome unknown");
                    Answer::Unknown
                } else {
                    tracing::warn!(table = %self.name, snapshot_id, %error, "commit refused");
                    Answer::Refused
                };
                self.error = Some(error);
                answer
            }
        };
        self.tables.observed.tell(|observer| observer.answered(answer));
        answer
    }

    /// What is told of a commit that brought these in.
    fn committed(&self, landed: &[&Prepared]) -> Committed<'_> {
        let entries = || landed.iter().flat_map(|request| &request.entries);
        Committed {
            table: self.name,
            objects: entries().count(),
            event_times: entries().filter_map(|entry| entry.event_time).collect(),
            sizes: landed.iter().flat_map(|request| &request.sizes).copied().collect(),
            ledger: self.ledger,
        }
    }

    /// The stage that is published. It is the only member's.
    fn stage(&self) -> Option<&Stage> {
        self.group.iter().find_map(|request| request.footing.stage.as_ref())
    }

    fn of(&self, members: &[Member]) -> impl Iterator<Item = &Prepared> {
        members.iter().map(|id| &self.group[*id])
    }
}

fn pause(round: u32) -> Duration {
    let bound = FIRST_PAUSE.saturating_mul(1 << round.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    bound.mul_f64(rand::rng().random_range(0.5..=1.0))
}
