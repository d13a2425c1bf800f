//! What tests do to topics.

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaResult;

use super::Kafka;
use super::client::ANSWERS_WITHIN;

impl Kafka {
    /// Creates a topic with a unique name that begins with `name`, and gives that.
    pub async fn topic(&self, name: &str, partitions: i32) -> String {
        let name = Self::unique(name);
        self.create_topic(&name, partitions).await;
        name
    }

    /// Creates a topic of exactly this name.
    pub async fn create_topic(&self, name: &str, partitions: i32) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        done("created", self.admin().create_topics([&topic], &options()).await);
    }

    /// Deletes a topic with all that it holds. The broker also forgets what groups have committed for it.
    pub async fn delete_topic(&self, name: &str) {
        done("deleted", self.admin().delete_topics(&[name], &options()).await);
    }

    /// Lets a topic grow to so many partitions.
    pub async fn grow_topic(&self, name: &str, partitions: usize) {
        let grown = NewPartitions::new(name, partitions);
        done("given more partitions", self.admin().create_partitions([&grown], &options()).await);
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("a plain client is valid")
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(ANSWERS_WITHIN)).request_timeout(Some(ANSWERS_WITHIN))
}

fn done(what: &str, results: KafkaResult<Vec<TopicResult>>) {
    for result in results.expect("the broker answers") {
        result.unwrap_or_else(|(topic, error)| panic!("topic {topic} cannot be {what}: {error}"));
    }
}
