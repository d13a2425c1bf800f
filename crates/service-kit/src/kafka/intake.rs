//! Consumes a topic and hands each record to the handler. A record's offset may be committed once its work is durably
//! done, or its dead letter acknowledged; until then it is tried again as long as its partition is ours.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::FutureProducer;
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::attempt::{Attempts, Outputs};
use super::backoff::BackoffLimits;
use super::lag::LAG_STATISTICS;
use super::offsets::Ticket;
use super::ownership::{Ownership, Taken};
use super::properties::{ClientProperties, PropertyError};
use super::reach::check_topics;
use crate::intake::{Handler, IntakeMetrics};

/// How long the intake may be at its bound before it pauses its partitions. Far below `max.poll.interval.ms`.
const PAUSE_AFTER: Duration = Duration::from_secs(2);

/// How long after a refused commit the positions are committed again: a rebalance is over by then.
const COMMIT_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What the consumer gets beside the defaults of all unless the user says otherwise.
pub const INTAKE_DEFAULTS: &[(&str, &str)] = &[LAG_STATISTICS];

/// What to consume, where answers and dead letters go, and the bounds.
#[derive(Debug, Clone)]
pub struct KafkaIntakeConfig {
    /// The topic that is consumed.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Where answers go, if anywhere.
    pub results_topic: Option<String>,
    /// Where records go that cannot be handled.
    pub dead_letter_topic: String,
    /// Records worked on at once.
    pub concurrency: usize,
    /// Delays between attempts on one record.
    pub backoff: BackoffLimits,
    /// How long records in flight may take to finish at shutdown.
    pub drain: Duration,
}

/// The intake cannot begin or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum KafkaIntakeError {
    /// A property is wrong. No retry helps.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// librdkafka refused the configuration or gave up for good. The process has to be started anew.
    #[error("Kafka topic {topic}, group {group}: {source}")]
    Kafka {
        /// The topic consumed.
        topic: String,
        /// The consumer group.
        group: String,
        /// librdkafka's error.
        source: Box<KafkaError>,
    },
    /// The idempotent producer cannot go on without risking order or repetition. The process has to be started anew; what
    /// was in flight is delivered again.
    #[error("the Kafka producer gave up, {code}: {reason}")]
    Producer {
        /// librdkafka's code.
        code: RDKafkaErrorCode,
        /// librdkafka's words.
        reason: String,
    },
}

/// A consumer that is about to run.
pub struct KafkaIntake {
    config: KafkaIntakeConfig,
    consumer: Arc<StreamConsumer<Ownership>>,
    attempts: Arc<Attempts>,
    metrics: IntakeMetrics,
    stop: CancellationToken,
}

impl KafkaIntake {
    /// Makes the clients and subscribes. Does not wait for the brokers: see [`Self::probe`].
    pub fn new(
        config: KafkaIntakeConfig,
        properties: &ClientProperties,
        handler: Arc<dyn Handler>,
        metrics: IntakeMetrics,
        stop: CancellationToken,
    ) -> Result<Self, KafkaIntakeError> {
        let failed = |source| config.error(source);
        // The caller's token is not ours to cancel.
        let stop = stop.child_token();
        let ownership = Ownership::new(&config.topic, stop.clone(), metrics.clone());
        let client = properties.consumer_with(INTAKE_DEFAULTS, &config.group)?;
        let consumer: StreamConsumer<Ownership> = client.create_with_context(ownership).map_err(failed)?;
        consumer.subscribe(&[&config.topic]).map_err(failed)?;
        let producer: FutureProducer = properties.producer()?.create().map_err(failed)?;
        let outputs = Outputs {
            producer,
            results_topic: config.results_topic.clone(),
            dead_letter_topic: config.dead_letter_topic.clone(),
        };
        let attempts = Attempts {
            handler,
            outputs,
            backoff: config.backoff,
            metrics: metrics.clone(),
            producer_ended: CancellationToken::new(),
        };
        Ok(Self { config, consumer: Arc::new(consumer), attempts: Arc::new(attempts), metrics, stop })
    }

    /// Asks the brokers for the topic; for a readiness check.
    pub fn probe(&self) -> KafkaProbe {
        KafkaProbe { consumer: Arc::downgrade(&self.consumer), topic: self.config.topic.clone() }
    }

    /// Consumes until told to stop; then lets what is in flight finish, commits, and leaves the group.
    pub async fn run(self) -> Result<(), KafkaIntakeError> {
        let mut tasks = JoinSet::new();
        let consumed = self.consume(&mut tasks).await;
        let drained = tokio::time::timeout(self.config.drain, async {
            while let Some(finished) = tasks.join_next().await {
                self.settle(finished);
            }
        });
        if drained.await.is_err() {
            tracing::warn!(
                records = tasks.len(),
                "records in flight at the deadline: they will be delivered again"
            );
        }
        // The last commit and the goodbye wait for the broker, which must not hold up other tasks.
        let left = tokio::task::spawn_blocking(move || {
            self.commit(self.consumer.context().positions(), CommitMode::Sync);
        });
        left.await.expect("leaving the group does not panic");
        consumed
    }

