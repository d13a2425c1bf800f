//! The tables that are watched, as they are now.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use ingest_core::{RuleSet, TableName};
use lake::Lake;
use operations::model::TableStatus;
use service_kit::rules::RulesSource;

use super::{ClusterArgs, within};
use crate::overview::{quarantine, table};

/// Tables that are watched at most: a status has to end.
const MAX_TABLES: usize = 100;
/// Tables that are asked about at the same time.
const AT_ONCE: usize = 8;

/// What is watched.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub tables: Vec<TableName>,
    pub rules: RuleSet,
    /// What is wrong with the file of rules.
    pub fault: Option<String>,
}

impl Watched {
    /// What the flags and the file of rules name now.
    pub fn now(args: &ClusterArgs) -> Self {
        let (rules, fault) = match &args.rules {
            None => (RuleSet::new([]), None),
            Some(path) => match RulesSource::File(path.clone()).load() {
                Ok(rules) => (rules, None),
                Err(error) => (RuleSet::new([]), Some(error.to_string())),
            },
        };
        let named: BTreeSet<TableName> =
            rules.tables().flatten().chain(args.tables.iter().cloned()).collect();
        Self { tables: named.into_iter().take(MAX_TABLES).collect(), rules, fault }
    }
}

/// Each table, or why it cannot be looked at.
pub(super) async fn look(lake: &Lake, tables: &[TableName]) -> Vec<(TableName, Result<TableStatus, String>)> {
    let asked: Vec<_> =
        tables.iter().map(|name| async move { (name.clone(), within(look_at(lake, name)).await) }).collect();
    stream::iter(asked).buffered(AT_ONCE).collect().await
}

async fn look_at(lake: &Lake, name: &TableName) -> lake::Result<TableStatus> {
    let inspection = lake.inspect(name).await?;
    let count = quarantine::count(lake, name, inspection.as_ref()).await?;
    match &inspection {
        Some(found) => table::status(name, found, Some(count)).await,
        None => Ok(table::absent(name, Some(false), Some(count))),
    }
}
