//! What a record of the dead-letter topic says of itself: why it is there, whence it came, and how it gets back.
//!
//! Two kinds arrive: records that one of our consumers could not use, with its headers at the end, and events that
//! Knative gave up delivering, with its extensions `knativeerror…`, in binary or structured mode.

use std::fmt;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use cloudevents::{AttributesReader, Event};
use ingest_core::Lane;
use rdkafka::message::{Header, Message, OwnedHeaders, OwnedMessage};
use service_kit::kafka::{
    BARE_HEADER, DEAD_LETTER_PREFIX, HeaderList, OFFSET_HEADER, OMITTED_HEADER, PARTITION_HEADER,
    REASON_HEADER, REDRIVEN_HEADER, TIME_HEADER, TOPIC_HEADER, cloud_event_headers, header_list,
};

/// What the names of Knative's extensions begin with, as headers.
const KNATIVE_HEADERS: &str = "ce_knativeerror";
/// Knative's extensions: where an event could not be delivered, the HTTP status, and the beginning of the answer.
const KNATIVE: [&str; 3] = ["knativeerrordest", "knativeerrorcode", "knativeerrordata"];
/// A record that was no CloudEvent gets this type from a KafkaSource; its source ends in `#` and the topic.
const KAFKA_SOURCE_TYPE: &str = "dev.knative.kafka.event";
/// The media type of structured mode.
const STRUCTURED: &str = "application/cloudevents+json";

/// Whence a dead letter came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// This place of a topic.
    Record { topic: String, partition: String, offset: String, time: Option<String> },
    /// Knative could not deliver it to this address.
    Undelivered { destination: String, ty: String, source: String },
    /// It does not say.
    Unknown,
}

/// Where it goes when it is redriven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    Topic(String),
    Lane(Lane),
}

/// The topics that letters can go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ours<'t> {
    pub source: &'t str,
    pub light: &'t str,
    pub heavy: &'t str,
}

/// A dead letter.
#[derive(Debug)]
pub(crate) struct Letter {
    pub reason: String,
    pub source: Source,
    /// How often it was redriven before it came here this time.
    pub times: u32,
    /// All headers as they were found.
    pub headers: HeaderList,
    /// The event, if it is one in structured mode.
    event: Option<Event>,
    /// Why it cannot be redriven, if so.
    stuck: Option<&'static str>,
}

impl Letter {
    pub fn read(record: &OwnedMessage) -> Self {
        let headers = record.headers().map(header_list).transpose();
        let Ok(headers) = headers.map(Option::unwrap_or_default) else {
            return Self {
                reason: "the name of a header is not UTF-8".to_owned(),
                source: Source::Unknown,
                times: 0,
                headers: HeaderList::new(),
                event: None,
                stuck: Some("its headers cannot be read"),
            };
        };
        let event = structured(&headers, record.payload().unwrap_or_default());
        let (source, reason) = described(&headers, event.as_ref());
        let times = text(&headers, REDRIVEN_HEADER).and_then(|times| times.parse().ok()).unwrap_or_default();
        let stuck = [OMITTED_HEADER, BARE_HEADER]
            .into_iter()
            .find_map(|mark| text(&headers, mark))
            .map(|_| "a part of it was left out, being too large to be set aside");
        Self { reason, source, times, headers, event, stuck }
    }

