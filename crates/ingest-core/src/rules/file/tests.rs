use std::borrow::Cow;
use std::time::Duration;

use proptest::prelude::*;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::shape::{At, File};
use super::*;
use crate::batching::Overflow;
use crate::rules::{Outcome, Subject, Target, Verdict};
use crate::{FileFormat, ObjectUri, Unmatched};

/// The schema of a value that is written as a number or with a unit.
pub(super) struct Amount;

/// The schema of a value that is text, whatever it looks like.
pub(super) struct Scalar;

impl JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number"]})
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[test]
fn the_schema_in_the_documentation_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.schema.json");
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(File)).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &schema).unwrap();
    }
    // The order of fields is the JSON library's, and no part of what is said.
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let documented = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        json(&documented),
        json(&schema),
        "UPDATE_SCHEMA=1 cargo test --package ingest-core writes the new one"
    );
}

#[test]
fn the_example_is_a_file_of_rules() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/rules.yaml");
    let rules = read(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(rules.rules().len() > 2);
    assert_eq!(rules.shadowed(), []);
}

fn problems(text: &str) -> Vec<String> {
    match read(text) {
        Ok(rules) => panic!("{rules:?}"),
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
    }
}

fn target(rule: &crate::Rule) -> &Target {
    match &rule.outcome {
        Outcome::Ingest(target) => target,
        Outcome::Ignore => panic!("an ignore rule"),
    }
}

