//! The JSON shape of a request, and what is refused.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    IngestRequest, MAX_FILES_PER_REQUEST, MAX_REQUEST_ID_BYTES, ObjectHint, RequestDefaults, RequestedObject,
    json_bytes,
};
use crate::{FileFormat, ObjectUri, TableName, UriError};

/// A body that is no request. A retry never helps.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Not JSON, or a field of the wrong type.
    #[error("not an ingest request: {0}")]
    Json(#[from] serde_json::Error),
    /// No file at all.
    #[error("the request names no files: give at least one in \"files\"")]
    NoFiles,
    /// Too many files.
    #[error("the request names {0} files: split it, at most {MAX_FILES_PER_REQUEST} fit into one")]
    TooManyFiles(usize),
    /// A file that is no object name.
    #[error("file {index} of the request: {source}")]
    File {
        /// Its place in `files`, from 0.
        index: usize,
        /// What is wrong with it.
        source: UriError,
    },
    /// `objects` does not belong to `files`.
    #[error("the request has {files} files, but {objects} objects: give one for each file, or none")]
    ObjectCount {
        /// Length of `files`.
        files: usize,
        /// Length of `objects`.
        objects: usize,
    },
    /// The suffix of a file tells no format, and the request gives none.
    #[error("no format for {0}: give \"format\" as parquet, csv or json")]
    UnknownFormat(ObjectUri),
    /// Suffixes of several formats, and the request gives none.
    #[error("files of several formats, {0} and {1}: give \"format\", or make a request for each")]
    MixedFormats(FileFormat, FileFormat),
    /// A request id that could not be part of a Kubernetes name.
    #[error(
        "{0:?} is no request id: expected 1 to {MAX_REQUEST_ID_BYTES} lower-case letters, digits and inner hyphens"
    )]
    RequestId(String),
}

/// A time as the wire has it: RFC 3339, UTC, milliseconds.
pub(crate) struct Millis(pub(crate) DateTime<Utc>);

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.digits() {
            Some(digits) => serializer.serialize_str(str::from_utf8(&digits).expect("digits are ASCII")),
            None => serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true)),
        }
    }
}

impl Millis {
    /// The usual ones, ten times as fast as chrono writes them: each file of a request has one, twice. `None` where
    /// chrono knows better: years of more or fewer than four digits, and leap seconds.
    fn digits(&self) -> Option<[u8; 24]> {
        let Self(time) = self;
        let (year, nanos) = (u32::try_from(time.year()).ok()?, time.nanosecond());
        if year > 9999 || nanos >= 1_000_000_000 {
            return None;
        }
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let numbers = [
            (3, year),
            (6, time.month()),
            (9, time.day()),
            (12, time.hour()),
            (15, time.minute()),
            (18, time.second()),
            (22, nanos / 1_000_000),
        ];
        for (last, mut number) in numbers {
            for digit in text[..=last].iter_mut().rev() {
                *digit += (number % 10) as u8;
                number /= 10;
                if number == 0 {
                    break;
                }
            }
        }
        Some(text)
    }
}

#[derive(Deserialize)]
struct Incoming {
    files: Vec<String>,
    timestamp: Option<DateTime<Utc>>,
    table: Option<TableName>,
    format: Option<FileFormat>,
    options: Option<BTreeMap<String, String>>,
    request_id: Option<String>,
    objects: Option<Vec<Option<IncomingObject>>>,
}

#[derive(Default, Deserialize)]
struct IncomingObject {
    size: Option<u64>,
    etag: Option<String>,
    version_id: Option<String>,
    event_time: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    files: Vec<&'a ObjectUri>,
    total_bytes: u64,
    file_count: usize,
    timestamp: Millis,
    table: &'a TableName,
    format: FileFormat,
    options: &'a BTreeMap<String, String>,
    request_id: &'a str,
    objects: Vec<OutgoingObject<'a>>,
}

#[derive(Serialize)]
struct OutgoingObject<'a> {
    size: Option<u64>,
    etag: Option<&'a str>,
    version_id: Option<&'a str>,
    event_time: Option<Millis>,
}

