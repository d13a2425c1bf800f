//! Bucket and ledger compared, at the start and from time to time: what neither a table nor a quarantine has, and
//! what no announcement waits for, is announced again and then goes the way of every upload.
//!
//! An object and its announcement are one transaction, so nothing should ever be found. This is for a state that was
//! restored from copies of different age, for a table that was dropped, for a route that was added later, and for
//! whatever nobody has thought of. Holds one page of the bucket in memory, and looks only while the inbox is nearly
//! empty: live traffic goes first.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use ingest_core::{ObjectUri, TableName, Verdict as RuleVerdict};
use lake::reconcile::{Candidate, Policy, Verdict};
use lake::storage::listing::Listed;
use prometheus::IntCounter;
use service_kit::metrics::{Metric, Metrics};
use service_kit::rules::LiveRules;
use tokio_util::sync::CancellationToken;

use super::config::STORE_NAME;
use super::inbox::Inbox;
use super::store::{ListQuery, Lost, Object, Store};
use crate::survey::{BATCH, Judge};

/// Objects and their announcements are one transaction: none is too young.
pub const POLICY: Policy = Policy { min_age: TimeDelta::MIN, include_rolled_back: false };

/// The bucket is looked at only while fewer announcements wait.
const BUSY: u64 = 1_000;
/// How often a busy inbox is looked at.
const WAIT: Duration = Duration::from_secs(1);
/// After a failure the next try comes this soon, or when it is due anyway.
const RETRY: Duration = Duration::from_secs(60);

/// Comparisons that came to their end.
pub const PASSES: Metric =
    Metric { name: "reconcile_passes_total", help: "Comparisons of bucket and ledger.", labels: &[] };
/// What they found.
pub const ANNOUNCED: Metric = Metric {
    name: "reconcile_announced_total",
    help: "Objects that were announced again because no table had them.",
    labels: &[],
};

/// Compares a bucket with the tables that its objects go to.
#[derive(Debug)]
pub struct Reconciler<J> {
    store: Store,
    inbox: Inbox,
    bucket: String,
    rules: LiveRules,
    judge: J,
    passes: IntCounter,
    announced: IntCounter,
}

impl<J: Judge> Reconciler<J> {
    /// For the objects of `bucket` that the rules want.
    pub fn new(store: Store, bucket: String, rules: LiveRules, judge: J, metrics: &Metrics) -> Self {
        Self {
            inbox: Inbox::of(&store),
            store,
            bucket,
            rules,
            judge,
            passes: metrics.counter(&PASSES),
            announced: metrics.counter(&ANNOUNCED),
        }
    }

    /// Compares now and whenever so much time has passed, until `stop` is cancelled.
    pub async fn run(mut self, every: Duration, stop: CancellationToken) {
        loop {
            let Some(passed) = stop.run_until_cancelled(self.pass()).await else { return };
            let pause = match passed {
                Ok(announced) => {
                    self.passes.inc();
                    tracing::info!(announced, "bucket and ledger compared");
                    every
                }
                Err(error) => {
                    tracing::warn!(%error, "bucket and ledger could not be compared, trying again");
                    every.min(RETRY)
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Compares once. Returns how many objects were announced again.
    async fn pass(&mut self) -> anyhow::Result<u64> {
        let mut announced = 0;
        let mut next = Some(String::new());
        while let Some(from) = next {
            while self.inbox.waiting().await? >= BUSY {
                tokio::time::sleep(WAIT).await;
            }
            let query = ListQuery { from, limit: BATCH, ..ListQuery::default() };
            let page = self.store.list(&self.bucket, &query).await?;
            next = page.next;
            let lost = self.lost(page.objects).await?;
            for lost in &lost {
                tracing::warn!(key = lost.key, "no table has this object: announced again");
            }
            let found = self.store.announce_again(&self.bucket, &lost).await?;
            self.announced.inc_by(found);
            announced += found;
        }
        Ok(announced)
    }

    /// Those of some objects that are in no table and should be.
    ///
    /// The order matters: an announcement that is not in the inbox, though its object was listed before, was dealt
    /// with, so its object is in the ledger or the quarantine that are looked at after.
    async fn lost(&mut self, objects: Vec<Object>) -> anyhow::Result<Vec<Lost>> {
        let keys: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
        let announced = self.store.announced(&self.bucket, &keys).await?;
        let mut wanted: HashMap<TableName, Vec<Candidate>> = HashMap::new();
        let mut etags = HashMap::new();
        let rules = self.rules.current();
        for object in objects.into_iter().filter(|object| !announced.contains(&object.key)) {
            let uri = ObjectUri::new(&self.bucket, &object.key)?;
            let RuleVerdict::Route(route) = rules.judge_listed(&uri, object.size) else { continue };
            etags.insert(object.key.clone(), object.etag.clone());
            let listed = Listed {
                key: object.key,
                size: object.size,
                etag: Some(object.etag),
                modified: Some(object.modified),
            };
            let candidate = Candidate::new(STORE_NAME, uri, listed, &POLICY, Utc::now());
            wanted.entry(route.table.clone()).or_default().push(candidate);
        }
        let mut lost = Vec::new();
        for (table, candidates) in wanted {
            for (candidate, verdict) in self.judge.judge(&table, candidates).await? {
                let key = candidate.uri().key();
                if let (Verdict::Missing, Some(etag)) = (verdict, etags.remove(key)) {
                    lost.push(Lost { key: key.to_owned(), etag });
                }
            }
        }
        Ok(lost)
    }
}
