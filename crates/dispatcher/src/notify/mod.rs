//! The webhook: notifications over HTTP, as RGW and MinIO send them, become records of the source topic.
//!
//! A sender gets its 2xx when Kafka has acknowledged the record, and from then on the dispatcher is as bound to it as to
//! any other. What is refused was not taken: its sender has to send it again, or to be mended.

mod args;
mod forward;
mod metrics;
mod token;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use ingest_core::notification;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use service_kit::intake::gate::{Admitted, Gate};
use service_kit::intake::http::{HttpLimits, respond};
use service_kit::intake::{RejectStatus, Reply, RetryStatus};
use service_kit::metrics::Metrics;
use service_kit::serve::{bind, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use args::{NotifyArgs, NotifyConfig, NotifyError};
pub use metrics::NOTIFY_METRICS;
pub use token::Token;

use crate::config::Config;
use crate::run::RunError;
use forward::Forwarder;
use metrics::NotifyMetrics;

/// Where notifications are taken.
const PATH: &str = "/notify";

/// How long a sender may take for its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a sender waits longer than librdkafka, which looks for overdue records once a second.
const GRACE: Duration = Duration::from_secs(2);

/// When to send again what Kafka did not take.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A webhook that has its address.
pub(crate) struct Webhook {
    listener: TcpListener,
    router: Router,
}

struct Intake {
    gate: Gate,
    token: Option<Token>,
    forwarder: Forwarder,
    metrics: NotifyMetrics,
}

/// Binds the webhook's address, if there is to be one. Does not wait for the brokers.
pub(crate) async fn listen(config: &Config, metrics: &Metrics) -> Result<Option<Webhook>, RunError> {
    let Some(notify) = &config.notify else { return Ok(None) };
    let listener = bind(notify.listen).await?;
    let (address, topic) = (listener.local_addr()?, &config.topics.source);
    tracing::info!(%address, topic, "taking notifications");
    if notify.token.is_none() && !address.ip().is_loopback() {
        tracing::warn!(%address, "anybody who reaches this address may send notifications: set NOTIFY_TOKEN");
    }
    let forwarder = Forwarder::new(config.kafka.producer()?, topic, notify.timeout)
        .map_err(|error| RunError::Producer(Box::new(error)))?;
    let limits = HttpLimits {
        body: notify.max_body,
        body_timeout: BODY_TIMEOUT,
        request_timeout: notify.timeout + GRACE,
        concurrency: notify.concurrency,
        queue: notify.concurrency,
    };
    let intake = Intake {
        gate: Gate::new(limits),
        token: notify.token.clone(),
        forwarder,
        metrics: NotifyMetrics::new(metrics),
    };
    let router = Router::new().route(PATH, post(notify_once).head(greet)).with_state(Arc::new(intake));
    Ok(Some(Webhook { listener, router }))
}

impl Webhook {
    /// Serves until `stop` is cancelled; requests under way then have until `deadline`.
    pub async fn serve(self, stop: CancellationToken, deadline: Duration) -> io::Result<()> {
        serve(self.listener, self.router, stop, deadline).await
    }
}

/// MinIO asks so whether anybody is there; the answer tells whether its token is right.
async fn greet(State(intake): State<Arc<Intake>>, headers: HeaderMap) -> Response {
    match intake.authorize(&headers) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refused) => respond(refused),
    }
}

async fn notify_once(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let _in_flight = intake.metrics.in_flight();
    match intake.take(request).await {
        Ok(()) => {
            intake.metrics.answered("done");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refused) => {
            if let Reply::Reject { reason, .. } | Reply::Retry { reason, .. } = &refused {
                tracing::warn!(outcome = refused.outcome(), reason, "notification refused");
            }
            intake.metrics.answered(refused.outcome());
            respond(refused)
        }
    }
}

impl Intake {
    /// Takes a notification durably, or says why not.
    async fn take(&self, request: Request) -> Result<(), Reply> {
        self.authorize(request.headers())?;
        let Admitted { headers, body, place } = self.gate.admit(request).await?;
        // What says of itself that it is a notification is taken even if it cannot be used: among the dead letters it is
        // kept, and many senders forget what was refused. All else came here by mistake, and its sender should know.
        if let Err(error) = notification::parse(&body)
            && error.is_foreign()
        {
            return Err(Reply::Reject { status: RejectStatus::Invalid, reason: error.to_string() });
        }
        let sent = self.forwarder.forward(&headers, body, place).map_err(|error| refusal(&error))?;
        match tokio::time::timeout(self.gate.limits().request_timeout, sent).await {
            Ok(Ok(acknowledged)) => acknowledged.map_err(|error| refusal(&error)),
            Ok(Err(error)) => Err(unavailable(error.to_string())),
            Err(_) => Err(unavailable("Kafka did not acknowledge it in time".to_owned())),
        }
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), Reply> {
        match &self.token {
            Some(token) if !token.admits(headers) => Err(Reply::Reject {
                status: RejectStatus::Unauthorized,
                reason: "the token of this webhook was not shown".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// What a sender is told when Kafka does not take its notification.
fn refusal(error: &KafkaError) -> Reply {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => Reply::Reject {
            status: RejectStatus::TooLarge,
            reason: "Kafka takes no message of this size".to_owned(),
        },
        _ => unavailable(format!("Kafka did not take it: {error}")),
    }
}

fn unavailable(reason: String) -> Reply {
    Reply::Retry { status: RetryStatus::Unavailable, reason, after: Some(RETRY_AFTER) }
}
