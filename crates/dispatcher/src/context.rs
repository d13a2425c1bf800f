//! What librdkafka tells the consumer: partitions that come and go, commits, statistics, its own log.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use ingest_core::batching::Partition;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Offset, Statistics, TopicPartitionList};
use service_kit::kafka::client_log;

use crate::engine::Engine;
use crate::metrics::DispatcherMetrics;
use crate::positions::{self, Cause};
use crate::whereabouts;

/// The part of librdkafka's log that tells of positions which it had to reset.
const OFFSET_FACILITY: &str = "OFFSET";

/// The part that tells of the ids of topics. [`Config::consumer`](crate::config::Config) turns it on.
const METADATA_FACILITY: &str = "METADATA";

/// The consumer's context. Its callbacks come from within `poll`, on the thread that polls.
pub(crate) struct Context {
    engine: Mutex<Engine>,
    pub topic: String,
    revoke_timeout: Duration,
    pub metrics: DispatcherMetrics,
}

impl Context {
    pub fn new(engine: Engine, topic: &str, revoke_timeout: Duration, metrics: DispatcherMetrics) -> Self {
        Self { engine: Mutex::new(engine), topic: topic.to_owned(), revoke_timeout, metrics }
    }

    pub fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().expect("no holder of this lock panics")
    }

    /// Commits the positions that have moved. What fails is tried again by the next commit.
    pub fn commit(&self, consumer: &BaseConsumer<Self>, mode: CommitMode) {
        let mut positions = self.engine().commits();
        if positions.iter().any(|position| !self.engine().source_topic.is_known(position.partition)) {
            // Of which topic they are would be told wrongly. They are named again.
            positions.retain(|position| self.engine().source_topic.is_known(position.partition));
            self.engine().commit_failed();
        }
        if positions.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::with_capacity(positions.len());
        let listed = positions.iter().try_for_each(|position| {
            let note = self.engine().source_topic.note(*position).text();
            let mut listed = list.add_partition(&self.topic, position.partition);
            listed.set_metadata(note);
            listed.set_offset(Offset::Offset(position.offset))
        });
        if let Err(error) = listed.and_then(|()| consumer.commit(&list, mode)) {
            self.commit_failed(&error);
        }
    }

    /// Forgets all partitions, so that leaving the group waits for nothing.
    pub fn give_up(&self, consumer: &BaseConsumer<Self>) -> Vec<Partition> {
        let partitions = consumer.assignment().map(|list| partitions(&list)).unwrap_or_default();
        self.lost(&partitions);
        partitions
    }

    fn lost(&self, partitions: &[Partition]) {
        self.engine().lost(partitions);
        self.metrics.lag.gone(partitions);
    }

    fn commit_failed(&self, error: &dyn Display) {
        self.metrics.commit_failures.inc();
        tracing::warn!(%error, topic = self.topic, "positions not committed");
        self.engine().commit_failed();
    }

    /// Lets what is ready get out, and commits it, before the partitions' next owner begins.
    fn revoke(&self, consumer: &BaseConsumer<Self>, partitions: &[Partition]) {
        match self.engine().revoked(partitions, self.revoke_timeout) {
            Ok(true) => {}
            Ok(false) => tracing::warn!(
                ?partitions,
                timeout = ?self.revoke_timeout,
                "requests in flight at the deadline: their records will be requested again"
            ),
            Err(error) => tracing::error!(%error, ?partitions, "records in flight will be requested again"),
        }
        self.commit(consumer, CommitMode::Sync);
        self.lost(partitions);
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<Partition> {
    list.elements().iter().map(|element| element.partition()).collect()
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == OFFSET_FACILITY && level as i32 <= RDKafkaLogLevel::Warning as i32 {
            match positions::reset_in(message, &self.topic) {
                Some((partition, position)) => self.engine().source_topic.was_reset(partition, position),
                None => self.metrics.reset(Cause::Unclear, &[]),
            }
        }
        if facility == METADATA_FACILITY
            && let Some(id) = positions::topic_id_in(message, &self.topic)
        {
            self.engine().source_identified(id);
        }
        if facility == client_log::COMMIT_FACILITY {
            self.commit_failed(&message);
            return;
        }
        client_log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The same comes out of `poll`, and is counted there.
        tracing::debug!(%error, reason, "kafka consumer");
    }

    fn stats(&self, statistics: Statistics) {
        self.metrics.lag.told(&statistics, &self.topic);
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            // librdkafka remembers a pause beyond the assignment: a partition that comes back would never be read.
            if let Err(error) = consumer.resume(list) {
                tracing::warn!(%error, partitions = ?partitions(list), "partitions that go are not resumed");
            }
        }
        match rebalance {
            Rebalance::Assign(list) => {
                let partitions = partitions(list);
                tracing::info!(?partitions, topic = self.topic, "partitions assigned");
                self.engine().assigned(&partitions);
                self.metrics.lag.assigned(&partitions);
                whereabouts::look(self, consumer, list);
            }
            Rebalance::Revoke(list) if consumer.assignment_lost() => {
                let partitions = partitions(list);
                tracing::warn!(
                    ?partitions,
                    topic = self.topic,
                    "partitions lost: their records will be requested again"
                );
                self.lost(&partitions);
            }
            Rebalance::Revoke(list) => {
                let partitions = partitions(list);
                tracing::info!(?partitions, topic = self.topic, "partitions revoked");
                self.revoke(consumer, &partitions);
            }
            Rebalance::Error(error) => {
                let partitions = self.give_up(consumer);
                tracing::error!(%error, ?partitions, topic = self.topic, "rebalance failed: all partitions are given up");
            }
        }
    }

    /// New partitions are read, unless told otherwise: while the others are paused, these are to be as well, so that all
    /// can be resumed together.
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(list) = rebalance else { return };
        if list.count() > 0 && self.engine().paused {
            let paused = consumer.pause(list);
            if let Err(error) = paused {
                tracing::warn!(%error, partitions = ?partitions(list), "new partitions are not paused");
            }
        }
    }
}
