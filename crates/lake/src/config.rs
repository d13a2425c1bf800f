//! What an instance is told at its start.

use std::collections::BTreeMap;
use std::fmt;

use crate::allow::AllowList;

/// Configuration of a [`Lake`](crate::Lake).
#[derive(Clone)]
pub struct LakeConfig {
    /// Name of the catalog: in a SQL catalog, rows are keyed by it.
    pub catalog_name: String,
    /// Iceberg's catalog and storage properties under their own names: `type`, `uri`, `warehouse`, `s3.endpoint`, …
    pub properties: BTreeMap<String, String>,
    /// Name of the object store that requests speak of; part of every object's identity.
    pub store_name: String,
    /// Where ledgers live; `<warehouse>/_event_ingest` if not given. A table keeps the one it began with.
    pub ledger_root: Option<String>,
    /// Where heavy requests and what jobs staged of them are written down; `<ledger root>/heavy` if not given.
    pub heavy_root: Option<String>,
    /// Whether a table that is not there is made, with the schema of the first file that arrives for it.
    pub create_tables: bool,
    /// What may be read and written.
    pub allow: AllowList,
    /// How many requests may write data files at once. Memory grows with it: about 100 MiB each.
    pub concurrent_writes: usize,
}

impl fmt::Debug for LakeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeConfig")
            .field("catalog_name", &self.catalog_name)
            .field("properties", &Names(&self.properties))
            .field("store_name", &self.store_name)
            .field("ledger_root", &self.ledger_root)
            .field("heavy_root", &self.heavy_root)
            .field("create_tables", &self.create_tables)
            .field("allow", &self.allow)
            .field("concurrent_writes", &self.concurrent_writes)
            .finish()
    }
}

/// Properties fit for a log: their names alone, because keys, tokens and passwords are among the values.
pub(crate) struct Names<'a>(pub(crate) &'a BTreeMap<String, String>);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_property_shows_in_the_debug_form() {
        let properties = ["token", "credential", "s3.secret-access-key", "uri", "header.Authorization"];
        let config = LakeConfig {
            catalog_name: "my_catalog".to_owned(),
            properties: properties.map(|name| (name.to_owned(), "hush".to_owned())).into(),
            store_name: "s3".to_owned(),
            ledger_root: None,
            heavy_root: None,
            create_tables: false,
            allow: AllowList::parse(["s3://inbox"], ["db.*"]).unwrap(),
            concurrent_writes: 1,
        };
        let shown = format!("{config:?}");
        assert!(!shown.contains("hush") && shown.contains("s3.secret-access-key"), "{shown}");
    }
}
