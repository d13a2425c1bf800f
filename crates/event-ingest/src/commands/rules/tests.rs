use std::path::Path;

use clap::{Command, FromArgMatches};
use serde_json::Value;

use super::*;

const RULES: &str = "
unmatched: dead-letter
rules:
  - name: scratch
    match: {prefix: tmp/}
    ignore: true
  - name: folders
    match: {buckets: [inbox], regex: 'in/(?<t>[^/]*)/.*', size: {min: 1}}
    table: db.${t}
    mode: splice
    batch: {max-wait: 90s}
  - name: late
    match: {prefix: tmp/x}
    table: db.x
";

/// Runs `rules <command> FILE <line>`, and gives back how it ended and what it wrote.
fn rules(command: &str, text: &str, line: &[&str], input: &str) -> (anyhow::Result<bool>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    std::fs::write(&file, text).unwrap();
    let cli = RulesArgs::augment_args(Command::new("rules"));
    let words = ["rules", command, file.to_str().unwrap()];
    let matches = cli.try_get_matches_from(words.iter().chain(line)).unwrap();
    let mut out = Vec::new();
    let ended = run(&RulesArgs::from_arg_matches(&matches).unwrap(), input.as_bytes(), &mut out);
    let out = String::from_utf8(out).unwrap();
    (ended.map(|code| code == ExitCode::SUCCESS), out.replace(file.to_str().unwrap(), "FILE"))
}

#[test]
fn a_good_file_is_said_to_be_good_and_a_rule_that_never_matches_is_named() {
    let (ended, out) = rules("check", RULES, &[], "");
    assert!(ended.unwrap());
    assert_eq!(
        out,
        "FILE:12: warning: rule late: it can never match: rule scratch (line 4) takes all its objects; put it before that\n\
         FILE: 3 rules are good\n"
    );
}

#[test]
fn a_wrong_file_is_told_by_line_and_the_status() {
    let text = "rules:\n  - {table: t}\n  - {name: o, table: db.t, options: {mod: auto}}\n";
    let (ended, out) = rules("check", text, &[], "");
    assert!(!ended.unwrap());
    assert!(out.starts_with("FILE:2:"), "{out}");
    assert!(out.contains("error: rule 1: table \"t\" is no table name"), "{out}");

    // Options are the worker's: asked only of a file that is rules.
    let (ended, out) =
        rules("check", &text.replace("{table: t}", "{ignore: true}"), &["--output", "json"], "");
    assert!(!ended.unwrap());
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found["ok"], &found["errors"][0]["line"]), (&Value::from(false), &Value::from(3)));
    assert!(found["errors"][0]["text"].as_str().unwrap().contains("option `mod` is not known"), "{out}");
    assert!(found["warnings"][0]["rule"] == "o", "{out}");
}

#[test]
fn an_object_is_explained_to_people() {
    let (ended, out) = rules("test", RULES, &["--key", "s3://inbox/in/flights/a.csv", "--size", "1KiB"], "");
    assert!(ended.unwrap());
    assert_eq!(
        out,
        "s3://inbox/in/flights/a.csv  ObjectCreated:Put, 1024 bytes\n  \
           rule scratch (line 4): no, key does not begin with \"tmp/\"\n  \
           rule folders (line 7): yes\n  \
           => table db.flights, format csv\n     \
              option mode = splice\n     \
              batch.max-wait = 90s\n"
    );
    let line = [
        "--key",
        "s3://inbox/in/flights/a.csv",
        "--key",
        "s3://inbox/tmp/a.csv",
        "--key",
        "s3://inbox/_SUCCESS",
    ];
    let (ended, out) = rules("test", RULES, &line, "");
    assert!(!ended.unwrap());
    for part in [
        "rule folders (line 7): no, size is not told, and has to be 1 bytes or more",
        "rule late (line 12): no, key does not begin with \"tmp/x\"\n  => dead letter: no-rule",
        "rule scratch (line 4): yes\n  => ignored: ignore-rule",
        "size unknown\n  => ignored: underscore-name",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
}

#[test]
fn a_notification_is_explained_to_programs() {
    let record = |key: &str| {
        serde_json::json!({"eventSource": "ceph:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "inbox"}, "object": {"key": key, "size": 7}}})
    };
    let message =
        serde_json::json!({"Records": [record("in/a/x.json"), record("in/a.b/x.json")]}).to_string();
    let (ended, out) = rules("test", RULES, &["--notification", "-", "--output", "json"], &message);
    assert!(!ended.unwrap());
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["outcome"], &lines[0]["table"]), (&Value::from("table"), &Value::from("db.a")));
    assert_eq!(lines[0]["options"]["mode"], "splice");
    assert_eq!(lines[0]["limits"]["batch.max-wait"], "90s");
    assert_eq!(lines[0]["passed_over"][0]["condition"], "prefix");
    assert_eq!(
        (&lines[1]["outcome"], &lines[1]["rule"]),
        (&Value::from("dead-letter"), &Value::from("folders"))
    );
    assert!(lines[1]["reason"].as_str().unwrap().starts_with("bad-table-name: "), "{out}");

    let (ended, out) = rules("test", RULES, &["--notification", "-"], "no notification");
    assert!(!ended.unwrap(), "it would be set aside, which is no failure of the command");
    assert!(out.contains("to the dead letters"), "{out}");
}

#[test]
fn the_example_is_good() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/rules.yaml");
    let (ended, out) = rules("check", &std::fs::read_to_string(example).unwrap(), &[], "");
    assert!(ended.unwrap(), "{out}");
    assert_eq!(out, "FILE: 6 rules are good\n");
}
