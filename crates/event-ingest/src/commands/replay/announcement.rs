//! Announcements of objects that a listing has, as Ceph's RGW would write them: keys as they are.

use chrono::{DateTime, SecondsFormat, Utc};
use cloudevents::{Data, Event, EventBuilder, EventBuilderV10};
use ingest_core::event::JSON;
use lake::storage::listing::Listed;
use serde_json::{Value, json};

/// `source` of the events.
const SOURCE: &str = "/event-ingest/replay";
/// `type` of the events. The dispatcher reads what is in them, by the records' own `eventSource`.
const TYPE: &str = "dev.eventingest.replayed.v1";

/// One event that announces some objects of a bucket. `id` tells it from others.
pub(super) fn event(bucket: &str, objects: &[Listed], now: DateTime<Utc>, id: String) -> Event {
    let records: Vec<Value> = objects.iter().map(|object| record(bucket, object, now)).collect();
    let body = json!({ "Records": records }).to_string().into_bytes();
    EventBuilderV10::new()
        .id(id)
        .ty(TYPE)
        .source(SOURCE)
        .subject(bucket)
        .time(now)
        .data(JSON, Data::Binary(body))
        .build()
        .expect("all required attributes are given")
}

/// The time is that of the announcement: how long an object lay in its bucket before is nobody's latency.
fn record(bucket: &str, object: &Listed, now: DateTime<Utc>) -> Value {
    let etag = object.etag.as_deref().map(|etag| etag.trim_matches('"'));
    json!({
        "eventVersion": "2.2",
        "eventSource": "ceph:s3",
        "eventTime": now.to_rfc3339_opts(SecondsFormat::Millis, true),
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket},
            "object": {"key": object.key, "size": object.size, "eTag": etag},
        },
    })
}

#[cfg(test)]
mod tests {
    use cloudevents::AttributesReader;
    use ingest_core::notification;

    use super::*;

    #[test]
    fn what_is_announced_is_what_was_listed() {
        let listed = |key: &str| Listed {
            key: key.to_owned(),
            size: 7,
            etag: Some("\"e1\"".to_owned()),
            modified: Some(DateTime::UNIX_EPOCH),
        };
        let objects = ["in/a b+%2F#?é.parquet", "in//a", "in/\"q\"\\"].map(listed);
        let now = DateTime::from_timestamp_millis(1_767_323_045_678).unwrap();
        let event = event("inbox", &objects, now, "id1".to_owned());
        assert_eq!((event.id(), event.ty()), ("id1", TYPE));
        let Some(Data::Binary(body)) = event.data().cloned() else { panic!("{event:?}") };
        let parsed = notification::parse(&body).unwrap();
        assert!(parsed.ignored.is_empty());
        for (announced, object) in parsed.announcements.iter().zip(&objects) {
            assert_eq!((announced.uri.bucket(), announced.uri.key()), ("inbox", object.key.as_str()));
            let hint = &announced.hint;
            assert_eq!((hint.size, hint.etag.as_deref()), (Some(7), Some("e1")));
            assert_eq!(hint.event_time, Some(now));
        }
        assert_eq!(parsed.announcements.len(), 3);
    }
}
