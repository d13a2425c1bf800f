//! What the answer to a commit proves.
//!
//! | answer | outcome |
//! |---|---|
//! | 200 with the table as the commit made it | committed |
//! | any other 2xx: a proxy's page, an empty answer, another table | unknown |
//! | 409 | conflict |
//! | 404 from the catalog itself | conflict: the table is gone, and loading it tells |
//! | 400 and the table has moved since | conflict: a stale sequence number, row id or time stamp is answered so |
//! | 400 and the table is as it was, or another refusal | unknown, with an error that says not to try again |
//! | 401, 403, 408, 429, any 5xx, no answer | unknown |

use async_trait::async_trait;
use http::StatusCode;
use iceberg::spec::TableMetadata;
use iceberg::table::Table;
use iceberg::{TableIdent, TableUpdate};

use super::client::Answer;
use super::{RestCatalog, wire};
use crate::catalog::{Commit, CommitPort, Outcome, Tables};
use crate::error::{Error, Result};

/// What the answer alone proves.
enum Verdict {
    Plain(Outcome),
    /// A conflict if the table has moved, else this outcome.
    AskTable(Error),
}

fn judge(ident: &TableIdent, base: &Table, commit: &Commit, answer: &Answer) -> Verdict {
    let error = || answer.error(&format!("a commit to `{ident}`"));
    match answer.status {
        StatusCode::OK => Verdict::Plain(match confirms(base, commit, answer) {
            Ok(()) => Outcome::Committed,
            Err(e) => Outcome::Unknown(unproven(ident).caused_by(e)),
        }),
        status if status.is_success() => {
            let status = format!("the catalog answered {}", status.as_u16());
            Verdict::Plain(Outcome::Unknown(unproven(ident).caused_by(status)))
        }
        StatusCode::CONFLICT => Verdict::Plain(Outcome::Conflict),
        StatusCode::NOT_FOUND if answer.fault().is_some() => Verdict::Plain(Outcome::Conflict),
        StatusCode::BAD_REQUEST => Verdict::AskTable(error()),
        _ => Verdict::Plain(Outcome::Unknown(error())),
    }
}

/// Whether an answer is this table with the snapshots that the commit adds.
fn confirms(base: &Table, commit: &Commit, answer: &Answer) -> Result<()> {
    let made: TableMetadata = answer.read::<wire::LoadedBody>("a table")?.metadata;
    let shows = |update: &TableUpdate| match update {
        TableUpdate::AddSnapshot { snapshot } => made.snapshot_by_id(snapshot.snapshot_id()).is_some(),
        _ => true,
    };
    if made.uuid() == base.metadata().uuid() && commit.updates.iter().all(shows) {
        return Ok(());
    }
    Err(Error::unavailable("the table in the catalog's answer is without it"))
}

fn unproven(ident: &TableIdent) -> Error {
    Error::unavailable(format!("the answer to a commit to `{ident}` does not show that it was made"))
}

/// Whether a table is another than it was when it was loaded as `base`.
fn moved(base: &Table, now: Option<&Table>) -> bool {
    let Some(now) = now else { return true };
    let (was, is) = (base.metadata(), now.metadata());
    was.uuid() != is.uuid()
        || base.metadata_location() != now.metadata_location()
        || was.last_sequence_number() != is.last_sequence_number()
        || was.last_updated_ms() != is.last_updated_ms()
}

impl RestCatalog {
    async fn send(&self, ident: &TableIdent, commit: &Commit) -> Result<Answer> {
        let body = wire::TableCommit {
            identifier: wire::Identifier { namespace: ident.namespace(), name: ident.name() },
            requirements: &commit.requirements,
            updates: &commit.updates,
        };
        self.client.post(&self.paths.table(ident), &body).await
    }
}

#[async_trait]
impl CommitPort for RestCatalog {
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        let ident = base.identifier();
        let answer = match self.send(ident, &commit).await {
            Ok(answer) => answer,
            Err(error) => return Outcome::Unknown(error),
        };
        match judge(ident, base, &commit, &answer) {
            Verdict::Plain(outcome) => outcome,
            Verdict::AskTable(refusal) => match self.load(ident).await {
                Ok(now) if moved(base, now.as_ref()) => Outcome::Conflict,
                Ok(_) => Outcome::Unknown(refusal),
                Err(error) => Outcome::Unknown(error),
            },
        }
    }
}
