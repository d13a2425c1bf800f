//! Reads what the dead-letter topic holds now, once through: it ends where the topic ended when it began.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use rdkafka::consumer::{CommitMode, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use service_kit::kafka::{ClientProperties, LastFailure, check_topics};

use super::progress::Progress;

/// How long the brokers may take for an answer or for a record.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// First and next offset of each partition.
pub(crate) type Extent = BTreeMap<i32, (i64, i64)>;

/// The consumer's context: it keeps what stands between us and the brokers.
#[derive(Default)]
struct Quiet(LastFailure);

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka consumer");
        self.0.record(&error, reason);
    }
}

impl ConsumerContext for Quiet {}

/// A consumer of the dead-letter topic that belongs to no group but keeps its progress under one's name.
pub(crate) struct Reader {
    consumer: Arc<StreamConsumer<Quiet>>,
    topic: String,
    /// What the topic held at the start.
    pub extent: Extent,
    /// Where each partition that is still being read ends.
    ends: BTreeMap<i32, i64>,
}

impl Reader {
    /// Finds out what the topic holds.
    pub async fn open(properties: &ClientProperties, topic: &str, group: &str) -> anyhow::Result<Self> {
        let mut config = properties.consumer(group)?;
        // The end of a partition may lie behind offsets that hold no record.
        config.set("enable.partition.eof", "true");
        let consumer: StreamConsumer<Quiet> = config.create_with_context(Quiet::default())?;
        let consumer = Arc::new(consumer);
        let name = topic.to_owned();
        let asked = blocking(&consumer, move |consumer| extent(consumer, &name));
        let extent = tokio::select! {
            extent = asked => extent?,
            // Errors are told only to who polls. Nothing is assigned yet, so no record comes.
            () = listen(&consumer) => unreachable!("it listens without end"),
        };
        Ok(Self { consumer, topic: topic.to_owned(), extent, ends: BTreeMap::new() })
    }

    /// What was redriven so far of each partition.
    pub async fn progress(&self) -> anyhow::Result<BTreeMap<i32, Progress>> {
        let mut asked = TopicPartitionList::new();
        for partition in self.extent.keys() {
            asked.add_partition(&self.topic, *partition);
        }
        let committed =
            blocking(&self.consumer, move |consumer| consumer.committed_offsets(asked, ANSWERS_WITHIN));
        let committed = committed.await.context("the progress of earlier redrives cannot be read")?;
        let mut progress = BTreeMap::new();
        for element in committed.elements() {
            element.error().context("the progress of earlier redrives cannot be read")?;
            let low = self.extent.get(&element.partition()).map_or(0, |(low, _)| *low);
            let mut one = match element.offset() {
                Offset::Offset(next) => Progress::read(next, element.metadata())
                    .context("another program uses this consumer group: choose one with --redrive-group")?,
                _ => Progress::new(low),
            };
            one.add(one.next(), low);
            progress.insert(element.partition(), one);
        }
        Ok(progress)
    }

    /// The first offset of each partition whose record is not older, by the record's own time.
    pub async fn since(&self, time: DateTime<Utc>) -> anyhow::Result<BTreeMap<i32, i64>> {
        let mut asked = TopicPartitionList::new();
        for partition in self.extent.keys() {
            let time = Offset::Offset(time.timestamp_millis());
            asked.add_partition_offset(&self.topic, *partition, time)?;
        }
        let found =
            blocking(&self.consumer, move |consumer| consumer.offsets_for_times(asked, ANSWERS_WITHIN));
        let found = found.await.context("Kafka did not say what came since then")?;
        let first = |partition: i32, offset: Offset| match offset {
            Offset::Offset(offset) => offset,
            // Nothing is as new as that.
            _ => self.extent.get(&partition).map_or(0, |(_, high)| *high),
        };
        let elements = found.elements();
        Ok(elements
            .iter()
            .map(|found| (found.partition(), first(found.partition(), found.offset())))
            .collect())
    }

