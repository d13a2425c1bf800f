//! What object stores announce, in the formats of all producers.
//!
//! Each wire shape has a module that recognises and reads it; `parse` picks by what stands in the message, never by
//! guessing from its content. Sizes are bounded by whoever took the message in.

mod key;
mod s3_records;

use chrono::{DateTime, Utc};

use crate::{ObjectHint, ObjectUri, RequestedObject, UriError};

/// Who made a notification; each has a key encoding of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Producer {
    /// Ceph RGW: keys are raw.
    Ceph,
    /// MinIO: keys are query-escaped.
    Minio,
    /// AWS S3: keys are URL-encoded, a blank is `+`.
    Aws,
}

impl Producer {
    /// The producer that an `eventSource` names.
    fn from_event_source(source: &str) -> Option<Self> {
        match source {
            "ceph:s3" => Some(Self::Ceph),
            "minio:s3" => Some(Self::Minio),
            "aws:s3" => Some(Self::Aws),
            _ => None,
        }
    }
}

/// A new object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Who announced it.
    pub producer: Producer,
    /// The event, without `s3:`, such as `ObjectCreated:Put`.
    pub event_name: String,
    /// The object.
    pub uri: ObjectUri,
    /// What the notification says about it.
    pub hint: ObjectHint,
}

impl From<Announcement> for RequestedObject {
    fn from(announcement: Announcement) -> Self {
        Self { uri: announcement.uri, hint: announcement.hint }
    }
}

/// A notification that announces no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// The notice sent when a bucket's notification is configured.
    TestEvent,
    /// An object was removed: its rows stay.
    Removal {
        /// The event.
        event_name: String,
    },
    /// Any other event.
    OtherEvent {
        /// The event.
        event_name: String,
    },
}

impl Ignored {
    /// The reason as a metric label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TestEvent => "test-event",
            Self::Removal { .. } => "removal",
            Self::OtherEvent { .. } => "other-event",
        }
    }
}

/// What one message holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// New objects, in the order of the message.
    pub announcements: Vec<Announcement>,
    /// The rest.
    pub ignored: Vec<Ignored>,
}

/// Longest bucket name, key, ETag or version id in bytes. S3 has no longer ones, and a longer one would make a request
/// that no broker takes.
pub const MAX_NAME_BYTES: usize = 1024;

/// A message that is no notification. A retry never helps.
#[derive(Debug, thiserror::Error)]
pub enum NotificationError {
    /// Not JSON, or a field of the wrong type.
    #[error("not a notification: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("not a notification: the message has neither \"Records\" nor a test \"Event\"")]
    Shape,
    /// An `eventSource` whose key encoding is not known.
    #[error("unknown eventSource {0:?}: expected ceph:s3, minio:s3 or aws:s3")]
    Producer(String),
    /// A key that is not in its producer's encoding.
    #[error("key {0:?} is not URL-encoded as its producer writes it")]
    Key(String),
    /// A bucket and key that name no object.
    #[error("record names no object: {0}")]
    Uri(#[from] UriError),
    /// A name that no store could have given.
    #[error("record {index}: {field} is longer than {MAX_NAME_BYTES} bytes")]
    TooLong {
        /// Its place in `Records`, from 0.
        index: usize,
        /// The field.
        field: &'static str,
    },
    /// A record of a new object without a field that it needs.
    #[error("record {index} has no {field}")]
    Missing {
        /// Its place in `Records`, from 0.
        index: usize,
        /// The field.
        field: &'static str,
    },
}

impl NotificationError {
    /// The kind as a metric label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Json(_) => "not-json",
            Self::Shape => "no-notification",
            Self::Producer(_) => "unknown-producer",
            Self::Key(_) => "bad-key",
            Self::Uri(_) | Self::TooLong { .. } | Self::Missing { .. } => "bad-record",
        }
    }
}

/// Reads one message. It is taken whole or refused whole: a message goes to one place.
pub fn parse(body: &[u8]) -> Result<Parsed, NotificationError> {
    s3_records::parse(body)
}

/// A time as announced. One that cannot be read is as good as none: it is only a hint.
fn event_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}
