//! The heavy lane with Spark: the launcher in this process owns each heavy request, and its jobs post to this process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use chrono::Utc;
use ingest_core::event::TYPE_STAGED;
use ingest_core::{IngestRequest, ObjectUri, TableName};
use lake::{ErrorKind, Lake};
use service_kit::intake::http::{self, HttpLimits};
use service_kit::intake::{Handler, Incoming, IntakeMetrics, RejectStatus, Reply};
use service_kit::metrics::Metrics;
use spark_launcher::accept::Accepted;
use spark_launcher::decide::Limits;
use spark_launcher::launcher::{Launcher, Parts};
use spark_launcher::{LauncherMetrics, Submit, SubmitConfig, records};
use tokio_util::sync::CancellationToken;

use super::args::HeavyArgs;
use super::config::{PUBLISHER, submit};
use super::find::Spark;
use crate::standalone::activity::Activity;
use crate::standalone::flow::{IngestError, Outcome};
use crate::standalone::folder::{DataFolder, EndpointFile};
use crate::standalone::worker::{LightHandler, result};

/// How often all records are looked at: they are small files on this machine.
const SCAN_EVERY: Duration = Duration::from_secs(2);
/// Requests that are owned at once; more wait in the inbox.
const MAX_RECORDS: usize = 1_000;
/// How long a request waits when a person has to mend something first.
const WAIT_FOR_A_PERSON: Duration = Duration::from_secs(30);
/// Bounds of what jobs post: an event is some hundred bytes, and there is one job.
const LIMITS: HttpLimits = HttpLimits {
    body: 1024 * 1024,
    body_timeout: Duration::from_secs(30),
    request_timeout: Duration::from_secs(280),
    concurrency: 2,
    queue: 8,
};

/// Has Spark read heavy requests.
pub(in crate::standalone) struct SparkLane {
    launcher: Launcher,
    program: String,
}

impl SparkLane {
    /// A lane over the records of a lake.
    ///
    /// # Errors
    /// The records cannot be reached.
    pub(in crate::standalone) fn new(
        args: &HeavyArgs,
        spark: Spark,
        folder: &DataFolder,
        endpoint: &EndpointFile,
        lake: Arc<Lake>,
        metrics: &Metrics,
    ) -> lake::Result<Self> {
        let config = submit(args, spark, folder.root(), &folder.catalog_file(), endpoint);
        let SubmitConfig { program, master, .. } = &config;
        let program = format!("{} --master {}", program.display(), master.as_deref().unwrap_or_default());
        let launcher = Launcher::new(Parts {
            records: records(&lake)?,
            sink: lake,
            backend: Arc::new(Submit::new(config)),
            limits: Limits::default(),
            max_records: MAX_RECORDS,
            metrics: LauncherMetrics::new(metrics),
        });
        Ok(Self { launcher, program })
    }

    /// What runs, for people.
    pub(in crate::standalone) fn program(&self) -> &str {
        &self.program
    }

    /// Learns what is owned already, of a process before this one.
    ///
    /// # Errors
    /// The records cannot be read.
    pub(in crate::standalone) async fn learn(&self) -> lake::Result<()> {
        self.launcher.learn().await
    }

    /// Whether a live record is about an object.
    pub(in crate::standalone) fn owns(&self, table: &TableName, uri: &ObjectUri) -> bool {
        self.launcher.owns(table, uri)
    }

    /// Sees that somebody owns a request.
    pub(in crate::standalone) async fn take(&self, request: &IngestRequest) -> Result<Outcome, IngestError> {
        match self.launcher.accept(request, None).await {
            Ok(Accepted::In(result)) => Ok(Outcome::Done(result)),
            Ok(Accepted::Owned(owned)) => Ok(Outcome::Owned { application: owned.application }),
            Err(error) => {
                tracing::warn!(request_id = request.request_id, table = %request.table, %error, "not taken");
                Err(match error.kind() {
                    ErrorKind::Invalid | ErrorKind::Forbidden => IngestError::Rejected(error.to_string()),
                    ErrorKind::Busy | ErrorKind::Unavailable => IngestError::retry(error.to_string()),
                    ErrorKind::Config | ErrorKind::Inconsistent => {
                        IngestError::Retry { reason: error.to_string(), after: WAIT_FOR_A_PERSON }
                    }
                })
            }
        }
    }

    /// Looks after the records until `stop` is cancelled. Then ends what runs, so that nothing goes on without the process
    /// that it reads from and posts to; the next start begins it anew.
    pub(in crate::standalone) async fn run(&self, stop: &CancellationToken) {
        self.launcher.scan_until(SCAN_EVERY, stop).await;
        if let Err(error) = self.launcher.end_attempts().await {
            tracing::warn!(%error, "Spark may go on for a while");
        }
    }
}

/// The route at which jobs post.
pub(in crate::standalone) fn publisher(
    worker: LightHandler,
    activity: Arc<Activity>,
    metrics: &Metrics,
) -> Router {
    let publisher = Arc::new(Publisher { worker, activity });
    Router::new().nest(PUBLISHER, http::router(publisher, LIMITS, IntakeMetrics::new(metrics)))
}

/// The light worker's handler for what jobs post, and for nothing else.
struct Publisher {
    worker: LightHandler,
    activity: Arc<Activity>,
}

#[async_trait]
impl Handler for Publisher {
    async fn handle(&self, event: Incoming) -> Reply {
        if event.ty.as_deref() != Some(TYPE_STAGED) {
            let reason = format!("expected a CloudEvent of type {TYPE_STAGED}");
            return Reply::Reject { status: RejectStatus::Invalid, reason };
        }
        let reply = self.worker.handle(event).await;
        if let Reply::Done(answer) = &reply
            && let Ok(result) = result(answer)
        {
            self.activity.published(&result, Utc::now());
        }
        reply
    }
}
