//! Whatever arrives is read or refused with a reason: no panic, no more work or memory than its size accounts for.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ingest_core::notification::{MAX_ENVELOPES, NotificationError, Parsed, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::{names, read};

/// Longest text of an error: it becomes a header of the dead letter.
const MAX_ERROR_BYTES: usize = 8 * 1024;

/// A message of the size that brokers take by default is read in milliseconds; this is for slow machines.
const BOUNDED: Duration = Duration::from_secs(5);

/// Names that mean something, so that what is made at random gets somewhere.
const NAMES: [&str; 26] = [
    "Records",
    "Event",
    "eventSource",
    "eventName",
    "eventTime",
    "s3",
    "bucket",
    "object",
    "name",
    "key",
    "size",
    "eTag",
    "versionId",
    "Sns",
    "Type",
    "Message",
    "body",
    "Body",
    "specversion",
    "data",
    "data_base64",
    "detail-type",
    "detail",
    "source",
    "time",
    "reason",
];

/// The same for strings.
const TEXTS: [&str; 15] = [
    "s3:TestEvent",
    "ceph:s3",
    "minio:s3",
    "aws:s3",
    "aws:sqs",
    "aws.s3",
    "ObjectCreated:Put",
    "s3:ObjectRemoved:Delete",
    "Object Created",
    "Notification",
    "1.0",
    "a%2",
    "a%FFb",
    "{\"Records\":[]}",
    "2026-01-02T03:04:05Z",
];

fn samples() -> Vec<Vec<u8>> {
    let names = names("notifications", ".parsed.json");
    names.iter().map(|name| read(&format!("notifications/{name}.json")).into_bytes()).collect()
}

/// Reads it, and checks what holds for every answer.
fn read_anything(body: &[u8]) -> Result<Parsed, NotificationError> {
    let answer = parse(body);
    match &answer {
        Ok(parsed) => {
            // Each took some bytes to say.
            assert!(parsed.announcements.len() + parsed.ignored.len() <= body.len());
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() <= MAX_ERROR_BYTES, "{} bytes: {text:.200}", text.len());
            assert!(!error.reason().is_empty());
        }
    }
    answer
}

fn any_json() -> impl Strategy<Value = Value> {
    let name = || prop_oneof![4 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => any::<String>()];
    let text =
        prop_oneof![4 => proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned), 1 => any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 96, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((name(), inner.clone()), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            // What is in an envelope is JSON in a string.
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes(body in any::<Vec<u8>>()) {
        let _ = read_anything(&body);
    }

    #[test]
    fn any_json_at_all(value in any_json()) {
        let _ = read_anything(value.to_string().as_bytes());
    }

    #[test]
    fn any_field_of_a_sample_replaced(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), value in any_json()) {
        let samples = samples();
        let sample: &Vec<u8> = which.get(&samples);
        let mut sample: Value = serde_json::from_slice(sample).unwrap();
        let fields = count(&sample);
        replace(&mut sample, &mut at.index(fields), value);
        let _ = read_anything(sample.to_string().as_bytes());
    }

    #[test]
    fn damaged_samples(which in any::<prop::sample::Index>(), damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let samples = samples();
        let mut sample = which.get(&samples).clone();
        for (at, byte) in damage {
            let at = at.index(sample.len());
            sample[at] = byte;
        }
        let _ = read_anything(&sample);
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Replaces the value at this place, counted from the outside in.
fn replace(value: &mut Value, at: &mut usize, new: Value) -> Option<Value> {
    if *at == 0 {
        *value = new;
        return None;
    }
    *at -= 1;
    let inner: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    };
    inner.into_iter().try_fold(new, |new, value| replace(value, at, new))
}

#[test]
fn truncated_samples_are_refused() {
    for sample in samples() {
        let whole = sample.trim_ascii_end();
        for end in 0..whole.len() {
            let answer = read_anything(&whole[..end]);
            assert!(answer.is_err(), "{}", String::from_utf8_lossy(&whole[..end]));
        }
    }
}

#[test]
fn any_envelope_around_any_sample() {
    for sample in samples() {
        let inner = String::from_utf8(sample).unwrap();
        let parsed = parse(inner.as_bytes()).unwrap();
        let value: Value = serde_json::from_str(&inner).unwrap();
        for envelope in [
            json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": value}),
            json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": inner}),
            json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data_base64": BASE64_STANDARD.encode(&inner)}),
            json!({"Type": "Notification", "Message": inner}),
            json!({"body": inner}),
            json!({"Records": [{"eventSource": "aws:sqs", "body": inner}]}),
        ] {
            assert_eq!(parse(envelope.to_string().as_bytes()).unwrap(), parsed, "{envelope}");
        }
    }
}

#[test]
fn bombs_are_refused_at_once() {
    const SIZE: usize = 1 << 20;
    let many = |piece: &str| piece.repeat(SIZE / piece.len());
    let record = |s3: &str| {
        format!(r#"{{"Records":[{{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{s3}}}]}}"#)
    };
    let mut nested = "{}".to_owned();
    for _ in 0..MAX_ENVELOPES + 4 {
        nested = json!({"body": nested}).to_string();
    }
    for bomb in [
        many("["),
        many(r#"{"a":"#),
        many(r#"{"Records":["#),
        many(r#"{"Records":[{"s3":{"object":"#),
        record(&many("[")),
        record(&format!(r#"{{"bucket":{{"name":"b"}},"object":{{"key":"{}"}}}}"#, many("k"))),
        record(&format!(r#"{{"bucket":{{"name":"b"}},"object":{{"key":"{}"}}}}"#, many("%"))),
        record(&format!(r#"{{"bucket":{{"name":"b"}},"object":{{"key":"k","size":"{}"}}}}"#, many("9"))),
        record(&format!(r#"{{"bucket":{{"name":"{}"}},"object":{{"key":"k"}}}}"#, many("/"))),
        format!(r#"{{"Records":[{}{{}}]}}"#, many("{},")),
        format!(r#"{{"Records":[{{"eventSource":"{}"}}]}}"#, many("x")),
        format!(r#"{{"Records":[{{"eventSource":"aws:s3","eventName":"{}"}}]}}"#, many("x")),
        format!(r#"{{"Type":"{}"}}"#, many("x")),
        format!(r#"{{"specversion":"1.0","data":{}"#, many("[")),
        format!(
            r#"{{"source":"aws.s3","detail-type":"Object Created","detail":{{"reason":"{}"}}}}"#,
            many("x")
        ),
        nested,
        many("\\"),
    ] {
        let begin = Instant::now();
        let answer = read_anything(bomb.as_bytes());
        assert!(answer.is_err(), "{bomb:.80}");
        assert!(begin.elapsed() < BOUNDED, "{:?} for {bomb:.80}", begin.elapsed());
    }
    // Not wrong, but as long as a broker takes.
    let removal = r#"{"eventSource":"aws:s3","eventName":"ObjectRemoved:Delete"},"#;
    let answer =
        read_anything(format!(r#"{{"Records":[{}]}}"#, many(removal).trim_end_matches(',')).as_bytes());
    assert_eq!(answer.unwrap().ignored.len(), SIZE / removal.len());
}
