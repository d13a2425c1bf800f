//! Whether the topics are there: the readiness of this service.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::producer::{Producer, ThreadedProducer};

use service_kit::admin::Readiness;
use service_kit::kafka::check_topics;

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
            let client = self.producer.client();
            let topics = self.topics.all().into_iter();
            check_topics(client, topics, self.timeout, &client.context().failure)
        });
        asked.await.unwrap_or_else(|error| Err(format!("Kafka was not asked: {error}")))
    }
}
