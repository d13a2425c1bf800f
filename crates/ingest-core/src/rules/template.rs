//! Table names with places for what a key holds.

use std::fmt;

use crate::{TableName, TableNameError};

/// The name of a table in which `${name}` stands for what the rule's regex captured under that name: `db.${table}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Capture(String),
}

/// A text that is no template, or whose tables would have no name. A retry never helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A place that is not closed or not named.
    #[error("{0:?}: expected ${{name}} with the name of a capture")]
    Place(String),
    /// No table has such a name.
    #[error(transparent)]
    Name(#[from] TableNameError),
}

impl TableTemplate {
    /// Reads `db.my_table` or `db.${capture}`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let place = || TemplateError::Place(text.to_owned());
            let (name, behind) = behind.split_once('}').ok_or_else(place)?;
            if name.is_empty() {
                return Err(place());
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Capture(name.to_owned()));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let template = Self(parts);
        // What stands around the captures has to be right whatever they are.
        template.render(|_| Some("x"))?;
        Ok(template)
    }

    /// The names of the captures that it needs.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Capture(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The table, if it is the same for all objects.
    pub fn fixed(&self) -> Option<TableName> {
        match self.captures().next() {
            Some(_) => None,
            None => self.render(|_| None).ok(),
        }
    }

    /// The table for what was captured. A capture is one part of a name, or a piece of one: a key chooses a table within
    /// the namespace that the rule names, and never another namespace. Captured nothing is as bad as a dot.
    pub fn render<'k>(&self, capture: impl Fn(&str) -> Option<&'k str>) -> Result<TableName, TableNameError> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Capture(place) => match capture(place) {
                    Some(text) if !text.is_empty() && !text.contains('.') => name.push_str(text),
                    text => return Err(TableNameError::Captured(text.unwrap_or_default().to_owned())),
                },
            }
        }
        TableName::parse(&name)
    }
}

impl From<TableName> for TableTemplate {
    fn from(table: TableName) -> Self {
        Self(vec![Part::Text(table.to_string())])
    }
}

impl fmt::Display for TableTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Capture(name) => write!(f, "${{{name}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str, captured: &str) -> Result<String, TableNameError> {
        TableTemplate::parse(template).unwrap().render(|_| Some(captured)).map(|table| table.to_string())
    }

    #[test]
    fn captures_become_parts_of_the_name() {
        assert_eq!(rendered("db.${table}", "flights").unwrap(), "db.flights");
        assert_eq!(rendered("lake.${area}.raw_${area}", "eu").unwrap(), "lake.eu.raw_eu");
        assert_eq!(rendered("db.t", "x").unwrap(), "db.t");
        assert_eq!(rendered("db.a$b", "x").unwrap(), "db.a$b");
        let table = |text| TableTemplate::parse(text).unwrap().fixed().map(|table| table.to_string());
        assert_eq!(table("db.t").as_deref(), Some("db.t"));
        assert_eq!(table("db.${t}"), None);
    }

    #[test]
    fn what_would_be_no_name_is_refused() {
        for captured in ["", "a.b", ".", "a/b", " a", "a\n", &"a".repeat(256)] {
            assert!(rendered("db.${table}", captured).is_err(), "{captured:?}");
        }
        assert!(TableTemplate::parse("db.${t}").unwrap().render(|_| None).is_err());
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in ["db.${", "db.${}", "db.${a"] {
            assert_eq!(TableTemplate::parse(text), Err(TemplateError::Place(text.to_owned())));
        }
        for text in ["", "db", "${table}", "db.", "db.${a}/b"] {
            assert!(matches!(TableTemplate::parse(text), Err(TemplateError::Name(_))), "{text}");
        }
    }

    #[test]
    fn it_is_shown_as_it_was_written() {
        for text in ["db.t", "db.${table}", "a.${b}_${c}.d"] {
            assert_eq!(TableTemplate::parse(text).unwrap().to_string(), text);
        }
    }
}
