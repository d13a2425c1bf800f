//! One record from its first attempt to its end: handled, or dead and buried with its reason.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, BackoffLimits};
use super::headers::{cloud_event_headers, read_record};
use super::offsets::Ticket;
use super::outgoing::Outgoing;
use super::ownership::Taken;
use crate::intake::{Handler, IntakeMetrics, Reply, run};

/// The label of this intake in metrics.
const INTAKE: &str = "kafka";

/// Where answers and dead letters go.
pub(crate) struct Outputs {
    pub producer: FutureProducer,
    pub results_topic: Option<String>,
    pub dead_letter_topic: String,
}

/// What every record's task shares.
pub(crate) struct Attempts {
    pub handler: Arc<dyn Handler>,
    pub outputs: Outputs,
    pub backoff: BackoffLimits,
    pub metrics: IntakeMetrics,
    /// Cancelled when the producer will never send again.
    pub producer_ended: CancellationToken,
}

impl Attempts {
    /// Works on a record until it is settled. `None` if it was given up: its partition is no longer ours, or we stop.
    pub async fn until_settled(self: Arc<Self>, record: OwnedMessage, taken: Taken) -> Option<Ticket> {
        let _in_flight = self.metrics.in_flight(INTAKE);
        let payload = Bytes::copy_from_slice(record.payload().unwrap_or_default());
        let event = read_record(record.headers(), payload).map_err(Reply::from);
        let mut backoff = Backoff::new(self.backoff);
        let outgoing = loop {
            let reply = match &event {
                Ok(event) => run(&self.handler, event.clone(), ()).await,
                Err(refused) => refused.clone(),
            };
            self.metrics.answered(INTAKE, &reply);
            match reply {
                Reply::Done(event) | Reply::Accepted(event) => break self.outputs.result(*event, &record),
                // Whoever could mend a conflict does not listen here.
                Reply::Reject { reason, .. } | Reply::Conflict { reason, .. } => {
                    let (topic, partition, offset) = (record.topic(), record.partition(), record.offset());
                    tracing::error!(reason, topic, partition, offset, "record goes to the dead letters");
                    let topic = self.outputs.dead_letter_topic.as_str();
                    break Some((topic, Outgoing::dead_letter(&record, &reason)));
                }
                Reply::Retry { reason, after, .. } => {
                    self.again("handle", &reason, after, &mut backoff, &taken.given_up).await?;
                }
            }
        };
        if let Some((topic, outgoing)) = outgoing {
            self.until_acknowledged(topic, outgoing, &taken.given_up).await?;
        }
        Some(taken.ticket)
    }

    async fn until_acknowledged(
        &self,
        topic: &str,
        mut outgoing: Outgoing,
        given_up: &CancellationToken,
    ) -> Option<()> {
        let mut backoff = Backoff::new(self.backoff);
        loop {
            match self.outputs.send(topic, &outgoing).await {
                Ok(()) => return Some(()),
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge))
                    if outgoing.shrink() => {}
                Err(error) => {
                    if self.outputs.fatal_error().is_some() {
                        self.producer_ended.cancel();
                    }
                    let reason = format!("topic {topic}: {error}");
                    self.again("produce", &reason, None, &mut backoff, given_up).await?;
                }
            }
        }
    }

    /// Waits before the next attempt. `None` if there is to be none.
    async fn again(
        &self,
        stage: &str,
        reason: &str,
        after: Option<Duration>,
        backoff: &mut Backoff,
        given_up: &CancellationToken,
    ) -> Option<()> {
        let delay = backoff.next(after, &mut rand::rng());
        self.metrics.kafka_retries.with_label_values(&[stage]).inc();
        tracing::warn!(stage, reason, attempt = backoff.attempts(), ?delay, "record will be tried again");
        given_up.run_until_cancelled(tokio::time::sleep(delay)).await
    }
}

impl Outputs {
    /// Why the producer will never send again, if that is so.
    pub fn fatal_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.producer.client().fatal_error()
    }

    fn result(&self, event: cloudevents::Event, record: &OwnedMessage) -> Option<(&str, Outgoing)> {
        let topic = self.results_topic.as_deref()?;
        match cloud_event_headers(event) {
            Ok((headers, payload)) => {
                let key = record.key().map(<[u8]>::to_vec);
                Some((topic, Outgoing { key, headers, payload: Some(payload) }))
            }
            Err(error) => {
                // The work is done: an answer that cannot be written must not undo that.
                tracing::error!(%error, "the answer could not be written");
                None
            }
        }
    }

    async fn send(&self, topic: &str, outgoing: &Outgoing) -> Result<(), KafkaError> {
        let mut record = FutureRecord::<[u8], [u8]>::to(topic).headers(outgoing.headers.clone());
        record.key = outgoing.key.as_deref();
        record.payload = outgoing.payload.as_deref();
        let sent = self.producer.send(record, Duration::ZERO).await;
        sent.map(|_| ()).map_err(|(error, _)| error)
    }
}
