//! What an instance is told at its start.

use std::collections::BTreeMap;

use crate::allow::AllowList;

/// Configuration of a [`Lake`](crate::Lake).
#[derive(Debug, Clone)]
pub struct LakeConfig {
    /// Name of the catalog: in a SQL catalog, rows are keyed by it.
    pub catalog_name: String,
    /// Iceberg's catalog and storage properties under their own names: `type`, `uri`, `warehouse`, `s3.endpoint`, …
    pub properties: BTreeMap<String, String>,
    /// Name of the object store that requests speak of; part of every object's identity.
    pub store_name: String,
    /// Where ledgers live; `<warehouse>/_event_ingest` if not given. A table keeps the one it began with.
    pub ledger_root: Option<String>,
    /// Whether a table that is not there is made, with the schema of the first file that arrives for it.
    pub create_tables: bool,
    /// What may be read and written.
    pub allow: AllowList,
    /// How many requests may write data files at once. Memory grows with it: about 100 MiB each.
    pub concurrent_writes: usize,
}
