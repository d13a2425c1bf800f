//! What waits in Kafka's topics: end offsets, positions of the groups, and since when the oldest record waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use service_kit::kafka::{ClientProperties, LastFailure, check_topics};
use tokio::sync::Mutex;

use crate::commands::dlq::progress::Progress;
use crate::coordinator::positions;

/// The brokers' time for one lane, all questions together.
const ANSWERS_WITHIN: Duration = Duration::from_secs(4);
/// How long the oldest waiting records may take to be fetched.
const FETCHED_WITHIN: Duration = Duration::from_secs(2);
/// Partitions whose oldest waiting record is fetched.
const MAX_FETCHED: usize = 16;

/// A topic and the group that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    pub topic: String,
    pub group: String,
}

/// What waits in a lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lag {
    /// Records that were ever written.
    pub written: u64,
    /// Records that the group is not done with.
    pub waiting: u64,
    /// Those among them that it has read: they are in open batches.
    pub read: u64,
    /// When the first of those that wait was written.
    pub oldest: Option<DateTime<Utc>>,
    /// Whether the group has a position in any partition.
    pub known: bool,
    /// How many members the group has; `None` if the brokers do not say.
    pub members: Option<usize>,
}

/// A partition: its first and next offset, and the group's position with what is noted beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Partition {
    low: i64,
    high: i64,
    committed: Option<i64>,
    note: String,
}

impl Partition {
    /// Where the group goes on: without a position it begins with what is left.
    fn position(&self) -> i64 {
        self.committed.unwrap_or(self.low).clamp(self.low, self.high)
    }

    /// Behind the last record that the group has read.
    fn head(&self) -> i64 {
        dispatcher::read_up_to(&self.note).unwrap_or(0).clamp(self.position(), self.high)
    }
}

/// Takes note of what stands between us and the brokers.
#[derive(Default)]
struct Listener(LastFailure);

impl ClientContext for Listener {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
        self.0.record(&error, reason);
    }
}

impl ConsumerContext for Listener {}

/// A client that looks at one lane, again and again. It never joins the group.
pub(super) struct Watcher {
    lane: Lane,
    /// One question at a time: a consumer has one assignment.
    consumer: Arc<Mutex<BaseConsumer<Listener>>>,
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("lane", &self.lane).finish_non_exhaustive()
    }
}

impl Watcher {
    pub fn new(properties: &ClientProperties, topic: &str, group: &str) -> anyhow::Result<Self> {
        let mut config = properties.consumer(group)?;
        // A few records are looked at, not read through.
        config.set("queued.max.messages.kbytes", "4096").set("fetch.message.max.bytes", "65536");
        let consumer = config.create_with_context(Listener::default())?;
        let lane = Lane { topic: topic.to_owned(), group: group.to_owned() };
        Ok(Self { lane, consumer: Arc::new(Mutex::new(consumer)) })
    }

    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    /// What waits now for the group.
    pub async fn lag(&self) -> Result<Lag, String> {
        self.ask(lag).await
    }

    /// How many dead letters were ever written, and how many of those that are left were not redriven: the group is that
    /// of `dlq redrive`.
    pub async fn letters(&self) -> Result<(u64, u64), String> {
        self.ask(|asked| {
            let waiting = |partition: &Partition| {
                let next = partition.committed.unwrap_or(partition.low);
                let progress = Progress::read(next, &partition.note).unwrap_or_else(|_| Progress::new(next));
                progress.waiting(partition.low, partition.high)
            };
            let written = asked.partitions.values().map(|partition| partition.high.unsigned_abs());
            Ok((written.sum(), asked.partitions.values().map(waiting).sum()))
        })
        .await
    }

    /// Finds out what the topic holds, then whatever else is wanted. Blocks a thread of its own meanwhile.
    async fn ask<T: Send + 'static>(
        &self,
        then: impl FnOnce(&Asked<'_>) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, String> {
        let (consumer, lane) = (self.consumer.clone().lock_owned().await, self.lane.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let end = Instant::now() + ANSWERS_WITHIN;
            let failure = &consumer.context().0;
            // Why brokers are away is told only to who polls.
            consumer.poll(Duration::ZERO);
            check_topics(consumer.client(), [lane.topic.as_str()], left(end), failure)?;
            let found = partitions(&consumer, &lane, end)
                .and_then(|partitions| then(&Asked { consumer: &consumer, lane: &lane, partitions, end }));
            found.map_err(|error| failure.explain(&error))
        });
        asked.await.map_err(|error| error.to_string())?
    }
}

/// A lane whose partitions are known.
struct Asked<'a> {
    consumer: &'a BaseConsumer<Listener>,
    lane: &'a Lane,
    partitions: BTreeMap<i32, Partition>,
    end: Instant,
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

