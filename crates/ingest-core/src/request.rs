//! IngestRequest, version 1: the one message between dispatcher, workers and launcher.

mod fingerprint;
mod wire;

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, SubsecRound, Utc};

use crate::{FileFormat, ObjectUri, TableName, TraceParent, identity::normalise_version_id};

pub use wire::RequestError;
pub(crate) use wire::{Millis, is_request_id};

/// Most files of one request.
pub const MAX_FILES_PER_REQUEST: usize = 10_000;

/// Longest request id in bytes: it becomes part of Kubernetes names.
pub const MAX_REQUEST_ID_BYTES: usize = 40;

/// What a notification said about an object. Only a hint: the object's own GET or HEAD decides. Later events are greater.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectHint {
    /// When the object was created, in whole milliseconds on the wire.
    pub event_time: Option<DateTime<Utc>>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// The ETag as announced.
    pub etag: Option<String>,
    /// The version to read; `None` is the current object.
    pub version_id: Option<String>,
    /// The trace that the notification belongs to. Part of no request: it travels beside it.
    pub trace: Option<TraceParent>,
}

/// One object of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestedObject {
    /// The object.
    pub uri: ObjectUri,
    /// What is known of it.
    pub hint: ObjectHint,
}

impl RequestedObject {
    /// Upper bound of what this object adds to a request's JSON, in bytes.
    pub fn json_bytes(&self) -> usize {
        // Names of fields, digits, times and punctuation.
        const REST: usize = 160;
        let texts = [Some(self.uri.bucket()), Some(self.uri.key())];
        let hints = [self.hint.etag.as_deref(), self.hint.version_id.as_deref()];
        REST + texts.into_iter().chain(hints).flatten().map(text_bytes).sum::<usize>()
    }
}

/// About what a request of these objects takes as JSON, in bytes.
fn json_bytes(objects: &[RequestedObject]) -> usize {
    // Table, format, and names of fields.
    const REST: usize = 512;
    REST + objects.iter().map(RequestedObject::json_bytes).sum::<usize>()
}

/// What a text takes within a JSON string.
fn text_bytes(text: &str) -> usize {
    let escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // Without a way out of the loop, which would have it look at one byte after the other.
    if !text.bytes().fold(false, |any, byte| any | escaped(byte)) {
        return text.len();
    }
    let bytes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => 2,
        0x00..0x20 => 6,
        _ => 1,
    });
    bytes.sum()
}

/// What a request takes if it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDefaults {
    /// The table.
    pub table: TableName,
}

impl Default for RequestDefaults {
    fn default() -> Self {
        Self { table: TableName::parse("db.my_table").expect("a valid name") }
    }
}

/// A request to bring the rows of some objects into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestRequest {
    /// The table.
    pub table: TableName,
    /// The format of all objects.
    pub format: FileFormat,
    /// Options that override the table's own.
    pub options: BTreeMap<String, String>,
    /// The objects, each version once.
    pub objects: Vec<RequestedObject>,
    /// When the request was made.
    pub timestamp: DateTime<Utc>,
    /// Its name; nothing is decided by it.
    pub request_id: String,
}

impl IngestRequest {
    /// Makes a request: collapses duplicates, cuts times to the wire's milliseconds, and names the request after its
    /// content.
    pub fn new(
        table: TableName,
        format: FileFormat,
        options: BTreeMap<String, String>,
        objects: Vec<RequestedObject>,
        timestamp: DateTime<Utc>,
    ) -> Self {
        let objects = collapse(objects);
        let request_id = fingerprint::request_id(&table, format, &options, &objects);
        Self { table, format, options, objects, timestamp: timestamp.trunc_subsecs(3), request_id }
    }

    /// Reads a request. `{"files": […]}` alone is valid; `now` stands in for a missing timestamp.
    pub fn from_json(
        body: &[u8],
        defaults: &RequestDefaults,
        now: DateTime<Utc>,
    ) -> Result<Self, RequestError> {
        wire::read(body, defaults, now)
    }

    /// The JSON that travels, all fields written.
    pub fn to_json(&self) -> Vec<u8> {
        wire::write(self)
    }

    /// Sum of the known sizes in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.objects.iter().filter_map(|object| object.hint.size).fold(0, u64::saturating_add)
    }

    /// Number of objects.
    pub fn file_count(&self) -> usize {
        self.objects.len()
    }
}

/// Keeps each object version once, at its first place, with the latest hint: so the order of arrival decides nothing.
fn collapse(mut objects: Vec<RequestedObject>) -> Vec<RequestedObject> {
    for object in &mut objects {
        normalise(&mut object.hint);
    }
    // Nearly always: then nothing is copied.
    if all_differ(&objects) {
        return objects;
    }
    let mut places: HashMap<(ObjectUri, Option<String>), usize> = HashMap::with_capacity(objects.len());
    let mut kept: Vec<RequestedObject> = Vec::with_capacity(objects.len());
    for object in objects {
        let version = (object.uri.clone(), object.hint.version_id.clone());
        match places.get(&version) {
            Some(&place) => {
                let known = &mut kept[place].hint;
                if object.hint > *known {
                    *known = object.hint;
                }
            }
            None => {
                places.insert(version, kept.len());
                kept.push(object);
            }
        }
    }
    kept
}

fn all_differ(objects: &[RequestedObject]) -> bool {
    let mut seen = HashSet::with_capacity(objects.len());
    objects.iter().all(|object| seen.insert((&object.uri, object.hint.version_id.as_deref())))
}

fn normalise(hint: &mut ObjectHint) {
    hint.event_time = hint.event_time.map(|time| time.trunc_subsecs(3));
    if normalise_version_id(hint.version_id.as_deref()).is_none() {
        hint.version_id = None;
    }
}
