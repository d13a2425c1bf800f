//! A single event of Amazon S3, as EventBridge passes it on.

use std::borrow::Cow;

use serde::Deserialize;

use super::error::shortened;
use super::record::{Names, number_or_text};
use super::text::Text;
use super::{EventName, Ignored, MAX_NAME_BYTES, NotificationError, Parsed, Producer, event_time};

/// The `source` of Amazon S3's own events.
const S3: &str = "aws.s3";

#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    source: Option<Text<'a>>,
    #[serde(borrow, rename = "detail-type")]
    detail_type: Option<Text<'a>>,
    #[serde(borrow)]
    time: Option<Text<'a>>,
    #[serde(borrow)]
    detail: Option<Detail<'a>>,
}

#[derive(Deserialize)]
struct Detail<'a> {
    #[serde(borrow)]
    bucket: Option<Bucket<'a>>,
    #[serde(borrow)]
    object: Option<Object<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Object<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(default, deserialize_with = "number_or_text")]
    size: Option<u64>,
    #[serde(borrow)]
    etag: Option<Text<'a>>,
    #[serde(borrow)]
    version_id: Option<Text<'a>>,
}

impl Event<'_> {
    /// Adds what the event says to `parsed`.
    pub fn read(self, parsed: &mut Parsed) -> Result<(), NotificationError> {
        let missing = |field| NotificationError::Missing { index: 0, field };
        let source = self.source.ok_or(missing("source"))?;
        if &*source != S3 {
            return Err(NotificationError::Producer(shortened(&source)));
        }
        let Text(detail_type) = self.detail_type.ok_or(missing("detail-type"))?;
        if detail_type != "Object Created" {
            let event_name = EventName::Owned(shortened(&detail_type));
            parsed.ignored.push(match &*detail_type {
                "Object Deleted" => Ignored::Removal { event_name },
                _ => Ignored::OtherEvent { event_name },
            });
            return Ok(());
        }
        let detail = self.detail.ok_or(missing("detail"))?;
        let event_name = event_name(detail.reason.as_deref())?;
        let bucket = detail.bucket.and_then(|bucket| bucket.name).ok_or(missing("detail.bucket.name"))?;
        let object = detail.object.ok_or(missing("detail.object"))?;
        let key = object.key.ok_or(missing("detail.object.key"))?;
        let names = Names { bucket, key, etag: object.etag, version_id: object.version_id };
        let event_time = self.time.and_then(|time| event_time(&time));
        parsed.announcements.push(names.announce(
            0,
            Producer::EventBridge,
            event_name,
            object.size,
            event_time,
        )?);
        Ok(())
    }
}

/// The name that the same event has in a notification: rules name events in one way.
fn event_name(reason: Option<&str>) -> Result<EventName, NotificationError> {
    Ok(match reason {
        Some("PutObject") => Cow::Borrowed("ObjectCreated:Put"),
        Some("POST Object") => Cow::Borrowed("ObjectCreated:Post"),
        Some("CopyObject") => Cow::Borrowed("ObjectCreated:Copy"),
        Some("CompleteMultipartUpload") => Cow::Borrowed("ObjectCreated:CompleteMultipartUpload"),
        Some(long) if long.len() > MAX_NAME_BYTES => {
            return Err(NotificationError::TooLong { index: 0, field: "detail.reason" });
        }
        Some(other) => Cow::Owned(format!("ObjectCreated:{other}")),
        None => Cow::Borrowed("ObjectCreated:"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::notification::parse;

    fn event(source: &str, detail_type: &str, reason: &str) -> Result<Parsed, NotificationError> {
        let event = json!({
            "version": "0", "source": source, "detail-type": detail_type, "time": "2026-01-02T03:04:05Z",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "a+b%2F", "size": 1}, "reason": reason},
        });
        parse(event.to_string().as_bytes())
    }

    #[test]
    fn its_keys_are_raw_and_its_names_those_of_notifications() {
        for (reason, name) in [
            ("PutObject", "ObjectCreated:Put"),
            ("POST Object", "ObjectCreated:Post"),
            ("CopyObject", "ObjectCreated:Copy"),
            ("CompleteMultipartUpload", "ObjectCreated:CompleteMultipartUpload"),
            ("New", "ObjectCreated:New"),
        ] {
            let parsed = event("aws.s3", "Object Created", reason).unwrap();
            let [announcement] = &parsed.announcements[..] else { panic!("{parsed:?}") };
            assert_eq!((&*announcement.event_name, announcement.uri.key()), (name, "a+b%2F"));
        }
    }

    #[test]
    fn other_events_are_ignored_and_other_sources_refused() {
        let reason = |ty| event("aws.s3", ty, "").unwrap().ignored[0].reason();
        assert_eq!(reason("Object Deleted"), "removal");
        assert_eq!(reason("Object Restore Completed"), "other-event");
        assert_eq!(reason("AWS API Call via CloudTrail"), "other-event");
        let refused = event("aws.ec2", "Object Created", "PutObject").unwrap_err();
        assert_eq!(refused, NotificationError::Producer("aws.ec2".to_owned()));
    }
}
