//! CloudEvents as they travel: attributes beside a body (binary mode), one JSON document (structured mode), or a plain
//! body without any. HTTP and Kafka differ only in how they write the attributes' names and values.

use std::collections::BTreeMap;

use bytes::Bytes;
use cloudevents::event::SpecVersion;
use cloudevents::message::{
    BinaryDeserializer, BinarySerializer, MessageAttributeValue, Result as SdkResult,
};
use cloudevents::{AttributesReader, Data, Event};

/// The media type of structured mode.
const STRUCTURED: &str = "application/cloudevents+json";
/// What every CloudEvents media type begins with; all but [`STRUCTURED`] are unsupported.
const CLOUDEVENTS: &str = "application/cloudevents";
/// The attribute that CloudEvents keeps in the transport's own content-type header.
const CONTENT_TYPE: &str = "datacontenttype";

/// An event as the handler sees it, however it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// `id` of the CloudEvent, if it was one.
    pub id: Option<String>,
    /// `type` of the CloudEvent, if it was one.
    pub ty: Option<String>,
    /// `source` of the CloudEvent, if it was one.
    pub source: Option<String>,
    /// `subject` of the CloudEvent, if it had one.
    pub subject: Option<String>,
    /// W3C trace context, from the extension of that name or from the transport's header.
    pub traceparent: Option<String>,
    /// The data, whatever the content type says about it.
    pub body: Bytes,
}

/// A message that is no acceptable CloudEvent. No retry helps.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Attributes are missing or wrong, or the structured document cannot be read.
    #[error("not a CloudEvent: {0}")]
    Malformed(String),
    /// Batches and formats other than JSON.
    #[error(
        "content type {0:?} is not supported: send one CloudEvent at a time, in binary mode or as {STRUCTURED}"
    )]
    Unsupported(String),
}

/// A message taken apart: what binary mode needs, for either transport.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Attributes and extensions by bare name (`id`, not `ce-id`), without the content type.
    pub attributes: BTreeMap<String, String>,
    /// The transport's content-type header.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

impl Message {
    /// Reads an event in binary or structured mode, or a plain body.
    pub fn into_incoming(self) -> Result<Incoming, EventError> {
        let media_type = self.content_type.as_deref().map(media_type).unwrap_or_default();
        if media_type == STRUCTURED {
            let event: Event = serde_json::from_slice(&self.body)
                .map_err(|error| EventError::Malformed(error.to_string()))?;
            let body = match event.data() {
                Some(Data::Binary(bytes)) => Bytes::copy_from_slice(bytes),
                Some(Data::String(text)) => Bytes::copy_from_slice(text.as_bytes()),
                Some(Data::Json(value)) => Bytes::from(value.to_string()),
                None => Bytes::new(),
            };
            return Ok(incoming(&event, body));
        }
        if media_type.starts_with(CLOUDEVENTS) {
            return Err(EventError::Unsupported(media_type));
        }
        if self.attributes.is_empty() {
            return Ok(Incoming {
                id: None,
                ty: None,
                source: None,
                subject: None,
                traceparent: None,
                body: self.body,
            });
        }
        let body = self.body.clone();
        let event = self.into_event().map_err(|error| EventError::Malformed(error.to_string()))?;
        Ok(incoming(&event, body))
    }
}

fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn incoming(event: &Event, body: Bytes) -> Incoming {
    Incoming {
        id: Some(event.id().to_owned()),
        ty: Some(event.ty().to_owned()),
        source: Some(event.source().to_owned()),
        subject: event.subject().map(str::to_owned),
        traceparent: event.extension("traceparent").map(ToString::to_string),
        body,
    }
}

/// Attributes alone: the body stays out of the SDK, so that it is neither copied nor parsed twice.
impl BinaryDeserializer for Message {
    fn deserialize_binary<R: Sized, V: BinarySerializer<R>>(self, mut visitor: V) -> SdkResult<R> {
        let version = self.attributes.get("specversion").map_or("", String::as_str);
        let version = SpecVersion::try_from(version)?;
        visitor = visitor.set_spec_version(version.clone())?;
        for (name, value) in self.attributes {
            let value = MessageAttributeValue::String(value);
            visitor = match name.as_str() {
                "specversion" => visitor,
                known if version.attribute_names().contains(&known) => visitor.set_attribute(&name, value)?,
                _ => visitor.set_extension(&name, value)?,
            };
        }
        visitor.end()
    }
}

impl TryFrom<Event> for Message {
    type Error = cloudevents::message::Error;

    /// Takes an event apart for binary mode. Fails only if its data cannot be serialised.
    fn try_from(event: Event) -> SdkResult<Self> {
        BinaryDeserializer::deserialize_binary(event, Message::default())
    }
}

