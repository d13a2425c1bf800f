//! A producer that stays connected, for load.

use std::time::Duration;

use rdkafka::producer::{FutureProducer, FutureRecord};

use super::Kafka;

/// A producer for one topic, which knows where each of its records lies.
pub struct Feed {
    producer: FutureProducer,
    topic: String,
}

impl Kafka {
    /// A producer for a topic. It notices new partitions within a second, and waits for a broker that is away.
    pub fn feed(&self, topic: &str) -> Feed {
        let mut config = self.config();
        config.set("enable.idempotence", "true").set("topic.metadata.refresh.interval.ms", "500");
        // A record of its own for each message, so that the partitions change by turns.
        config.set("linger.ms", "0").set("sticky.partitioning.linger.ms", "0");
        Feed { producer: config.create().expect("a plain producer is valid"), topic: topic.to_owned() }
    }
}

impl Feed {
    /// Sends a record to any partition, waits until the broker has it, and gives its partition and offset.
    pub async fn send(&self, value: &[u8]) -> (i32, i64) {
        let record = FutureRecord::<(), _>::to(&self.topic).payload(value);
        let sent = self.producer.send(record, Duration::ZERO).await;
        let delivery = sent.unwrap_or_else(|(error, _)| panic!("not accepted by {}: {error}", self.topic));
        (delivery.partition, delivery.offset)
    }
}
