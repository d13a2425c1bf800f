//! Questions to the brokers, none of which changes anything.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use service_kit::kafka::{ClientProperties, LastFailure, PropertyError, check_topics};

use crate::coordinator::positions;

/// How long the brokers may take for an answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// One of several questions in that time.
const ONE_TRY: Duration = Duration::from_secs(2);
/// A topic that takes larger records is not asked whether it takes one that is too large.
const MAX_PROBE_BYTES: u64 = 16 << 20;
/// A partition that no topic has: a position in it is refused, after the rights were looked at.
const NOWHERE: i32 = i32::MAX - 1;

/// What is known of a topic.
#[derive(Debug, Clone)]
pub(super) struct TopicAnswer {
    /// Its partitions; the error says why it cannot be used.
    pub shape: Result<Shape, String>,
    /// Its settings, if this user may see them.
    pub settings: Option<BTreeMap<String, String>>,
}

/// The partitions of a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub partitions: usize,
    pub without_leader: usize,
    /// Of the partition that has the fewest.
    pub replicas: usize,
    /// The same of those in sync.
    pub in_sync: usize,
}

/// Whether something is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    Granted,
    /// The right that is missing.
    Denied(&'static str),
    /// Why it cannot be found out.
    Unknown(String),
}

impl TopicAnswer {
    /// The largest record batch that it takes.
    pub fn limit(&self) -> Option<u64> {
        self.number("max.message.bytes").and_then(|limit| u64::try_from(limit).ok())
    }

    /// A setting that is a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.settings.as_ref()?.get(name)?.parse().ok()
    }
}

/// Takes note of what stands between us and the brokers.
#[derive(Default, Clone)]
struct Listener(LastFailure);

impl ClientContext for Listener {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
        self.0.record(&error, reason);
    }
}

impl ConsumerContext for Listener {}

/// A producer's context that keeps what became of its one record.
#[derive(Default)]
struct Verdict(Mutex<Option<KafkaResult<()>>>);

impl ClientContext for Verdict {}

impl ProducerContext for Verdict {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let outcome = result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone());
        *self.0.lock().expect("no holder of this lock panics") = Some(outcome);
    }
}

/// Clients of one user.
pub(super) struct Probe {
    properties: ClientProperties,
    consumer: BaseConsumer<Listener>,
}

impl Probe {
    pub fn new(properties: &ClientProperties) -> anyhow::Result<Self> {
        let consumer = properties.consumer("event-ingest-doctor")?.create_with_context(Listener::default())?;
        Ok(Self { properties: properties.clone(), consumer })
    }

    /// How many brokers there are; the error says why none answers.
    pub fn brokers(&self) -> Result<usize, String> {
        let end = Instant::now() + ANSWERS_WITHIN;
        loop {
            let error = match self.consumer.fetch_metadata(None, ONE_TRY) {
                Ok(metadata) => return Ok(metadata.brokers().len()),
                Err(error) => error,
            };
            // Why is told only to who polls.
            self.consumer.poll(Duration::ZERO);
            if Instant::now() >= end {
                return Err(self.consumer.context().0.explain(&error));
            }
        }
    }

    pub fn topic(&self, topic: &str) -> TopicAnswer {
        let client = self.consumer.client();
        let shape = check_topics(client, [topic], ANSWERS_WITHIN, &self.consumer.context().0)
            .and_then(|()| self.shape(topic).map_err(|error| error.to_string()));
        let settings = match shape.is_ok() {
            true => self.settings(topic),
            false => None,
        };
        TopicAnswer { shape, settings }
    }

    fn shape(&self, topic: &str) -> KafkaResult<Shape> {
        let metadata = self.consumer.fetch_metadata(Some(topic), ANSWERS_WITHIN)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let partitions: Vec<_> = partitions.collect();
        Ok(Shape {
            partitions: partitions.len(),
            without_leader: partitions.iter().filter(|partition| partition.leader() < 0).count(),
            replicas: partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or(0),
            in_sync: partitions.iter().map(|partition| partition.isr().len()).min().unwrap_or(0),
        })
    }

