//! Names of tables.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Longest part of a table name in bytes: what file systems and catalogs take for one path segment.
pub const MAX_PART_BYTES: usize = 255;

/// Name of a table: one or more namespaces and a name, joined by dots (`db.my_table`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TableName {
    namespace: Vec<String>,
    name: String,
}

/// A text that names no table. A retry never helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableNameError {
    /// Fewer than two parts, or an empty one.
    #[error("{0:?} is no table name: expected <namespace>.<table>, each part non-empty")]
    Shape(String),
    /// A part that could not stand in a path, a header or a catalog.
    #[error(
        "{0:?} is no table name: slashes, control characters, outer blanks and parts over {MAX_PART_BYTES} bytes are refused"
    )]
    Part(String),
    /// A text from a key that is no part of a name.
    #[error("{0:?} was captured from the key: expected one part of a table name, without dots and not empty")]
    Captured(String),
}

impl TableName {
    /// Splits `namespace[.namespace…].name` at its dots.
    pub fn parse(text: &str) -> Result<Self, TableNameError> {
        let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        if parts.len() < 2 || parts.iter().any(String::is_empty) {
            return Err(TableNameError::Shape(text.to_owned()));
        }
        if !parts.iter().all(|part| is_plain(part)) {
            return Err(TableNameError::Part(text.to_owned()));
        }
        let name = parts.pop().expect("there are two parts at least");
        Ok(Self { namespace: parts, name })
    }

    /// The namespace levels, outermost first; never empty.
    pub fn namespace(&self) -> &[String] {
        &self.namespace
    }

    /// The table's name within its namespace.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn is_plain(part: &str) -> bool {
    part.len() <= MAX_PART_BYTES
        && part.trim() == part
        && !part.contains(|c: char| c == '/' || c == '\\' || c.is_control())
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for level in &self.namespace {
            write!(f, "{level}.")?;
        }
        f.write_str(&self.name)
    }
}

impl FromStr for TableName {
    type Err = TableNameError;

    fn from_str(text: &str) -> Result<Self, TableNameError> {
        Self::parse(text)
    }
}

impl From<TableName> for String {
    fn from(table: TableName) -> Self {
        table.to_string()
    }
}

impl TryFrom<String> for TableName {
    type Error = TableNameError;

    fn try_from(text: String) -> Result<Self, TableNameError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_is_the_name() {
        let table = TableName::parse("lake.raw.events").unwrap();
        assert_eq!(table.namespace(), ["lake", "raw"]);
        assert_eq!(table.name(), "events");
        assert_eq!(table.to_string(), "lake.raw.events");
    }

    #[test]
    fn what_names_no_table_is_refused() {
        for text in ["", "events", ".events", "db.", "db..events"] {
            assert!(matches!(TableName::parse(text), Err(TableNameError::Shape(_))), "{text}");
        }
        for text in ["db.a/b", "db.a\\b", "db.a\nb", "db. a", &format!("db.{}", "a".repeat(256))] {
            assert!(matches!(TableName::parse(text), Err(TableNameError::Part(_))), "{text}");
        }
    }
}
