//! Notifications in, rows out: bucket, Kafka, dispatcher, light worker, table.

use ingest_core::IngestResult;
use testkit::kafka::{Kafka, Received, Record};
use testkit::notifications::{Producer, aws_batch, aws_test_event};
use testkit::{ANY_PORT, Program, eventually, paths};

use crate::bucket::{Lakehouse, Standalone, Stored, WITHIN};
use crate::metrics::{assert_documented, metric, metrics};

/// Keys that each producer encodes in a way of its own.
const KEYS: [&str; 6] = [
    "incoming/plain.parquet",
    "incoming/with space.parquet",
    "incoming/plus+and%2Fescape.parquet",
    "incoming/hash#query?.parquet",
    "incoming/ünï/ćode.parquet",
    "incoming/plain.parquet/below.parquet",
];

/// The table of all that a pipeline's bucket announces.
pub const TABLE: &str = "db.flights";

/// Options of a dispatcher that is missed soon when it is killed: the group waits for that, 45 s by default.
pub const MISSED_SOON: [&str; 6] = [
    "--revoke-timeout",
    "500ms",
    "--kafka",
    "session.timeout.ms=1000",
    "--kafka",
    "heartbeat.interval.ms=200",
];

/// A running dispatcher.
pub struct Dispatcher {
    pub program: Program,
    pub url: String,
}

/// The topics and programs of one pipeline.
pub struct Pipeline<'k> {
    pub kafka: &'k Kafka,
    pub events: String,
    pub light: String,
    pub heavy: String,
    pub dead: String,
    pub results: String,
    pub group: String,
    /// How the programs reach Kafka.
    pub access: Vec<(String, String)>,
}

impl<'k> Pipeline<'k> {
    pub async fn new(kafka: &'k Kafka) -> Self {
        let access = [("KAFKA_BOOTSTRAP_SERVERS".to_owned(), kafka.bootstrap().to_owned())];
        Self::over(kafka, access.into()).await
    }

    /// The same for programs that reach the broker in a way of their own.
    pub async fn over(kafka: &'k Kafka, access: Vec<(String, String)>) -> Self {
        Self {
            access,
            kafka,
            events: kafka.topic("s3-events", 3).await,
            light: kafka.topic("light-ingest", 3).await,
            heavy: kafka.topic("heavy-ingest", 3).await,
            dead: kafka.topic("ingest-dlq", 1).await,
            results: kafka.topic("results", 1).await,
            group: Kafka::unique("group"),
        }
    }

    pub async fn dispatcher(&self, options: &[&str]) -> Dispatcher {
        let mut program = self.start(options);
        let url = program.serving().await;
        assert_documented(&url).await;
        Dispatcher { program, url }
    }

    /// A dispatcher that runs, though some topic is missing.
    pub async fn dispatcher_that_is_not_ready(&self, options: &[&str]) -> Dispatcher {
        let mut program = self.start(options);
        let url = program.listening().await;
        program.ready(&format!("{url}/livez")).await;
        Dispatcher { program, url }
    }

    /// A dispatcher that may not be ready yet.
    pub fn start(&self, options: &[&str]) -> Program {
        self.start_by(&["--table", TABLE, "--prefix", "incoming/"], options)
    }

    /// The same with rules of the caller's.
    pub fn start_by(&self, rules: &[&str], options: &[&str]) -> Program {
        let mut arguments = vec![
            "--listen",
            ANY_PORT,
            "--topic",
            &self.events,
            "--light-topic",
            &self.light,
            "--heavy-topic",
            &self.heavy,
            "--dead-letter-topic",
            &self.dead,
            "--group",
            &self.group,
        ];
        arguments.extend(rules.iter().chain(options));
        Program::start("dispatcher", arguments, self.environment())
    }

    pub async fn worker(&self, bucket: &Standalone, lakehouse: &Lakehouse) -> Program {
        let mut program = self.start_worker(bucket, lakehouse);
        program.serving().await;
        program
    }

