//! What it costs to read a notification: JSON parsers beside each other, all into the same borrowed fields, and our own
//! way from the bytes to a verdict of the rules.
//!
//! Prints a JSON object a line; `ratio` is records a CPU second as a part of `serde_json`'s.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ingest_core::notification::parse;
use ingest_core::{Rule, RuleSet, TableName, Target, Verdict};
use serde::Deserialize;

/// Bytes of a notification, as in the measurements of Kafka.
const BYTES: usize = 960;

/// Different notifications, so that nothing learns one by heart.
const MESSAGES: usize = 1024;

/// How long each round takes at least; the best of all counts, since what disturbs only slows down.
const ROUND: Duration = Duration::from_millis(300);
const ROUNDS: usize = 9;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    event_source: Cow<'a, str>,
    #[serde(borrow)]
    event_name: Cow<'a, str>,
    #[serde(borrow)]
    event_time: Cow<'a, str>,
    #[serde(borrow)]
    s3: Entity<'a>,
}

#[derive(Deserialize)]
struct Entity<'a> {
    #[serde(borrow)]
    bucket: Bucket<'a>,
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    size: u64,
    #[serde(borrow)]
    e_tag: Cow<'a, str>,
}

/// Uses every field, so that none is optimised away.
fn weigh(message: &Message<'_>) -> u64 {
    let record = &message.records[0];
    let object = &record.s3.object;
    let texts = [
        &record.event_source,
        &record.event_name,
        &record.event_time,
        &record.s3.bucket.name,
        &object.key,
        &object.e_tag,
    ];
    texts.iter().map(|text| text.len() as u64).sum::<u64>() + object.size
}

/// A notification of AWS's shape.
fn message(number: usize) -> Vec<u8> {
    let record = |trace: &str| {
        serde_json::json!({"Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1",
            "eventTime": format!("2026-01-02T03:04:05.{:03}Z", number % 1000), "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE"},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": trace},
            "s3": {
                "s3SchemaVersion": "1.0", "configurationId": "ingest",
                "bucket": {
                    "name": "events-inbox", "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                    "arn": "arn:aws:s3:::events-inbox",
                },
                "object": {
                    "key": format!("incoming/2026/01/02/part-{number:05}.parquet"), "size": 1024 + number,
                    "eTag": format!("{number:032x}"), "sequencer": "0055AED6DCD90281E5",
                },
            },
        }]})
        .to_string()
    };
    let rest = BYTES - record("").len();
    record(&"x".repeat(rest)).into_bytes()
}

/// What this thread has worked so far; where the system does not tell, the time that has passed.
fn cpu(begin: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| begin.elapsed(), Duration::from_nanos)
}

/// Records a CPU second.
fn measure(messages: &[Vec<u8>], mut read: impl FnMut(&[u8]) -> u64) -> f64 {
    let mut round = || {
        let begin = Instant::now();
        let (before, mut records) = (cpu(begin), 0);
        while begin.elapsed() < ROUND {
            for message in messages {
                black_box(read(message));
            }
            records += messages.len();
        }
        records as f64 / (cpu(begin) - before).as_secs_f64()
    };
    (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
}

fn main() {
    let messages: Vec<Vec<u8>> = (0..MESSAGES).map(message).collect();
    assert!(messages.iter().all(|message| message.len() == BYTES), "every message is of one size");
    let target = Target {
        table: TableName::parse("db.events").expect("a valid name"),
        format: None,
        options: BTreeMap::new(),
    };
    let rules = RuleSet::new([Rule { prefix: "incoming/".into(), ..Rule::all(target) }]);
    let (mut copy, mut buffers) = (Vec::with_capacity(BYTES), simd_json::Buffers::new(BYTES));

    let base = measure(&messages, |body| weigh(&serde_json::from_slice(body).expect("valid")));
    let figures = [
        ("serde_json", base),
        (
            "serde_json, UTF-8 checked at once",
            measure(&messages, |body| {
                let text = std::str::from_utf8(body).expect("UTF-8");
                weigh(&serde_json::from_str(text).expect("valid"))
            }),
        ),
        ("sonic-rs", measure(&messages, |body| weigh(&sonic_rs::from_slice(body).expect("valid")))),
        (
            // It writes into what it reads, and a record of Kafka is not ours to write into.
            "simd-json, with a copy",
            measure(&messages, |body| {
                copy.clear();
                copy.extend_from_slice(body);
                let read = simd_json::serde::from_slice_with_buffers(&mut copy, &mut buffers);
                weigh(&read.expect("valid"))
            }),
        ),
        (
            "ours: announcements",
            measure(&messages, |body| parse(body).expect("valid").announcements.len() as u64),
        ),
        (
            "ours: announcements and verdicts",
            measure(&messages, |body| {
                let parsed = parse(body).expect("valid");
                let routed = |found| matches!(rules.judge(found), Verdict::Route(_));
                parsed.announcements.iter().filter(|found| routed(found)).count() as u64
            }),
        ),
    ];
    for (what, rate) in figures {
        let ratio = (rate / base * 100.0).round() / 100.0;
        let line = serde_json::json!({"what": what, "records_per_cpu_second": rate.round(), "ratio": ratio});
        println!("{line}");
    }
}
