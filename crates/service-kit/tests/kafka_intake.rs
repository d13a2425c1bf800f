//! The Kafka intake against librdkafka's own mock cluster: enough of a broker to see what is produced and committed.
//! Real Kafka is for the whole-system tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cloudevents::{EventBuilder, EventBuilderV10};
use rdkafka::ClientConfig;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, StreamConsumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use service_kit::intake::{Handler, Incoming, IntakeMetrics, RejectStatus, Reply, RetryStatus};
use service_kit::kafka::{
    BackoffLimits, ClientProperties, KafkaIntake, KafkaIntakeConfig, KafkaIntakeError, OFFSET_HEADER,
    REASON_HEADER, TOPIC_HEADER,
};
use service_kit::metrics::Metrics;
use testkit::eventually;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const TOPIC: &str = "light-ingest";
const DEAD: &str = "ingest-dlq";
const RESULTS: &str = "ingest-results";
const GROUP: &str = "light-worker";

/// What is waited for comes within seconds; a busy machine is no failure.
const WITHIN: Duration = Duration::from_secs(60);

/// Does what the body says.
struct Scripted {
    /// Attempts on `"flaky"` so far; the third succeeds.
    flaky: AtomicUsize,
    /// `"held"` waits for a permit.
    release: Semaphore,
}

#[async_trait]
impl Handler for Scripted {
    async fn handle(&self, event: Incoming) -> Reply {
        let unavailable =
            || Reply::Retry { status: RetryStatus::Unavailable, reason: "not yet".to_owned(), after: None };
        match &event.body[..] {
            b"poison" => Reply::Reject { status: RejectStatus::Invalid, reason: "no request".to_owned() },
            b"flaky" if self.flaky.fetch_add(1, Ordering::SeqCst) < 2 => unavailable(),
            b"never" => unavailable(),
            b"held" => {
                self.release.acquire().await.expect("never closed").forget();
                done("held")
            }
            body => done(std::str::from_utf8(body).expect("text")),
        }
    }
}

fn done(id: &str) -> Reply {
    let event = EventBuilderV10::new().id(id).ty("done").source("/test").build().expect("complete");
    Reply::Done(Box::new(event))
}

struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
}

impl Cluster {
    fn new() -> Self {
        Self::with_partitions(1)
    }

    /// The topic that is consumed has so many.
    fn with_partitions(partitions: i32) -> Self {
        let mock = MockCluster::new(1).expect("a mock cluster");
        for (topic, partitions) in [(TOPIC, partitions), (DEAD, 1), (RESULTS, 1)] {
            mock.create_topic(topic, partitions, 1).expect("a topic");
        }
        Self { mock }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.mock.bootstrap_servers());
        config
    }

    async fn produce(&self, bodies: &[&str]) {
        self.produce_to(0, bodies).await;
    }

    async fn produce_to(&self, partition: i32, bodies: &[&str]) {
        let producer: FutureProducer = self.client().create().expect("a producer");
        for body in bodies {
            let record = FutureRecord::to(TOPIC).partition(partition).key("k").payload(*body);
            producer.send(record, Duration::from_secs(10)).await.expect("delivered");
        }
    }

    /// The first `count` records of a topic.
    async fn read(&self, topic: &str, count: usize) -> Vec<OwnedMessage> {
        let consumer: StreamConsumer = self.client().set("group.id", "reader").create().expect("a consumer");
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, 0, Offset::Beginning).expect("valid");
        consumer.assign(&from).expect("assigned");
        let mut records = Vec::new();
        while records.len() < count {
            records.push(consumer.recv().await.expect("a record").detach());
        }
        records
    }

    /// The group's committed position.
    async fn committed(&self) -> Option<i64> {
        let mut config = self.client();
        config.set("group.id", GROUP);
        let asked = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = config.create().expect("a consumer");
            let mut partition = TopicPartitionList::new();
            partition.add_partition(TOPIC, 0);
            let answer = consumer.committed_offsets(partition, Duration::from_secs(10)).expect("an answer");
            match answer.elements()[0].offset() {
                Offset::Offset(position) => Some(position),
                _ => None,
            }
        });
        asked.await.expect("no panic")
    }

    fn start(&self, handler: &Arc<Scripted>, concurrency: usize) -> Running {
        let config = KafkaIntakeConfig {
            topic: TOPIC.to_owned(),
            group: GROUP.to_owned(),
            results_topic: Some(RESULTS.to_owned()),
            dead_letter_topic: DEAD.to_owned(),
            concurrency,
            backoff: BackoffLimits { first: Duration::from_millis(1), longest: Duration::from_millis(5) },
            drain: Duration::from_secs(60),
        };
        let variables = [
            ("KAFKA_BOOTSTRAP_SERVERS".to_owned(), self.mock.bootstrap_servers()),
            // The lag is told this often.
            ("KAFKA_STATISTICS_INTERVAL_MS".to_owned(), "100".to_owned()),
            // The mock cluster waits for a session's length before it shares partitions out anew.
            ("KAFKA_SESSION_TIMEOUT_MS".to_owned(), "3000".to_owned()),
            ("KAFKA_HEARTBEAT_INTERVAL_MS".to_owned(), "200".to_owned()),
        ];
        let properties = ClientProperties::new(variables, &[]).expect("valid");
        let metrics = Metrics::new();
        let stop = CancellationToken::new();
        let intake = KafkaIntake::new(
            config,
            &properties,
            handler.clone(),
            IntakeMetrics::new(&metrics),
            stop.clone(),
        )
        .expect("valid");
        let ended = tokio::spawn(intake.run());
        Running { metrics, stop, ended }
    }
}