    /// A worker that may not be ready yet.
    pub fn start_worker(&self, bucket: &Standalone, lakehouse: &Lakehouse) -> Program {
        let group = format!("{}-worker", self.group);
        let mut arguments = lakehouse.worker_arguments(bucket);
        let own = [
            "--source",
            "kafka",
            "--listen",
            ANY_PORT,
            "--topic",
            &self.light,
            "--group",
            &group,
            "--results-topic",
            &self.results,
            "--dead-letter-topic",
            &self.dead,
        ];
        arguments.extend(own.map(str::to_owned));
        Program::start("light-worker", arguments, self.environment())
    }

    pub fn environment(&self) -> Vec<(String, String)> {
        let log = ("LOG_FORMAT".to_owned(), "json".to_owned());
        self.access.iter().cloned().chain([log]).collect()
    }

    /// Waits until all that was announced is requested and each request answered, and returns the answers.
    pub async fn answers(&self) -> Vec<IngestResult> {
        self.caught_up().await;
        let requests = self.kafka.records(&self.light).await.len();
        let answered = |records: &[Received]| records.len() >= requests;
        let records = self.kafka.consume_until(&self.results, WITHIN, answered).await;
        records.iter().map(|record| serde_json::from_slice(&record.value).unwrap()).collect()
    }

    /// Waits until the dispatcher has committed all that the topic holds.
    pub async fn caught_up(&self) {
        eventually("the dispatcher has committed the end of every partition", WITHIN, async || {
            let ends: Vec<i64> =
                self.kafka.end_offsets(&self.events).await.iter().map(|(_, end)| *end).collect();
            let committed = self.kafka.committed(&self.group, &self.events).await;
            let all = ends.iter().zip(&committed).all(|(end, committed)| *end == committed.unwrap_or(0));
            all.then_some(())
        })
        .await;
    }
}

/// Files processed and files skipped, of all answers.
fn tally(answers: &[IngestResult]) -> (u64, u64) {
    answers.iter().fold((0, 0), |(processed, skipped), answer| {
        (processed + answer.files_processed, skipped + answer.files_skipped)
    })
}