pub(super) fn read(
    body: &[u8],
    defaults: &RequestDefaults,
    now: DateTime<Utc>,
) -> Result<IngestRequest, RequestError> {
    let incoming: Incoming = serde_json::from_slice(body)?;
    let objects = objects(incoming.files, incoming.objects)?;
    let format = match incoming.format {
        Some(format) => format,
        None => format_of(&objects)?,
    };
    let mut request = IngestRequest::new(
        incoming.table.unwrap_or_else(|| defaults.table.clone()),
        format,
        incoming.options.unwrap_or_default(),
        objects,
        incoming.timestamp.unwrap_or(now),
    );
    if let Some(id) = incoming.request_id {
        request.request_id = valid_id(id)?;
    }
    Ok(request)
}

fn objects(
    files: Vec<String>,
    hints: Option<Vec<Option<IncomingObject>>>,
) -> Result<Vec<RequestedObject>, RequestError> {
    match files.len() {
        0 => return Err(RequestError::NoFiles),
        count if count > MAX_FILES_PER_REQUEST => return Err(RequestError::TooManyFiles(count)),
        _ => {}
    }
    let mut hints = match hints {
        Some(hints) if hints.len() != files.len() => {
            return Err(RequestError::ObjectCount { files: files.len(), objects: hints.len() });
        }
        Some(hints) => hints.into_iter(),
        None => Vec::new().into_iter(),
    };
    files
        .iter()
        .enumerate()
        .map(|(index, file)| {
            let uri = ObjectUri::parse(file).map_err(|source| RequestError::File { index, source })?;
            let hint = hints.next().flatten().unwrap_or_default();
            Ok(RequestedObject {
                uri,
                hint: ObjectHint {
                    event_time: hint.event_time,
                    size: hint.size,
                    etag: hint.etag,
                    version_id: hint.version_id,
                    trace: None,
                },
            })
        })
        .collect()
}

/// The one format that all suffixes tell.
fn format_of(objects: &[RequestedObject]) -> Result<FileFormat, RequestError> {
    let format = |object: &RequestedObject| {
        FileFormat::from_suffix(&object.uri).ok_or_else(|| RequestError::UnknownFormat(object.uri.clone()))
    };
    let first = format(&objects[0])?;
    for object in &objects[1..] {
        let other = format(object)?;
        if other != first {
            return Err(RequestError::MixedFormats(first, other));
        }
    }
    Ok(first)
}

fn valid_id(id: String) -> Result<String, RequestError> {
    if is_request_id(&id) { Ok(id) } else { Err(RequestError::RequestId(id)) }
}

/// Whether a text could be part of a Kubernetes name.
pub(crate) fn is_request_id(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    id.len() <= MAX_REQUEST_ID_BYTES
        && id.starts_with(plain)
        && id.ends_with(plain)
        && id.chars().all(|c| plain(c) || c == '-')
}

pub(super) fn write(request: &IngestRequest) -> Vec<u8> {
    let outgoing = Outgoing {
        files: request.objects.iter().map(|object| &object.uri).collect(),
        total_bytes: request.total_bytes(),
        file_count: request.file_count(),
        timestamp: Millis(request.timestamp),
        table: &request.table,
        format: request.format,
        options: &request.options,
        request_id: &request.request_id,
        objects: request
            .objects
            .iter()
            .map(|object| OutgoingObject {
                size: object.hint.size,
                etag: object.hint.etag.as_deref(),
                version_id: object.hint.version_id.as_deref(),
                event_time: object.hint.event_time.map(Millis),
            })
            .collect(),
    };
    let mut text = Vec::with_capacity(json_bytes(&request.objects));
    serde_json::to_writer(&mut text, &outgoing).expect("strings, numbers and lists always serialize");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_chrono_writes_them() {
        for text in [
            "2026-01-02T03:04:05.678Z",
            "0000-01-01T00:00:00Z",
            "0987-10-20T09:08:07.006Z",
            "9999-12-31T23:59:59.999999999Z",
            "2016-12-31T23:59:60.5Z",
            "-0001-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
        ] {
            let time: DateTime<Utc> = text.parse().expect(text);
            let expected = time.to_rfc3339_opts(SecondsFormat::Millis, true);
            assert_eq!(serde_json::to_value(Millis(time)).expect("a string"), expected, "{text}");
        }
    }
}
