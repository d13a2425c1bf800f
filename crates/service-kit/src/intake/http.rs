//! CloudEvents over HTTP, `POST /`: binary mode, structured mode, and plain JSON.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use cloudevents::Event;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use ingest_core::staged::conflict_json;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::gate::{Admitted, Gate};
use super::{Handler, IntakeMetrics, RejectStatus, Reply, RetryStatus};
use crate::event::{EventError, Incoming, Message};

pub use super::gate::HttpLimits;

/// What the name of each attribute's header begins with.
const PREFIX: &str = "ce-";
/// What the HTTP binding percent-encodes in an attribute's value, beside what is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');
/// The label of this intake in metrics.
const INTAKE: &str = "http";

struct HttpIntake {
    handler: Arc<dyn Handler>,
    gate: Gate,
    metrics: IntakeMetrics,
}

/// The route `POST /` that hands each event to `handler`.
pub fn router(handler: Arc<dyn Handler>, limits: HttpLimits, metrics: IntakeMetrics) -> Router {
    let intake = HttpIntake { handler, gate: Gate::new(limits), metrics };
    Router::new().route("/", post(accept)).with_state(Arc::new(intake))
}

async fn accept(State(intake): State<Arc<HttpIntake>>, request: Request) -> Response {
    let reply = intake.answer(request).await.unwrap_or_else(|refused| {
        // What the handler was asked, it logs itself.
        if let Reply::Reject { reason, .. } | Reply::Retry { reason, .. } = &refused {
            tracing::warn!(outcome = refused.outcome(), reason, "request refused");
        }
        refused
    });
    intake.metrics.answered(INTAKE, &reply);
    respond(reply)
}

impl HttpIntake {
    /// The handler's reply, or as an error the reason why it was not asked.
    async fn answer(&self, request: Request) -> Result<Reply, Reply> {
        let in_flight = self.metrics.in_flight(INTAKE);
        let Admitted { headers, body, place } = self.gate.admit(request).await?;
        let event = read_request(&headers, body)?;
        let handled = super::run(&self.handler, event, (in_flight, place));
        let patience = self.gate.limits().request_timeout;
        tokio::time::timeout(patience, handled).await.map_err(|_| Reply::Retry {
            status: RetryStatus::Unavailable,
            reason: format!("no outcome after {patience:?}; the work goes on"),
            after: None,
        })
    }
}

fn read_request(headers: &HeaderMap, body: Bytes) -> Result<Incoming, EventError> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let mut message = Message {
        content_type: headers.get(header::CONTENT_TYPE).and_then(text),
        body,
        ..Message::default()
    };
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let value = text(value)
            .and_then(|value| Some(percent_decode_str(&value).decode_utf8().ok()?.into_owned()))
            .ok_or_else(|| {
                EventError::Malformed(format!("the header {name} is not percent-encoded UTF-8"))
            })?;
        message.attributes.insert(attribute.to_owned(), value);
    }
    let mut event = message.into_incoming()?;
    event.traceparent = event.traceparent.or_else(|| headers.get("traceparent").and_then(text));
    Ok(event)
}

/// The one place where replies become statuses.
pub fn respond(reply: Reply) -> Response {
    let outcome = reply.outcome();
    let refused = |status: StatusCode, reason: &str| {
        let body = serde_json::json!({"error": outcome, "reason": reason}).to_string();
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    match reply {
        Reply::Done(event) | Reply::Accepted(event) => {
            let status = if outcome == "accepted" { StatusCode::ACCEPTED } else { StatusCode::OK };
            let answer = respond_event(status, *event);
            answer.unwrap_or_else(|reason| {
                tracing::error!(reason, "the answer could not be written");
                refused(StatusCode::INTERNAL_SERVER_ERROR, &reason)
            })
        }
        Reply::Reject { status, reason } => {
            let status = match status {
                RejectStatus::Invalid => StatusCode::BAD_REQUEST,
                RejectStatus::Unauthorized => StatusCode::UNAUTHORIZED,
                RejectStatus::Forbidden => StatusCode::FORBIDDEN,
                RejectStatus::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                RejectStatus::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            };
            let mut response = refused(status, &reason);
            if status == StatusCode::UNAUTHORIZED {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            response
        }
        Reply::Conflict { reason, known } => {
            let body = conflict_json(&reason, &known);
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        Reply::Retry { status, reason, after } => {
            let status = match status {
                RetryStatus::TimedOut => StatusCode::REQUEST_TIMEOUT,
                RetryStatus::Busy => StatusCode::TOO_MANY_REQUESTS,
                RetryStatus::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            };
            let seconds = after.map_or(1, |after| after.as_secs().max(1));
            let mut response = refused(status, &reason);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}

fn respond_event(status: StatusCode, event: Event) -> Result<Response, String> {
    let (headers, body) = binary(event)?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Binary mode: attributes as headers, and the data as the body, so that it reads as plain JSON too.
pub(crate) fn binary(event: Event) -> Result<(HeaderMap, Bytes), String> {
    let message = Message::try_from(event).map_err(|error| error.to_string())?;
    let mut headers = HeaderMap::with_capacity(message.attributes.len() + 1);
    for (name, value) in &message.attributes {
        let name = HeaderName::try_from(format!("{PREFIX}{name}")).map_err(|error| error.to_string())?;
        let encoded = utf8_percent_encode(value, ENCODED).to_string();
        headers.insert(name, HeaderValue::try_from(encoded).map_err(|error| error.to_string())?);
    }
    if let Some(value) = message.content_type {
        let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        headers.insert(header::CONTENT_TYPE, value);
    }
    Ok((headers, message.body))
}
