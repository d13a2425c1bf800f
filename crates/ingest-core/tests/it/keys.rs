//! Any key survives each producer's encoding.

use ingest_core::notification::parse;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::json;

/// What Go's `url.QueryEscape` and AWS leave as it is, and the blank, which becomes a plus.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b' ');

fn query_escaped(key: &str) -> String {
    utf8_percent_encode(key, QUERY).to_string().replace(' ', "+")
}

fn aws_encoded(key: &str) -> String {
    const SET: &AsciiSet = &QUERY.remove(b'/').remove(b'*');
    utf8_percent_encode(key, SET).to_string().replace(' ', "+")
}

fn announced(source: &str, encoded: &str) -> String {
    let message = json!({"Records": [{
        "eventSource": source, "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "b"}, "object": {"key": encoded, "size": 1}},
    }]});
    let parsed = parse(message.to_string().as_bytes()).unwrap();
    parsed.announcements[0].uri.key().to_owned()
}

fn announced_by_event_bridge(key: &str) -> String {
    let message = json!({
        "source": "aws.s3", "detail-type": "Object Created",
        "detail": {"bucket": {"name": "b"}, "object": {"key": key, "size": 1}},
    });
    let parsed = parse(message.to_string().as_bytes()).unwrap();
    parsed.announcements[0].uri.key().to_owned()
}

fn survives(key: &str) {
    assert_eq!(announced_by_event_bridge(key), key);
    assert_eq!(announced("ceph:s3", key), key);
    assert_eq!(announced("minio:s3", &query_escaped(key)), key);
    assert_eq!(announced("aws:s3", &aws_encoded(key)), key);
}

#[test]
fn the_keys_that_usually_break() {
    for key in
        ["a b", "a+b", "a%20b", "a%2Fb", "a%", "#", "?x=1&y=2", "日本/ü", "a//b", "\"\\", "\u{7f}\n", ""]
    {
        survives(key);
    }
}

proptest! {
    #[test]
    fn any_key(key in any::<String>()) {
        survives(&key);
    }

    #[test]
    fn any_key_of_awkward_characters(key in "[ +%/#?&=0-9A-Fa-f.~*]{0,40}") {
        survives(&key);
    }
}