struct Running {
    metrics: Metrics,
    stop: CancellationToken,
    ended: JoinHandle<Result<(), KafkaIntakeError>>,
}

impl Running {
    /// The gauges of the lag on the page, by partition.
    fn lags(&self) -> BTreeMap<String, i64> {
        let page = self.metrics.page();
        let gauge = "event_ingest_kafka_lag_records{partition=\"";
        let gauges = page.lines().filter_map(|line| line.strip_prefix(gauge)?.split_once("\"} "));
        gauges.map(|(partition, lag)| (partition.to_owned(), lag.parse().expect("a number"))).collect()
    }

    /// Waits until the lag is this.
    async fn lagging(&self, expected: &[(&str, i64)]) {
        let expected = expected.iter().map(|(partition, lag)| ((*partition).to_owned(), *lag)).collect();
        eventually(&format!("the lag is {expected:?}"), WITHIN, async || {
            (self.lags() == expected).then_some(())
        })
        .await;
    }

    async fn stop(self) -> Metrics {
        self.stop.cancel();
        self.ended.await.expect("no panic").expect("a clean end");
        self.metrics
    }
}

fn scripted() -> Arc<Scripted> {
    Arc::new(Scripted { flaky: AtomicUsize::new(0), release: Semaphore::new(0) })
}

