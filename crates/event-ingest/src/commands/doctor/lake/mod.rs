//! Catalog, tables, buckets, and the places where ledgers and heavy requests are written.

mod bucket;
mod clock;
mod root;
mod table;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use ingest_core::TableName;
use lake::{Lake, LakeConfig};
use service_kit::config::mask;

use super::finding::{Check, Finding};
use crate::commands::load::Source;

/// Longest wait for one check. What does not answer by then does not answer.
const CHECK_WITHIN: Duration = Duration::from_secs(20);
/// Tables and buckets that are looked at.
const MAX_LOOKED_AT: usize = 50;

/// What is looked at besides the catalog.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub tables: Vec<TableName>,
    pub sources: Vec<Source>,
    /// Whether ledger root and heavy root are written to.
    pub write: bool,
}

/// Runs the checks that need a catalog.
pub(super) async fn check(config: LakeConfig, plan: Plan) -> Vec<Finding> {
    let catalog =
        Check::of("catalog", config.properties.get("uri").map_or_else(String::new, |uri| mask("uri", uri)));
    let uri = config.properties.get("uri").cloned().unwrap_or_default();
    let store_name = config.store_name.clone();
    let opened = tokio::time::timeout(CHECK_WITHIN, async {
        let lake = Lake::open(config).await?;
        lake.ready().await.map(|()| Arc::new(lake))
    });
    let lake = match opened.await {
        Ok(Ok(lake)) => lake,
        Ok(Err(error)) => return vec![catalog.fail(error.to_string(), UNREACHABLE)],
        Err(_) => return vec![catalog.fail(format!("no answer within {CHECK_WITHIN:?}"), UNREACHABLE)],
    };
    let mut findings = vec![catalog.ok("answers")];
    let tables = plan.tables.iter().take(MAX_LOOKED_AT).map(|name| table::check(&lake, name, &store_name));
    findings.extend(join_all(tables).await.into_iter().flatten());
    let sources = plan.sources.iter().take(MAX_LOOKED_AT).map(|source| bucket::check(&lake, source));
    findings.extend(join_all(sources).await.into_iter().flatten());
    let roots =
        [("ledger-root", lake.ledger_root().to_owned()), ("heavy-root", lake.heavy_root().to_owned())];
    for (name, root) in roots {
        findings.extend(root::check(&lake, name, &root, plan.write).await);
    }
    findings.extend(clock::of_catalog(&uri).await);
    findings
}

/// What to do if the catalog cannot be used.
const UNREACHABLE: &str = "check uri, credentials and network (--print-config shows what is set); until then workers answer 503 and nothing is lost";

/// An answer within the bound; otherwise that there was none.
async fn in_time<T>(asked: impl Future<Output = lake::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(CHECK_WITHIN, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {CHECK_WITHIN:?}")),
    }
}
