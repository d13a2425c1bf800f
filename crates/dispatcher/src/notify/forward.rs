//! From a request to a record of the source topic.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, ClientContext};
use service_kit::intake::gate::Place;
use service_kit::kafka::client_log;
use tokio::task::JoinHandle;

/// The W3C header of a traced sender.
const TRACEPARENT: &str = "traceparent";

/// What the names of a CloudEvent's attributes begin with, over HTTP and in Kafka.
const HTTP_PREFIX: &str = "ce-";
const KAFKA_PREFIX: &str = "ce_";

/// The producer's context: it passes on its log.
struct Log;

impl ClientContext for Log {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka producer of the webhook");
    }
}

/// Sends notifications to the source topic.
pub(super) struct Forwarder {
    producer: FutureProducer<Log>,
    topic: String,
}

impl Forwarder {
    /// A producer of its own: it gives records up when their senders are told so. Senders repeat themselves, so it may
    /// as well, and a producer that is not idempotent has no error that only a new process mends.
    pub fn new(mut config: ClientConfig, topic: &str, timeout: Duration) -> KafkaResult<Self> {
        config.set("message.timeout.ms", timeout.as_millis().max(1).to_string());
        config.set("enable.idempotence", "false");
        Ok(Self { producer: config.create_with_context(Log)?, topic: topic.to_owned() })
    }

    /// Hands the notification to librdkafka, byte for byte. It keeps its place until Kafka's last word on it, also if the
    /// sender does not wait for that.
    pub fn forward(
        &self,
        headers: &HeaderMap,
        body: Bytes,
        place: Place,
    ) -> KafkaResult<JoinHandle<KafkaResult<()>>> {
        let record =
            FutureRecord::<(), [u8]>::to(&self.topic).payload(&body[..]).headers(record_headers(headers));
        let delivery = self.producer.send_result(record).map_err(|(error, _)| error)?;
        Ok(tokio::spawn(async move {
            let _place = place;
            match delivery.await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err((error, _))) => Err(error),
                // The producer ended before the record did.
                Err(_) => Err(KafkaError::Canceled),
            }
        }))
    }
}

/// The headers that say what the body is: the content type and the attributes of a CloudEvent, as they came. (RGW does
/// not percent-encode the key in `ce-subject`, others do: nothing is decided by attributes.)
fn record_headers(headers: &HeaderMap) -> OwnedHeaders {
    let mut kept = OwnedHeaders::new();
    for (name, value) in headers {
        let attribute = name.as_str().strip_prefix(HTTP_PREFIX).map(|name| format!("{KAFKA_PREFIX}{name}"));
        let key = match &attribute {
            Some(attribute) => attribute.as_str(),
            None if name == header::CONTENT_TYPE || name == TRACEPARENT => name.as_str(),
            None => continue,
        };
        kept = kept.insert(Header { key, value: Some(value.as_bytes()) });
    }
    kept
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use rdkafka::message::Headers;

    use super::*;

    #[test]
    fn what_says_what_the_body_is_goes_along_and_secrets_do_not() {
        let given = [
            ("content-type", "application/json"),
            ("ce-type", "com.amazonaws.ObjectCreated:Put"),
            ("ce-subject", "a%20b ü"),
            ("traceparent", "00-a-b-01"),
            ("authorization", "Bearer t0k3n"),
            ("user-agent", "x"),
        ];
        let headers: HeaderMap = given
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).expect("valid"))
            })
            .collect();
        let kept = record_headers(&headers);
        let mut kept: Vec<_> =
            kept.iter().map(|header| (header.key, header.value.expect("valued"))).collect();
        kept.sort_unstable();
        assert_eq!(
            kept,
            [
                ("ce_subject", "a%20b ü".as_bytes()),
                ("ce_type", b"com.amazonaws.ObjectCreated:Put"),
                ("content-type", b"application/json"),
                ("traceparent", b"00-a-b-01"),
            ]
        );
    }
}
