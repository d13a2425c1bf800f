//! What has no `Records`: notices, single events, and the envelopes around them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::cloud_event::CloudEvent;
use super::event_bridge::Event;
use super::record::Record;
use super::sns::Sns;
use super::text::text;
use super::{Ignored, NotificationError, Parsed};

/// The `Event` of AWS's flat notice.
const TEST_EVENT: &str = "s3:TestEvent";

/// The fields that tell the shapes apart, unread: one name may mean several things.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(borrow, rename = "Event")]
    event: Option<&'a RawValue>,
    #[serde(borrow, rename = "specversion")]
    spec_version: Option<&'a RawValue>,
    #[serde(borrow, rename = "detail-type")]
    detail_type: Option<&'a RawValue>,
    #[serde(borrow, rename = "Type")]
    sns_type: Option<&'a RawValue>,
    #[serde(borrow, alias = "Body")]
    body: Option<&'a RawValue>,
    #[serde(borrow, rename = "eventSource")]
    event_source: Option<&'a RawValue>,
}

/// Adds what the message announces to `parsed`.
pub(super) fn read(body: &[u8], envelopes: usize, parsed: &mut Parsed) -> Result<(), NotificationError> {
    let shape: Shape<'_> = serde_json::from_slice(body)?;
    if text(shape.event).is_some_and(|event| &*event == TEST_EVENT) {
        parsed.ignored.push(Ignored::TestEvent);
        Ok(())
    } else if shape.spec_version.is_some() {
        serde_json::from_slice::<CloudEvent<'_>>(body)?.read(envelopes, parsed)
    } else if shape.detail_type.is_some() {
        serde_json::from_slice::<Event<'_>>(body)?.read(parsed)
    } else if shape.sns_type.is_some() {
        serde_json::from_slice::<Sns<'_>>(body)?.read(envelopes, parsed)
    } else if let Some(message) = text(shape.body) {
        // SQS, as it is received (`Body`) and as bridges pass it on (`body`).
        super::read(message.as_bytes(), envelopes + 1, parsed)
    } else if shape.event_source.is_some() {
        // A single record, as in the CloudEvents that Knative's sources make of each.
        match serde_json::from_slice::<Record<'_>>(body)? {
            record if record.is_of_s3() => record.read(0, envelopes, parsed),
            _ => Err(NotificationError::Shape),
        }
    } else {
        Err(NotificationError::Shape)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::notification::{MAX_ENVELOPES, parse};

    fn record() -> Value {
        json!({
            "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "b"}, "object": {"key": "a+b", "size": 1}},
        })
    }

    fn keys(message: &Value) -> Result<Vec<String>, NotificationError> {
        let parsed = parse(message.to_string().as_bytes())?;
        Ok(parsed.announcements.iter().map(|found| found.uri.key().to_owned()).collect())
    }

    fn sqs(inner: &Value) -> Value {
        json!({"messageId": "m", "body": inner.to_string()})
    }

    #[test]
    fn a_record_may_come_alone_but_not_in_part() {
        assert_eq!(keys(&record()).unwrap(), ["a b"]);
        let mut part = record();
        part.as_object_mut().unwrap().remove("s3");
        assert_eq!(keys(&part), Err(NotificationError::Shape));
    }

    #[test]
    fn envelopes_nest_and_only_so_deep() {
        let mut message = json!({"Records": [record()]});
        for _ in 0..MAX_ENVELOPES {
            message = sqs(&message);
            assert_eq!(keys(&message).unwrap(), ["a b"]);
        }
        assert_eq!(keys(&sqs(&message)), Err(NotificationError::Nesting));
    }

    #[test]
    fn a_body_that_is_no_string_is_no_envelope() {
        for body in [json!({"body": 1}), json!({"body": {"Records": []}}), json!({"Type": null}), json!({})] {
            assert_eq!(keys(&body), Err(NotificationError::Shape), "{body}");
        }
    }

    #[test]
    fn what_is_wrong_inside_is_said() {
        for message in [sqs(&json!("hello")), json!({"body": "hello"}), sqs(&json!({"a": 1}))] {
            let error = keys(&message).unwrap_err();
            assert!(!error.is_foreign(), "an envelope is meant for us: {error}");
            assert_eq!(error.reason(), "bad-envelope");
            assert!(error.to_string().contains("not a notification"), "{error}");
        }
        let mut unknown = record();
        unknown["eventSource"] = "other:s3".into();
        assert_eq!(keys(&sqs(&unknown)), Err(NotificationError::Producer("other:s3".to_owned())));
    }
}
