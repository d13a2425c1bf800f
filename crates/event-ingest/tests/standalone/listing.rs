//! Listings against a model that is a sorted set.

use std::cell::Cell;
use std::collections::BTreeSet;

use event_ingest::standalone::store::{Attributes, ListQuery, Listing, Precondition, Store};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::Place;

/// Names of the entries, as S3 describes them: no pages, no database.
fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: &str, marker: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix) && key.as_str() > marker) {
        let rest = &key[prefix.len()..];
        let name = match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => key[..prefix.len() + at + delimiter.len()].to_owned(),
            None => key.clone(),
        };
        let left_behind = name != *key && name == marker;
        if names.last() != Some(&name) && !left_behind {
            names.push(name);
        }
    }
    names
}

fn names(page: &Listing) -> Vec<String> {
    let keys = page.objects.iter().map(|object| &object.key);
    let mut names: Vec<String> = keys.chain(&page.prefixes).cloned().collect();
    names.sort();
    names
}

async fn fill(store: &Store, bucket: &str, keys: &BTreeSet<String>) {
    store.create_bucket(bucket).await.unwrap();
    for key in keys {
        let blob = store.begin_blob().await.unwrap().finish().await.unwrap();
        store.put(bucket, key, blob, Attributes::default(), Precondition::None).await.unwrap();
    }
}

/// All entries, page by page.
async fn list(store: &Store, bucket: &str, mut query: ListQuery) -> Vec<String> {
    let mut listed = Vec::new();
    loop {
        let page = store.list(bucket, &query).await.unwrap();
        assert!(page.len() <= query.limit);
        let names = names(&page);
        assert_eq!(page.last.as_ref(), names.last());
        listed.extend(names);
        match page.next.clone() {
            Some(next) => {
                assert_eq!(page.len(), query.limit, "only the last page may be short");
                query.from = next;
            }
            None => return listed,
        }
    }
}

#[test]
fn pages_are_the_model_cut_in_pieces() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let place = runtime.block_on(Place::new());
    let buckets = Cell::new(0);
    let case = (
        prop::collection::btree_set("[ab/é\u{10ffff}]{1,5}", 0..12),
        "[ab/é]{0,2}",
        prop::sample::select(vec!["", "/", "a", "ab"]),
        "[ab/é]{0,3}",
        1_usize..4,
    );
    let mut runner = TestRunner::new(ProptestConfig::with_cases(100));
    let outcome = runner.run(&case, |(keys, prefix, delimiter, marker, limit)| {
        buckets.set(buckets.get() + 1);
        let bucket = format!("case-{}", buckets.get());
        let from = match marker.as_str() {
            "" => String::new(),
            marker => ListQuery::after(&prefix, delimiter, marker),
        };
        let query = ListQuery { prefix: prefix.clone(), delimiter: delimiter.to_owned(), from, limit };
        let listed = runtime.block_on(async {
            fill(&place.store, &bucket, &keys).await;
            list(&place.store, &bucket, query).await
        });
        prop_assert_eq!(listed, model(&keys, &prefix, delimiter, &marker));
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test]
async fn a_prefix_with_many_keys_is_one_entry() {
    let mut keys: BTreeSet<String> = (0..300).map(|number| format!("many/{number}")).collect();
    keys.extend(["a".to_owned(), "z".to_owned()]);
    let place = Place::new().await;
    fill(&place.store, "many", &keys).await;
    let query = ListQuery { delimiter: "/".to_owned(), limit: 3, ..ListQuery::default() };
    assert_eq!(list(&place.store, "many", query).await, ["a", "many/", "z"]);
}