    /// Begins to read these parts of the partitions, each from the first offset to before the second.
    pub fn start(&mut self, parts: &Extent) -> KafkaResult<()> {
        let mut assigned = TopicPartitionList::new();
        for (partition, (from, to)) in parts {
            assigned.add_partition_offset(&self.topic, *partition, Offset::Offset(*from))?;
            self.ends.insert(*partition, *to);
        }
        self.consumer.assign(&assigned)
    }

    /// The next record, of any partition; those of one partition in order. `None` at the end.
    pub async fn next(&mut self) -> anyhow::Result<Option<OwnedMessage>> {
        while !self.ends.is_empty() {
            let received = tokio::time::timeout(ANSWERS_WITHIN, self.consumer.recv()).await;
            match received.with_context(|| format!("topic {}: no record came for a while", self.topic))? {
                Ok(record) => {
                    let (partition, offset) = (record.partition(), record.offset());
                    let Some(end) = self.ends.get(&partition).copied() else { continue };
                    let record = (offset < end).then(|| record.detach());
                    if offset + 1 >= end {
                        self.end(partition)?;
                    }
                    if record.is_some() {
                        return Ok(record);
                    }
                }
                Err(KafkaError::PartitionEOF(partition)) => self.end(partition)?,
                Err(error) if is_fatal(&error) => {
                    return Err(error).with_context(|| format!("topic {}", self.topic));
                }
                Err(error) => tracing::warn!(%error, topic = self.topic, "kafka consumer"),
            }
        }
        Ok(None)
    }

    /// Nothing more is wanted of this partition.
    fn end(&mut self, partition: i32) -> KafkaResult<()> {
        self.ends.remove(&partition);
        let mut over = TopicPartitionList::new();
        over.add_partition(&self.topic, partition);
        self.consumer.pause(&over)
    }

    /// Keeps what was redriven, and waits until Kafka has it.
    pub async fn commit(&self, progress: &BTreeMap<i32, Progress>) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        for (partition, progress) in progress {
            let mut element = list.add_partition(&self.topic, *partition);
            element.set_offset(Offset::Offset(progress.next()))?;
            element.set_metadata(progress.metadata().context(SCATTERED)?);
        }
        let committed = blocking(&self.consumer, move |consumer| consumer.commit(&list, CommitMode::Sync));
        committed.await.context("what was redriven cannot be kept: a repetition would send it again")
    }
}

/// Why progress cannot be kept.
pub(crate) const SCATTERED: &str = "what was redriven lies scattered over too many places to be kept: redrive all of an older part first (--to)";

fn extent(consumer: &StreamConsumer<Quiet>, topic: &str) -> anyhow::Result<Extent> {
    let (client, failure) = (consumer.client(), &consumer.context().0);
    check_topics(client, [topic], ANSWERS_WITHIN, failure).map_err(anyhow::Error::msg)?;
    let metadata = client.fetch_metadata(Some(topic), ANSWERS_WITHIN)?;
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let held = |partition: i32| Ok((partition, client.fetch_watermarks(topic, partition, ANSWERS_WITHIN)?));
    partitions.map(|partition| held(partition.id())).collect()
}

async fn listen(consumer: &StreamConsumer<Quiet>) {
    loop {
        // The context has taken note of what matters.
        let _ = consumer.recv().await;
    }
}

/// librdkafka's own calls block; the runtime's threads must not.
async fn blocking<T: Send + 'static>(
    consumer: &Arc<StreamConsumer<Quiet>>,
    call: impl FnOnce(&StreamConsumer<Quiet>) -> T + Send + 'static,
) -> T {
    let consumer = Arc::clone(consumer);
    let called = tokio::task::spawn_blocking(move || call(&consumer));
    called.await.expect("calls to librdkafka do not panic")
}

/// Whether waiting does not help.
fn is_fatal(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode::{
        AutoOffsetReset, GroupAuthorizationFailed, TopicAuthorizationFailed, UnknownTopicOrPartition,
    };
    let codes =
        [AutoOffsetReset, GroupAuthorizationFailed, TopicAuthorizationFailed, UnknownTopicOrPartition];
    matches!(error, KafkaError::MessageConsumptionFatal(_))
        || error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}
