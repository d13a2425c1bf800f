//! What a job staged: the event that says so, and the list of its objects. JSON, version 1.
//!
//! The list's digest is SHA-256, in hex, over one compact JSON array, in UTF-8, non-ASCII as it is, of
//! `["<file>", "<version id>" or null, "<etag>" or null]` of each staged object, sorted by file (as text); the ETag as
//! [`normalise_etag`](crate::identity::normalise_etag) makes it. In Python:
//! `json.dumps(…, ensure_ascii=False, separators=(",", ":"))`.

mod conflict;
mod wire;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::{FileFormat, RequestedObject, TableName};

pub use conflict::{KnownObject, conflict_json};
pub use wire::StagedError;

/// What the name of every branch begins with on which a job stages.
pub const BRANCH_PREFIX: &str = "event-ingest-";
/// Hex digits at the end of a branch's name.
const RUN_DIGITS: usize = 8;

/// Largest list in bytes.
pub const MAX_STAGED_LIST_BYTES: u64 = 64 * 1024 * 1024;
/// What is kept of the reason for which an object was rejected, in bytes.
pub const MAX_REJECTED_REASON_BYTES: usize = 4096;

/// The news that a job has staged a request's objects: the data of `dev.eventingest.staged.v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The request.
    pub request_id: String,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    /// The table.
    pub table: TableName,
    /// What it staged; none if it rejected every object.
    pub stage: Option<Stage>,
    /// URI of the list.
    pub objects: String,
}

/// An append on a branch of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The branch: see [`StageBranch`].
    pub branch: String,
    /// The append.
    pub snapshot_id: i64,
}

/// The name of a stage's branch, taken apart: `event-ingest-<request id>-<attempt>-<run>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageBranch {
    /// The request.
    pub request_id: String,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    /// Eight random hex digits.
    pub run: String,
}

/// What became of a request's objects in a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedList {
    /// The request.
    pub request_id: String,
    /// The table.
    pub table: TableName,
    /// The table's uuid, as it was written; none if there was no table.
    pub table_uuid: Option<String>,
    /// The format of all objects.
    pub format: FileFormat,
    /// The options of the request.
    pub options: BTreeMap<String, String>,
    /// What [`StagedList::computed_digest`] gives, says the job.
    pub digest: String,
    /// The objects whose rows are staged.
    pub staged: Vec<StagedObject>,
    /// The objects that can never get in.
    pub rejected: Vec<RejectedObject>,
}

/// An object whose rows are staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedObject {
    /// Which object, and what its own HEAD said of it.
    pub object: RequestedObject,
    /// Its rows.
    pub rows: u64,
}

/// An object that can never get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedObject {
    /// Which object, and what its own HEAD said of it; of one that is not there, what the request said.
    pub object: RequestedObject,
    /// Why, at most [`MAX_REJECTED_REASON_BYTES`].
    pub reason: String,
}

impl Staged {
    /// Reads the data of an event.
    ///
    /// # Errors
    /// It is none. A retry never helps.
    pub fn from_json(body: &[u8]) -> Result<Self, StagedError> {
        wire::read_event(body)
    }

    /// The JSON that travels, all fields written.
    pub fn to_json(&self) -> Vec<u8> {
        wire::write_event(self)
    }
}

impl StageBranch {
    /// Takes a branch's name apart; `None` if it is not of this form.
    pub fn parse(name: &str) -> Option<Self> {
        let (rest, run) = name.strip_prefix(BRANCH_PREFIX)?.rsplit_once('-')?;
        let (request_id, attempt) = rest.rsplit_once('-')?;
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let canonical = attempt.bytes().all(|b| b.is_ascii_digit()) && !attempt.starts_with('0');
        let attempt = attempt.parse().ok().filter(|_| canonical)?;
        let valid = run.len() == RUN_DIGITS && hex(run) && crate::request::is_request_id(request_id);
        valid.then(|| Self { request_id: request_id.to_owned(), attempt, run: run.to_owned() })
    }
}

impl StagedList {
    /// Reads a list.
    ///
    /// # Errors
    /// It is none. A retry never helps.
    pub fn from_json(body: &[u8]) -> Result<Self, StagedError> {
        wire::read_list(body)
    }

    /// The JSON that travels, all fields written.
    pub fn to_json(&self) -> Vec<u8> {
        wire::write_list(self)
    }

    /// The digest of the staged objects.
    pub fn computed_digest(&self) -> String {
        let entry = |StagedObject { object, .. }: &'_ StagedObject| {
            (object.uri.to_string(), object.hint.version_id.clone(), object.hint.etag.clone())
        };
        let mut entries: Vec<_> = self.staged.iter().map(entry).collect();
        // By the whole text: object names themselves are ordered by bucket first.
        entries.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        let text = serde_json::to_vec(&entries).expect("strings always serialize");
        hex::encode(Sha256::digest(text))
    }

    /// Rows of all staged objects; `None` if there are more than can be counted.
    pub fn rows(&self) -> Option<u64> {
        self.staged.iter().try_fold(0_u64, |sum, staged| sum.checked_add(staged.rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_taken_apart() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let branch = StageBranch::parse(&format!("event-ingest-{id}-12-00ff00ff")).unwrap();
        assert_eq!((branch.request_id.as_str(), branch.attempt, branch.run.as_str()), (id, 12, "00ff00ff"));
        let named = StageBranch::parse("event-ingest-by-hand-1-00ff00ff").unwrap();
        assert_eq!(named.request_id, "by-hand");
    }

    #[test]
    fn other_names_are_no_stage() {
        for name in [
            "main",
            "event-ingest",
            "event-ingest-a-1",
            "event-ingest-a-0-00ff00ff",
            "event-ingest-a-+1-00ff00ff",
            "event-ingest-a-01-00ff00ff",
            "event-ingest-a-1-00FF00FF",
            "event-ingest-a-1-00ff00f",
            "event-ingest-A-1-00ff00ff",
            "event-ingest--1-00ff00ff",
            "event-ingest-a-99999999999-00ff00ff",
        ] {
            assert_eq!(StageBranch::parse(name), None, "{name}");
        }
    }
}
