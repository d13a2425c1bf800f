//! The flags that say which catalog, which storage and which ledger: the same for the light worker, the spark launcher
//! and the operator's commands, none of which may know another.

use std::collections::BTreeMap;

use clap::Args;
use lake::allow::PatternError;
use lake::{AllowList, LakeConfig};
use service_kit::config::{Property, key_value, key_values};

/// Environment variables that begin with this are properties of the catalog.
const CATALOG_PREFIX: &str = "ICEBERG_CATALOG__";

/// Where tables, objects and ledgers are.
#[derive(Args, Debug, Clone)]
pub struct LakeArgs {
    /// Iceberg catalog or storage property as key=value; repeatable. Goes over ICEBERG_CATALOG__<KEY> (ICEBERG_CATALOG__S3__ENDPOINT is s3.endpoint)
    #[arg(long = "catalog", value_name = "KEY=VALUE", value_parser = key_value)]
    pub catalog: Vec<(String, String)>,
    /// Name of the catalog
    #[arg(long, env = "CATALOG_NAME", default_value = "my_catalog")]
    pub catalog_name: String,
    /// Name of the object store that requests speak of; part of every object's identity, so never change it
    #[arg(long, env = "STORE_NAME", default_value = "s3")]
    pub store_name: String,
    /// Location of the ledgers [default: <warehouse>/_event_ingest]
    #[arg(long, env = "LEDGER_ROOT")]
    pub ledger_root: Option<String>,
    /// Location of heavy requests and of what jobs staged of them: the same for launcher, job and worker [default: <ledger root>/heavy]
    #[arg(long, env = "HEAVY_ROOT")]
    pub heavy_root: Option<String>,
}

/// What an instance may do with what [`LakeArgs`] describe.
#[derive(Debug, Clone)]
pub struct LakeUse {
    /// What may be read and written.
    pub allow: AllowList,
    /// Whether a table that is not there is made.
    pub create_tables: bool,
    /// Requests that write data files at once.
    pub concurrent_writes: usize,
}

/// A source or table pattern that means nothing. No retry helps.
#[derive(Debug, thiserror::Error)]
#[error("--allow-source (ALLOW_SOURCES), --allow-table (ALLOW_TABLES), --own-source (OWN_SOURCES): {0}")]
pub struct AllowError(#[from] PatternError);

impl LakeArgs {
    /// The properties of catalog and storage: flags over the environment.
    #[must_use]
    pub fn properties(&self, vars: &BTreeMap<String, String>) -> BTreeMap<String, Property> {
        key_values(CATALOG_PREFIX, vars.clone(), &self.catalog)
    }

    /// The configuration of a lake with these properties.
    #[must_use]
    pub fn config(&self, properties: &BTreeMap<String, Property>, purpose: LakeUse) -> LakeConfig {
        let value = |(name, property): (&String, &Property)| (name.clone(), property.value.clone());
        LakeConfig {
            catalog_name: self.catalog_name.clone(),
            properties: properties.iter().map(value).collect(),
            store_name: self.store_name.clone(),
            ledger_root: self.ledger_root.clone(),
            heavy_root: self.heavy_root.clone(),
            create_tables: purpose.create_tables,
            allow: purpose.allow,
            concurrent_writes: purpose.concurrent_writes,
        }
    }
}

/// Properties of a catalog as `--print-config` lists them.
#[must_use]
pub fn catalog_listing(properties: &BTreeMap<String, Property>) -> Vec<(String, Property)> {
    properties.iter().map(|(name, property)| (format!("catalog.{name}"), property.clone())).collect()
}

/// The lists behind `--allow-source`, `--allow-table` and `--own-source`.
///
/// # Errors
/// The first pattern that means nothing.
pub fn allow_list(sources: &[String], tables: &[String], owned: &[String]) -> Result<AllowList, AllowError> {
    let list = AllowList::parse(sources.iter().map(String::as_str), tables.iter().map(String::as_str))?;
    Ok(list.with_owned(owned.iter().map(String::as_str))?)
}
