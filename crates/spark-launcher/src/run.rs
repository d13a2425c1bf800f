//! The service: intakes, scan, admin endpoints and shutdown around one launcher.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lake::Lake;
use service_kit::admin::{self, Readiness};
use service_kit::intake::{Handler, IntakeMetrics, http};
use service_kit::kafka::{KafkaIntake, KafkaIntakeError, KafkaProbe};
use service_kit::metrics::Metrics;
use service_kit::serve::{BindError, bind, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::assemble::{self, BackendStartError};
use crate::config::Config;
use crate::handler::HeavyHandler;
use crate::launcher::Launcher;

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
    /// The records cannot be reached; with `--scan-once`, the scan did not end well.
    #[error(transparent)]
    Records(#[from] lake::Error),
    /// With `--scan-once`: there are requests that were given up.
    #[error("{0} requests were given up: `event-ingest heavy list --state failed` says why")]
    GivenUp(i64),
    /// The backend cannot be made.
    #[error(transparent)]
    Backend(#[from] BackendStartError),
}

/// Scans once if that is all that is asked for. Else binds the configured address and runs until `stop` is cancelled;
/// requests in flight then finish within the deadline, attempts go on.
///
/// # Errors
/// Why it ended, if not because it was told to.
pub async fn run(config: Config, lake: Lake, stop: CancellationToken) -> Result<(), RunError> {
    let metrics = Metrics::new();
    let launcher = Arc::new(assemble::assemble(&config, Arc::new(lake), &metrics).await?);
    if config.scan_once {
        if let Some(scanned) = stop.run_until_cancelled(launcher.scan_and_tidy()).await {
            let scan = scanned?;
            tracing::info!(records = scan.live.len(), states = ?scan.states, "scanned");
            // Nobody scrapes a process of seconds: a job that fails is seen.
            match scan.states.get("failed") {
                Some(&given_up) if given_up > 0 => return Err(RunError::GivenUp(given_up)),
                _ => {}
            }
        }
        return Ok(());
    }
    let listener = bind(config.listen).await?;
    tracing::info!(address = %listener.local_addr()?, http = config.http.is_some(), kafka = config.kafka.is_some(), "listening");
    run_on(listener, config, launcher, metrics, stop).await
}

/// [`run`] on a socket that is bound already, with a launcher that is made already.
///
/// # Errors
/// Why it ended, if not because it was told to.
pub async fn run_on(
    listener: TcpListener,
    config: Config,
    launcher: Arc<Launcher>,
    metrics: Metrics,
    stop: CancellationToken,
) -> Result<(), RunError> {
    // The end of one part is the end of the service; the caller's token is not ours to cancel.
    let stop = stop.child_token();
    let intake_metrics = IntakeMetrics::new(&metrics);
    let events: Arc<dyn Handler> = Arc::new(HeavyHandler::new(launcher.clone(), config.defaults));
    let consumer = match config.kafka {
        Some((intake, properties)) => {
            Some(KafkaIntake::new(intake, &properties, events.clone(), intake_metrics.clone(), stop.clone())?)
        }
        None => None,
    };
    let probe = consumer.as_ref().map(KafkaIntake::probe);
    let ready = readiness(launcher.clone(), probe, config.ready_timeout);
    let mut router = admin::router(metrics, ready, config.ready_timeout);
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
    let (server, consumed, ()) =
        tokio::join!(server, consumed, launcher.scan_until(config.scan_interval, &stop));
    consumed?;
    Ok(server?)
}

fn readiness(launcher: Arc<Launcher>, probe: Option<KafkaProbe>, timeout: Duration) -> Readiness {
    Arc::new(move || {
        let (launcher, probe) = (launcher.clone(), probe.clone());
        Box::pin(async move {
            launcher.ready().await.map_err(|error| error.to_string())?;
            match probe {
                Some(probe) => probe.check(timeout).await,
                None => Ok(()),
            }
        })
    })
}
