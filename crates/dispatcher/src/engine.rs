//! The batching machine with its inputs and outputs tied to Kafka. Owned by one thread at a time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ingest_core::TraceParent;
use ingest_core::batching::{
    Action, ActionId, Batch, Batcher, BatchingError, Moment, Offset, Outlet, Partition, Position, Record,
};
use ingest_core::event::dispatcher_source;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use service_kit::kafka::Outgoing;
use service_kit::rules::LiveRules;
use service_kit::traces::Passage;

use crate::clock::Clock;
use crate::config::{Config, Topics};
use crate::consume::DispatchError;
use crate::judge::Judge;
use crate::metrics::DispatcherMetrics;
use crate::outgoing;
use crate::positions::Cause;
use crate::quota::Quota;
use crate::sender::{Report, Sender};
use crate::source::Source;
use crate::traced;

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
    /// For the lines of batches.
    lines: Quota,
    /// Dead letters in flight: a record cannot be read again without going back.
    letters: BTreeMap<ActionId, Outgoing>,
    /// Spans of requests in flight, while traces are made.
    passages: BTreeMap<ActionId, Passage>,
    /// What failed, by the time of its next attempt.
    retries: VecDeque<(Duration, ActionId)>,
    /// What is known of the source topic.
    pub source_topic: Source,
    /// Whether the consumer was told to fetch nothing.
    pub paused: bool,
}

impl Engine {
    pub fn new(
        config: &Config,
        rules: LiveRules,
        sender: Sender,
        metrics: DispatcherMetrics,
    ) -> Result<Self, BatchingError> {
        Ok(Self {
            batcher: Batcher::new(config.batching.clone())?,
            judge: Judge { rules, unmatched: config.unmatched, metrics: metrics.clone() },
            sender,
            clock: Clock::start(),
            topics: config.topics.clone(),
            source: dispatcher_source(&config.group),
            metrics,
            lines: Quota::new(),
            letters: BTreeMap::new(),
            passages: BTreeMap::new(),
            retries: VecDeque::new(),
            source_topic: Source::default(),
            paused: false,
        })
    }

