//! Alerts and dashboards: that they say what they mean to the real Prometheus.

mod promtool;
mod scraped;

use std::fs::read_to_string;
use std::path::PathBuf;

use serde_json::Value;
use testkit::{paths, yaml};

/// Where the alerts are.
fn alerts() -> Vec<PathBuf> {
    files("deploy/alerts", "yaml")
}

/// The files of a folder with this suffix, by name.
fn files(folder: &str, suffix: &str) -> Vec<PathBuf> {
    let folder = paths::repository().join(folder);
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|s| s == suffix)).collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no {suffix}", folder.display());
    files
}

fn name(path: &std::path::Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Each file of alerts as plain Prometheus takes it: its name, and what stands below `spec`.
fn rule_files() -> Vec<(String, String)> {
    let plain = |path: &PathBuf| {
        // JSON is YAML.
        (name(path), yaml(&read_to_string(path).unwrap())[0]["spec"].to_string())
    };
    alerts().iter().map(plain).collect()
}

/// The names of all alerts of such a file.
fn names(rules: &str) -> Vec<String> {
    let rules: Value = serde_json::from_str(rules).unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}
