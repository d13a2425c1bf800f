//! The endpoints that a platform asks: `/livez`, `/readyz`, `/metrics`. Served beside a service's own routes or alone.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::future::BoxFuture;
use http::{StatusCode, header};

use crate::metrics::Metrics;

/// Asks whether the service can do its work now; an error says why not.
pub type Readiness = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

#[derive(Clone)]
struct Admin {
    metrics: Metrics,
    readiness: Readiness,
    timeout: Duration,
}

/// `/livez` answers as long as the process does. `/readyz` asks `readiness`, for no longer than `timeout`, and answers
/// 503 with the reason when it is not. `/metrics` is Prometheus's page.
pub fn router(metrics: Metrics, readiness: Readiness, timeout: Duration) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(page))
        .with_state(Admin { metrics, readiness, timeout })
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let verdict = tokio::time::timeout(admin.timeout, (admin.readiness)()).await;
    match verdict.unwrap_or_else(|_| Err(format!("no answer within {:?}", admin.timeout))) {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}

async fn page(State(admin): State<Admin>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], admin.metrics.page()).into_response()
}
