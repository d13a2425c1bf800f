//! The heavy lane: what is too large for the light one is owned by somebody else, and the inbox is done with it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use event_ingest::standalone::activity::Activity;
use event_ingest::standalone::flow::{Backoff, Flow, FlowConfig, FlowMetrics, Ingest, IngestError, Outcome};
use ingest_core::batching::BatchingConfig;
use ingest_core::{Glob, IngestRequest, IngestResult, LightLimits, Rule, RuleSet, TableName, Target};
use service_kit::metrics::Metrics;
use testkit::eventually;
use tokio_util::sync::CancellationToken;

use crate::support::Place;

/// Owns heavy requests, at the second time of asking.
#[derive(Default)]
struct Owner {
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Ingest for Owner {
    async fn ingest(&self, request: &IngestRequest) -> Result<IngestResult, IngestError> {
        Ok(IngestResult {
            request_id: request.request_id.clone(),
            table: request.table.clone(),
            rows: 1,
            files_processed: 1,
            files_skipped: 0,
            files_quarantined: 0,
            snapshot_id: None,
            mode: "rewrite".to_owned(),
            files: Vec::new(),
        })
    }

    async fn ingest_heavy(&self, request: &IngestRequest) -> Result<Outcome, IngestError> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(request.objects[0].uri.key().to_owned());
        match asked.len() {
            1 => Err(IngestError::retry("too many records")),
            _ => Ok(Outcome::Owned { application: "ingest-1-1".to_owned() }),
        }
    }

    async fn ready(&self) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test]
async fn a_heavy_request_leaves_the_inbox_when_it_is_owned() {
    let place = Place::new().await;
    for (key, content) in [("small.parquet", "12"), ("large.parquet", "123")] {
        place.put(key, content).await;
    }
    let target = Target::new(TableName::parse("db.t").unwrap());
    let rule = Rule { buckets: vec![Glob::new("inbox")], ..Rule::all(target) };
    let millisecond = Duration::from_millis(1);
    let light = LightLimits { max_bytes: 3, ..LightLimits::default() };
    let config = FlowConfig {
        rules: RuleSet::new([rule]).into(),
        batching: BatchingConfig { max_files: 1, max_wait: millisecond, light, ..BatchingConfig::default() },
        concurrency: 1,
        backoff: Backoff { first: millisecond, longest: millisecond },
    };
    let (owner, activity) = (Arc::new(Owner::default()), Arc::new(Activity::default()));
    let metrics = FlowMetrics::new(&Metrics::new());
    let flow = Flow::new(place.inbox(), owner.clone(), activity.clone(), metrics, config).unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let stop = stop.clone();
        async move { flow.run(stop).await.unwrap() }
    });
    eventually("an empty inbox", Duration::from_secs(30), async || {
        (place.inbox().waiting().await.unwrap() == 0).then_some(())
    })
    .await;
    stop.cancel();
    task.await.unwrap();
    assert_eq!(*owner.asked.lock().unwrap(), ["large.parquet", "large.parquet"]);
    let (counters, _) = activity.snapshot();
    assert_eq!((counters.requests_to_spark, counters.requests, counters.retries), (1, 1, 1));
    assert_eq!(place.inbox().count_dead_letters().await.unwrap(), 0);
}
