//! Answers the questions of [`Candidate`]s: the I/O around the rules of [`lake::reconcile`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use ingest_core::{ObjectHint, ObjectIdentity, RequestedObject, TableName};
use lake::Lake;
use lake::ledger::{Head, Ledger};
use lake::quarantine::Quarantine;
use lake::reconcile::{Answer, Candidate, Policy, Question, Step, Verdict, abandoned};
use lake::source::{Resolved, resolve};

/// Objects that are judged together: what one look-up in the ledger is made for.
pub const BATCH: usize = 200;
/// Requests to object stores at the same time.
const REQUESTS_IN_FLIGHT: usize = 16;
/// Tables whose state is kept in memory at the same time.
const MAX_TABLES: usize = 64;
/// For how long the state of a table is used. An object that came in meanwhile is taken for missing, and the sink
/// drops it: that costs work, and nothing else.
const REFRESH: Duration = Duration::from_secs(10);

/// How the current version of an object is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identify {
    /// The store is asked, object by object.
    Head,
    /// The listing tells: a store without versions, read where it is written.
    AsListed,
}

/// Judges listed objects.
#[async_trait]
pub trait Judge: Send {
    /// What is to be done about each object, in their order. All are meant for `table`.
    ///
    /// # Errors
    /// The catalog or a store does not answer, or the ledger of the table cannot be told.
    async fn judge(
        &mut self,
        table: &TableName,
        candidates: Vec<Candidate>,
    ) -> lake::Result<Vec<(Candidate, Verdict)>>;
}

/// The judge that asks ledgers, quarantines and buckets.
#[derive(Debug)]
pub struct Survey {
    lake: Arc<Lake>,
    store: String,
    policy: Policy,
    identify: Identify,
    tables: HashMap<TableName, View>,
}

/// A table as it was when it was last looked at.
#[derive(Debug)]
struct View {
    looked: Instant,
    ledger: Option<LedgerView>,
    quarantine: Quarantine,
}

#[derive(Debug)]
struct LedgerView {
    ledger: Ledger,
    head: Head,
    abandoned: Vec<String>,
}

impl Survey {
    /// A survey of the tables of a lake, for objects of the store of this name.
    #[must_use]
    pub fn new(lake: Arc<Lake>, store: String, policy: Policy, identify: Identify) -> Self {
        Self { lake, store, policy, identify, tables: HashMap::new() }
    }

    /// Looks at a table unless that was done a moment ago.
    async fn look(&mut self, table: &TableName) -> lake::Result<&View> {
        let fresh = self.tables.get(table).is_some_and(|view| view.looked.elapsed() < REFRESH);
        if !fresh {
            if self.tables.len() >= MAX_TABLES {
                self.tables.clear();
            }
            let view = View::of(&self.lake, table).await?;
            self.tables.insert(table.clone(), view);
        }
        Ok(&self.tables[table])
    }
}

#[async_trait]
impl Judge for Survey {
    async fn judge(
        &mut self,
        table: &TableName,
        mut candidates: Vec<Candidate>,
    ) -> lake::Result<Vec<(Candidate, Verdict)>> {
        let (lake, store, policy, identify) =
            (self.lake.clone(), self.store.clone(), self.policy, self.identify);
        let view = self.look(table).await?;
        loop {
            let asked: Vec<(usize, Question)> = candidates
                .iter()
                .enumerate()
                .filter_map(|(index, candidate)| match candidate.step() {
                    Step::Ask(question) => Some((index, question.clone())),
                    Step::Done(_) => None,
                })
                .collect();
            if asked.is_empty() {
                break;
            }
            let mut answers = view.known(&asked).await?;
            answers.extend(view.quarantined(&asked).await?);
            let unidentified: Vec<usize> = asked
                .iter()
                .filter(|(_, question)| *question == Question::Identity)
                .map(|(index, _)| *index)
                .collect();
            let current = unidentified.iter().map(|&index| {
                let candidate = &candidates[index];
                let (lake, store) = (&lake, &store);
                async move { Ok::<_, lake::Error>((index, current(lake, store, identify, candidate).await?)) }
            });
            let current: Vec<_> = stream::iter(current.collect::<Vec<_>>())
                .buffer_unordered(REQUESTS_IN_FLIGHT)
                .try_collect()
                .await?;
            answers.extend(current.into_iter().map(|(index, identity)| (index, Answer::Current(identity))));
            for (index, answer) in answers {
                candidates[index].answer(answer, &policy);
            }
        }
        let verdict = |candidate: Candidate| match candidate.step() {
            Step::Done(verdict) => {
                let verdict = verdict.clone();
                (candidate, verdict)
            }
            Step::Ask(_) => unreachable!("the loop above ends when nothing is asked"),
        };
        Ok(candidates.into_iter().map(verdict).collect())
    }
}

