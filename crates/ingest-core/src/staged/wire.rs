//! The JSON shapes, and what is refused. Unknown fields are ignored.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    MAX_REJECTED_REASON_BYTES, RejectedObject, Stage, StageBranch, Staged, StagedList, StagedObject,
};
use crate::identity::{normalise_etag, normalise_version_id};
use crate::request::{Millis, is_request_id};
use crate::{
    FileFormat, MAX_FILES_PER_REQUEST, MAX_REQUEST_ID_BYTES, ObjectHint, ObjectUri, RequestedObject,
    TableName, UriError,
};

/// The version of both shapes.
const VERSION: u32 = 1;

/// A body that is no staged event or no list of one. A retry never helps.
#[derive(Debug, thiserror::Error)]
pub enum StagedError {
    /// Not JSON, or a field of the wrong type.
    #[error("not what a job staged: {0}")]
    Json(#[from] serde_json::Error),
    /// Of a later version.
    #[error("version {0} of what a job staged is not known here: expected {VERSION}")]
    Version(u32),
    /// A request id that could not be part of a branch's name.
    #[error(
        "{0:?} is no request id: expected 1 to {MAX_REQUEST_ID_BYTES} lower-case letters, digits and inner hyphens"
    )]
    RequestId(String),
    /// One of branch and snapshot without the other.
    #[error("branch and snapshot id belong together: give both, or null for both")]
    HalfAStage,
    /// A branch that is not this request's own.
    #[error(
        "branch {0:?} is not of the form event-ingest-<request id>-<attempt>-<eight hex digits>, or another request's"
    )]
    Branch(String),
    /// Too many objects.
    #[error("the list has {0} objects: at most {MAX_FILES_PER_REQUEST} fit into one")]
    TooMany(usize),
    /// No object at all.
    #[error("the list names no objects")]
    NoObjects,
    /// A file that is no object name.
    #[error("{what} object {index}: {source}")]
    File {
        /// `staged` or `rejected`.
        what: &'static str,
        /// Its place there, from 0.
        index: usize,
        /// What is wrong with it.
        source: UriError,
    },
    /// A staged object of which nobody can tell the version.
    #[error("staged object {0} has neither a version id nor an ETag: the ledger could not know it again")]
    NoVersion(ObjectUri),
    /// An object version that stands there twice: its rows would be, too.
    #[error("{0} stands in the list twice in the same version")]
    Twice(ObjectUri),
}

#[derive(Deserialize)]
struct IncomingEvent {
    version: u32,
    request_id: String,
    attempt: u32,
    table: TableName,
    branch: Option<String>,
    snapshot_id: Option<i64>,
    objects: String,
}

#[derive(Serialize)]
struct OutgoingEvent<'a> {
    version: u32,
    request_id: &'a str,
    attempt: u32,
    table: &'a TableName,
    branch: Option<&'a str>,
    snapshot_id: Option<i64>,
    objects: &'a str,
}

#[derive(Deserialize)]
struct IncomingList {
    version: u32,
    request_id: String,
    table: TableName,
    table_uuid: Option<String>,
    format: FileFormat,
    options: Option<BTreeMap<String, String>>,
    digest: String,
    #[serde(deserialize_with = "bounded")]
    staged: Vec<IncomingStaged>,
    #[serde(deserialize_with = "bounded")]
    rejected: Vec<IncomingRejected>,
}

#[derive(Deserialize)]
struct IncomingStaged {
    #[serde(flatten)]
    object: IncomingObject,
    rows: u64,
}

#[derive(Deserialize)]
struct IncomingRejected {
    #[serde(flatten)]
    object: IncomingObject,
    reason: String,
}

