//! What goes out beside dead letters: requests as CloudEvents in binary mode.

use cloudevents::{Data, Event, EventBuilder, EventBuilderV10};
use ingest_core::{IngestRequest, TraceParent};
use ingest_core::{Lane, event};
use service_kit::kafka::{Outgoing, cloud_event_headers};

/// A request on its lane. Its table is the key: requests for one table stay in one partition, near one committer.
pub(crate) fn request(
    request: &IngestRequest,
    lane: Lane,
    source: &str,
    trace: Option<TraceParent>,
) -> Outgoing {
    let table = request.table.to_string();
    let built: Result<Event, _> = EventBuilderV10::new()
        .id(&request.request_id)
        .ty(lane.event_type())
        .source(source)
        .subject(&table)
        .time(request.timestamp)
        .extension("partitionkey", table.as_str())
        .data(event::JSON, Data::Binary(request.to_json()))
        .build();
    let mut event = built.expect("id, type and source are set, and the source was tried at the start");
    if let Some(trace) = trace {
        event.set_extension("traceparent", trace.to_string());
    }
    let (headers, payload) = cloud_event_headers(event).expect("the data is bytes already");
    Outgoing { key: Some(table.into_bytes()), headers, payload: Some(payload) }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ingest_core::{FileFormat, ObjectHint, ObjectUri, RequestedObject, TableName};
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
        let outgoing = request(&example, Lane::Heavy, &event::dispatcher_source("my group"), None);
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
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let traced = request(&example, Lane::Heavy, "/s", trace.parse().ok());
        assert!(headers(&traced).contains(&("ce_traceparent".to_owned(), trace.to_owned())));
        assert_eq!(outgoing.key.as_deref(), Some("db.täble".as_bytes()));
        assert_eq!(outgoing.payload.as_deref(), Some(&example.to_json()[..]));
    }
}
