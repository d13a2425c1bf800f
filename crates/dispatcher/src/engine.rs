//! The batching machine with its inputs and outputs tied to Kafka. Owned by one thread at a time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ingest_core::RuleSet;
use ingest_core::batching::{
    Action, ActionId, Batch, Batcher, BatchingError, Moment, Partition, Position, Record,
};
use ingest_core::event::dispatcher_source;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};

use crate::clock::Clock;
use crate::config::{Config, Topics};
use crate::consume::DispatchError;
use crate::judge::Judge;
use crate::metrics::DispatcherMetrics;
use crate::outgoing::{self, Outgoing};
use crate::sender::{Report, Sender};

/// How long to wait before what failed is sent again; librdkafka has tried for `message.timeout.ms` by then.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Longest sleep while reports are due: they do not wake the consumer's thread.
const REPORT_INTERVAL: Duration = Duration::from_millis(5);

/// Longest sleep while none is.
const IDLE_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) struct Engine {
    batcher: Batcher,
    judge: Judge,
    sender: Sender,
    clock: Clock,
    topics: Topics,
    /// The CloudEvents source of requests.
    source: String,
    metrics: DispatcherMetrics,
    /// Dead letters in flight: a record cannot be read again without going back.
    letters: BTreeMap<ActionId, Outgoing>,
    /// What failed, by the time of its next attempt.
    retries: VecDeque<(Duration, ActionId)>,
    /// Whether the consumer was told to fetch nothing.
    pub paused: bool,
}

impl Engine {
    pub fn new(config: &Config, sender: Sender, metrics: DispatcherMetrics) -> Result<Self, BatchingError> {
        Ok(Self {
            batcher: Batcher::new(config.batching.clone())?,
            judge: Judge {
                rules: RuleSet::new([config.rule.clone()]),
                unmatched: config.unmatched,
                metrics: metrics.clone(),
            },
            sender,
            clock: Clock::start(),
            topics: config.topics.clone(),
            source: dispatcher_source(&config.group),
            metrics,
            letters: BTreeMap::new(),
            retries: VecDeque::new(),
            paused: false,
        })
    }

    /// Takes in a record of the source topic. Says whether there is room for more.
    pub fn take_in(&mut self, message: &BorrowedMessage<'_>, now: Moment) -> bool {
        self.metrics.records.inc();
        let judged = self.judge.judge(message.payload().unwrap_or_default());
        let record = Record {
            partition: message.partition(),
            offset: message.offset(),
            objects: judged.objects,
            dead_letter: judged.dead_letter,
        };
        for action in self.batcher.take_in(record, now) {
            if let Action::DeadLetter(letter) = &action {
                let (partition, offset) = (letter.partition, letter.offset);
                tracing::error!(reason = letter.reason, partition, offset, "record goes to the dead letters");
                self.letters.insert(letter.id, outgoing::dead_letter(&message.detach(), &letter.reason));
            }
            self.send(&action);
        }
        self.batcher.accepting()
    }

    /// What the clocks say.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Does what is due: reads reports, sends again, closes batches. Fails if nothing can ever be sent again.
    pub fn step(&mut self) -> Result<(), DispatchError> {
        while let Some(report) = self.sender.report() {
            self.settle(report);
        }
        let now = self.clock.now();
        while self.retries.front().is_some_and(|(due, _)| *due <= now.elapsed) {
            let again = self.retries.pop_front().and_then(|(_, id)| self.batcher.failed(id));
            again.iter().for_each(|action| self.send(action));
        }
        for action in self.batcher.tick(now) {
            self.send(&action);
        }
        match self.retries.front().and_then(|_| self.sender.fatal_error()) {
            Some((code, reason)) => Err(DispatchError::Producer { code, reason }),
            None => Ok(()),
        }
    }

    /// How long there is nothing to do, records aside.
    pub fn patience(&self) -> Duration {
        let longest = if self.batcher.unacknowledged() > 0 { REPORT_INTERVAL } else { IDLE_INTERVAL };
        let now = self.clock.now().elapsed;
        let due = self.batcher.next_deadline().into_iter().chain(self.retries.front().map(|(due, _)| *due));
        due.map(|due| due.saturating_sub(now)).fold(longest, Duration::min)
    }

    /// Closes and sends all open batches, and waits for them. Says whether all were acknowledged in time.
    pub fn drain(&mut self, time: Duration) -> Result<bool, DispatchError> {
        for action in self.batcher.drain(self.clock.now()) {
            self.send(&action);
        }
        self.wait_while(time, |batcher| batcher.unacknowledged() > 0)
    }

