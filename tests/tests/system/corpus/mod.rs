//! Every file of the corpus of Apache Parquet, by the real program in limited memory: ingested right, or refused with a
//! reason. What becomes of each is written down in `expected.txt`, so that a change is seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testkit::{Program, paths};

use crate::limited::{self, Limited};

/// Lines of `file | mode auto | mode register`. What is expected is how the outcome begins: the mode and the rows, or the
/// reason.
const EXPECTED: &str = "tests/tests/system/corpus/expected.txt";

#[tokio::test]
async fn every_file_is_ingested_right_or_refused_with_a_reason() {
    let Some(corpus) = corpus() else { return };
    let limited = Limited::start().await;
    let mut found = String::new();
    let mut wrong = Vec::new();
    let mut comparisons = Vec::new();
    let mut addresses = Vec::new();
    let text = std::fs::read_to_string(paths::repository().join(EXPECTED)).unwrap();
    let expected = expected(&text);
    let files = files(&corpus);
    for (number, (name, path)) in files.iter().enumerate() {
        let address = limited.put(name, path).await;
        let mut outcomes = Vec::new();
        for mode in ["auto", "register"] {
            let table = format!("db.{mode}_{number}");
            // Without this the pages of a file that is registered are nobody's business but its readers'.
            let verify = if mode == "register" { "decode" } else { "pages" };
            let options = json!({"mode": mode, "verify": verify});
            let answer = &limited.ingest(&table, "parquet", options, std::slice::from_ref(&address)).await[0];
            if answer["status"] == "processed" {
                // PyIceberg takes a null map within a struct for an empty one, also in the original.
                let empty_is_null = name == "data/nullable.impala.parquet";
                comparisons.push(json!({
                    "name": format!("{name} ({mode})"), "table": table, "source": path, "empty_is_null": empty_is_null,
                }));
            }
            outcomes.push(outcome(answer));
        }
        let expected = expected.get(name.as_str()).copied().unwrap_or_default();
        if !outcomes
            .iter()
            .zip(expected)
            .all(|(found, expected)| found.starts_with(expected) && !expected.is_empty())
        {
            wrong.push(format!("{name}: expected {expected:?}, found {outcomes:?}"));
        }
        found += &format!("{name} | {}\n", outcomes.join(" | "));
        addresses.push(address);
    }
    println!("{found}\npeak: {} MiB", limited.peak() >> 20);
    limited::assert_equal(&limited, &comparisons).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(expected.len(), files.len(), "a file that is expected is not there");
    can_be_planned(&limited, addresses.len()).await;
    limited.stop().await;
}

/// Where the corpus is: `PARQUET_TESTING_DIR`, or beside the checkout. Without it there is nothing to test.
fn corpus() -> Option<PathBuf> {
    let beside = paths::repository().join("../shared/parquet-testing");
    let corpus = std::env::var_os("PARQUET_TESTING_DIR").map_or(beside, PathBuf::from);
    if corpus.join("data").is_dir() {
        return Some(corpus);
    }
    assert!(std::env::var_os("PARQUET_TESTING_DIR").is_none(), "{} is no corpus", corpus.display());
    eprintln!(
        "the corpus of apache/parquet-testing is not tested: PARQUET_TESTING_DIR does not say where it is"
    );
    None
}

/// The Parquet files below the corpus, encrypted ones too, by their names in it.
fn files(corpus: &Path) -> BTreeMap<String, PathBuf> {
    let mut files = BTreeMap::new();
    let mut folders = vec![corpus.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(corpus).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".parquet") || name.ends_with(".parquet.encrypted") {
                files.insert(name, path);
            }
        }
    }
    files
}

fn expected(text: &str) -> BTreeMap<&str, [&str; 2]> {
    let line = |line| {
        let parts: Vec<&str> = str::split(line, " | ").collect();
        let [name, auto, register] = parts[..] else { panic!("{EXPECTED}: {line}") };
        (name, [auto, register])
    };
    text.lines().map(line).collect()
}

/// How and how many rows, or why not.
fn outcome(answer: &Value) -> String {
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    match answer["status"].as_str() {
        Some("processed") => format!("{} {}", text("mode"), answer["rows"]),
        _ => format!("{}: {}", text("status"), text("reason")),
    }
}

/// The planner says something of each file, and survives them all.
async fn can_be_planned(limited: &Limited, files: usize) {
    let properties = limited.lakehouse.properties(&limited.bucket);
    let mut arguments: Vec<String> = vec!["plan".to_owned(), limited.uri("")];
    arguments.extend(["--table", "db.planned", "--format", "parquet", "--json"].map(str::to_owned));
    for (key, value) in properties {
        arguments.extend(["--catalog".to_owned(), format!("{key}={value}")]);
    }
    let none: [(&str, &str); 0] = [];
    let (status, log) = Program::start("event-ingest", arguments, none).exited().await;
    assert!(status.success() && !log.contains("panicked at"), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), files, "{log}");
    assert!(lines.iter().all(|line| line["why"].as_str().is_some_and(|why| !why.is_empty())), "{log}");
}
