//! Whether stores answer, and how soon: a look at an object that is not there, at the root of the ledgers and in the
//! buckets of the rules.

use std::time::{Duration, Instant};

use futures::future::join_all;
use ingest_core::RuleSet;
use lake::Lake;
use lake::storage::Location;
use object_store::{Error, ObjectStoreExt};

use super::within;
use crate::commands::load::Source;

/// Buckets that are looked at.
const MAX_BUCKETS: usize = 8;
/// The name of no object.
const NOTHING: &str = "event-ingest-status";

/// What a store answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// A bucket or the ledger root.
    pub store: String,
    /// How long it took, or why there was none.
    pub took: Result<Duration, String>,
}

pub(super) async fn ask(lake: &Lake, rules: &RuleSet) -> Vec<Answer> {
    let buckets = Source::of_rules(rules).into_iter().map(|source| source.bucket);
    let mut buckets: Vec<String> = buckets.filter(|name| !name.contains('*')).collect();
    buckets.sort();
    buckets.dedup();
    buckets.truncate(MAX_BUCKETS);
    let root = lake.ledger_root().to_owned();
    let located = [(root.clone(), lake.stores().locate(&format!("{root}/{NOTHING}")))].into_iter();
    let located = located.chain(
        buckets.into_iter().map(|bucket| (format!("s3://{bucket}"), lake.stores().object(&bucket, NOTHING))),
    );
    join_all(located.map(|(store, place)| async move {
        let began = Instant::now();
        let took = within(async { head(place?).await }).await.map(|()| began.elapsed());
        Answer { store, took }
    }))
    .await
}

async fn head(place: Location) -> lake::Result<()> {
    match place.store.head(&place.path).await {
        // A refusal is an answer: without the right to list, that is what a missing object is.
        Ok(_) | Err(Error::NotFound { .. } | Error::PermissionDenied { .. }) => Ok(()),
        Err(error) => Err(lake::Error::new(lake::ErrorKind::Unavailable, "HeadObject").caused_by(error)),
    }
}
