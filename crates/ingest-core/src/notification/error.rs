//! Why a message is no notification.

use serde_json::error::Category;

use super::{MAX_ENVELOPES, MAX_NAME_BYTES};
use crate::UriError;

/// Most characters of a message that an error repeats: it becomes a header of the dead letter.
const MAX_REPEATED_CHARS: usize = 200;

/// A message that is no notification. A retry never helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// No JSON, or the half of one.
    #[error("not a notification: {0}")]
    Json(String),
    /// JSON of another kind.
    #[error(
        "not a notification: neither \"Records\", nor a test \"Event\", nor an event of EventBridge, nor an envelope \
         of SNS, SQS or CloudEvents"
    )]
    Shape,
    /// A notification with a field of the wrong type.
    #[error("field of the wrong type: {0}")]
    Type(String),
    /// More envelopes than anybody needs.
    #[error("more than {MAX_ENVELOPES} envelopes around a notification")]
    Nesting,
    /// An envelope that does not hold what it says.
    #[error("{envelope} holds no notification: {reason}")]
    Envelope {
        /// Whose.
        envelope: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An `eventSource` whose key encoding is not known.
    #[error("unknown eventSource {0:?}: expected ceph:s3, minio:s3 or aws:s3, or aws.s3 of EventBridge")]
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
            Self::Nesting | Self::Envelope { .. } => "bad-envelope",
            Self::Producer(_) => "unknown-producer",
            Self::Key(_) => "bad-key",
            Self::Type(_) | Self::Uri(_) | Self::TooLong { .. } | Self::Missing { .. } => "bad-record",
        }
    }

    /// Whether nothing in the message says that it is a notification at all: it came here by mistake.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Shape)
    }
}

impl From<serde_json::Error> for NotificationError {
    fn from(error: serde_json::Error) -> Self {
        let text = shortened(&error.to_string());
        match error.classify() {
            Category::Data => Self::Type(text),
            Category::Syntax | Category::Eof | Category::Io => Self::Json(text),
        }
    }
}

/// The text, or the beginning of a long one.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_REPEATED_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_repeat_little_of_a_message() {
        let long = "ü".repeat(MAX_REPEATED_CHARS + 1);
        assert_eq!(shortened(&long).chars().count(), MAX_REPEATED_CHARS + 1);
        assert_eq!(shortened("ü"), "ü");
        let body = format!("{:?}", "x".repeat(10_000));
        let error = NotificationError::from(serde_json::from_str::<u64>(&body).unwrap_err());
        assert!(matches!(&error, NotificationError::Type(text) if text.len() < 1_000), "{error}");
    }
}
