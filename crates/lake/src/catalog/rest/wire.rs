//! The shapes of the protocol, as far as they are used.

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{Schema, SortOrder, TableMetadata, UnboundPartitionSpec};
use iceberg::{TableRequirement, TableUpdate};
use serde::{Deserialize, Serialize};

/// The catalog's configuration.
#[derive(Deserialize)]
pub(super) struct Config {
    defaults: Option<BTreeMap<String, Option<String>>>,
    overrides: Option<BTreeMap<String, Option<String>>>,
}

impl Config {
    pub(super) fn defaults(&self) -> BTreeMap<String, String> {
        given(self.defaults.as_ref())
    }

    pub(super) fn overrides(&self) -> BTreeMap<String, String> {
        given(self.overrides.as_ref())
    }
}

fn given(properties: Option<&BTreeMap<String, Option<String>>>) -> BTreeMap<String, String> {
    let all = properties.into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect()
}

/// A loaded table without its metadata, which is by far the largest part.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LoadedHead {
    pub(super) metadata_location: Option<String>,
    #[serde(default)]
    pub(super) config: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) storage_credentials: Option<Vec<StorageCredential>>,
}

/// Credentials for the files below a prefix.
#[derive(Deserialize)]
pub(super) struct StorageCredential {
    pub(super) prefix: String,
    pub(super) config: BTreeMap<String, String>,
}

/// The metadata of a loaded table.
#[derive(Deserialize)]
pub(super) struct LoadedBody {
    pub(super) metadata: TableMetadata,
}

/// What went wrong, in the catalog's own words.
#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    #[serde(default)]
    pub(super) message: String,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

/// An answer that is an error.
#[derive(Deserialize)]
pub(super) struct ErrorAnswer {
    pub(super) error: Fault,
}

#[derive(Serialize)]
pub(super) struct NewNamespace<'a> {
    pub(super) namespace: &'a [String],
    pub(super) properties: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct NewTable<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Schema,
    pub(super) partition_spec: &'a UnboundPartitionSpec,
    pub(super) write_order: &'a SortOrder,
    pub(super) properties: &'a HashMap<String, String>,
}

#[derive(Serialize)]
pub(super) struct TableCommit<'a> {
    pub(super) identifier: Identifier<'a>,
    pub(super) requirements: &'a [TableRequirement],
    pub(super) updates: &'a [TableUpdate],
}

#[derive(Serialize)]
pub(super) struct Identifier<'a> {
    pub(super) namespace: &'a [String],
    pub(super) name: &'a str,
}
