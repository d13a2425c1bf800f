//! Topics that get more partitions.

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;

use super::Kafka;

impl Kafka {
    /// Lets a topic grow to so many partitions.
    pub async fn grow_topic(&self, name: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("a plain client is valid");
        let grown = NewPartitions::new(name, partitions);
        let results = admin.create_partitions([&grown], &AdminOptions::new()).await;
        for result in results.expect("the broker answers") {
            result.unwrap_or_else(|(topic, error)| panic!("topic {topic} cannot grow: {error}"));
        }
    }
}
