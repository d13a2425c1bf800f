//! An OpenTelemetry collector as far as tests need one: it takes spans by OTLP over HTTP and keeps them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::eventually;

/// Services send every five seconds, and once more at their end.
const WITHIN: Duration = Duration::from_secs(60);

/// A span that was sent. Ids are in hex, as `traceparent` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `service.name` of whoever sent it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The trace.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// The span that it belongs to; empty if it is the first of its trace.
    pub parent: String,
    /// Traces of the spans that it is linked with.
    pub links: Vec<String>,
    /// Its attributes that are texts.
    pub texts: Vec<(String, String)>,
    /// Whether it says that it failed.
    pub failed: bool,
    /// Nanoseconds from its begin to its end.
    pub nanoseconds: u64,
}

/// A collector that ends when dropped.
pub struct Collector {
    port: u16,
    spans: Arc<Mutex<Vec<Span>>>,
    accepting: AbortHandle,
}

impl Collector {
    /// Listens.
    pub async fn start() -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let spans = Arc::default();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&spans))).abort_handle();
        Self { port, spans, accepting }
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is to be.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All that was sent so far.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().expect("no panic under the lock").clone()
    }

    /// Waits for a span of a service.
    pub async fn span(&self, service: &str, name: &str) -> Span {
        eventually(&format!("{service} sends its span {name:?}"), WITHIN, async || {
            self.spans()
                .into_iter()
                .find(|span| (span.service.as_str(), span.name.as_str()) == (service, name))
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Span {
    /// A text that it says of itself.
    pub fn says(&self, key: &str) -> Option<&str> {
        self.texts.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

async fn accept(listener: TcpListener, spans: Arc<Mutex<Vec<Span>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let spans = Arc::clone(&spans);
        tokio::spawn(async move {
            let service = service_fn(|request| take(request, &spans));
            // A sender that goes away is no failure of the test.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn take(
    request: Request<Incoming>,
    spans: &Mutex<Vec<Span>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    match body.ok().and_then(|body| ExportTraceServiceRequest::decode(body).ok()) {
        Some(sent) if path == "/v1/traces" => {
            spans.lock().expect("no panic under the lock").extend(read(sent));
        }
        _ => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}

fn read(sent: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource in sent.resource_spans {
        let about = texts(&resource.resource.unwrap_or_default().attributes);
        let service = about.iter().find(|(key, _)| key == "service.name").map(|(_, name)| name.clone());
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                service: service.clone().unwrap_or_default(),
                name: span.name,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                links: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
                texts: texts(&span.attributes),
                // 2 is the protocol's "error".
                failed: span.status.is_some_and(|status| status.code == 2),
                nanoseconds: span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano),
            });
        }
    }
    spans
}

fn texts(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some((attribute.key.clone(), text.clone())),
        _ => None,
    };
    attributes.iter().filter_map(text).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
