//! Whether the brokers let us in and have the topics: what a service's readiness says.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The part of the time allowed that the brokers get: whoever asks must not give up before the answer is written.
const SHARE: f64 = 0.8;

/// What librdkafka last said stood between a client and the brokers. A call that ran out of time cannot tell a wrong
/// password from a broker that is down; librdkafka's error callback can.
#[derive(Debug, Clone, Default)]
pub struct LastFailure(Arc<Mutex<Option<String>>>);

impl LastFailure {
    /// To be called by a client's error callback.
    pub fn record(&self, error: &KafkaError, reason: &str) {
        // This one only follows the failures that say why.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.last() = Some(reason.to_owned());
        }
    }

    /// Why a call ended in `error`, for people.
    #[must_use]
    pub fn explain(&self, error: &KafkaError) -> String {
        match &*self.last() {
            Some(reason) => format!("Kafka brokers cannot be used: {reason}"),
            // Who speaks the wrong protocol is just hung up on.
            None => format!("Kafka brokers do not answer, or want another security.protocol: {error}"),
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// Asks the brokers for each of these topics, and blocks meanwhile, for less than `timeout`.
///
/// # Errors
/// What is missing, and as far as it is known, why: for people.
pub fn check_topics<'t, C: ClientContext>(
    client: &Client<C>,
    topics: impl IntoIterator<Item = &'t str>,
    timeout: Duration,
    failure: &LastFailure,
) -> Result<(), String> {
    let deadline = Instant::now() + timeout.mul_f64(SHARE);
    for topic in topics {
        let left = deadline.saturating_duration_since(Instant::now());
        let metadata = client.fetch_metadata(Some(topic), left).map_err(|error| failure.explain(&error))?;
        let found = metadata.topics().first();
        let error = found.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from);
        let there = found.is_some_and(|topic| !topic.partitions().is_empty());
        match error {
            None if there => {}
            None | Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                return Err(format!("Kafka topic {topic} does not exist"));
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                return Err(format!("Kafka topic {topic} may not be used: this user has no rights on it"));
            }
            Some(error) => return Err(format!("Kafka topic {topic} cannot be used: {error}")),
        }
    }
    *failure.last() = None;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_why_outlasts_what_only_follows() {
        let failure = LastFailure::default();
        failure.record(&KafkaError::Global(RDKafkaErrorCode::Authentication), "wrong password");
        failure.record(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(failure.last().as_deref(), Some("wrong password"));
    }
}