#[tokio::test]
async fn announcements_of_every_producer_become_rows_once() {
    let kafka = Kafka::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let bucket = Standalone::start(folder.path(), &[]).await;
    let lakehouse = Lakehouse::new();
    let pipeline = Pipeline::new(kafka).await;

    let mut stored = Vec::new();
    for (key, source) in KEYS.iter().zip(paths::example_files().iter().cycle()) {
        stored.push(Stored::put(&bucket, key, source).await);
    }
    let name = bucket.endpoint.bucket.as_str();
    let objects: Vec<_> = stored.iter().map(|stored| stored.object(name)).collect();
    let announce = |producer: Producer| {
        objects.iter().map(move |object| Record {
            key: producer.record_key(object),
            value: producer.created(object),
            ..Record::default()
        })
    };
    // Each object by each producer: one object, however its key is encoded.
    kafka.produce(&pipeline.events, Producer::ALL.into_iter().flat_map(announce)).await;
    // What must not become rows: noise, a removal, an object outside the prefix, a poison record.
    kafka.send(&pipeline.events, aws_test_event(name)).await;
    kafka.send(&pipeline.events, Producer::Ceph.removed(&stored[0].object(name))).await;
    let elsewhere = Stored {
        key: "elsewhere/a.parquet".to_owned(),
        ..Stored::put(&bucket, "e", &stored[0].source).await
    };
    kafka.send(&pipeline.events, Producer::Minio.created(&elsewhere.object(name))).await;
    kafka.send(&pipeline.events, "this is no notification").await;

    let dispatcher = pipeline.dispatcher(&["--batch-max-wait", "1s"]).await;
    let mut worker = pipeline.worker(&bucket, &lakehouse).await;
    let (processed, skipped) = tally(&pipeline.answers().await);
    assert_eq!(processed, 6);
    assert!(skipped <= 12, "{skipped} skipped of 12 repetitions");
    let sources: Vec<_> = stored.iter().map(|stored| &stored.source).collect();
    lakehouse.reader(TABLE).assert_holds(&sources).await;

    let dead = kafka.records(&pipeline.dead).await;
    assert_eq!(dead.len(), 1, "{dead:#?}");
    assert_eq!(dead[0].value, b"this is no notification");
    assert!(dead[0].headers.iter().any(|(name, _)| name.contains("reason")), "{:?}", dead[0].headers);
    let light = kafka.records(&pipeline.light).await;
    for request in &light {
        assert_eq!(request.header("ce_type"), Some("dev.eventingest.request.light.v1"));
        assert_eq!(request.header("ce_subject"), Some(TABLE));
        assert_eq!(request.key.as_deref(), Some(b"db.flights".as_slice()));
    }

    // All of it again, as at-least-once delivery may: nothing changes.
    kafka.send(&pipeline.events, aws_batch(&objects)).await;
    kafka.produce(&pipeline.events, announce(Producer::Minio)).await;
    let (processed, skipped_by_now) = tally(&pipeline.answers().await);
    assert_eq!(processed, 6);
    assert!(skipped_by_now >= skipped + 6, "{skipped_by_now} skipped, {skipped} before the repetition");
    lakehouse.reader(TABLE).assert_holds(&sources).await;

    // Sizes are those of the files, each once; and nothing is behind.
    let url = worker.serving().await;
    let bytes: u64 = stored.iter().map(|stored| std::fs::metadata(&stored.source).unwrap().len()).sum();
    assert_eq!(metric(&url, "event_ingest_file_size_bytes_count").await, Some(6.0));
    assert_eq!(metric(&url, "event_ingest_file_size_bytes_sum").await, Some(bytes as f64));
    let of_lane = async |name: &str| {
        metric(&dispatcher.url, &format!("event_ingest_dispatcher_{name}{{lane=\"light\"}}")).await
    };
    assert_eq!(of_lane("batch_files_count").await, of_lane("batches_total").await);
    assert_eq!(of_lane("batch_files_sum").await, of_lane("files_total").await);
    let announced = of_lane("batch_bytes_sum").await.unwrap();
    assert!(announced >= bytes as f64, "{announced} of {bytes} bytes");
    for (url, lag) in [(&dispatcher.url, "dispatcher_lag_records"), (&url, "kafka_lag_records")] {
        eventually(&format!("{lag} is there, and goes to 0"), WITHIN, async || {
            let lags = metrics(url, &format!("event_ingest_{lag}{{partition=")).await;
            (!lags.is_empty() && lags.iter().all(|lag| *lag == 0.0)).then_some(())
        })
        .await;
    }
    assert_documented(&url).await;

    for program in [dispatcher.program, worker] {
        let status = program.terminate().await;
        assert!(status.success(), "{status}");
    }
    bucket.stop().await;
}

#[tokio::test]
async fn batches_are_routed_by_size() {
    let kafka = Kafka::shared().await;
    let pipeline = Pipeline::new(kafka).await;
    let object = |key, size| testkit::notifications::Object {
        bucket: "inbox",
        key,
        size,
        etag: "e",
        version_id: None,
    };
    kafka.send(&pipeline.events, Producer::Ceph.created(&object("incoming/big.parquet", 500_000_000))).await;
    let dispatcher = pipeline.dispatcher(&["--batch-max-wait", "100ms"]).await;
    let heavy = kafka.consume_until(&pipeline.heavy, WITHIN, |records| !records.is_empty()).await;
    assert_eq!(heavy[0].header("ce_type"), Some("dev.eventingest.request.heavy.v1"));
    kafka
        .send(&pipeline.events, Producer::Ceph.created(&object("incoming/small.parquet", 499_999_999)))
        .await;
    let light = kafka.consume_until(&pipeline.light, WITHIN, |records| !records.is_empty()).await;
    assert_eq!(light[0].header("ce_type"), Some("dev.eventingest.request.light.v1"));
    let status = dispatcher.program.terminate().await;
    assert!(status.success(), "{status}");
}
