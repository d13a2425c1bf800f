//! Announcements: each change of an object as the notification that a MinIO server would send, put into
//! the inbox by the transaction that makes the change.

use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::{Object, StoreError, to_millis};

/// What MinIO leaves as it is in a key. A space becomes `+`, all else is percent-encoded, `/` too.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

/// What happened to an object.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Put,
    CompleteMultipartUpload,
    Copy,
    Delete,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Put => "s3:ObjectCreated:Put",
            Self::CompleteMultipartUpload => "s3:ObjectCreated:CompleteMultipartUpload",
            Self::Copy => "s3:ObjectCreated:Copy",
            Self::Delete => "s3:ObjectRemoved:Delete",
        }
    }
}

/// Puts the announcement of a change into the inbox.
pub(super) async fn announce(
    change: &mut SqliteConnection,
    event: Event,
    region: &str,
    bucket: &str,
    object: &Object,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let body = notification(event, region, bucket, object, now);
    sqlx::query("INSERT INTO inbox (arrived, body) VALUES (?, ?)")
        .bind(to_millis(now))
        .bind(body.to_string())
        .execute(change)
        .await?;
    Ok(())
}

fn escape(key: &str) -> String {
    utf8_percent_encode(key, ESCAPED).to_string().replace(' ', "+")
}

fn notification(event: Event, region: &str, bucket: &str, object: &Object, now: DateTime<Utc>) -> Value {
    let mut described = json!({
        "key": escape(&object.key),
        "sequencer": format!("{:X}", now.timestamp_nanos_opt().unwrap_or_default()),
    });
    if !matches!(event, Event::Delete) {
        described["size"] = json!(object.size);
        described["eTag"] = json!(object.etag);
        if let Some(content_type) = &object.attributes.content_type {
            described["contentType"] = json!(content_type);
        }
    }
    json!({
        "EventName": event.name(),
        "Key": format!("{bucket}/{}", object.key),
        "Records": [{
            "eventVersion": "2.0",
            "eventSource": "minio:s3",
            "awsRegion": region,
            "eventTime": now.to_rfc3339_opts(SecondsFormat::Millis, true),
            "eventName": event.name(),
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "Config",
                "bucket": { "name": bucket, "arn": format!("arn:aws:s3:::{bucket}") },
                "object": described,
            },
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standalone::store::Attributes;

    fn object(key: &str) -> Object {
        Object {
            key: key.to_owned(),
            size: 3,
            etag: "900150983cd24fb0d6963f7d28e17f72".to_owned(),
            modified: DateTime::UNIX_EPOCH,
            attributes: Attributes::default(),
            blob: String::new(),
        }
    }

    #[test]
    fn keys_are_escaped_as_minio_does() {
        assert_eq!(escape("a b/c+d%2F#?é~.parquet"), "a+b%2Fc%2Bd%252F%23%3F%C3%A9~.parquet");
    }

    #[test]
    fn a_put_is_announced_with_size_and_etag() {
        let now = DateTime::from_timestamp_millis(1_767_323_045_678).unwrap();
        let body = notification(Event::Put, "us-east-1", "inbox", &object("in/a b"), now);
        assert_eq!(body["Key"], "inbox/in/a b");
        let record = &body["Records"][0];
        assert_eq!(record["eventName"], "s3:ObjectCreated:Put");
        assert_eq!(record["eventTime"], "2026-01-02T03:04:05.678Z");
        assert_eq!(record["s3"]["object"]["key"], "in%2Fa+b");
        assert_eq!(record["s3"]["object"]["size"], 3);
        assert_eq!(record["s3"]["object"]["eTag"], "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn a_removal_names_neither_size_nor_etag() {
        let body = notification(Event::Delete, "", "inbox", &object("a"), Utc::now());
        assert_eq!(body["EventName"], "s3:ObjectRemoved:Delete");
        assert!(body["Records"][0]["s3"]["object"].get("size").is_none());
    }
}
