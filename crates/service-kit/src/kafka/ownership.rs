//! Which partitions are ours: the consumer's callbacks on one side, the work in flight on the other.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Statistics, TopicPartitionList};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::client_log;
use super::offsets::{OffsetTracker, Ticket};
use super::reach::LastFailure;
use crate::intake::IntakeMetrics;

/// A record's ticket, and a token that is cancelled when further attempts on it are no longer ours to make.
pub(crate) struct Taken {
    pub ticket: Ticket,
    pub given_up: CancellationToken,
}

#[derive(Default)]
struct State {
    tracker: OffsetTracker,
    owned: BTreeMap<i32, CancellationToken>,
}

/// The consumer's context: it learns of partitions that come and go from librdkafka's callbacks.
pub(crate) struct Ownership {
    state: Mutex<State>,
    topic: String,
    stop: CancellationToken,
    metrics: IntakeMetrics,
    pub failure: LastFailure,
    /// A commit was refused: what it was to say is still to be said.
    pub commit_refused: Notify,
}

impl Ownership {
    pub fn new(topic: &str, stop: CancellationToken, metrics: IntakeMetrics) -> Self {
        Self {
            state: Mutex::default(),
            topic: topic.to_owned(),
            stop,
            metrics,
            failure: LastFailure::default(),
            commit_refused: Notify::new(),
        }
    }

    pub fn take(&self, partition: i32, offset: i64) -> Option<Taken> {
        let mut state = self.state();
        let ticket = state.tracker.take(partition, offset)?;
        Some(Taken { ticket, given_up: state.owned.get(&partition)?.clone() })
    }

    pub fn finish(&self, ticket: Ticket) -> Option<i64> {
        self.state().tracker.finish(ticket)
    }

    pub fn positions(&self) -> BTreeMap<i32, i64> {
        self.state().tracker.positions()
    }

    fn assign(&self, partitions: &[i32]) {
        let mut state = self.state();
        for &partition in partitions {
            state.tracker.assign(partition);
            if let Some(earlier) = state.owned.insert(partition, self.stop.child_token()) {
                earlier.cancel();
            }
        }
        self.metrics.kafka_lag.assigned(partitions);
    }

    fn revoke(&self, partitions: &[i32]) {
        let mut state = self.state();
        for partition in partitions {
            state.tracker.revoke(*partition);
            if let Some(token) = state.owned.remove(partition) {
                token.cancel();
            }
        }
        self.metrics.kafka_lag.gone(partitions);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl ClientContext for Ownership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == client_log::COMMIT_FACILITY {
            self.metrics.kafka_commit_failures.inc();
            tracing::warn!(detail = message, "offsets not committed");
            self.commit_refused.notify_one();
            return;
        }
        client_log::log(level, facility, message);
    }

    /// The same comes out of the consumer, and is logged there.
    fn error(&self, error: KafkaError, reason: &str) {
        self.failure.record(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.metrics.kafka_lag.told(&statistics, &self.topic);
    }
}

impl ConsumerContext for Ownership {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let partitions = |list: &TopicPartitionList| -> Vec<i32> {
            list.elements().iter().map(|element| element.partition()).collect()
        };
        match rebalance {
            Rebalance::Assign(list) => {
                tracing::info!(partitions = ?partitions(list), "partitions assigned");
                self.assign(&partitions(list));
            }
            Rebalance::Revoke(list) => {
                tracing::info!(partitions = ?partitions(list), "partitions revoked");
                // librdkafka remembers a pause beyond the assignment: a partition that comes back would never be read.
                if let Err(error) = consumer.resume(list) {
                    tracing::warn!(%error, partitions = ?partitions(list), "partitions that go are not resumed");
                }
                self.revoke(&partitions(list));
            }
            Rebalance::Error(error) => {
                tracing::error!(%error, "rebalance failed: all partitions are given up");
                let all: Vec<i32> = self.state().owned.keys().copied().collect();
                self.revoke(&all);
            }
        }
    }
}