    /// Takes in a record of the source topic. Says whether there is room for more.
    pub fn take_in(&mut self, message: &BorrowedMessage<'_>, now: Moment) -> bool {
        self.metrics.records.inc();
        let trace = traced::record(message);
        let judged = self.judge.judge(message.payload().unwrap_or_default(), trace);
        let (partition, offset) = (message.partition(), message.offset());
        if self.source_topic.was_read_before(partition, offset) {
            self.metrics.read_again.inc();
        }
        let record = Record { partition, offset, objects: judged.objects, dead_letter: judged.dead_letter };
        tracing::debug!(partition, offset, "record taken in");
        let set_back = self.batcher.set_back();
        for action in self.batcher.take_in(record, now) {
            if let Action::DeadLetter(letter) = &action {
                tracing::error!(reason = letter.reason, partition, offset, "record goes to the dead letters");
                self.letters.insert(letter.id, Outgoing::dead_letter(&message.detach(), &letter.reason));
            }
            self.send(&action);
        }
        if self.batcher.set_back() > set_back && !self.source_topic.announced(partition) {
            self.metrics.reset(Cause::SetBack, &[partition]);
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

    /// The source topic is gone: what was read of it cannot be read again, and goes out now.
    pub fn source_gone(&mut self) {
        for action in self.batcher.drain(self.clock.now()) {
            self.send(&action);
        }
    }

    /// The source topic has this id. If it had another one, all is read from the beginning.
    pub fn source_identified(&mut self, id: String) {
        let replaced = self.source_topic.identified(id);
        let misplaced = self.source_topic.misplaced();
        if replaced || !misplaced.is_empty() {
            self.replaced(&misplaced);
        }
    }

    /// These partitions are of another topic than their positions.
    pub fn replaced(&mut self, partitions: &[Partition]) {
        self.metrics.reset(Cause::Replaced, partitions);
        for action in self.batcher.replaced(partitions, self.clock.now()) {
            self.send(&action);
        }
    }

    /// Partitions that have to be read again from an offset on, because of what was let go of.
    pub fn going_back(&self) -> Vec<(Partition, Offset)> {
        self.batcher.going_back()
    }

    /// The consumer has gone back there.
    pub fn went_back(&mut self, partition: Partition) {
        self.batcher.went_back(partition);
    }

    /// New partitions.
    pub fn assigned(&mut self, partitions: &[Partition]) {
        self.batcher.assigned(partitions);
        for partition in partitions {
            self.source_topic.assigned(*partition, None);
        }
    }

    /// Takes the partitions' records out of the open batches and waits for what was sent. Says whether all of it was
    /// acknowledged in time.
    pub fn revoked(&mut self, partitions: &[Partition], time: Duration) -> Result<bool, DispatchError> {
        self.batcher.revoked(partitions);
        self.wait_while(time, |batcher| batcher.awaiting(partitions))
    }

    /// Forgets partitions.
    pub fn lost(&mut self, partitions: &[Partition]) {
        self.source_topic.forget(partitions);
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

    /// Shows the machine's state in the metrics, and says how many batches had no line of their own.
    pub fn observe(&mut self) {
        let batches = self.lines.renew();
        if batches > 0 {
            tracing::info!(batches, "more batches dispatched");
        }
        self.metrics.expectations.show(&self.judge.rules.current(), self.clock.now().utc);
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.open_batches.set(gauge(self.batcher.open_batches()));
        self.metrics.held.set(gauge(self.batcher.held()));
        self.metrics.unacknowledged.set(gauge(self.batcher.unacknowledged()));
        self.metrics.uncommitted.set(i64::try_from(self.batcher.ahead()).unwrap_or(i64::MAX));
        self.metrics.let_go.inc_by(self.batcher.let_go().saturating_sub(self.metrics.let_go.get()));
        for outlet in Outlet::ALL {
            self.metrics.stuck(outlet.as_str(), self.batcher.is_stuck(outlet));
        }
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
                let trace = self.trace(batch);
                let outgoing = outgoing::request(&batch.request, batch.lane, &self.source, trace);
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

    /// Where a request belongs that goes out, the first time or again; nowhere while no traces are made.
    fn trace(&mut self, batch: &Batch) -> Option<TraceParent> {
        if let Some(begun) = self.passages.get(&batch.id) {
            return begun.traceparent();
        }
        let open = self.clock.now().elapsed.saturating_sub(batch.opened_at);
        let passage = traced::batch(batch, open)?;
        let trace = passage.traceparent();
        self.passages.insert(batch.id, passage);
        trace
    }

    fn settle(&mut self, report: Report) {
        let Report { id, result } = report;
        if let Err(error) = result {
            self.failed(id, &error);
            return;
        }
        match self.batcher.acknowledged(id) {
            Some(Action::Produce(batch)) => {
                self.passages.remove(&id).into_iter().for_each(Passage::end);
                self.acknowledged(&batch);
            }
            Some(Action::DeadLetter(_)) | None => {
                self.letters.remove(&id);
            }
        }
    }

    fn acknowledged(&mut self, batch: &Batch) {
        let request = &batch.request;
        let lane = batch.lane.as_str();
        let now = self.clock.now();
        let took = now.elapsed.saturating_sub(batch.opened_at);
        self.metrics.expectations.requested(&request.table, now.utc);
        self.metrics.dispatched(batch.lane, request);
        self.metrics.batch_duration.observe(took.as_secs_f64());
        macro_rules! say {
            ($level:ident) => {
                tracing::$level!(
                    request_id = request.request_id,
                    table = %request.table,
                    files = request.file_count(),
                    bytes = request.total_bytes(),
                    lane,
                    millis = took.as_millis() as u64,
                    "batch dispatched"
                )
            };
        }
        if self.lines.take() {
            say!(info);
        } else {
            say!(debug);
        }
    }

    fn failed(&mut self, id: ActionId, error: &KafkaError) {
        if let (Some(code), Some(letter)) = (error.rdkafka_error_code(), self.letters.get_mut(&id))
            && code == RDKafkaErrorCode::MessageSizeTooLarge
        {
            letter.shrink();
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