impl View {
    async fn of(lake: &Lake, table: &TableName) -> lake::Result<Self> {
        let looked = Instant::now();
        Ok(match lake.inspect(table).await? {
            Some(found) => Self {
                looked,
                quarantine: found.quarantine,
                ledger: Some(LedgerView {
                    abandoned: abandoned(found.table.metadata()),
                    ledger: found.ledger,
                    head: found.head,
                }),
            },
            None => Self {
                looked,
                quarantine: Quarantine::new(lake.stores().clone(), lake.ledger_root(), &table.to_string()),
                ledger: None,
            },
        })
    }

    /// The answers to questions about ledgers.
    async fn known(&self, asked: &[(usize, Question)]) -> lake::Result<Vec<(usize, Answer)>> {
        let (mut main, mut left) = (Vec::new(), Vec::new());
        for (index, question) in asked {
            match question {
                Question::Ledger(identity) => main.push((*index, identity.clone())),
                Question::Abandoned(identity) => left.push((*index, identity.clone())),
                Question::Identity | Question::Quarantine(_) => {}
            }
        }
        let Some(LedgerView { ledger, head, abandoned }) = &self.ledger else {
            return Ok(main.iter().chain(&left).map(|(index, _)| (*index, Answer::Is(false))).collect());
        };
        let mut answers = is_in(ledger, head, &main).await?;
        for pointer in abandoned {
            if left.is_empty() {
                break;
            }
            let found = is_in(ledger, &ledger.head(pointer).await?, &left).await?;
            let found: Vec<_> = found.into_iter().filter(|(_, answer)| *answer == Answer::Is(true)).collect();
            left.retain(|(index, _)| !found.iter().any(|(settled, _)| settled == index));
            answers.extend(found);
        }
        answers.extend(left.into_iter().map(|(index, _)| (index, Answer::Is(false))));
        Ok(answers)
    }

    /// The answers to questions about the quarantine.
    async fn quarantined(&self, asked: &[(usize, Question)]) -> lake::Result<Vec<(usize, Answer)>> {
        let questions = asked.iter().filter_map(|(index, question)| match question {
            Question::Quarantine(identity) => Some((*index, identity.clone())),
            _ => None,
        });
        let questions = questions.map(|(index, identity)| async move {
            Ok::<_, lake::Error>((index, Answer::Is(self.quarantine.has(&identity).await?)))
        });
        stream::iter(questions.collect::<Vec<_>>()).buffer_unordered(REQUESTS_IN_FLIGHT).try_collect().await
    }
}

async fn is_in(
    ledger: &Ledger,
    head: &Head,
    asked: &[(usize, ObjectIdentity)],
) -> lake::Result<Vec<(usize, Answer)>> {
    let identities: Vec<_> = asked.iter().map(|(_, identity)| identity.clone()).collect();
    let found = ledger.look_up(head, &identities).await?;
    Ok(asked.iter().map(|(index, identity)| (*index, Answer::Is(found.contains_key(identity)))).collect())
}

/// Which version of an object is current; `None` if there is none that can be read.
async fn current(
    lake: &Lake,
    store: &str,
    identify: Identify,
    candidate: &Candidate,
) -> lake::Result<Option<ObjectIdentity>> {
    match identify {
        Identify::AsListed => Ok(candidate.listed_identity(store)),
        Identify::Head => {
            let object = RequestedObject { uri: candidate.uri().clone(), hint: ObjectHint::default() };
            match resolve(lake.stores(), store, &object).await? {
                Resolved::Object(found) => Ok(Some(found.identity)),
                Resolved::Fault(_) => Ok(None),
            }
        }
    }
}