#[derive(Deserialize)]
struct IncomingObject {
    file: String,
    size: Option<u64>,
    etag: Option<String>,
    version_id: Option<String>,
    event_time: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct OutgoingList<'a> {
    version: u32,
    request_id: &'a str,
    table: &'a TableName,
    table_uuid: Option<&'a str>,
    format: FileFormat,
    options: &'a BTreeMap<String, String>,
    digest: &'a str,
    staged: Vec<Outgoing<'a>>,
    rejected: Vec<Outgoing<'a>>,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    file: &'a ObjectUri,
    size: Option<u64>,
    etag: Option<&'a str>,
    version_id: Option<&'a str>,
    event_time: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

pub(super) fn read_event(body: &[u8]) -> Result<Staged, StagedError> {
    let IncomingEvent { version, request_id, attempt, table, branch, snapshot_id, objects } =
        serde_json::from_slice(body)?;
    known(version, &request_id)?;
    let stage = match (branch, snapshot_id) {
        (None, None) => None,
        (Some(branch), Some(snapshot_id)) => {
            // Of this request, but perhaps an earlier attempt's: a stage may be used again.
            let own = StageBranch::parse(&branch).is_some_and(|own| own.request_id == request_id);
            if !own {
                return Err(StagedError::Branch(branch));
            }
            Some(Stage { branch, snapshot_id })
        }
        _ => return Err(StagedError::HalfAStage),
    };
    Ok(Staged { request_id, attempt, table, stage, objects })
}

pub(super) fn write_event(event: &Staged) -> Vec<u8> {
    let outgoing = OutgoingEvent {
        version: VERSION,
        request_id: &event.request_id,
        attempt: event.attempt,
        table: &event.table,
        branch: event.stage.as_ref().map(|stage| stage.branch.as_str()),
        snapshot_id: event.stage.as_ref().map(|stage| stage.snapshot_id),
        objects: &event.objects,
    };
    serde_json::to_vec(&outgoing).expect("strings and numbers always serialize")
}

pub(super) fn read_list(body: &[u8]) -> Result<StagedList, StagedError> {
    let list: IncomingList = serde_json::from_slice(body)?;
    known(list.version, &list.request_id)?;
    match list.staged.len() + list.rejected.len() {
        0 => return Err(StagedError::NoObjects),
        count if count > MAX_FILES_PER_REQUEST => return Err(StagedError::TooMany(count)),
        _ => {}
    }
    let mut seen = HashSet::new();
    let mut once = |object: &RequestedObject| {
        let version = object.hint.version_id.clone().ok_or_else(|| object.hint.etag.clone());
        let first = seen.insert((object.uri.clone(), version));
        if first { Ok(()) } else { Err(StagedError::Twice(object.uri.clone())) }
    };
    let mut staged = Vec::with_capacity(list.staged.len());
    for (index, IncomingStaged { object, rows }) in list.staged.into_iter().enumerate() {
        let object = object.read("staged", index)?;
        if object.hint.version_id.is_none() && object.hint.etag.is_none() {
            return Err(StagedError::NoVersion(object.uri));
        }
        once(&object)?;
        staged.push(StagedObject { object, rows });
    }
    let mut rejected = Vec::with_capacity(list.rejected.len());
    for (index, IncomingRejected { object, mut reason }) in list.rejected.into_iter().enumerate() {
        reason.truncate(reason.floor_char_boundary(MAX_REJECTED_REASON_BYTES));
        let object = object.read("rejected", index)?;
        once(&object)?;
        rejected.push(RejectedObject { object, reason });
    }
    Ok(StagedList {
        request_id: list.request_id,
        table: list.table,
        table_uuid: list.table_uuid,
        format: list.format,
        options: list.options.unwrap_or_default(),
        digest: list.digest,
        staged,
        rejected,
    })
}

pub(super) fn write_list(list: &StagedList) -> Vec<u8> {
    let staged = list.staged.iter().map(|staged| Outgoing::of(&staged.object, Some(staged.rows), None));
    let rejected =
        list.rejected.iter().map(|rejected| Outgoing::of(&rejected.object, None, Some(&rejected.reason)));
    let outgoing = OutgoingList {
        version: VERSION,
        request_id: &list.request_id,
        table: &list.table,
        table_uuid: list.table_uuid.as_deref(),
        format: list.format,
        options: &list.options,
        digest: &list.digest,
        staged: staged.collect(),
        rejected: rejected.collect(),
    };
    serde_json::to_vec(&outgoing).expect("strings, numbers and lists always serialize")
}

fn known(version: u32, request_id: &str) -> Result<(), StagedError> {
    if version != VERSION {
        return Err(StagedError::Version(version));
    }
    if !is_request_id(request_id) {
        return Err(StagedError::RequestId(request_id.to_owned()));
    }
    Ok(())
}

impl IncomingObject {
    fn read(self, what: &'static str, index: usize) -> Result<RequestedObject, StagedError> {
        let uri = ObjectUri::parse(&self.file).map_err(|source| StagedError::File { what, index, source })?;
        let hint = ObjectHint {
            event_time: self.event_time,
            size: self.size,
            etag: self.etag.map(|etag| normalise_etag(&etag)).filter(|etag| !etag.is_empty()),
            version_id: normalise_version_id(self.version_id.as_deref()).map(str::to_owned),
            trace: None,
        };
        Ok(RequestedObject { uri, hint })
    }
}

/// A list that is refused while it is read, before it fills the memory.
fn bounded<'de, D: Deserializer<'de>, T: Deserialize<'de>>(list: D) -> Result<Vec<T>, D::Error> {
    struct Bounded<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX_FILES_PER_REQUEST} objects")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut taken = Vec::new();
            while let Some(next) = list.next_element()? {
                if taken.len() == MAX_FILES_PER_REQUEST {
                    return Err(A::Error::custom(format_args!(
                        "the list has more than {MAX_FILES_PER_REQUEST} objects"
                    )));
                }
                taken.push(next);
            }
            Ok(taken)
        }
    }
    list.deserialize_seq(Bounded(PhantomData))
}

impl<'a> Outgoing<'a> {
    fn of(object: &'a RequestedObject, rows: Option<u64>, reason: Option<&'a str>) -> Self {
        Self {
            file: &object.uri,
            size: object.hint.size,
            etag: object.hint.etag.as_deref(),
            version_id: object.hint.version_id.as_deref(),
            event_time: object.hint.event_time.map(Millis),
            rows,
            reason,
        }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