impl BinarySerializer<Message> for Message {
    fn set_spec_version(self, version: SpecVersion) -> SdkResult<Self> {
        self.set_extension("specversion", MessageAttributeValue::String(version.to_string()))
    }

    fn set_attribute(mut self, name: &str, value: MessageAttributeValue) -> SdkResult<Self> {
        if name == CONTENT_TYPE {
            self.content_type = Some(value.to_string());
            return Ok(self);
        }
        self.set_extension(name, value)
    }

    fn set_extension(mut self, name: &str, value: MessageAttributeValue) -> SdkResult<Self> {
        self.attributes.insert(name.to_owned(), value.to_string());
        Ok(self)
    }

    fn end_with_data(mut self, bytes: Vec<u8>) -> SdkResult<Message> {
        self.body = Bytes::from(bytes);
        Ok(self)
    }

    fn end(self) -> SdkResult<Message> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use cloudevents::{EventBuilder, EventBuilderV10};

    use super::*;

    fn message(attributes: &[(&str, &str)], content_type: Option<&str>, body: &str) -> Message {
        Message {
            attributes: attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            content_type: content_type.map(str::to_owned),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    const REQUIRED: [(&str, &str); 4] =
        [("specversion", "1.0"), ("id", "1"), ("type", "t"), ("source", "/s")];

    #[test]
    fn binary_mode_keeps_the_body_byte_for_byte() {
        let mut attributes = REQUIRED.to_vec();
        attributes.extend([("subject", "db.täble"), ("traceparent", "00-a-b-01"), ("partitionkey", "k")]);
        let event =
            message(&attributes, Some("text/nonsense"), "{ \"a\" : 1 }").into_incoming().expect("valid");
        assert_eq!(event.id.as_deref(), Some("1"));
        assert_eq!(event.ty.as_deref(), Some("t"));
        assert_eq!(event.source.as_deref(), Some("/s"));
        assert_eq!(event.subject.as_deref(), Some("db.täble"));
        assert_eq!(event.traceparent.as_deref(), Some("00-a-b-01"));
        assert_eq!(event.body, "{ \"a\" : 1 }");
    }

    #[test]
    fn structured_mode_gives_the_data() {
        let body =
            r#"{"specversion":"1.0","id":"1","type":"t","source":"/s","traceparent":"x","data":{"a":1}}"#;
        let event = message(&[], Some("Application/CloudEvents+JSON; charset=utf-8"), body)
            .into_incoming()
            .expect("valid");
        assert_eq!((event.id.as_deref(), event.traceparent.as_deref()), (Some("1"), Some("x")));
        assert_eq!(event.body, r#"{"a":1}"#);
        let base64 =
            r#"{"specversion":"1.0","id":"1","type":"t","source":"/s","data_base64":"eyJhIjoxfQ=="}"#;
        let event = message(&[], Some(STRUCTURED), base64).into_incoming().expect("valid");
        assert_eq!(event.body, r#"{"a":1}"#);
    }

    #[test]
    fn a_body_without_attributes_is_plain() {
        let event = message(&[], None, "{}").into_incoming().expect("valid");
        assert_eq!((event.id, event.body), (None, Bytes::from_static(b"{}")));
    }

    #[test]
    fn wrong_events_are_refused() {
        for missing in 0..REQUIRED.len() {
            let mut attributes = REQUIRED.to_vec();
            let (name, _) = attributes.remove(missing);
            let error = message(&attributes, None, "{}").into_incoming().expect_err(name);
            assert!(matches!(error, EventError::Malformed(_)), "without {name}: {error}");
        }
        let mut attributes = REQUIRED.to_vec();
        attributes.push(("time", "yesterday"));
        assert!(message(&attributes, None, "{}").into_incoming().is_err());
        assert!(matches!(
            message(&[], Some(STRUCTURED), "{}").into_incoming(),
            Err(EventError::Malformed(_))
        ));
        for batch in ["application/cloudevents-batch+json", "application/cloudevents+xml"] {
            let error = message(&REQUIRED, Some(batch), "[]").into_incoming().expect_err(batch);
            assert!(matches!(error, EventError::Unsupported(_)), "{error}");
        }
    }

    #[test]
    fn an_event_taken_apart_reads_back_the_same() {
        let event = EventBuilderV10::new()
            .id("1")
            .ty("t")
            .source("/s")
            .subject("db.t")
            .extension("partitionkey", "db.t")
            .data("application/json", serde_json::json!({"a": 1}))
            .build()
            .expect("complete");
        let message = Message::try_from(event).expect("serialisable");
        assert_eq!(message.content_type.as_deref(), Some("application/json"));
        assert_eq!(message.attributes["partitionkey"], "db.t");
        let read = message.into_incoming().expect("valid");
        assert_eq!((read.subject.as_deref(), &read.body[..]), (Some("db.t"), &b"{\"a\":1}"[..]));
    }
}
