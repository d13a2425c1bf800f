//! HTTP around the handler: CloudEvents in, a CloudEvent or a reason out.
//!
//! Statuses are Knative's business: 5xx, 408, 409 and 429 are delivered again, any other but 2xx goes to the dead letters.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{get, post};
use cloudevents::binding::http::to_event;
use cloudevents::{AttributesReader, Data, Event};
use serde_json::json;

use crate::handler::{Refused, handle};
use crate::request::{IngestRequest, TYPES};

/// Largest body: some way above 10,000 files, the most that a request has.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// Type of the answer.
const ANSWER_TYPE: &str = "dev.eventingest.example.summary.v1";
/// Source of the answer.
const ANSWER_SOURCE: &str = "/event-ingest/example";

/// Requests at `/`, and the addresses that `func.yaml` names for Knative's probes.
pub fn router() -> Router {
    Router::new()
        .route("/", post(answer))
        .route("/health/liveness", get(|| async { "ok" }))
        .route("/health/readiness", get(|| async { "ok" }))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

async fn answer(headers: HeaderMap, body: Bytes) -> Response<Body> {
    let outcome = received(&headers, &body).and_then(|(id, request)| Ok((id, handle(&request)?)));
    let (status, id, body) = match outcome {
        Ok((id, summary)) => (StatusCode::OK, Some(id), json!(summary)),
        Err(Refused(reason)) => (StatusCode::BAD_REQUEST, None, json!({"error": reason})),
    };
    println!("{}", json!({"message": "request", "status": status.as_u16(), "id": id, "answer": body}));
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    if let Some(id) = id {
        // The id is the request's: whoever gets the answer twice can tell.
        response = response
            .header("ce-specversion", "1.0")
            .header("ce-id", id)
            .header("ce-type", ANSWER_TYPE)
            .header("ce-source", ANSWER_SOURCE);
    }
    response.body(Body::from(body.to_string())).unwrap_or_else(|_| {
        // The one thing that is not ours is the id, which may hold what a header cannot.
        let mut refused = Response::new(Body::from("{\"error\": \"the id cannot be sent back\"}"));
        *refused.status_mut() = StatusCode::BAD_REQUEST;
        refused
    })
}

/// The event's id, and the request in it, whatever its content type says.
fn received(headers: &HeaderMap, body: &Bytes) -> Result<(String, IngestRequest), Refused> {
    let event =
        to_event(headers, body.to_vec()).map_err(|error| Refused(format!("not a CloudEvent: {error}")))?;
    if !TYPES.contains(&event.ty()) {
        return Err(Refused(format!("events of type {} are not taken", event.ty())));
    }
    let request = read(&event).map_err(|error| Refused(format!("not an IngestRequest: {error}")))?;
    Ok((event.id().to_owned(), request))
}

fn read(event: &Event) -> Result<IngestRequest, serde_json::Error> {
    match event.data() {
        Some(Data::Json(value)) => serde_json::from_value(value.clone()),
        Some(Data::String(text)) => serde_json::from_str(text),
        Some(Data::Binary(bytes)) => serde_json::from_slice(bytes),
        None => serde_json::from_slice(b""),
    }
}
