//! The tables that are watched.

use std::collections::BTreeSet;

use ingest_core::{RuleSet, TableName};
use service_kit::rules::RulesSource;

use super::ClusterArgs;

/// Tables that are watched at most: a status has to end.
const MAX_TABLES: usize = 100;

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
