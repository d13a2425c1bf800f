//! A launcher from its settings.

use std::sync::Arc;

use lake::Lake;
use lake_metrics::LakeMetrics;
use service_kit::metrics::Metrics;

use crate::backend::Backend;
use crate::config::{BackendConfig, Config};
use crate::inline::Inline;
use crate::launcher::{Launcher, Parts};
use crate::metrics::LauncherMetrics;
use crate::operator::OperatorBackend;
use crate::record::files::Files;
use crate::record::store::Records;
use crate::submit::Submit;

/// The records of a lake.
///
/// # Errors
/// A location that no store can reach.
pub fn records(lake: &Lake) -> lake::Result<Records> {
    Ok(Records::new(Files::new(lake.stores().clone(), lake.heavy_root())?))
}

/// A backend could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BackendStartError {
    /// Kubernetes: no configuration, or no access.
    #[error("no access to Kubernetes: {0}")]
    Kubernetes(#[from] kube::Error),
}

/// The launcher that the settings describe, over a lake.
///
/// # Errors
/// Records that cannot be reached, or a backend that cannot be made.
pub async fn assemble(
    config: &Config,
    lake: Arc<Lake>,
    metrics: &Metrics,
) -> Result<Launcher, crate::RunError> {
    let records = records(&lake)?;
    Ok(Launcher::new(Parts {
        backend: backend(&config.backend, &lake, metrics).await?,
        sink: lake,
        records,
        limits: config.limits.clone(),
        max_records: config.max_records,
        metrics: LauncherMetrics::new(metrics),
    }))
}

async fn backend(
    config: &BackendConfig,
    lake: &Arc<Lake>,
    metrics: &Metrics,
) -> Result<Arc<dyn Backend>, BackendStartError> {
    Ok(match config {
        BackendConfig::Inline(at_once) => {
            // It does the light worker's work, and is to be watched as that is.
            let own = LakeMetrics::new(metrics);
            lake.observe(Arc::new(own.clone()));
            Arc::new(Inline::new(lake.clone(), *at_once, own))
        }
        BackendConfig::Operator(config) => Arc::new(OperatorBackend::connect(config.as_ref().clone()).await?),
        BackendConfig::Submit(config) => Arc::new(Submit::new(config.clone())),
    })
}
