//! What object stores announce, in the formats of all producers and in the envelopes by which it travels.
//!
//! Each wire shape has a module that recognises and reads it; what a message is, is told by what stands in it, never
//! guessed from its content. Sizes are bounded by whoever took the message in: whatever is made of a message takes
//! memory in proportion to it, however it is nested.

mod cloud_event;
mod envelope;
mod error;
mod event_bridge;
mod key;
mod record;
mod s3_records;
mod sns;
mod text;

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::{ObjectHint, ObjectUri, RequestedObject};

pub use error::NotificationError;

/// Who made a notification; each has a key encoding of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Producer {
    /// Ceph RGW: keys are raw.
    Ceph,
    /// MinIO: keys are query-escaped.
    Minio,
    /// AWS S3: keys are URL-encoded, a blank is `+`.
    Aws,
    /// AWS S3 by way of EventBridge: keys are raw.
    EventBridge,
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

/// The name of an event, without `s3:`; the usual ones are not allocated.
pub type EventName = Cow<'static, str>;

/// A new object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Who announced it.
    pub producer: Producer,
    /// The event, without `s3:`, such as `ObjectCreated:Put`.
    pub event_name: EventName,
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
    /// SNS asks whether it may send, or says that it no longer does. Nothing is fetched: who subscribes, confirms.
    Subscription,
    /// An object was removed: its rows stay.
    Removal {
        /// The event.
        event_name: EventName,
    },
    /// Any other event.
    OtherEvent {
        /// The event.
        event_name: EventName,
    },
}

impl Ignored {
    /// The reason as a metric label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TestEvent => "test-event",
            Self::Subscription => "subscription",
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

/// Longest name of a bucket, key, event, ETag or version in bytes. S3 has no longer ones, and a longer one would make a
/// request that no broker takes.
pub const MAX_NAME_BYTES: usize = 1024;

/// Most envelopes around a notification. A CloudEvent of an SQS batch of SNS messages with raw delivery off has three.
pub const MAX_ENVELOPES: usize = 4;

/// Reads one message: a notification, or an envelope with notifications in it. It is taken whole or refused whole: a
/// message goes to one place.
pub fn parse(body: &[u8]) -> Result<Parsed, NotificationError> {
    let mut parsed = Parsed::default();
    read(body, 0, &mut parsed)?;
    Ok(parsed)
}

/// Reads what is in so many envelopes. Each message within another is a part of it, so all of this takes at most
/// `MAX_ENVELOPES` times the message's own size.
fn read(body: &[u8], envelopes: usize, parsed: &mut Parsed) -> Result<(), NotificationError> {
    if envelopes > MAX_ENVELOPES {
        return Err(NotificationError::Nesting);
    }
    // Nearly every message is of this shape, and one pass over it is all it takes.
    let found = s3_records::read(body, envelopes, parsed).and_then(|found| match found {
        true => Ok(()),
        false => envelope::read(body, envelopes, parsed),
    });
    found.map_err(|error| match error.is_foreign() && envelopes > 0 {
        // What wraps it says that it is meant for us, whatever is in it.
        true => NotificationError::Envelope { envelope: "an envelope", reason: error.to_string() },
        false => error,
    })
}

/// A time as announced. One that cannot be read is as good as none: it is only a hint.
fn event_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}
