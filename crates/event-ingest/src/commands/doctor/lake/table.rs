//! Whether a table can be written: it is there, its ledger can be told, and knows objects as this configuration does.

use std::collections::{BTreeMap, BTreeSet};

use ingest_core::TableName;
use lake::Lake;
use lake::inspect::Inspection;

use super::super::finding::{Check, Finding};
use super::in_time;
use crate::commands::print::count;
use crate::overview::table::latest_entries;

/// The latest commits whose objects are looked at.
const COMMITS: usize = 10;

/// `store_name`: what the settings call the store.
pub(super) async fn check(lake: &Lake, name: &TableName, store_name: &str) -> Vec<Finding> {
    let found = in_time(lake.inspect(name)).await;
    let store = match &found {
        Ok(Some(found)) => Some(in_time(stores(found)).await),
        Ok(None) | Err(_) => None,
    };
    let there = Check::of("table", name.to_string());
    let there = judge(&there, found.map(|found| found.map(|found| entries(&found.head))));
    let named = Check::of("store-name", name.to_string());
    [Some(there), store.and_then(|names| judge_store(&named, store_name, names))]
        .into_iter()
        .flatten()
        .collect()
}

/// Under which names of stores the ledger knows each bucket's objects of the latest commits.
async fn stores(found: &Inspection) -> lake::Result<Stores> {
    let mut stores = Stores::new();
    for entry in latest_entries(found, COMMITS).await? {
        stores.entry(entry.identity.bucket).or_default().insert(entry.identity.store);
    }
    Ok(stores)
}

/// Names of stores, by bucket.
type Stores = BTreeMap<String, BTreeSet<String>>;

/// An object is another one under another name of its store, and would come in once more.
fn judge_store(check: &Check, ours: &str, known: Result<Stores, String>) -> Option<Finding> {
    let known = match known {
        Ok(known) => known,
        Err(reason) => return Some(check.skipped(reason)),
    };
    if let Some((bucket, names)) = known.iter().find(|(_, names)| names.len() > 1) {
        let names = names.iter().map(String::as_str).collect::<Vec<_>>().join("` and `");
        return Some(check.warn(
            format!("bucket `{bucket}` is known under the names of the stores `{names}`: its objects may have come in twice"),
            "right only if these are stores of their own; otherwise set STORE_NAME as it was, and roll the table back to before",
        ));
    }
    let names: BTreeSet<&String> = known.values().flatten().collect();
    let other = names.first()?;
    if names.iter().any(|name| *name == ours) {
        return Some(check.ok(format!("objects are known as those of store `{ours}`")));
    }
    Some(check.warn(
        format!("its latest objects are those of store `{other}`, and these settings say `{ours}`: every object would come in a second time"),
        "set STORE_NAME (--store-name) as the worker has it; only a store that really is another may have another name",
    ))
}

fn entries(head: &lake::ledger::Head) -> u64 {
    head.runs.iter().map(|run| run.entries).sum()
}

/// `found`: the entries of the ledger, if there is a table.
fn judge(check: &Check, found: Result<Option<u64>, String>) -> Finding {
    match found {
        Ok(Some(entries)) => check.ok(format!("there, its ledger has {} entries", count(entries))),
        Ok(None) => check.warn(
            "does not exist",
            "create it, or let the worker do so with the first file (--create-tables, CREATE_TABLES)",
        ),
        Err(reason) => {
            check.fail(reason, "docs/operating.md, \"When something is wrong\", says what to do about it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::State;
    use super::*;

    #[test]
    fn a_store_of_another_name_is_told_before_rows_come_twice() {
        let of = |known: &[(&str, &str)]| {
            let mut stores = Stores::new();
            for (bucket, store) in known {
                stores.entry((*bucket).to_owned()).or_default().insert((*store).to_owned());
            }
            judge_store(&Check::of("store-name", "db.t"), "ceph", Ok(stores))
        };
        assert_eq!(of(&[]), None, "an empty table knows none");
        assert_eq!(of(&[("a", "ceph"), ("b", "minio")]).unwrap().state, State::Ok);
        let other = of(&[("a", "default")]).unwrap();
        assert!(other.state == State::Warn && other.detail.contains("`default`"), "{other:?}");
        let both = of(&[("a", "ceph"), ("a", "default")]).unwrap();
        assert!(both.state == State::Warn && both.detail.contains("`ceph` and `default`"), "{both:?}");
        let gone = judge_store(&Check::of("store-name", "db.t"), "ceph", Err("gone".to_owned()));
        assert_eq!(gone.unwrap().state, State::Skipped);
    }

    #[test]
    fn a_table_that_is_not_there_may_be_made() {
        let of = |found| judge(&Check::of("table", "db.t"), found).state;
        assert_eq!(of(Ok(Some(3))), State::Ok);
        assert_eq!(of(Ok(None)), State::Warn);
        assert_eq!(of(Err("ledger file x is gone".into())), State::Fail);
    }
}
