//! Traces by OpenTelemetry, off unless an endpoint is configured: then nothing is made, read or sent for them.
//!
//! What goes into a trace is a span of `tracing` whose target is [`TARGET`], or a [`Passage`]. They are sent by OTLP over
//! HTTP, by a thread of their own: the queue is bounded, and what finds no place in it, or is not taken, is lost. The
//! work never waits for it.

mod context;
mod passage;
mod sender;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use opentelemetry::global;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::Subscriber;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::logging::LoggingArgs;
use crate::outlet::SinkUrl;

pub use context::{continued, traceparent};
pub use passage::{Kind, Passage};
use sender::Sender;

/// The target of spans that go into traces, and nowhere else. Macros want it written out.
pub const TARGET: &str = "trace";

/// How long a collector may take for a batch of spans.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last spans may take at the end of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// What the exporter appends to the endpoint.
const PATH: &str = "/v1/traces";

/// Whether traces are made. One for the process, as the logger is.
static ON: AtomicBool = AtomicBool::new(false);

/// The flag of traces.
#[derive(Args, Debug, Clone)]
pub struct TracesArgs {
    /// Where traces go, by OTLP over HTTP, as in http://collector:4318; without it none are made. The other OTEL_ variables of traces hold as well
    // Parsed later: clap repeats a wrong value in its error, and this one may hold a password.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    pub otlp_endpoint: Option<String>,
}

/// Logs or traces cannot begin. No retry helps.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The endpoint.
    #[error("--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT): {0}")]
    Endpoint(String),
    /// Another setting of the exporter.
    #[error("traces: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The HTTP client or its thread.
    #[error("traces: cannot make an HTTP client: {0}")]
    Client(#[from] Box<dyn std::error::Error + Send + Sync>),
    /// The logger.
    #[error("cannot start logging: {0}")]
    Logging(Box<dyn std::error::Error + Send + Sync>),
}

/// Traces that are being made. The last of them are sent when this is dropped.
#[derive(Debug)]
pub struct Traces(Option<SdkTracerProvider>);

impl Drop for Traces {
    fn drop(&mut self) {
        let Some(provider) = &self.0 else { return };
        ON.store(false, Ordering::Relaxed);
        if let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Whether traces are made: if not, nothing needs to be read for them.
pub fn on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Installs the process's logger, and what makes its traces if an endpoint is given. `service` is its name there,
/// unless `OTEL_SERVICE_NAME` says another.
///
/// # Errors
/// A setting that cannot be used, or there is a logger already.
pub fn start(logging: &LoggingArgs, args: &TracesArgs, service: &'static str) -> Result<Traces, StartError> {
    let provider = args.provider(service)?;
    // Without traces there is no layer for them, not even an empty one: that would have each span made.
    let installed = match &provider {
        Some(provider) => {
            let spans = layer(provider.tracer("event-ingest"));
            let lines = logging.layer().map_err(StartError::Logging)?;
            Registry::default().with(spans).with(lines).try_init()
        }
        None => {
            let lines = logging.layer().map_err(StartError::Logging)?;
            Registry::default().with(lines).try_init()
        }
    };
    installed.map_err(|error| StartError::Logging(error.into()))?;
    if let Some(provider) = &provider {
        global::set_tracer_provider(provider.clone());
        ON.store(true, Ordering::Relaxed);
    }
    Ok(Traces(provider))
}

impl TracesArgs {
    /// What makes spans and sends them; none if there is no endpoint.
    fn provider(&self, service: &'static str) -> Result<Option<SdkTracerProvider>, StartError> {
        // An empty variable is none, as the standard has it.
        let Some(endpoint) = self.otlp_endpoint.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let endpoint = SinkUrl::parse(endpoint).map_err(StartError::Endpoint)?.to_string();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender::new(SEND_TIMEOUT)?)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(SEND_TIMEOUT)
            .with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/')))
            .build()?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(service);
        }
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
        Ok(Some(provider.with_resource(resource.build()).build()))
    }
}

/// What makes our spans into those of a trace; no events, and nothing of other people's crates.
fn layer<S>(tracer: Tracer) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let ours = FilterFn::new(|metadata| metadata.is_span() && metadata.target() == TARGET);
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(ours)
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;

    use super::*;

    #[test]
    fn without_an_endpoint_spans_of_traces_are_not_even_made() {
        let logging =
            LoggingArgs { log_level: "trace".to_owned(), log_format: crate::logging::LogFormat::Json };
        for endpoint in [None, Some(String::new())] {
            let args = TracesArgs { otlp_endpoint: endpoint };
            assert!(args.provider("tested").expect("nothing can be wrong").is_none());
        }
        let lines = logging.layer().expect("a good level");
        with_default(Registry::default().with(lines), || {
            let span = tracing::info_span!(target: "trace", "request");
            assert!(span.is_disabled());
            assert!(
                continued(span, Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
                    .is_disabled()
            );
            assert!(!tracing::info_span!("of the log").is_disabled());
            assert_eq!(traceparent(), None);
        });
    }
}
