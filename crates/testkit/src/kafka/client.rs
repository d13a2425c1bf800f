//! What tests do with Kafka: topics, records in, records out, committed offsets.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer, StreamConsumer},
    message::{Header, Headers, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use tokio::time::{Instant, timeout_at};

use super::Kafka;
use crate::eventually;

/// How long any single request to the broker may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// A record to produce.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Where it goes; the broker's client chooses by the key if none.
    pub partition: Option<i32>,
    /// The record's key.
    pub key: Option<String>,
    /// The record's headers.
    pub headers: Vec<(String, String)>,
    /// The record's value.
    pub value: Vec<u8>,
}

/// A record that was consumed.
#[derive(Debug, Clone)]
pub struct Received {
    /// Where it lay.
    pub partition: i32,
    /// At which position.
    pub offset: i64,
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The record's headers; such without a value are left out.
    pub headers: Vec<(String, String)>,
    /// The record's value; empty if it has none.
    pub value: Vec<u8>,
}

impl Received {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

impl Kafka {
    /// Creates a topic with a unique name that begins with `name`, and gives that.
    pub async fn topic(&self, name: &str, partitions: i32) -> String {
        let name = Self::unique(name);
        self.create_topic(&name, partitions).await;
        name
    }

    /// Creates a topic of one partition with settings of its own, under a unique name.
    pub async fn topic_with(&self, name: &str, settings: &[(&str, &str)]) -> String {
        let name = Self::unique(name);
        self.create_topic_with(&name, 1, settings).await;
        name
    }

    /// Creates a topic of exactly this name.
    pub async fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topic_with(name, partitions, &[]).await;
    }

    async fn create_topic_with(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("a plain client is valid");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let options =
            AdminOptions::new().operation_timeout(Some(ANSWERS_WITHIN)).request_timeout(Some(ANSWERS_WITHIN));
        let results = admin.create_topics([&topic], &options).await.expect("the broker answers");
        for result in results {
            result.unwrap_or_else(|(topic, error)| panic!("topic {topic} cannot be created: {error}"));
        }
    }

    /// Produces records in order and waits until the broker has all of them.
    pub async fn produce(&self, topic: &str, records: impl IntoIterator<Item = Record>) {
        let producer: FutureProducer =
            self.config().set("enable.idempotence", "true").create().expect("a plain producer is valid");
        let mut sent = Vec::new();
        for record in records {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            let mut message = FutureRecord::<String, [u8]>::to(topic).payload(&record.value).headers(headers);
            message.partition = record.partition;
            message.key = record.key.as_ref();
            sent.push(
                producer.send_result(message).expect("the producer's queue has room for a test's records"),
            );
        }
        for delivery in sent {
            let acknowledged = delivery.await.expect("the producer lives until all is sent");
            acknowledged
                .unwrap_or_else(|(error, _)| panic!("a record for {topic} was not accepted: {error}"));
        }
    }

    /// Produces one record without key and headers.
    pub async fn send(&self, topic: &str, value: impl Into<Vec<u8>>) {
        self.produce(topic, [Record { value: value.into(), ..Record::default() }]).await;
    }

    /// Reads a topic from its beginning until `enough` of the records so far; panics if they are not by the deadline.
    pub async fn consume_until(
        &self,
        topic: &str,
        deadline: Duration,
        mut enough: impl FnMut(&[Received]) -> bool,
    ) -> Vec<Received> {
        let end = Instant::now() + deadline;
        let consumer: StreamConsumer = self
            .config()
            .set("group.id", Self::unique("reader"))
            .set("enable.auto.commit", "false")
            .create()
            .expect("a plain consumer is valid");
        consumer
            .assign(&self.partitions(topic, Offset::Beginning).await)
            .expect("existing partitions can be assigned");
        let mut records = Vec::new();
        while !enough(&records) {
            let Ok(message) = timeout_at(end, consumer.recv()).await else {
                panic!("{topic}: not enough within {deadline:?}: {records:#?}");
            };
            let message = message.unwrap_or_else(|error| panic!("{topic} cannot be read: {error}"));
            records.push(received(&message));
        }
        records
    }

    /// All records that a topic holds now.
    pub async fn records(&self, topic: &str) -> Vec<Received> {
        let end = self.end_offsets(topic).await;
        let held: i64 = end.iter().map(|(first, last)| last - first).sum();
        let held = usize::try_from(held).expect("a topic ends after its beginning");
        self.consume_until(topic, ANSWERS_WITHIN, |records| records.len() >= held).await
    }

    /// What a group has committed for a topic, by partition.
    pub async fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let partitions = self.partitions(topic, Offset::Invalid).await;
        let consumer: BaseConsumer =
            self.config().set("group.id", group).create().expect("a plain consumer is valid");
        blocking(move || {
            let committed =
                consumer.committed_offsets(partitions, ANSWERS_WITHIN).expect("the broker answers");
            committed
                .elements()
                .iter()
                .map(|element| element.offset().to_raw().filter(|raw| *raw >= 0))
                .collect()
        })
        .await
    }

    /// First and next offset of each partition.
    pub async fn end_offsets(&self, topic: &str) -> Vec<(i64, i64)> {
        let partitions = self.partitions(topic, Offset::Invalid).await;
        let consumer: BaseConsumer = self.config().create().expect("a plain consumer is valid");
        blocking(move || {
            partitions
                .elements()
                .iter()
                .map(|element| {
                    consumer
                        .fetch_watermarks(element.topic(), element.partition(), ANSWERS_WITHIN)
                        .expect("the broker answers")
                })
                .collect()
        })
        .await
    }

    async fn partitions(&self, topic: &str, offset: Offset) -> TopicPartitionList {
        let consumer: BaseConsumer = self.config().create().expect("a plain consumer is valid");
        let topic = topic.to_owned();
        blocking(move || {
            let metadata = consumer.fetch_metadata(Some(&topic), ANSWERS_WITHIN).expect("the broker answers");
            let partitions = metadata.topics()[0].partitions();
            assert!(!partitions.is_empty(), "there is no topic {topic}");
            let mut list = TopicPartitionList::new();
            for partition in partitions {
                list.add_partition_offset(&topic, partition.id(), offset)
                    .expect("any partition can be listed");
            }
            list
        })
        .await
    }

    pub(super) fn config(&self) -> ClientConfig {
        config(&self.bootstrap)
    }
}

/// Waits until a broker gives its metadata: its port may be open before it serves.
pub(super) async fn await_metadata(bootstrap: &str) {
    let what = format!("Kafka at {bootstrap} answers");
    eventually(&what, ANSWERS_WITHIN, async || {
        let consumer: BaseConsumer = config(bootstrap).create().expect("a plain consumer is valid");
        blocking(move || consumer.fetch_metadata(None, Duration::from_secs(5)).ok())
            .await
            .filter(|metadata| !metadata.brokers().is_empty())
            .map(|_| ())
    })
    .await;
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

fn received(message: &impl Message) -> Received {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        let valued = headers.iter().filter_map(|header| Some((header.key, header.value?)));
        valued.map(|(key, value)| (key.to_owned(), String::from_utf8_lossy(value).into_owned())).collect()
    });
    Received {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        headers,
        value: message.payload().unwrap_or_default().to_vec(),
    }
}

/// librdkafka's own calls block; tests do not.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(call).await.expect("the call does not panic, or the test has failed")
}
