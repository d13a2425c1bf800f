//! Sends CloudEvents of our own accord: to a Kafka topic, to an HTTP sink (what a Knative SinkBinding names in
//! `K_SINK`), or to both. Sent is what was acknowledged; every wait has a bound.

use std::fmt;
use std::time::Duration;

use cloudevents::Event;
use http::Uri;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::intake::http::binary;
use crate::kafka::{ClientProperties, PropertyError, cloud_event_headers};

/// How long the sink may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the sink may take for an event. A record in Kafka is bounded by `message.timeout.ms`.
const SINK_TIMEOUT: Duration = Duration::from_secs(15);

/// A sink's address, without credentials: `http://…` or `https://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkUrl(Uri);

impl SinkUrl {
    /// Parses an address.
    ///
    /// # Errors
    /// What was expected. The text itself is not repeated: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || "expected http://host/path or https://host/path, without user and password".to_owned();
        let uri: Uri = text.parse().map_err(|_| expected())?;
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let open = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if scheme && open { Ok(Self(uri)) } else { Err(expected()) }
    }
}

impl fmt::Display for SinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where events go.
#[derive(Debug, Clone, Default)]
pub struct OutletConfig {
    /// A Kafka topic, and how to reach the brokers.
    pub topic: Option<(String, ClientProperties)>,
    /// An HTTP sink.
    pub sink: Option<SinkUrl>,
}

/// The outlet cannot begin. No retry helps.
#[derive(Debug, thiserror::Error)]
pub enum OutletError {
    /// A Kafka property.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// librdkafka refused the configuration.
    #[error("cannot make a Kafka producer: {0}")]
    Kafka(#[from] KafkaError),
    /// The HTTP client, most likely its certificates.
    #[error("cannot make an HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// An event was not acknowledged. It may be there all the same: send it again under the same id.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// By the brokers.
    #[error("Kafka topic {topic} did not take the event: {source}")]
    Kafka {
        /// The topic.
        topic: String,
        /// librdkafka's error.
        source: KafkaError,
    },
    /// By the sink, for lack of an answer.
    #[error("the event sink did not answer: {0}")]
    Sink(reqwest::Error),
    /// By the sink, which said so.
    #[error("the event sink refused the event with status {0}")]
    Refused(u16),
    /// The event cannot be written down.
    #[error("the event could not be written: {0}")]
    Event(String),
}

/// Sends events.
#[derive(Clone)]
pub struct Outlet {
    topic: Option<(FutureProducer, String)>,
    sink: Option<(reqwest::Client, SinkUrl)>,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = self.topic.as_ref().map(|(_, topic)| topic);
        let sink = self.sink.as_ref().map(|(_, sink)| sink);
        f.debug_struct("Outlet").field("topic", &topic).field("sink", &sink).finish()
    }
}

impl Outlet {
    /// Makes the clients; `None` if no place is configured. Waits for nobody.
    ///
    /// # Errors
    /// A setting that a client refuses.
    pub fn new(config: &OutletConfig) -> Result<Option<Self>, OutletError> {
        let topic = match &config.topic {
            Some((topic, properties)) => Some((properties.producer()?.create()?, topic.clone())),
            None => None,
        };
        let sink = match &config.sink {
            Some(sink) => {
                let client = reqwest::Client::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .timeout(SINK_TIMEOUT)
                    .redirect(reqwest::redirect::Policy::none())
                    .build()?;
                Some((client, sink.clone()))
            }
            None => None,
        };
        Ok((topic.is_some() || sink.is_some()).then_some(Self { topic, sink }))
    }

    /// Sends an event to every place, and waits until each has acknowledged it. `key` decides the partition.
    ///
    /// # Errors
    /// The first place that did not. Others may have it: receivers tell repeats by the event's id.
    pub async fn send(&self, event: Event, key: &str) -> Result<(), SendError> {
        if let Some((producer, topic)) = &self.topic {
            let (headers, payload) =
                cloud_event_headers(event.clone()).map_err(|error| SendError::Event(error.to_string()))?;
            let record = FutureRecord::to(topic).key(key).payload(&payload[..]).headers(headers);
            let sent = producer.send(record, Duration::ZERO).await;
            sent.map_err(|(source, _)| SendError::Kafka { topic: topic.clone(), source })?;
        }
        if let Some((client, sink)) = &self.sink {
            let (headers, body) = binary(event).map_err(SendError::Event)?;
            let sent = client.post(sink.to_string()).headers(headers).body(body).send().await;
            let status = sent.map_err(|error| SendError::Sink(error.without_url()))?.status();
            if !status.is_success() {
                return Err(SendError::Refused(status.as_u16()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_an_http_address_without_credentials() {
        for good in ["http://broker-ingress.knative-eventing/ns/default", "https://h:8443"] {
            assert!(SinkUrl::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "broker", "ftp://h/", "http://me:hush@h/", "http://"] {
            let error = SinkUrl::parse(bad).unwrap_err();
            assert!(error.contains("http://host") && !error.contains("hush"), "{bad}: {error}");
        }
    }

    #[test]
    fn without_a_place_there_is_no_outlet() {
        assert!(Outlet::new(&OutletConfig::default()).unwrap().is_none());
    }
}