    /// Where it goes when it is redriven; the error says why it cannot be.
    pub fn way(&self) -> Result<Way, &'static str> {
        if let Some(reason) = self.stuck {
            return Err(reason);
        }
        match &self.source {
            Source::Record { topic, .. } => Ok(Way::Topic(topic.clone())),
            Source::Undelivered { ty, .. } if *ty == Lane::Light.event_type() => Ok(Way::Lane(Lane::Light)),
            Source::Undelivered { ty, .. } if *ty == Lane::Heavy.event_type() => Ok(Way::Lane(Lane::Heavy)),
            Source::Undelivered { ty, source, .. } if ty == KAFKA_SOURCE_TYPE => {
                let topic = source.rsplit_once('#').map(|(_, topic)| Way::Topic(topic.to_owned()));
                topic.ok_or("its source names no topic")
            }
            Source::Undelivered { .. } => Err("its type is not that of a request"),
            Source::Unknown => Err("it does not say where it came from"),
        }
    }

    /// The topic that it goes back to; the error says why there is none. Whatever its headers say, it is one of ours.
    pub fn target<'t>(&self, ours: Ours<'t>) -> Result<&'t str, String> {
        let topic = match self.way()? {
            Way::Lane(Lane::Light) => return Ok(ours.light),
            Way::Lane(Lane::Heavy) => return Ok(ours.heavy),
            Way::Topic(topic) => topic,
        };
        let found = [ours.source, ours.light, ours.heavy].into_iter().find(|ours| *ours == topic);
        found.ok_or_else(|| {
            format!("topic {topic} is none of ours: --topic, --light-topic and --heavy-topic name those")
        })
    }

    /// The headers and the payload of the record as it was, and how often it has been redriven by then.
    pub fn original(&self, record: &OwnedMessage) -> anyhow::Result<(OwnedHeaders, Option<Bytes>)> {
        let times = self.times.saturating_add(1).to_string();
        // Who gave up delivering an event wrote it anew; all others are as they came.
        let rewritten = matches!(self.source, Source::Undelivered { .. });
        let (headers, payload) = match self.event.clone().filter(|_| rewritten) {
            Some(mut event) => {
                for extension in KNATIVE {
                    event.remove_extension(extension);
                }
                let (headers, payload) =
                    cloud_event_headers(event).context("the event cannot be written in binary mode")?;
                (headers, Some(payload))
            }
            None => (self.own_headers(), record.payload().map(Bytes::copy_from_slice)),
        };
        Ok((headers.insert(Header { key: REDRIVEN_HEADER, value: Some(&times) }), payload))
    }

    /// What the record had before it became a dead letter.
    fn own_headers(&self) -> OwnedHeaders {
        let undelivered = matches!(self.source, Source::Undelivered { .. });
        let ours = |name: &str| {
            name == REDRIVEN_HEADER
                || name.starts_with(DEAD_LETTER_PREFIX)
                || (undelivered && name.starts_with(KNATIVE_HEADERS))
        };
        let own = self.headers.iter().filter(|(name, _)| !ours(name));
        own.fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: value.as_deref() })
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record { topic, partition, offset, .. } => write!(f, "{topic}/{partition}/{offset}"),
            Self::Undelivered { destination, .. } => f.write_str(destination),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// The last header of this name as text: ours come after those that the record had.
fn text<'h>(headers: &'h HeaderList, name: &str) -> Option<&'h str> {
    let (_, value) = headers.iter().rev().find(|(header, _)| header == name)?;
    std::str::from_utf8(value.as_deref()?).ok()
}

fn structured(headers: &HeaderList, payload: &[u8]) -> Option<Event> {
    let media_type = text(headers, "content-type")?.split(';').next()?.trim();
    media_type.eq_ignore_ascii_case(STRUCTURED).then(|| serde_json::from_slice(payload).ok())?
}

/// Whence a letter came, and why.
fn described(headers: &HeaderList, event: Option<&Event>) -> (Source, String) {
    let own = |name: &str| text(headers, name).map(str::to_owned);
    if let Some(topic) = own(TOPIC_HEADER) {
        let source = Source::Record {
            topic,
            partition: own(PARTITION_HEADER).unwrap_or_default(),
            offset: own(OFFSET_HEADER).unwrap_or_default(),
            time: own(TIME_HEADER),
        };
        return (source, own(REASON_HEADER).unwrap_or_else(|| "no reason was given".to_owned()));
    }
    let attribute = |name: &str| match event {
        Some(event) => match name {
            "type" => Some(event.ty().to_owned()),
            "source" => Some(event.source().to_owned()),
            extension => event.extension(extension).map(ToString::to_string),
        },
        None => own(&format!("ce_{name}")),
    };
    let [destination, code, data] = KNATIVE.map(attribute);
    if destination.is_none() && code.is_none() {
        return (Source::Unknown, own(REASON_HEADER).unwrap_or_else(|| "no reason was given".to_owned()));
    }
    let reason = match (code, data.as_deref().map(answer)) {
        (Some(code), Some(data)) => format!("{code}: {data}"),
        (Some(code), None) => code,
        (None, data) => data.unwrap_or_else(|| "no answer".to_owned()),
    };
    let source = Source::Undelivered {
        destination: destination.unwrap_or_else(|| "unknown".to_owned()),
        ty: attribute("type").unwrap_or_default(),
        source: attribute("source").unwrap_or_default(),
    };
    (source, reason)
}

