//! CloudEvents in Kafka's protocol binding: attributes as `ce_` headers, values as plain UTF-8.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use cloudevents::Event;
use rdkafka::message::{Header, Headers, OwnedHeaders};

use crate::event::{EventError, Incoming, Message};

/// What the name of each attribute's header begins with.
const PREFIX: &str = "ce_";
/// The header of the data's content type.
const CONTENT_TYPE: &str = "content-type";
/// The W3C header that a traced producer adds of itself.
const TRACEPARENT: &str = "traceparent";

/// Names and values of headers, in their order; some have no value.
pub type HeaderList = Vec<(String, Option<Vec<u8>>)>;

/// A CloudEvent in binary mode: its headers, and the payload. Fails only if its data cannot be serialised.
pub fn cloud_event_headers(event: Event) -> Result<(OwnedHeaders, Bytes), cloudevents::message::Error> {
    let message = Message::try_from(event)?;
    let mut headers = OwnedHeaders::new_with_capacity(message.attributes.len() + 1);
    for (name, value) in &message.attributes {
        headers = headers.insert(Header { key: &format!("{PREFIX}{name}"), value: Some(value) });
    }
    if let Some(content_type) = &message.content_type {
        headers = headers.insert(Header { key: CONTENT_TYPE, value: Some(content_type) });
    }
    Ok((headers, message.body))
}

/// Reads a record in binary or structured mode, or a plain payload.
pub(crate) fn read_record<H: Headers>(headers: Option<&H>, payload: Bytes) -> Result<Incoming, EventError> {
    let mut message = Message { body: payload, ..Message::default() };
    let mut traceparent = None;
    for (name, value) in headers.map(header_list).transpose()?.unwrap_or_default() {
        let Some(value) = value else { continue };
        if let Some(attribute) = name.strip_prefix(PREFIX) {
            let value = String::from_utf8(value)
                .map_err(|_| EventError::Malformed(format!("the header {name} is not UTF-8")))?;
            message.attributes.insert(attribute.to_owned(), value);
        } else if name.eq_ignore_ascii_case(CONTENT_TYPE) {
            message.content_type = Some(String::from_utf8_lossy(&value).into_owned());
        } else if name == TRACEPARENT {
            traceparent = String::from_utf8(value).ok();
        }
    }
    let mut incoming = message.into_incoming()?;
    incoming.traceparent = incoming.traceparent.or(traceparent);
    Ok(incoming)
}

/// All headers, in their order, some without a value. rdkafka panics on a name that is not UTF-8; such a record is
/// poison, not a crash.
///
/// # Errors
/// There is such a name.
pub fn header_list<H: Headers>(headers: &H) -> Result<HeaderList, EventError> {
    let read = || headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)));
    catch_unwind(AssertUnwindSafe(|| read().collect()))
        .map_err(|_| EventError::Malformed("the name of a header is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use cloudevents::{EventBuilder, EventBuilderV10};

    use super::*;

    #[test]
    fn an_event_survives_the_way_through_a_record() {
        let event = EventBuilderV10::new()
            .id("r1")
            .ty("dev.eventingest.request.light.v1")
            .source("/event-ingest/dispatcher/g")
            .subject("db.täble")
            .extension("partitionkey", "db.täble")
            .data("application/json", serde_json::json!({"files": ["s3://b/a"]}))
            .build()
            .expect("complete");
        let (headers, payload) = cloud_event_headers(event).expect("serialisable");
        let names: Vec<_> = headers.iter().map(|header| header.key.to_owned()).collect();
        assert_eq!(
            names,
            [
                "ce_id",
                "ce_partitionkey",
                "ce_source",
                "ce_specversion",
                "ce_subject",
                "ce_type",
                "content-type"
            ]
        );
        let read = read_record(Some(&headers), payload).expect("valid");
        assert_eq!((read.id.as_deref(), read.subject.as_deref()), (Some("r1"), Some("db.täble")));
        assert_eq!(read.body, r#"{"files":["s3://b/a"]}"#);
    }

    #[test]
    fn a_record_without_headers_is_plain() {
        let read = read_record::<OwnedHeaders>(None, Bytes::from_static(b"{}")).expect("plain");
        assert_eq!((read.id, read.body), (None, Bytes::from_static(b"{}")));
    }

    #[test]
    fn structured_mode_and_the_transport_s_trace_are_read() {
        let headers = OwnedHeaders::new()
            .insert(Header { key: "content-type", value: Some("application/cloudevents+json") })
            .insert(Header { key: "traceparent", value: Some("00-a-b-01") })
            .insert(Header { key: "other", value: None::<&str> });
        let payload = r#"{"specversion":"1.0","id":"1","type":"t","source":"/s","data":{"a":1}}"#;
        let read = read_record(Some(&headers), Bytes::from(payload)).expect("valid");
        assert_eq!((read.id.as_deref(), read.traceparent.as_deref()), (Some("1"), Some("00-a-b-01")));
    }

    #[test]
    fn headers_that_are_no_text_are_refused() {
        let headers = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some(&[0xff_u8, 0xfe][..]) });
        assert!(matches!(read_record(Some(&headers), Bytes::new()), Err(EventError::Malformed(_))));
    }
}
