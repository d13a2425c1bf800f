//! `{"Records": […]}`, the shape that Ceph RGW, MinIO and AWS S3 share, as do batches from SQS and SNS.
//!
//! One pass, record by record: what a list of records takes in memory is what is announced, not what is written.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::record::Record;
use super::text::Text;
use super::{NotificationError, Parsed};

/// Adds what the records of a message announce to `parsed`. Says whether there are `Records` at all.
pub(super) fn read(body: &[u8], envelopes: usize, parsed: &mut Parsed) -> Result<bool, NotificationError> {
    // Checked at once UTF-8 costs next to nothing, name by name a tenth of it all. What is no UTF-8 as a whole may still
    // be in the parts that matter.
    match std::str::from_utf8(body) {
        Ok(text) => read_with(serde_json::Deserializer::from_str(text), envelopes, parsed),
        Err(_) => read_with(serde_json::Deserializer::from_slice(body), envelopes, parsed),
    }
}

fn read_with<'de, R: serde_json::de::Read<'de>>(
    mut deserializer: serde_json::Deserializer<R>,
    envelopes: usize,
    parsed: &mut Parsed,
) -> Result<bool, NotificationError> {
    let mut reader = Reader { envelopes, parsed, records: 0, is_object: false, refused: None };
    let found = Message(&mut reader).deserialize(&mut deserializer);
    let found = found.and_then(|found| deserializer.end().map(|()| found));
    match (reader.refused, found) {
        (Some(refused), _) => Err(refused),
        (None, Ok(found)) => Ok(found),
        (None, Err(error)) => match NotificationError::from(error) {
            NotificationError::Type(_) if !reader.is_object => Err(NotificationError::Shape),
            error => Err(error),
        },
    }
}

/// What is known while a message is read.
struct Reader<'p> {
    envelopes: usize,
    parsed: &'p mut Parsed,
    records: usize,
    is_object: bool,
    /// What is wrong with a record: serde's errors are texts.
    refused: Option<NotificationError>,
}

/// The object with `Records`; true if it has them.
struct Message<'r, 'p>(&'r mut Reader<'p>);

