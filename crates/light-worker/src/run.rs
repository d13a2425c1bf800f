//! The service: intakes, admin endpoints and shutdown around one handler.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lake_metrics::LakeMetrics;
use service_kit::admin::{self, Readiness};
use service_kit::intake::{Handler, IntakeMetrics, http};
use service_kit::kafka::{KafkaIntake, KafkaIntakeError, KafkaProbe};
use service_kit::metrics::Metrics;
use service_kit::serve::{BindError, bind, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Config, Ingest, IngestHandler};

/// Why the service ended, if not because it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address is taken or not ours.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// The HTTP server ended.
    #[error("the HTTP server ended: {0}")]
    Http(#[from] io::Error),
    /// The Kafka intake ended.
    #[error(transparent)]
    Kafka(#[from] KafkaIntakeError),
}

/// Binds the configured address and runs until `stop` is cancelled; requests in flight then finish within the deadline.
pub async fn run(config: Config, ingest: impl Ingest, stop: CancellationToken) -> Result<(), RunError> {
    let listener = bind(config.listen).await?;
    tracing::info!(address = %listener.local_addr()?, http = config.http.is_some(), kafka = config.kafka.is_some(), "listening");
    run_on(listener, config, ingest, stop).await
}

/// [`run`] on a socket that is bound already.
pub async fn run_on(
    listener: TcpListener,
    config: Config,
    ingest: impl Ingest,
    stop: CancellationToken,
) -> Result<(), RunError> {
    // The end of one intake is the end of the service; the caller's token is not ours to cancel.
    let stop = stop.child_token();
    let metrics = Metrics::new();
    let intake_metrics = IntakeMetrics::new(&metrics);
    let lake_metrics = LakeMetrics::new(&metrics);
    ingest.observe(Arc::new(lake_metrics.clone()));
    let handler = Arc::new(IngestHandler::new(ingest, config.defaults, lake_metrics));
    let events: Arc<dyn Handler> = handler.clone();

    let consumer = match config.kafka {
        Some((intake, properties)) => {
            Some(KafkaIntake::new(intake, &properties, events.clone(), intake_metrics.clone(), stop.clone())?)
        }
        None => None,
    };
    let probe = consumer.as_ref().map(KafkaIntake::probe);
    let mut router =
        admin::router(metrics, readiness(handler, probe, config.ready_timeout), config.ready_timeout);
    if let Some(limits) = config.http {
        router = router.merge(http::router(events, limits, intake_metrics));
    }

    let server = async {
        let ended = serve(listener, router, stop.clone(), config.shutdown_timeout).await;
        stop.cancel();
        ended
    };
    let consumed = async {
        let Some(consumer) = consumer else { return Ok(()) };
        let ended = consumer.run().await;
        stop.cancel();
        ended
    };
    let (server, consumed) = tokio::join!(server, consumed);
    consumed?;
    Ok(server?)
}

fn readiness<I: Ingest>(
    handler: Arc<IngestHandler<I>>,
    probe: Option<KafkaProbe>,
    timeout: Duration,
) -> Readiness {
    Arc::new(move || {
        let (handler, probe) = (handler.clone(), probe.clone());
        Box::pin(async move {
            handler.ready().await?;
            match probe {
                Some(probe) => probe.check(timeout).await,
                None => Ok(()),
            }
        })
    })
}
