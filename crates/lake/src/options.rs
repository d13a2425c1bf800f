//! Options of a table live with the table, as properties `event-ingest.*`; the rule that routed a file may
//! override them through the request's `options`.

use std::collections::{BTreeMap, HashMap};

use crate::source::TextOptions;

/// What table properties of ours begin with.
const PREFIX: &str = "event-ingest.";
/// Option: what happens to a file whose columns are not the table's.
const SCHEMA_POLICY: &str = "schema-policy";
/// Option: how files get into the table.
const MODE: &str = "mode";

/// How files are taken into one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableOptions {
    /// `schema-policy`.
    pub schema_policy: SchemaPolicy,
    /// `mode`.
    pub mode: Mode,
}

/// Option `schema-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SchemaPolicy {
    /// A file that does not fit the table is quarantined.
    #[default]
    Strict,
}

/// Option `mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Rows are decoded and written anew.
    #[default]
    Rewrite,
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
    #[error("option `{0}` is not known; known are `schema-policy`, `mode` and those of text files")]
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
        let get = found(properties, request);
        let known = |name: &str| [SCHEMA_POLICY, MODE].contains(&name) || TextOptions::NAMES.contains(&name);
        if let Some(unknown) = request.keys().find(|name| !known(name)) {
            return Err(OptionError::Unknown(unknown.clone()));
        }
        let schema_policy = match get(SCHEMA_POLICY) {
            None | Some("strict") => SchemaPolicy::Strict,
            Some(given) => return Err(value(SCHEMA_POLICY, "`strict`", given)),
        };
        let mode = match get(MODE) {
            None | Some("auto" | "rewrite") => Mode::Rewrite,
            Some(given) => return Err(value(MODE, "`auto` or `rewrite`", given)),
        };
        Ok(Self { schema_policy, mode })
    }
}

/// Finds an option by its name: in the request, else with the table.
pub(crate) fn found<'a>(
    properties: &'a HashMap<String, String>,
    request: &'a BTreeMap<String, String>,
) -> impl Fn(&str) -> Option<&'a str> {
    move |name| request.get(name).or_else(|| properties.get(&format!("{PREFIX}{name}"))).map(String::as_str)
}

impl Mode {
    /// The name under which ledger and results know the mode.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Rewrite => "rewrite",
        }
    }
}

fn value(name: &str, expected: &'static str, given: &str) -> OptionError {
    OptionError::Value { name: name.to_owned(), expected, given: given.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_overrides_the_table() {
        let table = HashMap::from([("event-ingest.mode".to_owned(), "splice".to_owned())]);
        assert!(TableOptions::of(&table, &BTreeMap::new()).unwrap_err().to_string().contains("splice"));
        let request = BTreeMap::from([("mode".to_owned(), "rewrite".to_owned())]);
        assert_eq!(TableOptions::of(&table, &request).unwrap().mode, Mode::Rewrite);
    }

    #[test]
    fn an_unknown_option_of_a_request_is_refused_and_of_a_table_is_not() {
        let request = BTreeMap::from([("modes".to_owned(), "rewrite".to_owned())]);
        assert_eq!(
            TableOptions::of(&HashMap::new(), &request),
            Err(OptionError::Unknown("modes".to_owned()))
        );
        let table = HashMap::from([("event-ingest.ledger".to_owned(), "1:x".to_owned())]);
        assert_eq!(TableOptions::of(&table, &BTreeMap::new()), Ok(TableOptions::default()));
    }
}