#[test]
fn every_field_is_read() {
    let rules = read(
        r"
unmatched: dead-letter
rules:
  - name: scratch
    match: {prefix: tmp/}
    ignore: true
  - match:
      buckets: [events-*, other]
      prefix: incoming/
      suffix: .csv
      glob: incoming/*
      regex: incoming/(?<table>[a-z_]+)/.*
      events: ['s3:ObjectCreated:Put']
      size: {min: 1, max: 5GB}
    table: db.${table}
    format: csv
    mode: rewrite
    options: {csv.delimiter: ';', field-ids: true}
    create:
      partition-by: day(ts)
      sort-by: ts desc
      properties: {write.format.default: parquet}
    batch: {max-files: 10, max-wait: 5s, idle: 500ms, overflow: split}
    light: {max-bytes: 1GB, max-files: 20}
    expect-every: 2h
",
    )
    .unwrap();
    assert_eq!(rules.unmatched(), Some(Unmatched::DeadLetter));
    let [scratch, rule] = &rules.rules().collect::<Vec<_>>()[..] else { panic!("two rules") };
    assert_eq!((scratch.name.as_str(), scratch.line), ("scratch", Some(4)));
    assert_eq!(scratch.outcome, Outcome::Ignore);
    assert_eq!((rule.name.as_str(), rule.line), ("2", Some(7)));
    assert_eq!(rule.events[0].to_string(), "ObjectCreated:Put");
    assert_eq!((rule.size.min, rule.size.max), (Some(1), Some(5_000_000_000)));
    let target = target(rule);
    assert_eq!(target.format, Some(FileFormat::Csv));
    assert_eq!(target.expect_every, Some(Duration::from_secs(7_200)));
    let options: Vec<_> = target.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        options,
        [
            "create.partition-by=day(ts)",
            "create.property.write.format.default=parquet",
            "create.sort-by=ts desc",
            "csv.delimiter=;",
            "field-ids=true",
            "mode=rewrite"
        ]
    );
    let limits = target.limits;
    assert_eq!((limits.max_files, limits.max_wait), (Some(10), Some(Duration::from_secs(5))));
    assert_eq!((limits.idle, limits.overflow), (Some(Duration::from_millis(500)), Some(Overflow::Split)));
    assert_eq!((limits.light_max_bytes, limits.light_max_files), (Some(1_000_000_000), Some(20)));

    let uri = ObjectUri::new("other", "incoming/flights/a.csv").unwrap();
    let subject = Subject { uri: &uri, event: Some("ObjectCreated:Put"), size: Some(1) };
    match rules.explain(&subject).verdict {
        Verdict::Route(route) => assert_eq!(route.table.to_string(), "db.flights"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_that_is_wrong_is_said_with_its_line() {
    let text = r"
rules:
  - match: {regex: 'in/('}
    table: db.${a}
  - {table: events}
  - name: c
    match: {size: {min: 2, max: 1}, buckets: [], events: []}
    table: db.${b}
    batch: {max-files: 0, max-wait: soon, idle: 0s}
    light: {max-bytes: many}
  - ignore: true
    table: db.t
  - {name: c}
  - table: db.t
    mode: auto
    options: {mode: rewrite}
";
    let expected = [
        (3, "rule 1: regex is no regular expression: error: unclosed group"),
        (5, "rule 2: table \"events\" is no table name"),
        (9, "rule c: max-files: expected 1 to 10000, was given 0"),
        (9, "rule c: max-wait: expected a duration such as"),
        (9, "rule c: idle: expected a duration above zero"),
        (10, "rule c: max-bytes: expected a size such as"),
        (8, "rule c: table uses ${b}, but match has no regex with (?<b>…)"),
        (7, "rule c: buckets: an empty list matches nothing"),
        (7, "rule c: events: an empty list matches nothing"),
        (7, "rule c: size: no object has 2 to 1 bytes"),
        (11, "rule 4: ignore: true leaves no room for a table"),
        (13, "rule c: another rule has this name"),
        (13, "rule c: neither table nor ignore: true"),
        (14, "rule 6: mode is given twice"),
    ];
    let problems = problems(text);
    for (problem, (line, text)) in problems.iter().zip(expected) {
        assert!(
            problem.starts_with(&format!("line {line}: {text}")),
            "{problem}\nexpected line {line}: {text}"
        );
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
}

#[test]
fn what_is_not_known_is_an_error_that_names_its_line() {
    for (text, line, words) in [
        ("rules:\n  - tabel: db.t\n", 2, "tabel"),
        ("rules:\n  - match:\n      prefxi: a\n    table: db.t\n", 3, "prefxi"),
        ("rule: []\n", 1, "rule"),
        ("unmatched: drop\nrules: []\n", 1, "drop"),
        ("rules:\n  - table: db.t\n    format: orc\n", 3, "orc"),
        ("rules:\n  - table: db.t\n    table: db.u\n", 3, "table"),
        ("rules:\n  - table: db.t\n    ignore: maybe\n", 3, "bool"),
        ("rules:\n  - table: [db.t]\n", 2, "string"),
        ("rules:\n - table: 'a\n", 3, "quoted"),
    ] {
        let problems = problems(text);
        assert!(problems[0].starts_with(&format!("line {line}: ")), "{text}: {problems:?}");
        assert!(problems[0].to_lowercase().contains(words), "{text}: {problems:?}");
        assert!(!problems[0].contains("at line"), "{problems:?}");
    }
    assert!(problems("")[0].contains("end of input"), "{:?}", problems(""));
    assert!(problems("rules: []")[0].contains("no rules"));
    assert!(!problems("rules: []\n---\nrules: []\n").is_empty());
}

#[test]
fn what_could_grow_is_refused() {
    let bomb = "rules: &r [{table: &t db.t}, *r]\n";
    assert!(problems(bomb)[0].contains("anchor"), "{:?}", problems(bomb));
    let merge = "rules:\n  - <<: {table: db.t}\n";
    assert!(problems(merge)[0].contains("merge"), "{:?}", problems(merge));
    let deep = format!("rules: {}", "[".repeat(10_000));
    assert!(!problems(&deep).is_empty());
    let long = format!("rules: []\n# {}", "x".repeat(MAX_RULES_BYTES));
    assert!(problems(&long)[0].contains("it may have 262144"), "{:?}", problems(&long));
    let many = format!("rules:\n{}", "- {table: db.t}\n".repeat(MAX_RULES + 1));
    assert!(problems(&many)[0].contains("there may be 1000"), "{:?}", problems(&many));
    let wide = format!("rules: [{{table: db.t, options: {{a: {}}}}}]", "x".repeat(9_000));
    assert!(problems(&wide)[0].contains("may have 8192"), "{:?}", problems(&wide));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn no_text_in_place_of_a_value_makes_it_panic(value in "[ -~]{0,40}", field in 0..6usize) {
        let value = value.replace('\'', "''");
        let line = match field {
            0 => format!("match: {{regex: '{value}'}}"),
            1 => format!("table: '{value}'"),
            2 => format!("match: {{size: {{min: '{value}'}}}}"),
            3 => format!("batch: {{max-wait: '{value}'}}"),
            4 => format!("match: {{glob: '{value}'}}"),
            _ => value,
        };
        let _ = read(&format!("rules:\n  - {line}\n    format: csv\n"));
    }
}