/// What the destination answered: Knative encodes it, older releases do not.
fn answer(data: &str) -> String {
    let decoded = BASE64_STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.unwrap_or_else(|| data.to_owned()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use service_kit::kafka::dead_letter_headers;

    use super::*;

    fn record(headers: &[(&str, &str)], payload: &str) -> OwnedMessage {
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(*value) })
        });
        message(headers, payload)
    }

    fn message(headers: OwnedHeaders, payload: &str) -> OwnedMessage {
        let (payload, time) = (Some(payload.into()), Timestamp::CreateTime(0));
        OwnedMessage::new(payload, None, "s3-events".into(), time, 2, 41, Some(headers))
    }

    fn listed(headers: &OwnedHeaders) -> Vec<(String, String)> {
        let all = header_list(headers).unwrap();
        all.into_iter().map(|(name, value)| (name, String::from_utf8(value.unwrap()).unwrap())).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_record_of_ours_goes_back_as_it_was_and_says_how_often() {
        let original = record(&[("x", "1"), ("dlq-redriven", "2")], "{");
        let dead = message(dead_letter_headers(&original, "not JSON"), "{");
        let letter = Letter::read(&dead);
        assert_eq!((letter.reason.as_str(), letter.times), ("not JSON", 2));
        assert_eq!(letter.source.to_string(), "s3-events/2/41");
        let Source::Record { time, .. } = &letter.source else { panic!("{:?}", letter.source) };
        assert_eq!(time.as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(letter.way(), Ok(Way::Topic("s3-events".into())));
        let (headers, payload) = letter.original(&dead).unwrap();
        assert_eq!(listed(&headers), pairs(&[("x", "1"), ("dlq-redriven", "3")]));
        assert_eq!(payload.unwrap(), "{");
    }

    #[test]
    fn an_undelivered_request_goes_back_to_its_lane_in_either_mode() {
        let binary = record(
            &[
                ("ce_specversion", "1.0"),
                ("ce_id", "r1"),
                ("ce_type", "dev.eventingest.request.light.v1"),
                ("ce_source", "/event-ingest/dispatcher/g"),
                ("ce_knativeerrordest", "http://light-worker.ns.svc"),
                ("ce_knativeerrorcode", "503"),
                ("ce_knativeerrordata", "Y2F0YWxvZyBkb3duCg=="),
                ("content-type", "application/json"),
            ],
            r#"{"files":["s3://b/a"]}"#,
        );
        let structured = record(
            &[("content-type", "application/cloudevents+json; charset=utf-8")],
            r#"{"specversion":"1.0","id":"r1","type":"dev.eventingest.request.light.v1",
                "source":"/event-ingest/dispatcher/g","knativeerrordest":"http://light-worker.ns.svc",
                "knativeerrorcode":503,"knativeerrordata":"catalog down",
                "datacontenttype":"application/json","data":{"files":["s3://b/a"]}}"#,
        );
        for dead in [binary, structured] {
            let letter = Letter::read(&dead);
            assert_eq!(letter.reason, "503: catalog down");
            assert_eq!(letter.source.to_string(), "http://light-worker.ns.svc");
            assert_eq!(letter.way(), Ok(Way::Lane(Lane::Light)));
            let (headers, payload) = letter.original(&dead).unwrap();
            let mut headers = listed(&headers);
            headers.sort();
            let expected = [
                ("ce_id", "r1"),
                ("ce_source", "/event-ingest/dispatcher/g"),
                ("ce_specversion", "1.0"),
                ("ce_type", "dev.eventingest.request.light.v1"),
                ("content-type", "application/json"),
                ("dlq-redriven", "1"),
            ];
            assert_eq!(headers, pairs(&expected));
            assert_eq!(payload.unwrap(), r#"{"files":["s3://b/a"]}"#);
        }
    }

    #[test]
    fn a_plain_record_that_a_kafka_source_wrapped_names_its_topic() {
        let letter = Letter::read(&record(
            &[
                ("ce_type", KAFKA_SOURCE_TYPE),
                ("ce_source", "/apis/v1/namespaces/n/kafkasources/k#light-ingest"),
                ("ce_knativeerrorcode", "400"),
            ],
            "{}",
        ));
        assert_eq!(letter.way(), Ok(Way::Topic("light-ingest".into())));
    }

    #[test]
    fn what_cannot_go_back_says_why() {
        for headers in [
            &[("x", "1")][..],
            &[("ce_type", "other"), ("ce_knativeerrorcode", "400")],
            &[("dead-letter-topic", "s3-events"), ("dead-letter-omitted-bytes", "9")],
            &[("content-type", "application/cloudevents+json")],
        ] {
            assert!(Letter::read(&record(headers, "{")).way().is_err(), "{headers:?}");
        }
    }
}
