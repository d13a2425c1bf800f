//! Whether the topics are there: the readiness of this service.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::producer::{Producer, ThreadedProducer};

use service_kit::admin::Readiness;

use crate::config::Topics;
use crate::sender::Reporter;

/// Asks the brokers for the topics.
#[derive(Clone)]
pub(crate) struct Probe {
    pub producer: ThreadedProducer<Reporter>,
    pub topics: Topics,
    pub timeout: Duration,
}

impl Probe {
    /// The check behind `/readyz`.
    pub fn readiness(self) -> Readiness {
        Arc::new(move || Box::pin(self.clone().check()))
    }

    /// An error says what is missing.
    async fn check(self) -> Result<(), String> {
        let asked = tokio::task::spawn_blocking(move || {
            self.topics.all().into_iter().try_for_each(|topic| self.topic(topic))
        });
        asked.await.unwrap_or_else(|error| Err(format!("Kafka was not asked: {error}")))
    }

    fn topic(&self, topic: &str) -> Result<(), String> {
        let metadata = self.producer.client().fetch_metadata(Some(topic), self.timeout);
        let metadata = metadata.map_err(|error| format!("Kafka brokers do not answer: {error}"))?;
        match metadata.topics().first() {
            Some(found) if found.error().is_none() && !found.partitions().is_empty() => Ok(()),
            _ => Err(format!("Kafka topic {topic} does not exist or may not be used")),
        }
    }
}
