//! The service: the dispatching thread beside the admin endpoints.

use std::io;

use rdkafka::error::KafkaError;
use service_kit::admin;
use service_kit::kafka::PropertyError;
use service_kit::metrics::Metrics;
use service_kit::rules::{LiveRules, RulesFileError};
use service_kit::serve::{BindError, bind, serve};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::consume::{DispatchError, Dispatcher};
use crate::metrics::DispatcherMetrics;
use crate::notify;
use crate::probe::Probe;
use crate::sender::Sender;

/// Why the service ended, if not because it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address is taken or not ours.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// The admin server ended.
    #[error("the HTTP server ended: {0}")]
    Http(#[from] io::Error),
    /// The file of rules cannot be used.
    #[error(transparent)]
    Rules(#[from] RulesFileError),
    /// librdkafka refused the configuration of the producer.
    #[error("Kafka producer: {0}")]
    Producer(Box<KafkaError>),
    /// The dispatcher cannot begin or cannot go on.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
}

impl From<PropertyError> for RunError {
    fn from(error: PropertyError) -> Self {
        Self::Dispatch(error.into())
    }
}

/// Binds the admin address and dispatches until `stop` is cancelled; open batches then get out within the deadline.
pub async fn run(config: Config, stop: CancellationToken) -> Result<(), RunError> {
    // The caller's token is not ours to cancel. The endpoints answer until the last batch is out.
    let (stop, over) = (stop.child_token(), CancellationToken::new());
    let metrics = Metrics::new();
    let rules = LiveRules::start(&config.rules, &metrics, stop.clone())?;
    let listener = bind(config.listen).await?;
    tracing::info!(address = %listener.local_addr()?, topic = config.topics.source, group = config.group, "listening");

    let own = DispatcherMetrics::new(&metrics);
    let sender =
        Sender::new(&config.kafka.producer()?).map_err(|error| RunError::Producer(Box::new(error)))?;
    let probe =
        Probe { producer: sender.producer(), topics: config.topics.clone(), timeout: config.ready_timeout };
    let router = admin::router(metrics.clone(), probe.readiness(), config.ready_timeout);
    let webhook = notify::listen(&config, &metrics).await?;
    let deadline = config.shutdown_timeout;
    let dispatcher = Dispatcher::new(config, rules, sender, own)?;

    let thread = tokio::task::spawn_blocking({
        let (stop, over) = (stop.clone(), over.clone().drop_guard());
        move || {
            let _over = over;
            dispatcher.run(&stop)
        }
    });
    let served = async {
        let ended = serve(listener, router, over, deadline).await;
        stop.cancel();
        ended
    };
    let notified = async {
        let Some(webhook) = webhook else { return Ok(()) };
        let ended = webhook.serve(stop.clone(), deadline).await;
        stop.cancel();
        ended
    };
    let (served, notified) = tokio::join!(served, notified);
    thread.await.expect("the dispatching thread does not panic")?;
    notified?;
    Ok(served?)
}