    fn settings(&self, topic: &str) -> Option<BTreeMap<String, String>> {
        let admin: AdminClient<DefaultClientContext> = self.client().ok()?.create().ok()?;
        let options = AdminOptions::new().request_timeout(Some(ANSWERS_WITHIN));
        let asked = [ResourceSpecifier::Topic(topic)];
        let answer = futures::executor::block_on(admin.describe_configs(&asked, &options)).ok()?;
        let resource = answer.into_iter().next()?.ok()?;
        let pairs = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
        Some(pairs.collect())
    }

    /// Whether a topic may be read in a group: a position is committed in a partition that is not there, which a broker
    /// refuses for that reason alone if the rights are there.
    pub fn may_read(&self, topic: &str, group: &str) -> Access {
        use RDKafkaErrorCode::{GroupAuthorizationFailed, TopicAuthorizationFailed, UnknownTopicOrPartition};
        let tried = || -> anyhow::Result<KafkaResult<()>> {
            let consumer: BaseConsumer = self.properties.consumer(group)?.create()?;
            // Without a coordinator a commit would wait for one.
            let mut list = TopicPartitionList::new();
            list.add_partition(topic, 0);
            if let Err(error) = positions(&consumer, &list, Instant::now() + ANSWERS_WITHIN) {
                return Ok(Err(error));
            }
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, NOWHERE, Offset::Offset(0))?;
            Ok(consumer.commit(&list, CommitMode::Sync))
        };
        match tried() {
            Err(error) => Access::Unknown(error.to_string()),
            Ok(Ok(())) => Access::Granted,
            Ok(Err(error)) => match error.rdkafka_error_code() {
                Some(UnknownTopicOrPartition) => Access::Granted,
                Some(GroupAuthorizationFailed) => Access::Denied("Read on the group"),
                Some(TopicAuthorizationFailed) => Access::Denied("Read on the topic"),
                _ => Access::Unknown(error.to_string()),
            },
        }
    }

    /// Whether a topic may be written: a record is offered that is larger than it takes, which a broker refuses for that
    /// reason alone if the right is there.
    pub fn may_write(&self, topic: &str, limit: Option<u64>) -> Access {
        use RDKafkaErrorCode::{ClusterAuthorizationFailed, MessageSizeTooLarge, TopicAuthorizationFailed};
        let Some(limit) = limit else {
            return Access::Unknown(
                "this user may not see the topic's settings (right DescribeConfigs)".to_owned(),
            );
        };
        if limit >= MAX_PROBE_BYTES {
            return Access::Unknown(format!("it takes records of {limit} bytes: too large to be tried"));
        }
        match self.offer(topic, limit) {
            Err(error) => Access::Unknown(error.to_string()),
            Ok(Ok(())) => {
                Access::Unknown("a record that is too large was taken: look at the topic".to_owned())
            }
            Ok(Err(error)) => match error.rdkafka_error_code() {
                Some(MessageSizeTooLarge) => Access::Granted,
                Some(TopicAuthorizationFailed) => Access::Denied("Write on the topic"),
                Some(ClusterAuthorizationFailed) => Access::Denied("IdempotentWrite on the cluster"),
                _ => Access::Unknown(error.to_string()),
            },
        }
    }

    /// Offers one record of more than `limit` bytes.
    fn offer(&self, topic: &str, limit: u64) -> anyhow::Result<KafkaResult<()>> {
        let mut config = self.client()?;
        let size = usize::try_from(limit)? + 1;
        config
            .set("enable.idempotence", "false")
            .set("message.max.bytes", (size + (64 << 10)).to_string())
            .set("compression.type", "none")
            .set("message.send.max.retries", "0")
            .set("message.timeout.ms", ANSWERS_WITHIN.as_millis().to_string());
        let producer: BaseProducer<Verdict> = config.create_with_context(Verdict::default())?;
        let payload = vec![0_u8; size];
        producer.send(BaseRecord::<(), [u8]>::to(topic).payload(&payload)).map_err(|(error, _)| error)?;
        producer.flush(ANSWERS_WITHIN * 2)?;
        let verdict = producer.context().0.lock().expect("no holder of this lock panics").take();
        verdict.ok_or_else(|| anyhow::anyhow!("the brokers did not answer"))
    }

    fn client(&self) -> Result<ClientConfig, PropertyError> {
        self.properties.producer()
    }
}
