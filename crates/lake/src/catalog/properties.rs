//! What the two catalogs share in reading their properties.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Which catalog a set of properties speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Tables in a database: SQLite or Postgres.
    Sql,
    /// Iceberg's REST protocol.
    Rest,
}

impl Kind {
    /// By `type`; if that is absent, by the scheme of `uri`.
    pub(super) fn of(properties: &BTreeMap<String, String>) -> Result<Self> {
        match properties.get("type").map(String::as_str) {
            Some("sql") => return Ok(Self::Sql),
            Some("rest") => return Ok(Self::Rest),
            Some(kind) => {
                return Err(Error::config(format!(
                    "catalog property `type`: expected `sql` or `rest`, got `{kind}`"
                )));
            }
            None => {}
        }
        let uri = required(properties, "uri")?;
        match uri.split(['+', ':']).next() {
            Some("sqlite" | "postgres" | "postgresql") => Ok(Self::Sql),
            Some("http" | "https") => Ok(Self::Rest),
            _ => Err(Error::config(format!(
                "catalog property `uri`: expected sqlite:, postgresql: or http(s):, got `{}`; or give `type`",
                without_secret(uri)
            ))),
        }
    }
}

/// A property that has to be there.
pub(super) fn required<'a>(properties: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str> {
    optional(properties, name)
        .ok_or_else(|| Error::config(format!("catalog property `{name}` is missing or empty")))
}

/// A property that may be absent; empty counts as absent.
pub(super) fn optional<'a>(properties: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    properties.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// A property that is `true` or `false`; absent is `false`.
pub(super) fn flag(properties: &BTreeMap<String, String>, name: &str) -> Result<bool> {
    match optional(properties, name).map(str::to_ascii_lowercase).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(value) => {
            Err(Error::config(format!("catalog property `{name}`: expected true or false, got `{value}`")))
        }
    }
}

/// A URI fit for a log: without user, password and query.
pub(super) fn without_secret(uri: &str) -> String {
    let uri = uri.split('?').next().unwrap_or(uri);
    match uri.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://…@{host}"),
            None => uri.to_owned(),
        },
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(pairs: &[(&str, &str)]) -> Result<Kind> {
        Kind::of(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn the_scheme_tells_the_catalog_unless_the_type_does() {
        for uri in ["sqlite:////a.db", "postgresql://h/d", "postgresql+psycopg2://h/d", "postgres://h/d"] {
            assert_eq!(kind(&[("uri", uri)]).unwrap(), Kind::Sql, "{uri}");
        }
        assert_eq!(kind(&[("uri", "https://h")]).unwrap(), Kind::Rest);
        assert_eq!(kind(&[("uri", "http://h"), ("type", "sql")]).unwrap(), Kind::Sql);
        assert!(kind(&[("uri", "thrift://h")]).is_err());
        assert!(kind(&[("type", "hive"), ("uri", "http://h")]).unwrap_err().to_string().contains("hive"));
    }

    #[test]
    fn a_password_in_a_uri_is_not_shown() {
        for uri in ["mysql://me:hush@host/db", "mysql://host/db?password=hush", "mysql://me:hu@sh@host/db"] {
            let error = kind(&[("uri", uri)]).unwrap_err().to_string();
            assert!(!error.contains("hu") && error.contains("host/db"), "{error}");
        }
    }
}
