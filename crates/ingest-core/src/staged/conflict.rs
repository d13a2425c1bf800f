//! The answer 409: a stage that does not fit the table as it is now.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::RequestedObject;

/// A staged object that the next stage does without: the version that the list gave, and no other of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownObject {
    /// The object.
    pub file: String,
    /// Its version id, as the list has it.
    pub version_id: Option<String>,
    /// Its ETag, as the list has it.
    pub etag: Option<String>,
}

impl KnownObject {
    /// An object of a list.
    pub fn of(object: &RequestedObject) -> Self {
        let hint = &object.hint;
        Self { file: object.uri.to_string(), version_id: hint.version_id.clone(), etag: hint.etag.clone() }
    }
}

/// The body of the answer.
pub fn conflict_json(reason: &str, known: &[KnownObject]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        error: &'static str,
        reason: &'a str,
        /// For jobs of before there were versions here: they drop all versions of a key.
        known: BTreeSet<&'a str>,
        known_objects: &'a [KnownObject],
    }
    let files = known.iter().map(|object| object.file.as_str()).collect();
    let body = Body { error: "conflict", reason, known: files, known_objects: known };
    serde_json::to_vec(&body).expect("strings always serialize")
}