    /// New partitions: they are not paused.
    pub fn assigned(&mut self, partitions: &[Partition]) {
        self.batcher.assigned(partitions);
        self.paused = false;
    }

    /// Takes the partitions' records out of the open batches and waits for what was sent. Says whether all of it was
    /// acknowledged in time.
    pub fn revoked(&mut self, partitions: &[Partition], time: Duration) -> Result<bool, DispatchError> {
        self.batcher.revoked(partitions);
        self.wait_while(time, |batcher| batcher.awaiting(partitions))
    }

    /// Forgets partitions.
    pub fn lost(&mut self, partitions: &[Partition]) {
        self.batcher.lost(partitions);
    }

    /// Positions to commit.
    pub fn commits(&mut self) -> Vec<Position> {
        self.batcher.commits()
    }

    /// The positions of the last commit were not committed.
    pub fn commit_failed(&mut self) {
        self.batcher.commit_failed();
    }

    /// Whether to fetch more records.
    pub fn accepting(&self) -> bool {
        self.batcher.accepting()
    }

    /// Waits for room for more records, at most so long.
    pub fn wait_for_room(&mut self, time: Duration) -> Result<(), DispatchError> {
        self.wait_while(time, |batcher| !batcher.accepting()).map(drop)
    }

    /// Shows the machine's state in the metrics.
    pub fn observe(&self) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.open_batches.set(gauge(self.batcher.open_batches()));
        self.metrics.held.set(gauge(self.batcher.held()));
        self.metrics.unacknowledged.set(gauge(self.batcher.unacknowledged()));
    }

    /// Waits as long as something is awaited, at most so long. Says whether nothing is any more.
    fn wait_while(
        &mut self,
        time: Duration,
        awaited: impl Fn(&Batcher) -> bool,
    ) -> Result<bool, DispatchError> {
        let end = self.clock.now().elapsed + time;
        while awaited(&self.batcher) {
            let left = end.saturating_sub(self.clock.now().elapsed);
            if left.is_zero() {
                return Ok(false);
            }
            if let Some(report) = self.sender.wait(left.min(IDLE_INTERVAL)) {
                self.settle(report);
            }
            self.step()?;
        }
        Ok(true)
    }

    fn send(&mut self, action: &Action) {
        let id = action.id();
        let sent = match action {
            Action::Produce(batch) => {
                let outgoing = outgoing::request(&batch.request, batch.lane, &self.source);
                self.sender.send(id, self.topics.lane(batch.lane), &outgoing)
            }
            Action::DeadLetter(_) => {
                let outgoing = self.letters.get(&id).expect("a dead letter is kept until it is acknowledged");
                self.sender.send(id, &self.topics.dead_letters, outgoing)
            }
        };
        if let Err(error) = sent {
            self.failed(id, &error);
        }
    }

    fn settle(&mut self, report: Report) {
        let Report { id, result } = report;
        if let Err(error) = result {
            self.failed(id, &error);
            return;
        }
        match self.batcher.acknowledged(id) {
            Some(Action::Produce(batch)) => self.acknowledged(&batch),
            Some(Action::DeadLetter(_)) | None => {
                self.letters.remove(&id);
            }
        }
    }

    fn acknowledged(&self, batch: &Batch) {
        let request = &batch.request;
        let lane = batch.lane.as_str();
        let took = self.clock.now().elapsed.saturating_sub(batch.opened_at);
        self.metrics.batches.with_label_values(&[lane]).inc();
        self.metrics.files.with_label_values(&[lane]).inc_by(request.file_count() as u64);
        self.metrics.batch_duration.observe(took.as_secs_f64());
        tracing::info!(
            request_id = request.request_id,
            table = %request.table,
            files = request.file_count(),
            bytes = request.total_bytes(),
            lane,
            millis = took.as_millis() as u64,
            "batch dispatched"
        );
    }

    fn failed(&mut self, id: ActionId, error: &KafkaError) {
        if let (Some(code), Some(letter)) = (error.rdkafka_error_code(), self.letters.get_mut(&id))
            && code == RDKafkaErrorCode::MessageSizeTooLarge
        {
            letter.omit_payload();
        }
        let topic = match self.batcher.failed(id) {
            Some(Action::Produce(batch)) => self.topics.lane(batch.lane),
            Some(Action::DeadLetter(_)) | None => &self.topics.dead_letters,
        };
        self.metrics.send_failures.with_label_values(&[topic]).inc();
        tracing::warn!(%error, topic, delay = ?RETRY_DELAY, "not sent: will be sent again");
        self.retries.push_back((self.clock.now().elapsed + RETRY_DELAY, id));
    }
}
