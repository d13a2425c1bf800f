//! The producer, and its reports of what was acknowledged and what was not.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use ingest_core::batching::ActionId;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use service_kit::kafka::{LastFailure, Outgoing, client_log};

/// Reports that may wait to be read; the producer's thread waits for room.
const REPORTS: usize = 1024;

/// Kafka's last word on something that was sent.
#[derive(Debug)]
pub(crate) struct Report {
    pub id: ActionId,
    pub result: Result<(), KafkaError>,
}

/// The producer's context: it passes each report on, and keeps what stands between us and the brokers.
pub(crate) struct Reporter {
    reports: SyncSender<Report>,
    pub failure: LastFailure,
}

impl ClientContext for Reporter {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.failure.record(&error, reason);
        tracing::warn!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for Reporter {
    type DeliveryOpaque = Box<ActionId>;

    fn delivery(&self, result: &DeliveryResult<'_>, id: Box<ActionId>) {
        let result = result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone());
        // Nobody reads reports any more when the process ends; what was not acknowledged is then not committed.
        let _ = self.reports.send(Report { id: *id, result });
    }
}

/// Sends, and hears what became of it.
pub(crate) struct Sender {
    // Dropped first, so that the producer's thread never waits for a reader that is gone.
    reports: Receiver<Report>,
    producer: ThreadedProducer<Reporter>,
}

impl Sender {
    pub fn new(config: &ClientConfig) -> KafkaResult<Self> {
        let (sender, reports) = sync_channel(REPORTS);
        let reporter = Reporter { reports: sender, failure: LastFailure::default() };
        Ok(Self { reports, producer: config.create_with_context(reporter)? })
    }

    /// Hands a record to librdkafka. Its report follows, unless this fails.
    pub fn send(&self, id: ActionId, topic: &str, outgoing: &Outgoing) -> Result<(), KafkaError> {
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(id));
        record.key = outgoing.key.as_deref();
        record.payload = outgoing.payload.as_deref();
        record.headers = Some(outgoing.headers.clone());
        self.producer.send(record).map_err(|(error, _)| error)
    }

    /// The next report, if there is one.
    pub fn report(&self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// The next report, if there is one within this time.
    pub fn wait(&self, time: Duration) -> Option<Report> {
        self.reports.recv_timeout(time).ok()
    }

    /// Why this producer will never send again, if that is so: its process has to be started anew.
    pub fn fatal_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.producer.client().fatal_error()
    }

    /// The producer, to ask the brokers by.
    pub fn producer(&self) -> ThreadedProducer<Reporter> {
        self.producer.clone()
    }
}
