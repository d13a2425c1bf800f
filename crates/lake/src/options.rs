//! Options of a table live with the table, as properties `event-ingest.*`; the rule that routed a file may
//! override them through the request's `options`.

use std::collections::{BTreeMap, HashMap};

use crate::columns::{Added, Matching};
use crate::creation::{Creation, PARTITION_BY, PROPERTY_PREFIX, SORT_BY};
use crate::source::TextOptions;

/// What table properties of ours begin with.
const PREFIX: &str = "event-ingest.";
/// Option: what happens to a file whose columns are not the table's.
const SCHEMA_POLICY: &str = "schema-policy";
/// Option: how files get into the table.
const MODE: &str = "mode";
/// Option: how much of a file is checked before its bytes are copied.
const VERIFY: &str = "verify";
/// Option: whether names that differ in case are different columns.
const CASE_SENSITIVE: &str = "case-sensitive";
/// Option: whether field ids in a file have to be the table's.
const FIELD_IDS: &str = "field-ids";
/// Option: whether `name=value` segments of a key are columns.
const HIVE_COLUMNS: &str = "hive-columns";
/// Option: name of a column for the URI of the file.
const SOURCE_COLUMN: &str = "source-column";
/// Option: name of a column for the time of the ingest.
const INGEST_TIME_COLUMN: &str = "ingest-time-column";

/// The options that are known, but for those that begin with [`PROPERTY_PREFIX`].
const KNOWN: [&str; 10] = [
    SCHEMA_POLICY,
    MODE,
    VERIFY,
    CASE_SENSITIVE,
    FIELD_IDS,
    HIVE_COLUMNS,
    SOURCE_COLUMN,
    INGEST_TIME_COLUMN,
    PARTITION_BY,
    SORT_BY,
];

/// How files are taken into one table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableOptions {
    /// `schema-policy`.
    pub schema_policy: SchemaPolicy,
    /// `mode`.
    pub mode: Mode,
    /// `verify`.
    pub verify: Verify,
    /// `case-sensitive` and `field-ids`.
    pub matching: Matching,
    /// `hive-columns`, `source-column` and `ingest-time-column`.
    pub added: Added,
    /// `csv.*` and `text.*`.
    pub text: TextOptions,
    /// `create.*`, of the request alone.
    pub creation: Creation,
}

/// Option `schema-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SchemaPolicy {
    /// A file that does not fit the table is quarantined.
    #[default]
    Strict,
    /// The table gets the columns that it lacks, and wider types where Iceberg allows it.
    Evolve,
}

/// Option `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Column chunks are copied where that is right, and rows written anew elsewhere.
    #[default]
    Auto,
    /// The same, but row groups are kept as they are, however small.
    Splice,
    /// Rows are always decoded and written anew.
    Rewrite,
    /// The file becomes a data file where it is, or is refused.
    Register,
}

/// Option `verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// The headers, lengths, counts and check sums of the pages.
    #[default]
    Pages,
    /// That, and every value is decoded once.
    Decode,
}

/// An option with a value that means nothing here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OptionError {
    /// The option is known, its value is not.
    #[error("option `{name}`: expected {expected}, got `{given}`")]
    Value {
        /// The option.
        name: String,
        /// What it takes.
        expected: &'static str,
        /// What it was given.
        given: String,
    },
    /// No such option.
    #[error("option `{0}` is not known; known are {known}, {text} and {PROPERTY_PREFIX}*", known = KNOWN.join(", "), text = TextOptions::NAMES.join(", "))]
    Unknown(String),
}

