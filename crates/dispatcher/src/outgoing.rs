//! What goes out: requests as CloudEvents in binary mode, dead letters as they came in.

use bytes::Bytes;
use cloudevents::{Data, EventBuilder, EventBuilderV10};
use ingest_core::IngestRequest;
use ingest_core::{Lane, event};
use rdkafka::message::{Header, Message, OwnedHeaders, OwnedMessage};
use service_kit::kafka::{OMITTED_HEADER, cloud_event_headers, dead_letter_headers};

/// A record to produce, kept whole, so that it can be sent again.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub key: Option<Vec<u8>>,
    pub headers: OwnedHeaders,
    pub payload: Option<Bytes>,
}

/// A request on its lane. Its table is the key: requests for one table stay in one partition, near one committer.
pub(crate) fn request(request: &IngestRequest, lane: Lane, source: &str) -> Outgoing {
    let table = request.table.to_string();
    let built = EventBuilderV10::new()
        .id(&request.request_id)
        .ty(lane.event_type())
        .source(source)
        .subject(&table)
        .time(request.timestamp)
        .extension("partitionkey", table.as_str())
        .data(event::JSON, Data::Binary(request.to_json()))
        .build();
    let event = built.expect("id, type and source are set, and the source was tried at the start");
    let (headers, payload) = cloud_event_headers(event).expect("the data is bytes already");
    Outgoing { key: Some(table.into_bytes()), headers, payload: Some(payload) }
}

/// A record to set aside, with its key and headers, the reason and its origin.
pub(crate) fn dead_letter(record: &OwnedMessage, reason: &str) -> Outgoing {
    Outgoing {
        key: record.key().map(<[u8]>::to_vec),
        headers: dead_letter_headers(record, reason),
        payload: record.payload().map(Bytes::copy_from_slice),
    }
}

impl Outgoing {
    /// A record that a broker finds too large even as a dead letter keeps its key, its headers and its origin.
    pub fn omit_payload(&mut self) {
        if let Some(payload) = self.payload.take() {
            let bytes = payload.len().to_string();
            let headers = std::mem::take(&mut self.headers);
            self.headers = headers.insert(Header { key: OMITTED_HEADER, value: Some(&bytes) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ingest_core::{FileFormat, ObjectHint, ObjectUri, RequestedObject, TableName};
    use rdkafka::Timestamp;
    use rdkafka::message::Headers;

    use super::*;

    fn headers(outgoing: &Outgoing) -> BTreeSet<(String, String)> {
        let text = |value: Option<&[u8]>| String::from_utf8(value.expect("valued").to_vec()).expect("UTF-8");
        outgoing.headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn example() -> IngestRequest {
        let object = RequestedObject {
            uri: ObjectUri::new("b", "ü +%2F.csv").expect("valid"),
            hint: ObjectHint::default(),
        };
        let table = TableName::parse("db.täble").expect("valid");
        let time = "2026-01-02T03:04:05.678Z".parse().expect("valid");
        IngestRequest::new(table, FileFormat::Csv, BTreeMap::new(), vec![object], time)
    }

    #[test]
    fn a_request_is_a_cloud_event_in_binary_mode() {
        let example = example();
        let outgoing = request(&example, Lane::Heavy, &event::dispatcher_source("my group"));
        let expected = pairs(&[
            ("ce_specversion", "1.0"),
            ("ce_id", &example.request_id),
            ("ce_type", "dev.eventingest.request.heavy.v1"),
            ("ce_source", "/event-ingest/dispatcher/my%20group"),
            ("ce_subject", "db.täble"),
            ("ce_partitionkey", "db.täble"),
            ("ce_time", "2026-01-02T03:04:05.678+00:00"),
            ("content-type", "application/json"),
        ]);
        assert_eq!(headers(&outgoing), expected);
        assert_eq!(outgoing.key.as_deref(), Some("db.täble".as_bytes()));
        assert_eq!(outgoing.payload.as_deref(), Some(&example.to_json()[..]));
    }

    #[test]
    fn a_dead_letter_is_the_record_as_it_was() {
        let own = OwnedHeaders::new().insert(Header { key: "x", value: Some("1") });
        let (payload, key) = (Some(b"\xff\x00".to_vec()), Some(b"k".to_vec()));
        let record =
            OwnedMessage::new(payload, key, "s3-events".into(), Timestamp::NotAvailable, 2, 41, Some(own));
        let mut outgoing = dead_letter(&record, "no-rule");
        assert_eq!(outgoing.key.as_deref(), Some(&b"k"[..]));
        assert_eq!(outgoing.payload.as_deref(), Some(&b"\xff\x00"[..]));
        let mut expected = pairs(&[
            ("x", "1"),
            ("dead-letter-reason", "no-rule"),
            ("dead-letter-topic", "s3-events"),
            ("dead-letter-partition", "2"),
            ("dead-letter-offset", "41"),
        ]);
        assert_eq!(headers(&outgoing), expected);

        outgoing.omit_payload();
        outgoing.omit_payload();
        assert_eq!(outgoing.payload, None);
        expected.extend(pairs(&[("dead-letter-omitted-bytes", "2")]));
        assert_eq!(headers(&outgoing), expected);
    }
}
