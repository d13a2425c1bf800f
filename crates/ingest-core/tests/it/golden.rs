//! The wire shapes, byte for byte. A change here is a change of the contract and needs a new version of it.

use std::{fs, path::PathBuf};

use chrono::{DateTime, Utc};
use ingest_core::{
    IngestRequest, IngestResult, RequestDefaults,
    notification::{Parsed, parse},
    staged::{KnownObject, Staged, StagedList, conflict_json},
};
use serde_json::{Value, json};

fn path(name: &str) -> PathBuf {
    // Asked when it runs: a build that several clones share may come from one that is gone.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells tests where their package is");
    PathBuf::from(package).join("tests/golden").join(name)
}

pub fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The files of a folder whose names end so, without that end.
pub fn names(folder: &str, end: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path(folder))
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(end)?.to_owned()))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no golden files *{end} in {folder}");
    names
}

fn request(body: &str) -> IngestRequest {
    let now: DateTime<Utc> = "2026-11-12T13:14:15.016171819Z".parse().unwrap();
    IngestRequest::from_json(body.as_bytes(), &RequestDefaults::default(), now).unwrap()
}

#[test]
fn requests_version_1() {
    for name in names("request-v1", ".read.json") {
        let written = read(&format!("request-v1/{name}.written.json"));
        let expected = written.trim_end();
        for body in [read(&format!("request-v1/{name}.read.json")), expected.to_owned()] {
            let json = String::from_utf8(request(&body).to_json()).unwrap();
            assert_eq!(json, expected, "{name}");
        }
    }
}

#[test]
fn results_version_1() {
    for name in names("result-v1", ".json") {
        let golden = read(&format!("result-v1/{name}.json"));
        let result: IngestResult = serde_json::from_str(&golden).unwrap();
        assert_eq!(serde_json::to_string_pretty(&result).unwrap(), golden.trim_end(), "{name}");
        assert_eq!(serde_json::from_slice::<IngestResult>(&result.to_json()).unwrap(), result);
    }
}

#[test]
fn staged_events_version_1() {
    for name in names("staged-v1", ".event.json") {
        let golden = read(&format!("staged-v1/{name}.event.json"));
        let event = Staged::from_json(golden.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(event.to_json()).unwrap(), golden.trim_end(), "{name}");
    }
}

#[test]
fn lists_of_what_was_staged_version_1() {
    for name in names("staged-v1", ".list.json") {
        let golden = read(&format!("staged-v1/{name}.list.json"));
        let list = StagedList::from_json(golden.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(list.to_json()).unwrap(), golden.trim_end(), "{name}");
        assert_eq!(list.computed_digest(), list.digest, "{name}");
    }
}

#[test]
fn answers_to_stages_that_do_not_fit_version_1() {
    let list = StagedList::from_json(read("staged-v1/staged.list.json").as_bytes()).unwrap();
    let known: Vec<KnownObject> =
        list.staged[..2].iter().map(|staged| KnownObject::of(&staged.object)).collect();
    let reason = "2 of the staged objects came into the table by another way";
    let written = String::from_utf8(conflict_json(reason, &known)).unwrap();
    assert_eq!(written, read("staged-v1/conflict.answer.json").trim_end());
}

#[test]
fn notifications_of_all_producers() {
    for name in names("notifications", ".parsed.json") {
        let body = read(&format!("notifications/{name}.json"));
        let expected: Value =
            serde_json::from_str(&read(&format!("notifications/{name}.parsed.json"))).unwrap();
        assert_eq!(describe(&parse(body.as_bytes()).unwrap()), expected, "{name}");
    }
}

fn describe(parsed: &Parsed) -> Value {
    let announcements: Vec<Value> = parsed
        .announcements
        .iter()
        .map(|announcement| {
            json!({
                "producer": format!("{:?}", announcement.producer),
                "event_name": announcement.event_name,
                "uri": announcement.uri,
                "size": announcement.hint.size,
                "etag": announcement.hint.etag,
                "version_id": announcement.hint.version_id,
                "event_time": announcement.hint.event_time,
            })
        })
        .collect();
    let ignored: Vec<&str> = parsed.ignored.iter().map(|ignored| ignored.reason()).collect();
    json!({"announcements": announcements, "ignored": ignored})
}