impl TableOptions {
    /// The options of a table, overridden by those of a request.
    ///
    /// # Errors
    /// A value that is not known, in either; an option that is not known, in the request. A table may carry
    /// properties of newer versions.
    pub fn of(
        properties: &HashMap<String, String>,
        request: &BTreeMap<String, String>,
    ) -> Result<Self, OptionError> {
        let known = |name: &str| {
            KNOWN.contains(&name) || TextOptions::NAMES.contains(&name) || name.starts_with(PROPERTY_PREFIX)
        };
        if let Some(unknown) = request.keys().find(|name| !known(name)) {
            return Err(OptionError::Unknown(unknown.clone()));
        }
        let given = Given { properties, request };
        let matching = Matching {
            ignore_case: !given.flag(CASE_SENSITIVE, true)?,
            field_ids: given.flag(FIELD_IDS, false)?,
        };
        let mut text = TextOptions::of(|name| given.get(name))?;
        text.ignore_case = matching.ignore_case;
        Ok(Self {
            schema_policy: given.choice(SCHEMA_POLICY, "`strict` or `evolve`", |value| match value {
                "strict" => Some(SchemaPolicy::Strict),
                "evolve" => Some(SchemaPolicy::Evolve),
                _ => None,
            })?,
            mode: given.choice(MODE, "`auto`, `splice`, `rewrite` or `register`", |value| match value {
                "auto" => Some(Mode::Auto),
                "splice" => Some(Mode::Splice),
                "rewrite" => Some(Mode::Rewrite),
                "register" => Some(Mode::Register),
                _ => None,
            })?,
            verify: given.choice(VERIFY, "`pages` or `decode`", |value| match value {
                "pages" => Some(Verify::Pages),
                "decode" => Some(Verify::Decode),
                _ => None,
            })?,
            matching,
            text,
            added: Added {
                hive: given.flag(HIVE_COLUMNS, false)?,
                source: given.get(SOURCE_COLUMN).map(str::to_owned),
                ingest_time: given.get(INGEST_TIME_COLUMN).map(str::to_owned),
            },
            creation: Creation::of(request)?,
        })
    }
}

/// Where the value of an option comes from.
struct Given<'a> {
    properties: &'a HashMap<String, String>,
    request: &'a BTreeMap<String, String>,
}

impl<'a> Given<'a> {
    /// Nothing and an empty text are the same: so a request can undo what the table says.
    fn get(&self, name: &str) -> Option<&'a str> {
        let value = self.request.get(name).or_else(|| self.properties.get(&format!("{PREFIX}{name}")));
        value.map(String::as_str).filter(|value| !value.is_empty())
    }

    fn choice<T: Default>(
        &self,
        name: &str,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, OptionError> {
        let Some(given) = self.get(name) else { return Ok(T::default()) };
        let wrong = || OptionError::Value { name: name.to_owned(), expected, given: given.to_owned() };
        read(given).ok_or_else(wrong)
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, OptionError> {
        let read = self.choice(name, "`true` or `false`", |value| value.parse().ok().map(Some))?;
        Ok(read.unwrap_or(default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(table: &[(&str, &str)], request: &[(&str, &str)]) -> Result<TableOptions, OptionError> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        TableOptions::of(&table.iter().map(owned).collect(), &request.iter().map(owned).collect())
    }

    #[test]
    fn the_request_overrides_the_table() {
        let table = [("event-ingest.mode", "register"), ("event-ingest.source-column", "src")];
        let of_table = options(&table, &[]).unwrap();
        assert_eq!((of_table.mode, of_table.added.source.as_deref()), (Mode::Register, Some("src")));
        let overridden = options(&table, &[("mode", "rewrite"), ("source-column", "")]).unwrap();
        assert_eq!((overridden.mode, overridden.added.source), (Mode::Rewrite, None));
    }

    #[test]
    fn a_value_that_means_nothing_is_refused_wherever_it_stands() {
        for (name, value) in
            [("mode", "copy"), ("verify", "all"), ("case-sensitive", "no"), ("schema-policy", "lax")]
        {
            let of_request = options(&[], &[(name, value)]).unwrap_err().to_string();
            let of_table = options(&[(&format!("event-ingest.{name}"), value)], &[]).unwrap_err().to_string();
            assert!(of_request.contains(name) && of_request.contains(value), "{of_request}");
            assert_eq!(of_request, of_table);
        }
    }

    #[test]
    fn an_unknown_option_of_a_request_is_refused_and_of_a_table_is_not() {
        assert_eq!(options(&[], &[("modes", "rewrite")]), Err(OptionError::Unknown("modes".to_owned())));
        assert_eq!(options(&[("event-ingest.ledger", "1:x")], &[]), Ok(TableOptions::default()));
        assert!(options(&[], &[("create.property.write.format.default", "parquet")]).is_ok());
    }
}
