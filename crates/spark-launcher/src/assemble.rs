//! A launcher from its settings.

use std::sync::Arc;

use lake::Lake;
use service_kit::metrics::Metrics;

use crate::backend::Backend;
use crate::config::{BackendConfig, Config};
use crate::inline::Inline;
use crate::launcher::{Launcher, Parts};
use crate::metrics::LauncherMetrics;
use crate::record::files::Files;
use crate::record::store::Records;
use crate::sink::Sink;
use crate::submit::Submit;

/// Name of the folder of records below the ledgers, unless told otherwise.
const FOLDER: &str = "heavy";

/// Where the records of a lake are: at `configured`, or beside its ledgers.
///
/// # Errors
/// A location that no store can reach.
pub fn records(lake: &Lake, configured: Option<&str>) -> lake::Result<Records> {
    let beside = || format!("{}/{FOLDER}", lake.ledger_root().trim_end_matches('/'));
    let root = configured.map_or_else(beside, str::to_owned);
    Ok(Records::new(Files::new(lake.stores().clone(), &root)?))
}

/// A backend could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BackendStartError {
    /// Kubernetes: no configuration, or no access.
    #[error("backend spark-operator: {0}")]
    Operator(String),
}

/// The launcher that the settings describe, over a lake.
///
/// # Errors
/// Records that cannot be reached, or a backend that cannot be made.
pub async fn launcher(config: &Config, lake: Arc<Lake>, metrics: &Metrics) -> Result<Launcher, crate::RunError> {
    let records = records(&lake, config.heavy_root.as_deref())?;
    let sink: Arc<dyn Sink> = lake;
    Ok(Launcher::new(Parts {
        backend: backend(&config.backend, &sink).await?,
        sink,
        records,
        limits: config.limits.clone(),
        max_records: config.max_records,
        metrics: LauncherMetrics::new(metrics),
    }))
}

async fn backend(config: &BackendConfig, sink: &Arc<dyn Sink>) -> Result<Arc<dyn Backend>, BackendStartError> {
    Ok(match config {
        BackendConfig::Inline(at_once) => Arc::new(Inline::new(sink.clone(), *at_once)),
        BackendConfig::Submit(config) => Arc::new(Submit::new(config.clone())),
    })
}