fn header(record: &OwnedMessage, name: &str) -> String {
    let headers = record.headers().expect("headers");
    let found = headers.iter().find(|header| header.key == name).expect(name);
    String::from_utf8_lossy(found.value.expect("a value")).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_answered_buried_or_tried_again_and_then_committed() {
    let cluster = Cluster::new();
    cluster.produce(&["a", "poison", "flaky", "b"]).await;
    let running = cluster.start(&scripted(), 16);

    let mut answers: Vec<String> =
        cluster.read(RESULTS, 3).await.iter().map(|record| header(record, "ce_id")).collect();
    answers.sort();
    assert_eq!(answers, ["a", "b", "flaky"]);
    let dead = cluster.read(DEAD, 1).await.remove(0);
    assert_eq!((dead.key(), dead.payload()), (Some(&b"k"[..]), Some(&b"poison"[..])));
    assert_eq!(
        (header(&dead, REASON_HEADER), header(&dead, TOPIC_HEADER)),
        ("no request".into(), TOPIC.into())
    );
    assert_eq!(header(&dead, OFFSET_HEADER), "1");

    let page = running.stop().await.page();
    assert_eq!(cluster.committed().await, Some(4));
    assert!(page.contains(r#"event_ingest_kafka_retries_total{stage="handle"} 2"#), "{page}");
    assert!(page.contains(r#"event_ingest_requests_total{intake="kafka",outcome="invalid"} 1"#), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_committed_past_a_record_that_is_still_tried() {
    let cluster = Cluster::new();
    cluster.produce(&["a", "never", "b", "c"]).await;
    let running = cluster.start(&scripted(), 16);
    cluster.read(RESULTS, 3).await;
    running.stop().await;
    assert_eq!(cluster.committed().await, Some(1), "`b` and `c` are done, and will be delivered again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_flight_at_shutdown_finishes_and_is_committed() {
    let cluster = Cluster::new();
    cluster.produce(&["a", "held"]).await;
    let handler = scripted();
    let running = cluster.start(&handler, 16);
    cluster.read(RESULTS, 1).await;
    running.stop.cancel();
    handler.release.add_permits(1);
    running.stop().await;
    let answered = cluster.committed().await.expect("committed") as usize;
    // The second record counts if it was taken in before the stop; if not, it is for the next consumer.
    assert_eq!(cluster.read(RESULTS, answered).await.len(), answered);
    assert!((1..=2).contains(&answered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_beyond_the_bound_is_worked_off_even_after_all_hands_were_stuck() {
    let cluster = Cluster::new();
    let mut bodies = vec!["held".to_owned(), "held".to_owned()];
    bodies.extend((0..200).map(|n| format!("r{n}")));
    cluster.produce(&bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let handler = scripted();
    let running = cluster.start(&handler, 2);
    let mut poll = tokio::time::interval(Duration::from_millis(20));
    while !running.metrics.page().contains("event_ingest_kafka_paused 1") {
        poll.tick().await;
    }
    handler.release.add_permits(2);
    let mut answers: Vec<_> =
        cluster.read(RESULTS, 202).await.iter().map(|record| header(record, "ce_id")).collect();
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 201, "each body once, and `held` twice");
    let page = running.stop().await.page();
    assert!(page.contains("event_ingest_kafka_paused 0"), "{page}");
    assert_eq!(cluster.committed().await, Some(202));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_that_gave_up_ends_the_intake() {
    let cluster = Cluster::new();
    cluster.produce(&["a"]).await;
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    cluster.mock.request_errors(RDKafkaApiKey::InitProducerId, &[refused]);
    let running = cluster.start(&scripted(), 16);
    let error = running.ended.await.expect("no panic").expect_err("nothing can be sent any more");
    assert!(matches!(error, KafkaIntakeError::Producer { .. }), "{error}");
    // Where it began may be committed; what is behind the record may not.
    assert_eq!(cluster.committed().await.unwrap_or(0), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_whose_commit_was_refused_is_committed_again() {
    let cluster = Cluster::new();
    cluster.produce(&["a"]).await;
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    cluster.mock.request_errors(RDKafkaApiKey::OffsetCommit, &[refused]);
    let running = cluster.start(&scripted(), 16);
    // Nothing else is read, and nothing ends: only the refusal itself leads to another commit.
    let mut poll = tokio::time::interval(Duration::from_millis(20));
    while cluster.committed().await != Some(1) {
        poll.tick().await;
    }
    let page = running.stop().await.page();
    assert!(page.contains("event_ingest_kafka_commit_failures_total 1"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lag_is_what_lies_behind_the_position() {
    let cluster = Cluster::new();
    cluster.produce(&["a", "held", "b"]).await;
    let handler = scripted();
    let running = cluster.start(&handler, 16);
    // `b` is done as well, but the position waits at `held`.
    running.lagging(&[("0", 2)]).await;
    handler.release.add_permits(1);
    running.lagging(&[("0", 0)]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_another_takes_over_loses_its_lag_here() {
    let cluster = Cluster::with_partitions(2);
    cluster.produce_to(0, &["a"]).await;
    cluster.produce_to(1, &["b"]).await;
    let first = cluster.start(&scripted(), 16);
    first.lagging(&[("0", 0), ("1", 0)]).await;
    let second = cluster.start(&scripted(), 16);
    // Each has one of them, by the group's own choice.
    eventually("the partitions are shared out", WITHIN, async || {
        let (first, second) = (first.lags(), second.lags());
        let all: BTreeMap<_, _> = first.iter().chain(&second).collect();
        ((first.len(), second.len(), all.len()) == (1, 1, 2)).then_some(())
    })
    .await;
    second.stop().await;
    first.stop().await;
}