    async fn consume(&self, tasks: &mut JoinSet<Option<Ticket>>) -> Result<(), KafkaIntakeError> {
        let mut waiting: VecDeque<(OwnedMessage, Taken)> = VecDeque::new();
        let mut paused = false;
        let mut commit_again = None;
        loop {
            let busy = tasks.len() >= self.config.concurrency;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                () = self.attempts.producer_ended.cancelled() => return Err(self.producer_error()),
                Some(finished) = tasks.join_next() => self.settle(finished),
                () = self.consumer.context().commit_refused.notified() => {
                    commit_again.get_or_insert_with(|| Instant::now() + COMMIT_AGAIN_AFTER);
                }
                () = sleep_until(commit_again.unwrap_or_else(Instant::now)), if commit_again.is_some() => {
                    commit_again = None;
                    self.commit(self.consumer.context().positions(), CommitMode::Async);
                }
                received = self.consumer.recv(), if !busy || paused => match received {
                    Ok(record) => {
                        if let Some(taken) = self.consumer.context().take(record.partition(), record.offset()) {
                            waiting.push_back((record.detach(), taken));
                        }
                    }
                    Err(error) => self.survive(error)?,
                },
                // Who does not poll is thrown out of the group. So while all hands are stuck, the consumer is polled
                // all the same, and told to fetch nothing. Not at once: a pause costs a fetch when it ends.
                () = tokio::time::sleep(PAUSE_AFTER), if busy && !paused => paused = self.fetch(false),
            }
            waiting.retain(|(_, taken)| !taken.given_up.is_cancelled());
            while tasks.len() < self.config.concurrency {
                let Some((record, taken)) = waiting.pop_front() else {
                    break;
                };
                tasks.spawn(Arc::clone(&self.attempts).until_settled(record, taken));
            }
            if paused && tasks.len() < self.config.concurrency {
                paused = !self.fetch(true);
            } else if paused && !waiting.is_empty() {
                // A partition that was assigned during the pause knows nothing of it.
                self.fetch(false);
            }
            self.metrics.kafka_paused.set(i64::from(paused));
        }
    }

    /// Resumes or pauses all partitions; says whether that worked.
    fn fetch(&self, on: bool) -> bool {
        let assignment = self.consumer.assignment();
        let done = assignment
            .and_then(|list| if on { self.consumer.resume(&list) } else { self.consumer.pause(&list) });
        done.inspect_err(|error| tracing::warn!(%error, on, "partitions neither paused nor resumed")).is_ok()
    }

    /// Commits the position that a finished record moved. A record that was given up moves none.
    fn settle(&self, finished: Result<Option<Ticket>, JoinError>) {
        let finished = finished.expect("a record's task does not panic: handlers run in tasks of their own");
        let Some(ticket) = finished else { return };
        let Some(position) = self.consumer.context().finish(ticket) else {
            return;
        };
        self.commit([(ticket.partition, position)].into(), CommitMode::Async);
    }

    fn commit(&self, positions: BTreeMap<i32, i64>, mode: CommitMode) {
        if positions.is_empty() {
            return;
        }
        let committed = self.list(&positions).and_then(|list| self.consumer.commit(&list, mode));
        if let Err(error) = committed {
            self.metrics.kafka_commit_failures.inc();
            tracing::warn!(%error, ?positions, "positions not committed: records may be delivered again");
        }
    }

    fn list(&self, positions: &BTreeMap<i32, i64>) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (&partition, &position) in positions {
            list.add_partition_offset(&self.config.topic, partition, Offset::Offset(position))?;
        }
        Ok(list)
    }

    fn producer_error(&self) -> KafkaIntakeError {
        // Attempts under way would be made in vain.
        self.stop.cancel();
        let (code, reason) = self.attempts.outputs.fatal_error().expect("the error is there for good");
        KafkaIntakeError::Producer { code, reason }
    }

    /// librdkafka mends what it can by itself; what remains is an end.
    fn survive(&self, error: KafkaError) -> Result<(), KafkaIntakeError> {
        match error {
            KafkaError::PartitionEOF(_) => Ok(()),
            // Only with auto.offset.reset=error: the position is gone, and the user wants to be told.
            KafkaError::MessageConsumptionFatal(_)
            | KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) => {
                Err(self.config.error(error))
            }
            error => {
                tracing::warn!(%error, topic = self.config.topic, "kafka consumer");
                Ok(())
            }
        }
    }
}

impl KafkaIntakeConfig {
    fn error(&self, source: KafkaError) -> KafkaIntakeError {
        KafkaIntakeError::Kafka {
            topic: self.topic.clone(),
            group: self.group.clone(),
            source: Box::new(source),
        }
    }
}

/// Asks the brokers whether the topic is there.
#[derive(Clone)]
pub struct KafkaProbe {
    consumer: Weak<StreamConsumer<Ownership>>,
    topic: String,
}

impl KafkaProbe {
    /// An error says what is missing. Takes no longer than `timeout`.
    pub async fn check(&self, timeout: Duration) -> Result<(), String> {
        let consumer = self.consumer.upgrade().ok_or("the Kafka consumer has ended")?;
        let topic = self.topic.clone();
        let asked = tokio::task::spawn_blocking(move || {
            check_topics(consumer.client(), [topic.as_str()], timeout, &consumer.context().failure)
        });
        asked.await.unwrap_or_else(|error| Err(format!("Kafka was not asked: {error}")))
    }
}
