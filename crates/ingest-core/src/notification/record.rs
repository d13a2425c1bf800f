//! One record of `Records`, as Ceph RGW, MinIO and AWS S3 write it, and what else comes in such a list.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error};

use super::error::shortened;
use super::sns::Sns;
use super::text::Text;
use super::{
    Announcement, EventName, Ignored, MAX_NAME_BYTES, NotificationError, Parsed, Producer, event_time, key,
};
use crate::{ObjectHint, ObjectUri, identity::normalise_version_id};

/// The `eventSource` of a message in a batch from SQS.
const SQS: &str = "aws:sqs";

/// Names of new objects' events that are not allocated.
const CREATED: [&str; 4] = [
    "ObjectCreated:Put",
    "ObjectCreated:CompleteMultipartUpload",
    "ObjectCreated:Copy",
    "ObjectCreated:Post",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    event_source: Option<Text<'a>>,
    #[serde(borrow)]
    event_name: Option<Text<'a>>,
    #[serde(borrow)]
    event_time: Option<Text<'a>>,
    #[serde(borrow)]
    s3: Option<Entity<'a>>,
    /// Of a batch from SQS: the message.
    #[serde(borrow)]
    body: Option<Text<'a>>,
    /// Of a batch from SNS: the envelope.
    #[serde(borrow, rename = "Sns")]
    sns: Option<Sns<'a>>,
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
pub(super) fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Size;
    impl<'de> serde::de::Visitor<'de> for Size {
        type Value = Option<u64>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number of bytes, as a number or as a string")
        }

        fn visit_u64<E>(self, size: u64) -> Result<Option<u64>, E> {
            Ok(Some(size))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Option<u64>, E> {
            match text.parse() {
                Ok(size) => Ok(Some(size)),
                Err(_) if text.is_empty() => Ok(None),
                Err(_) => Err(E::custom(format_args!("size {:?} is no number of bytes", shortened(text)))),
            }
        }

        fn visit_unit<E>(self) -> Result<Option<u64>, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Size)
}

impl Record<'_> {
    /// Whether this is one of ours, when it comes without `Records` around it.
    pub fn is_of_s3(&self) -> bool {
        self.event_source.is_some() && self.s3.is_some()
    }

    /// Adds what the record says to `parsed`.
    pub fn read(self, index: usize, envelopes: usize, parsed: &mut Parsed) -> Result<(), NotificationError> {
        let missing = |field| NotificationError::Missing { index, field };
        if let Some(sns) = self.sns {
            return sns.read(envelopes, parsed);
        }
        let source = self.event_source.ok_or(missing("eventSource"))?;
        if &*source == SQS {
            let body = self.body.ok_or(missing("body"))?;
            return super::read(body.as_bytes(), envelopes + 1, parsed);
        }
        let producer = Producer::from_event_source(&source)
            .ok_or_else(|| NotificationError::Producer(shortened(&source)))?;
        let Text(name) = self.event_name.ok_or(missing("eventName"))?;
        let event_name = event_name(&name, index)?;
        if !event_name.starts_with("ObjectCreated:") {
            parsed.ignored.push(if event_name.starts_with("ObjectRemoved:") {
                Ignored::Removal { event_name }
            } else {
                Ignored::OtherEvent { event_name }
            });
            return Ok(());
        }
        let entity = self.s3.ok_or(missing("s3"))?;
        let bucket = entity.bucket.and_then(|bucket| bucket.name).ok_or(missing("s3.bucket.name"))?;
        let object = entity.object.ok_or(missing("s3.object"))?;
        let key = object.key.ok_or(missing("s3.object.key"))?;
        let names = Names { bucket, key, etag: object.e_tag, version_id: object.version_id };
        let event_time = self.event_time.and_then(|time| event_time(&time));
        // MinIO leaves out what is empty, a size of nothing too.
        let size = object.size.or_else(|| (producer == Producer::Minio).then_some(0));
        parsed.announcements.push(names.announce(index, producer, event_name, size, event_time)?);
        Ok(())
    }
}

/// What a producer calls an object.
pub(super) struct Names<'a> {
    pub bucket: Text<'a>,
    pub key: Text<'a>,
    pub etag: Option<Text<'a>>,
    pub version_id: Option<Text<'a>>,
}

impl Names<'_> {
    /// The announcement of the object; `index` is its place in the message, for errors.
    pub fn announce(
        self,
        index: usize,
        producer: Producer,
        event_name: EventName,
        size: Option<u64>,
        event_time: Option<chrono::DateTime<chrono::Utc>>,
    ) -> Result<Announcement, NotificationError> {
        let key = key::decode(producer, &self.key)?;
        let etag = self.etag.filter(|etag| !etag.is_empty());
        let version_id = self.version_id.as_deref();
        for (field, name) in [
            ("bucket.name", Some(&*self.bucket)),
            ("object.key", Some(&*key)),
            ("object.eTag", etag.as_deref()),
            ("object.versionId", version_id),
        ] {
            if name.is_some_and(|name| name.len() > MAX_NAME_BYTES) {
                return Err(NotificationError::TooLong { index, field });
            }
        }
        Ok(Announcement {
            producer,
            event_name,
            uri: ObjectUri::new(&self.bucket, &key)?,
            hint: ObjectHint {
                event_time,
                size,
                etag: etag.map(|Text(etag)| etag.into_owned()),
                version_id: normalise_version_id(version_id).map(str::to_owned),
                trace: None,
            },
        })
    }
}

/// The event's name without `s3:`, which MinIO and old releases of RGW write.
fn event_name(name: &str, index: usize) -> Result<EventName, NotificationError> {
    let name = name.strip_prefix("s3:").unwrap_or(name);
    if name.len() > MAX_NAME_BYTES {
        return Err(NotificationError::TooLong { index, field: "eventName" });
    }
    Ok(match CREATED.into_iter().find(|known| *known == name) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(name.to_owned()),
    })
}
