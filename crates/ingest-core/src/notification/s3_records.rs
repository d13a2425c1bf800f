//! `{"Records": […]}`, the shape that Ceph RGW, MinIO and AWS S3 share, and AWS's flat test notice.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error};

use super::{Announcement, Ignored, MAX_NAME_BYTES, NotificationError, Parsed, Producer, event_time, key};
use crate::{ObjectHint, ObjectUri, identity::normalise_version_id};

const TEST_EVENT: &str = "s3:TestEvent";

/// A string that is borrowed from the message unless it holds escapes, also inside an `Option`.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "Records", borrow)]
    records: Option<Vec<Record<'a>>>,
    #[serde(rename = "Event", borrow)]
    event: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    event_source: Option<Text<'a>>,
    #[serde(borrow)]
    event_name: Option<Text<'a>>,
    #[serde(borrow)]
    event_time: Option<Text<'a>>,
    #[serde(borrow)]
    s3: Option<Entity<'a>>,
}

#[derive(Deserialize)]
struct Entity<'a> {
    #[serde(borrow)]
    bucket: Option<Bucket<'a>>,
    #[serde(borrow)]
    object: Option<Object<'a>>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(default, deserialize_with = "number_or_text")]
    size: Option<u64>,
    #[serde(borrow, alias = "etag")]
    e_tag: Option<Text<'a>>,
    #[serde(borrow)]
    version_id: Option<Text<'a>>,
}

/// RGW's code writes a number, its documentation a string.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size<'a> {
        Number(u64),
        Text(#[serde(borrow)] Cow<'a, str>),
    }
    match Option::<Size<'_>>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Size::Number(size)) => Ok(Some(size)),
        Some(Size::Text(text)) if text.is_empty() => Ok(None),
        Some(Size::Text(text)) => text
            .parse()
            .map(Some)
            .map_err(|_| D::Error::custom(format_args!("size {text:?} is no number of bytes"))),
    }
}

pub(super) fn parse(body: &[u8]) -> Result<Parsed, NotificationError> {
    let message: Message<'_> = serde_json::from_slice(body)?;
    let mut parsed = Parsed::default();
    match (message.records, message.event) {
        (Some(records), _) => {
            for (index, record) in records.into_iter().enumerate() {
                read(index, record, &mut parsed)?;
            }
        }
        (None, Some(Text(event))) if event == TEST_EVENT => parsed.ignored.push(Ignored::TestEvent),
        _ => return Err(NotificationError::Shape),
    }
    Ok(parsed)
}

fn read(index: usize, record: Record<'_>, parsed: &mut Parsed) -> Result<(), NotificationError> {
    let missing = |field| NotificationError::Missing { index, field };
    let Text(source) = record.event_source.ok_or(missing("eventSource"))?;
    let producer = Producer::from_event_source(&source)
        .ok_or_else(|| NotificationError::Producer(source.into_owned()))?;
    let Text(name) = record.event_name.ok_or(missing("eventName"))?;
    let event_name = name.strip_prefix("s3:").unwrap_or(&name).to_owned();
    if !event_name.starts_with("ObjectCreated:") {
        parsed.ignored.push(if event_name.starts_with("ObjectRemoved:") {
            Ignored::Removal { event_name }
        } else {
            Ignored::OtherEvent { event_name }
        });
        return Ok(());
    }
    let entity = record.s3.ok_or(missing("s3"))?;
    let Text(bucket) = entity.bucket.and_then(|bucket| bucket.name).ok_or(missing("s3.bucket.name"))?;
    let object = entity.object.ok_or(missing("s3.object"))?;
    let Text(key) = object.key.ok_or(missing("s3.object.key"))?;
    let key = key::decode(producer, &key)?;
    let etag = object.e_tag.map(|Text(etag)| etag).filter(|etag| !etag.is_empty());
    let version_id = object.version_id.as_ref().map(|Text(id)| &**id);
    let names = [
        ("s3.bucket.name", Some(&*bucket)),
        ("s3.object.key", Some(&*key)),
        ("s3.object.eTag", etag.as_deref()),
        ("s3.object.versionId", version_id),
    ];
    for (field, name) in names {
        if name.is_some_and(|name| name.len() > MAX_NAME_BYTES) {
            return Err(NotificationError::TooLong { index, field });
        }
    }
    parsed.announcements.push(Announcement {
        producer,
        event_name,
        uri: ObjectUri::new(&bucket, &key)?,
        hint: ObjectHint {
            event_time: record.event_time.and_then(|Text(time)| event_time(&time)),
            size: object.size,
            etag: etag.map(Cow::into_owned),
            version_id: normalise_version_id(version_id).map(str::to_owned),
        },
    });
    Ok(())
}

#[cfg(test)]
mod tests {
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
        let error = parse(&created("aws:sqs", r#"{"key":"a"}"#)).unwrap_err();
        assert!(matches!(error, NotificationError::Producer(source) if source == "aws:sqs"));
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
        let names =
            [("key", "s3.object.key"), ("eTag", "s3.object.eTag"), ("versionId", "s3.object.versionId")];
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
        for body in ["", "{", "[]", "1", r#"{"Records":{}}"#] {
            assert!(matches!(parse(body.as_bytes()), Err(NotificationError::Json(_))), "{body}");
        }
        for body in ["{}", r#"{"Event":"s3:Other"}"#, r#"{"files":["s3://b/k"]}"#, r#"{"Records":null}"#] {
            assert!(matches!(parse(body.as_bytes()), Err(NotificationError::Shape)), "{body}");
        }
    }
}
