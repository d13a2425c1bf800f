//! What a test does to topics that exist.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::Kafka;

/// How long any single request to the broker may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

impl Kafka {
    /// Deletes a topic.
    pub async fn delete_topic(&self, topic: &str) {
        let results = self.admin().delete_topics(&[topic], &options()).await.expect("the broker answers");
        for result in results {
            result.unwrap_or_else(|(topic, error)| panic!("topic {topic} cannot be deleted: {error}"));
        }
    }

    /// Lets a topic grow to so many partitions.
    pub async fn grow_topic(&self, name: &str, partitions: usize) {
        let grown = NewPartitions::new(name, partitions);
        let results = self.admin().create_partitions([&grown], &options()).await;
        for result in results.expect("the broker answers") {
            result.unwrap_or_else(|(topic, error)| panic!("topic {topic} cannot grow: {error}"));
        }
    }

    /// Deletes the records of a partition before an offset, as retention does.
    pub async fn delete_records_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))
            .expect("any offset can be listed");
        let deleted = self.admin().delete_records(&list, &options()).await.expect("the broker answers");
        for element in deleted.elements() {
            element.error().unwrap_or_else(|error| panic!("{topic}: records cannot be deleted: {error}"));
        }
    }

    /// Whether there is a topic of this name.
    pub async fn has_topic(&self, topic: &str) -> bool {
        let (admin, topic) = (self.admin(), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || {
            let metadata =
                admin.inner().fetch_metadata(Some(&topic), ANSWERS_WITHIN).expect("the broker answers");
            metadata.topics().iter().any(|found| found.name() == topic && found.error().is_none())
        });
        asked.await.expect("the call does not panic, or the test has failed")
    }

    /// What a group has noted beside its positions, by partition.
    pub async fn notes(&self, group: &str, topic: &str) -> Vec<String> {
        let mut config = self.config();
        let consumer: BaseConsumer =
            config.set("group.id", group).create().expect("a plain consumer is valid");
        let topic = topic.to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            let metadata = consumer.fetch_metadata(Some(&topic), ANSWERS_WITHIN).expect("the broker answers");
            let mut list = TopicPartitionList::new();
            for partition in metadata.topics()[0].partitions() {
                list.add_partition(&topic, partition.id());
            }
            let committed = consumer.committed_offsets(list, ANSWERS_WITHIN).expect("the broker answers");
            committed.elements().iter().map(|element| element.metadata().to_owned()).collect()
        });
        asked.await.expect("the call does not panic, or the test has failed")
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("a plain client is valid")
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(ANSWERS_WITHIN)).request_timeout(Some(ANSWERS_WITHIN))
}