fn lag(asked: &Asked<'_>) -> KafkaResult<Lag> {
    let Asked { consumer, lane, partitions, end } = asked;
    let mut lag = sum(partitions.values());
    if lag.waiting > 0 {
        lag.oldest = oldest(consumer, &lane.topic, partitions, *end)?;
        lag.members = members(consumer, &lane.group, left(*end));
    }
    Ok(lag)
}

fn partitions(
    consumer: &BaseConsumer<Listener>,
    lane: &Lane,
    end: Instant,
) -> KafkaResult<BTreeMap<i32, Partition>> {
    let metadata = consumer.fetch_metadata(Some(&lane.topic), left(end))?;
    let mut asked = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        asked.add_partition(&lane.topic, partition.id());
    }
    let committed = positions(consumer, &asked, end)?;
    let mut found = BTreeMap::new();
    for element in committed.elements() {
        let (low, high) = consumer.fetch_watermarks(&lane.topic, element.partition(), left(end))?;
        let committed = match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let partition = Partition { low, high, committed, note: element.metadata().to_owned() };
        found.insert(element.partition(), partition);
    }
    Ok(found)
}

/// What the partitions are together.
fn sum<'p>(partitions: impl IntoIterator<Item = &'p Partition>) -> Lag {
    partitions.into_iter().fold(Lag::default(), |lag, partition| Lag {
        written: lag.written + partition.high.unsigned_abs(),
        waiting: lag.waiting + partition.high.abs_diff(partition.position()),
        read: lag.read + partition.head().abs_diff(partition.position()),
        known: lag.known || partition.committed.is_some(),
        ..lag
    })
}

/// When the first record was written that the group is not done with. Of those that do not come in time nothing is said.
fn oldest(
    consumer: &BaseConsumer<Listener>,
    topic: &str,
    partitions: &BTreeMap<i32, Partition>,
    end: Instant,
) -> KafkaResult<Option<DateTime<Utc>>> {
    let lagging = partitions.iter().filter(|(_, partition)| partition.position() < partition.high);
    let mut wanted = BTreeMap::new();
    let mut list = TopicPartitionList::new();
    for (id, partition) in lagging.take(MAX_FETCHED) {
        list.add_partition_offset(topic, *id, Offset::Offset(partition.position()))?;
        wanted.insert(*id, ());
    }
    consumer.assign(&list)?;
    let end = end.min(Instant::now() + FETCHED_WITHIN);
    let mut oldest: Option<i64> = None;
    while !wanted.is_empty() {
        let Some(left) = end.checked_duration_since(Instant::now()) else { break };
        if let Some(Ok(record)) = consumer.poll(left)
            && wanted.remove(&record.partition()).is_some()
        {
            let time = record.timestamp().to_millis();
            oldest = [oldest, time].into_iter().flatten().min();
        }
    }
    consumer.unassign()?;
    Ok(oldest.and_then(DateTime::from_timestamp_millis))
}

fn members(consumer: &BaseConsumer<Listener>, group: &str, left: Duration) -> Option<usize> {
    let list = consumer.fetch_group_list(Some(group), left).ok()?;
    let found = list.groups().iter().find(|found| found.name() == group)?;
    // A group of the newer protocol, which this question knows nothing of, is called dead too.
    (found.state() != "Dead").then(|| found.members().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(low: i64, high: i64, committed: Option<i64>, note: &str) -> Partition {
        Partition { low, high, committed, note: note.to_owned() }
    }

    #[test]
    fn what_waits_is_what_the_group_is_not_done_with() {
        let idle = partition(3, 10, Some(10), "");
        let behind = partition(3, 10, Some(5), "event-ingest/1 head=8 topic=x");
        assert_eq!(sum([&idle]), Lag { written: 10, known: true, ..Lag::default() });
        assert_eq!(
            sum([&idle, &behind]),
            Lag { written: 20, waiting: 5, read: 3, known: true, ..Lag::default() }
        );
    }

    #[test]
    fn positions_out_of_range_count_as_the_nearest_that_there_is() {
        let new = partition(3, 10, None, "");
        assert_eq!(sum([&new]), Lag { written: 10, waiting: 7, ..Lag::default() });
        let overtaken = partition(3, 10, Some(1), "event-ingest/1 head=2");
        assert_eq!((sum([&overtaken]).waiting, sum([&overtaken]).read), (7, 0));
        let beyond = partition(3, 10, Some(12), "event-ingest/1 head=20");
        assert_eq!((sum([&beyond]).waiting, sum([&beyond]).read), (0, 0));
    }
}
