//! The name of a request.
//!
//! It is the first 40 hex digits of SHA-256 over one compact JSON array, in UTF-8, no blanks, non-ASCII as it is:
//!
//! ```text
//! ["<table>","<format>",{"<option>":"<value>",…},[["<file>",<size>,<etag>,<version id>,<event time>],…]]
//! ```
//!
//! Options are sorted by name, objects stand in the order of the request, what is not known is `null`, times are
//! RFC 3339 with milliseconds and `Z`. JSON quotes every string, so no two requests share an encoding, and any language
//! can make it (in Python: `json.dumps(…, ensure_ascii=False, separators=(",", ":"), sort_keys=True)`).

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{RequestedObject, json_bytes, wire::Millis};
use crate::{FileFormat, ObjectUri, TableName};

const DIGEST_BYTES: usize = 20;

#[derive(Serialize)]
struct Entry<'a>(&'a ObjectUri, Option<u64>, Option<&'a str>, Option<&'a str>, Option<Millis>);

pub(super) fn request_id(
    table: &TableName,
    format: FileFormat,
    options: &BTreeMap<String, String>,
    objects: &[RequestedObject],
) -> String {
    let entries: Vec<Entry<'_>> = objects
        .iter()
        .map(|RequestedObject { uri, hint }| {
            Entry(
                uri,
                hint.size,
                hint.etag.as_deref(),
                hint.version_id.as_deref(),
                hint.event_time.map(Millis),
            )
        })
        .collect();
    let mut text = Vec::with_capacity(json_bytes(objects));
    serde_json::to_writer(&mut text, &(table, format, options, entries))
        .expect("strings, numbers and lists always serialize");
    hex::encode(&Sha256::digest(text)[..DIGEST_BYTES])
}
