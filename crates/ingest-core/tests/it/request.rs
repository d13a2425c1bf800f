//! What a request may look like, and what its name depends on.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ingest_core::{
    FileFormat, IngestRequest, MAX_FILES_PER_REQUEST, ObjectHint, ObjectUri, RequestDefaults, RequestError,
    RequestedObject, TableName,
};
use proptest::prelude::*;
use serde_json::json;

fn read(body: &str) -> Result<IngestRequest, RequestError> {
    IngestRequest::from_json(body.as_bytes(), &RequestDefaults::default(), DateTime::UNIX_EPOCH)
}

#[test]
fn what_cannot_be_a_request_says_why() {
    let error = |body: &str| read(body).unwrap_err();
    for body in [
        "",
        "no",
        "[]",
        "{}",
        r#"{"files":"s3://b/k"}"#,
        r#"{"files":[1]}"#,
        r#"{"files":["s3://b/k.csv"],"table":"t"}"#,
        r#"{"files":["s3://b/k.csv"],"format":"orc"}"#,
        r#"{"files":["s3://b/k.csv"],"options":{"a":1}}"#,
        r#"{"files":["s3://b/k.csv"],"objects":[{"size":-1}]}"#,
        r#"{"files":["s3://b/k.csv"],"timestamp":"now"}"#,
    ] {
        assert!(matches!(error(body), RequestError::Json(_)), "{body}");
    }
    assert!(matches!(error(r#"{"files":[]}"#), RequestError::NoFiles));
    assert!(matches!(error(r#"{"files":["s3://b/k.csv","/k.csv"]}"#), RequestError::File { index: 1, .. }));
    for objects in ["[]", "[{},{}]"] {
        let body = format!(r#"{{"files":["s3://b/k.csv"],"objects":{objects}}}"#);
        assert!(matches!(error(&body), RequestError::ObjectCount { files: 1, .. }), "{body}");
    }
    assert!(matches!(error(r#"{"files":["s3://b/k"]}"#), RequestError::UnknownFormat(_)));
    assert!(matches!(
        error(r#"{"files":["s3://b/k.csv","s3://b/k.json"]}"#),
        RequestError::MixedFormats(FileFormat::Csv, FileFormat::Json)
    ));
    for id in ["", "-a", "a-", "A", "a b", "a/b", &"a".repeat(41)] {
        let body = json!({"files": ["s3://b/k.csv"], "request_id": id}).to_string();
        assert!(matches!(error(&body), RequestError::RequestId(_)), "{id}");
    }
}

#[test]
fn the_bound_of_files_is_exact() {
    let body = |files: usize| json!({"files": vec!["s3://b/k.csv"; files]}).to_string();
    assert_eq!(read(&body(MAX_FILES_PER_REQUEST)).unwrap().file_count(), 1);
    assert!(matches!(read(&body(MAX_FILES_PER_REQUEST + 1)), Err(RequestError::TooManyFiles(10_001))));
}

#[test]
fn a_given_format_outranks_suffixes() {
    let request = read(r#"{"files":["s3://b/k","s3://b/k.json"],"format":"csv"}"#).unwrap();
    assert_eq!(request.format, FileFormat::Csv);
}

#[test]
fn the_default_table_is_configurable() {
    let defaults = RequestDefaults { table: TableName::parse("lake.events").unwrap() };
    let body = br#"{"files":["s3://b/k.csv"]}"#;
    let request = IngestRequest::from_json(body, &defaults, DateTime::UNIX_EPOCH).unwrap();
    assert_eq!(request.table, defaults.table);
}

#[test]
fn sizes_never_overflow() {
    let size = u64::MAX;
    let body =
        json!({"files": ["s3://b/1.csv", "s3://b/2.csv"], "objects": [{"size": size}, {"size": size}]});
    assert_eq!(read(&body.to_string()).unwrap().total_bytes(), u64::MAX);
}

/// Times as the wire can hold them: years 0 to 9999.
fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (-62_000_000_000i64..250_000_000_000, 0u32..1_000_000_000)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap())
}

fn hint() -> impl Strategy<Value = ObjectHint> {
    let text = || proptest::option::of(any::<String>());
    (proptest::option::of(time()), any::<Option<u64>>(), text(), text()).prop_map(
        |(event_time, size, etag, version_id)| ObjectHint { event_time, size, etag, version_id, trace: None },
    )
}

fn request() -> impl Strategy<Value = IngestRequest> {
    let object = ("[a-c]{1,2}", any::<String>(), hint()).prop_map(|(bucket, key, hint)| RequestedObject {
        uri: ObjectUri::new(&bucket, &key).unwrap(),
        hint,
    });
    let table = "[a-z]{1,3}(\\.[a-zé日]{1,3}){1,2}".prop_map(|name| TableName::parse(&name).unwrap());
    (
        table,
        proptest::sample::select(FileFormat::ALL.to_vec()),
        proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4),
        proptest::collection::vec(object, 1..6),
        time(),
    )
        .prop_map(|(table, format, options, objects, time)| {
            IngestRequest::new(table, format, options, objects, time)
        })
}

proptest! {
    #[test]
    fn json_round_trips(request in request()) {
        let body = request.to_json();
        let again = IngestRequest::from_json(&body, &RequestDefaults::default(), DateTime::UNIX_EPOCH).unwrap();
        prop_assert_eq!(&again, &request);
    }

    #[test]
    fn json_stays_within_its_bound(request in request()) {
        let objects: usize = request.objects.iter().map(RequestedObject::json_bytes).sum();
        let empty = IngestRequest { objects: Vec::new(), ..request.clone() };
        prop_assert!(request.to_json().len() <= empty.to_json().len() + 40 + objects);
    }

    /// The name follows from the content alone: without it in the JSON, a reader finds the same.
    #[test]
    fn the_request_id_is_stable(request in request(), later in time()) {
        let mut json: serde_json::Value = serde_json::from_slice(&request.to_json()).unwrap();
        json.as_object_mut().unwrap().remove("request_id");
        json["timestamp"] = json!(later);
        let again = read(&json.to_string()).unwrap();
        prop_assert_eq!(again.request_id, request.request_id);
    }

    /// Whatever is moved from one field to the next gives another name.
    #[test]
    fn other_content_has_another_name(request in request(), other in request()) {
        let content = |r: &IngestRequest| (r.table.clone(), r.format, r.options.clone(), r.objects.clone());
        prop_assert_eq!(content(&request) == content(&other), request.request_id == other.request_id);
        let renamed = IngestRequest::new(
            request.table.clone(),
            request.format,
            BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            request.objects.clone(),
            request.timestamp,
        );
        prop_assert_eq!(renamed.options == request.options, renamed.request_id == request.request_id);
    }

    /// Order of arrival decides nothing about which hint of a duplicate stays.
    #[test]
    fn duplicates_collapse_to_the_latest_hint(hints in proptest::collection::vec(hint(), 1..5)) {
        let collapse = |hints: Vec<ObjectHint>| {
            let uri = ObjectUri::new("b", "k").unwrap();
            let objects = hints
                .into_iter()
                .map(|hint| RequestedObject { uri: uri.clone(), hint: ObjectHint { version_id: None, ..hint } })
                .collect();
            let table = TableName::parse("db.t").unwrap();
            IngestRequest::new(table, FileFormat::Csv, BTreeMap::new(), objects, DateTime::UNIX_EPOCH)
        };
        let forward = collapse(hints.clone());
        prop_assert_eq!(forward.file_count(), 1);
        prop_assert_eq!(forward.objects[0].hint.event_time.map(|t| t.timestamp_millis()),
            hints.iter().filter_map(|hint| hint.event_time).max().map(|t| t.timestamp_millis()));
        prop_assert_eq!(forward, collapse(hints.into_iter().rev().collect()));
    }
}
