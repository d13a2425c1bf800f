//! The loop of the one thread that does the work.

use std::time::{Duration, Instant};

use ingest_core::batching::BatchingError;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use service_kit::kafka::PropertyError;
use service_kit::rules::LiveRules;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::context::Context;
use crate::engine::Engine;
use crate::metrics::DispatcherMetrics;
use crate::sender::Sender;
use crate::whereabouts;

/// How often positions are looked after and committed, and gauges set.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// How long there may be no room for records before partitions are paused. Pausing drops what was fetched, so a short
/// wait costs less; until then the consumer is not polled.
const PAUSE_AFTER: Duration = Duration::from_secs(1);

/// Records that are taken in before anything else is looked after: a fraction of a millisecond.
const RECORDS_AT_ONCE: usize = 128;

/// The dispatcher cannot begin or cannot go on. The process has to be started anew; nothing is lost by that.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// A Kafka property is wrong. No retry helps.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The numbers of the batching machine do not fit together. No retry helps.
    #[error("batching: {0}")]
    Batching(#[from] BatchingError),
    /// librdkafka refused the configuration, or the consumer gave up for good.
    #[error("Kafka topic {topic}, group {group}: {source}")]
    Consumer {
        /// The source topic.
        topic: String,
        /// The consumer group.
        group: String,
        /// librdkafka's error.
        source: Box<KafkaError>,
    },
    /// The idempotent producer cannot go on without risking order or repetition.
    #[error("the Kafka producer gave up, {code}: {reason}")]
    Producer {
        /// librdkafka's code.
        code: RDKafkaErrorCode,
        /// librdkafka's words.
        reason: String,
    },
}

/// A dispatcher that is about to run.
pub(crate) struct Dispatcher {
    config: Config,
    consumer: BaseConsumer<Context>,
    metrics: DispatcherMetrics,
}

impl Dispatcher {
    /// Makes the consumer and subscribes. Does not wait for the brokers.
    pub fn new(
        config: Config,
        rules: LiveRules,
        sender: Sender,
        metrics: DispatcherMetrics,
    ) -> Result<Self, DispatchError> {
        let engine = Engine::new(&config, rules, sender, metrics.clone())?;
        let source = &config.topics.source;
        let context = Context::new(engine, source, config.revoke_timeout, metrics.clone());
        let failed = |error| consumer_error(&config, error);
        let consumer: BaseConsumer<Context> =
            config.consumer()?.create_with_context(context).map_err(failed)?;
        consumer.subscribe(&[source]).map_err(failed)?;
        Ok(Self { config, consumer, metrics })
    }

    /// Runs until told to stop. Open batches then get out within the deadline, their positions are committed, and the
    /// group is left; what cannot be delivered by then stays uncommitted.
    pub fn run(self, stop: &CancellationToken) -> Result<(), DispatchError> {
        let context = self.consumer.context();
        let ended = self.dispatch(stop).and_then(|()| self.drain());
        context.commit(&self.consumer, CommitMode::Sync);
        context.give_up(&self.consumer);
        context.engine().observe();
        ended
    }

    fn dispatch(&self, stop: &CancellationToken) -> Result<(), DispatchError> {
        let context = self.consumer.context();
        let mut committed = Instant::now();
        while !stop.is_cancelled() {
            context.engine().step()?;
            if committed.elapsed() >= COMMIT_INTERVAL {
                whereabouts::look_again(context, &self.consumer);
                whereabouts::look_into_resets(context, &self.consumer);
                whereabouts::go_back(context, &self.consumer);
                context.commit(&self.consumer, CommitMode::Async);
                context.engine().observe();
                committed = Instant::now();
            }
            self.pace()?;
            let patience = context.engine().patience();
            self.take_in(patience)?;
        }
        Ok(())
    }

    /// Takes in what is there, after waiting for it. All of it is of one moment: to read the clocks, and to look for what
    /// else is due, costs as much as a record does.
    fn take_in(&self, patience: Duration) -> Result<(), DispatchError> {
        let context = self.consumer.context();
        let (mut wait, mut moment) = (patience, None);
        for _ in 0..RECORDS_AT_ONCE {
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let mut engine = context.engine();
                    let now = *moment.get_or_insert_with(|| engine.now());
                    if !engine.take_in(&message, now) {
                        break;
                    }
                }
                Some(Err(error)) => self.survive(error)?,
                None => break,
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    fn drain(&self) -> Result<(), DispatchError> {
        let timeout = self.config.shutdown_timeout;
        if !self.consumer.context().engine().drain(timeout)? {
            tracing::warn!(
                ?timeout,
                "requests in flight at the deadline: their records will be requested again"
            );
        }
        Ok(())
    }

    /// Pauses or resumes all partitions as the machine wants it. The consumer goes on being polled, or it would be
    /// thrown out of its group.
    fn pace(&self) -> Result<(), DispatchError> {
        let mut engine = self.consumer.context().engine();
        if !engine.paused {
            engine.wait_for_room(PAUSE_AFTER)?;
        }
        if engine.paused != engine.accepting() {
            return Ok(());
        }
        let pause = !engine.paused;
        let assignment = self.consumer.assignment();
        let done = assignment.and_then(|list| match pause {
            true => self.consumer.pause(&list),
            false => self.consumer.resume(&list),
        });
        match done {
            Ok(()) => engine.paused = pause,
            Err(error) => tracing::warn!(%error, pause, "partitions neither paused nor resumed"),
        }
        Ok(())
    }

    /// librdkafka mends what it can by itself; what remains is an end.
    fn survive(&self, error: KafkaError) -> Result<(), DispatchError> {
        use RDKafkaErrorCode::{
            AutoOffsetReset, TopicAuthorizationFailed, UnknownPartition, UnknownTopic,
            UnknownTopicOrPartition,
        };
        match error {
            KafkaError::PartitionEOF(_) => return Ok(()),
            // The latter only with auto.offset.reset=error: the position is gone, and the user wants to be told.
            KafkaError::MessageConsumptionFatal(_) | KafkaError::MessageConsumption(AutoOffsetReset) => {
                return Err(consumer_error(&self.config, error));
            }
            KafkaError::MessageConsumption(
                UnknownTopicOrPartition | UnknownTopic | UnknownPartition | TopicAuthorizationFailed,
            ) => {
                let topic = &self.config.topics.source;
                self.consumer.context().engine().source_gone();
                tracing::error!(%error, topic, "source topic is missing or may not be read: nothing is dispatched");
            }
            error => tracing::warn!(%error, "kafka consumer"),
        }
        self.metrics.consumer_errors.inc();
        Ok(())
    }
}

fn consumer_error(config: &Config, source: KafkaError) -> DispatchError {
    let (topic, group) = (config.topics.source.clone(), config.group.clone());
    DispatchError::Consumer { topic, group, source: Box::new(source) }
}