impl<'de> DeserializeSeed<'de> for Message<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Message<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        self.0.is_object = true;
        let mut found = false;
        while let Some(name) = fields.next_key::<Text<'de>>()? {
            if &*name == "Records" {
                found |= fields.next_value_seed(Records(self.0))?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The list; true unless it is `null`.
struct Records<'r, 'p>(&'r mut Reader<'p>);

impl<'de> DeserializeSeed<'de> for Records<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Records<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<bool, A::Error> {
        while let Some(record) = records.next_element::<Record<'de>>()? {
            let reader = &mut *self.0;
            if let Err(error) = record.read(reader.records, reader.envelopes, reader.parsed) {
                reader.refused = Some(error);
                return Err(A::Error::custom("refused"));
            }
            reader.records += 1;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Announcement, MAX_NAME_BYTES, parse};
    use super::*;

    fn message(record: &str) -> Vec<u8> {
        format!(r#"{{"Records":[{record}]}}"#).into_bytes()
    }

    fn created(source: &str, object: &str) -> Vec<u8> {
        message(&format!(
            r#"{{"eventSource":"{source}","eventName":"ObjectCreated:Put","s3":{{"bucket":{{"name":"b"}},"object":{object}}}}}"#
        ))
    }

    fn one(body: &[u8]) -> Announcement {
        let mut parsed = parse(body).unwrap();
        assert_eq!((parsed.announcements.len(), parsed.ignored.len()), (1, 0));
        parsed.announcements.remove(0)
    }

    #[test]
    fn the_producer_decides_the_key() {
        let key = |source: &str| one(&created(source, r#"{"key":"a+b%2Fc"}"#)).uri.key().to_owned();
        assert_eq!(key("ceph:s3"), "a+b%2Fc");
        assert_eq!(key("minio:s3"), "a b/c");
        assert_eq!(key("aws:s3"), "a b/c");
    }

    #[test]
    fn an_unknown_producer_is_never_guessed() {
        let error = parse(&created("other:s3", r#"{"key":"a"}"#)).unwrap_err();
        assert!(matches!(error, NotificationError::Producer(source) if source == "other:s3"));
        let error = parse(&message(r#"{"eventName":"ObjectCreated:Put"}"#)).unwrap_err();
        assert_eq!(error.to_string(), "record 0 has no eventSource");
    }

    #[test]
    fn size_is_a_number_or_a_text() {
        let size = |size: &str| {
            parse(&created("ceph:s3", &format!(r#"{{"key":"a","size":{size}}}"#)))
                .map(|parsed| parsed.announcements[0].hint.size)
        };
        assert_eq!(size("7").unwrap(), Some(7));
        assert_eq!(size("\"7\"").unwrap(), Some(7));
        assert_eq!(size("\"\"").unwrap(), None);
        assert_eq!(size("null").unwrap(), None);
        assert!(size("-1").is_err());
        assert!(size("\"many\"").is_err());
    }

    #[test]
    fn etag_and_version_id_in_all_spellings() {
        let hint = |object: &str| one(&created("ceph:s3", object)).hint;
        assert_eq!(hint(r#"{"key":"a","eTag":"e"}"#).etag.as_deref(), Some("e"));
        assert_eq!(hint(r#"{"key":"a","etag":"e"}"#).etag.as_deref(), Some("e"));
        for none in [r#"{"key":"a","versionId":""}"#, r#"{"key":"a","versionId":"null"}"#, r#"{"key":"a"}"#] {
            assert_eq!(hint(none).version_id, None, "{none}");
        }
        assert_eq!(hint(r#"{"key":"a","versionId":"v"}"#).version_id.as_deref(), Some("v"));
    }

    #[test]
    fn names_that_no_store_gives_are_refused() {
        let names = [("key", "object.key"), ("eTag", "object.eTag"), ("versionId", "object.versionId")];
        for (name, field) in names {
            let object = |length: usize| {
                let mut object = serde_json::json!({"key": "k"});
                object[name] = "x".repeat(length).into();
                parse(&created("ceph:s3", &object.to_string()))
            };
            assert!(object(MAX_NAME_BYTES).is_ok());
            assert!(
                matches!(object(MAX_NAME_BYTES + 1), Err(NotificationError::TooLong { field: f, .. }) if f == field)
            );
        }
    }

    #[test]
    fn what_announces_no_object_is_ignored_with_its_reason() {
        let reason = |body: &[u8]| {
            let parsed = parse(body).unwrap();
            assert!(parsed.announcements.is_empty());
            parsed.ignored[0].reason()
        };
        let event = |name: &str| message(&format!(r#"{{"eventSource":"minio:s3","eventName":"{name}"}}"#));
        assert_eq!(reason(br#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#), "test-event");
        assert_eq!(reason(&event("s3:ObjectRemoved:Delete")), "removal");
        assert_eq!(reason(&event("ObjectRemoved:DeleteMarkerCreated")), "removal");
        assert_eq!(reason(&event("s3:ObjectAccessed:Get")), "other-event");
    }

    #[test]
    fn several_records_keep_their_order() {
        let record = |key: &str, event: &str| {
            format!(
                r#"{{"eventSource":"aws:s3","eventName":"{event}","s3":{{"bucket":{{"name":"b"}},"object":{{"key":"{key}"}}}}}}"#
            )
        };
        let records = [
            record("1", "ObjectCreated:Put"),
            record("2", "ObjectRemoved:Delete"),
            record("3", "ObjectCreated:Copy"),
        ];
        let parsed = parse(&message(&records.join(","))).unwrap();
        let keys: Vec<&str> = parsed.announcements.iter().map(|a| a.uri.key()).collect();
        assert_eq!(keys, ["1", "3"]);
        assert_eq!(parsed.ignored.len(), 1);
    }

    #[test]
    fn what_is_no_notification_is_refused() {
        let error = |body: &str| parse(body.as_bytes()).unwrap_err();
        for body in ["", "{", "{}x", "nonsense", r#"{"Records":[}"#, "\u{0}"] {
            assert!(matches!(error(body), NotificationError::Json(_)), "{body}");
        }
        for body in
            ["{}", "[]", "1", r#"{"Event":"s3:Other"}"#, r#"{"files":["s3://b/k"]}"#, r#"{"Records":null}"#]
        {
            assert_eq!(error(body), NotificationError::Shape, "{body}");
            assert!(error(body).is_foreign());
        }
        for body in [r#"{"Records":{}}"#, r#"{"Records":[1]}"#, r#"{"Records":[{"eventName":1}]}"#] {
            assert!(matches!(error(body), NotificationError::Type(_)), "{body}");
            assert!(!error(body).is_foreign());
        }
    }

    #[test]
    fn batches_from_sqs_and_sns_are_unwrapped() {
        let inner = String::from_utf8(created("ceph:s3", r#"{"key":"a+b"}"#)).unwrap();
        let sns = serde_json::json!({"Type": "Notification", "Message": inner});
        for record in [
            serde_json::json!({"eventSource": "aws:sqs", "body": inner}),
            serde_json::json!({"eventSource": "aws:sqs", "body": sns.to_string()}),
            serde_json::json!({"EventSource": "aws:sns", "Sns": sns}),
        ] {
            let found = parse(&message(&format!("{record},{record}"))).unwrap().announcements;
            assert_eq!(found.len(), 2, "{record}");
            assert_eq!(found[1].uri.key(), "a+b");
        }
        let error = parse(&message(r#"{"eventSource":"aws:sqs"}"#)).unwrap_err();
        assert_eq!(error, NotificationError::Missing { index: 0, field: "body" });
    }
}
