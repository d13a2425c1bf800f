//! Which URL is what. All paths are below the catalog's `uri` and begin with a slash.

use std::borrow::Cow;
use std::collections::BTreeMap;

use iceberg::TableIdent;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::catalog::properties;
use crate::error::{Error, Result};

/// What stays as it is in a segment of a path or a value of a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What separates the levels of a namespace unless the catalog says otherwise.
const UNIT_SEPARATOR: &str = "\u{1f}";

/// The path of the configuration, which is asked for before anything else.
pub(super) fn config(warehouse: Option<&str>) -> String {
    match warehouse {
        Some(warehouse) => format!("/v1/config?warehouse={}", encode(warehouse)),
        None => "/v1/config".to_owned(),
    }
}

/// Paths under the prefix that the catalog gave.
#[derive(Debug)]
pub(super) struct Paths {
    config: String,
    root: String,
    separator: String,
}

impl Paths {
    /// `config` is where the configuration was found. The prefix is taken as it is: catalogs that put an ARN there
    /// encode it themselves.
    pub(super) fn new(config: &str, properties: &BTreeMap<String, String>) -> Result<Self> {
        let root = match properties::optional(properties, "prefix") {
            Some(prefix) => format!("/v1/{}", prefix.trim_matches('/')),
            None => "/v1".to_owned(),
        };
        let separator = match properties::optional(properties, "namespace-separator") {
            Some(given) => percent_decode_str(given).decode_utf8().map_err(|e| {
                Error::config("catalog property `namespace-separator` is no text").caused_by(e)
            })?,
            None => Cow::Borrowed(UNIT_SEPARATOR),
        };
        Ok(Self { config: config.to_owned(), root, separator: separator.into_owned() })
    }

    pub(super) fn config(&self) -> &str {
        &self.config
    }

    pub(super) fn namespaces(&self) -> String {
        format!("{}/namespaces", self.root)
    }

    pub(super) fn tables(&self, ident: &TableIdent) -> String {
        let namespace = ident.namespace().join(&self.separator);
        format!("{}/{}/tables", self.namespaces(), encode(&namespace))
    }

    pub(super) fn table(&self, ident: &TableIdent) -> String {
        format!("{}/{}", self.tables(ident), encode(ident.name()))
    }

    /// All snapshots: the ancestry of `main` has to be whole.
    pub(super) fn load(&self, ident: &TableIdent) -> String {
        format!("{}?snapshots=all", self.table(ident))
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(pairs: &[(&str, &str)]) -> Paths {
        let properties = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Paths::new("/v1/config", &properties).unwrap()
    }

    #[test]
    fn names_are_encoded_level_by_level() {
        let ident = TableIdent::from_strs(["a b", "ü", "t+1%"]).unwrap();
        assert_eq!(paths(&[]).load(&ident), "/v1/namespaces/a%20b%1F%C3%BC/tables/t%2B1%25?snapshots=all");
        let with = paths(&[("prefix", "/w/arn%3Ab/"), ("namespace-separator", "%2E")]);
        assert_eq!(with.table(&ident), "/v1/w/arn%3Ab/namespaces/a%20b.%C3%BC/tables/t%2B1%25");
        assert_eq!(with.namespaces(), "/v1/w/arn%3Ab/namespaces");
    }

    #[test]
    fn the_warehouse_is_named_when_the_configuration_is_asked_for() {
        assert_eq!(config(None), "/v1/config");
        assert_eq!(config(Some("s3://b/w&x")), "/v1/config?warehouse=s3%3A%2F%2Fb%2Fw%26x");
    }
}
