//! The second listener: health, metrics, the admin API with its console, and what happened lately.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http::StatusCode;
use operations::Plant;
use operations::api::Access;
use serde::Serialize;
use service_kit::admin::Readiness;
use service_kit::metrics::Metrics;

use super::activity::{Activity, Counters, FileActivity};
use super::inbox::Inbox;
use super::store::StoreError;

/// Longest answer to a question for readiness.
const READINESS_TIMEOUT: Duration = Duration::from_secs(5);

/// What `/api/v1/activity` answers.
#[derive(Debug, Serialize)]
struct Report {
    /// Announcements that are not dealt with yet.
    inbox_waiting: u64,
    /// Rows and requests that are set aside.
    dead_letters: u64,
    counters: Counters,
    /// The newest last.
    files: Vec<FileActivity>,
}

#[derive(Clone)]
struct Api {
    inbox: Inbox,
    activity: Arc<Activity>,
}

/// All routes of the second listener; `published` is where Spark's jobs post, under the guard of the others.
pub(super) fn router(
    inbox: Inbox,
    activity: Arc<Activity>,
    metrics: Metrics,
    readiness: Readiness,
    plant: Arc<dyn Plant>,
    access: Access,
    published: Router,
) -> Router {
    let lately = Router::new().route("/api/v1/activity", get(report)).with_state(Api { inbox, activity });
    operations::api::router(plant, access, lately.merge(published)).merge(service_kit::admin::router(
        metrics,
        readiness,
        READINESS_TIMEOUT,
    ))
}

async fn report(State(api): State<Api>) -> Response {
    match api.report().await {
        Ok(report) => Json(report).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

impl Api {
    async fn report(&self) -> Result<Report, StoreError> {
        // The inbox first: a file that it no longer holds is already among the files.
        let inbox_waiting = self.inbox.waiting().await?;
        let dead_letters = self.inbox.count_dead_letters().await?;
        let (counters, files) = self.activity.snapshot();
        Ok(Report { inbox_waiting, dead_letters, counters, files })
    }
}
