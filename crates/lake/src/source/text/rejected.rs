//! Rows that cannot be taken, and what becomes of their file.

use serde::Serialize;

use super::options::BadRows;
use crate::source::ReadError;

/// Rows that are described; of more only the number is kept.
const DESCRIBED: usize = 100;
/// Characters of a value that a reason shows.
const EXCERPT: usize = 64;

/// Rows that were left out of a table. As JSON:
/// `{"rows": 2, "first": [{"line": 7, "column": "price", "reason": "`x` is no decimal(9, 2)"}, …]}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// How many.
    pub rows: u64,
    /// The first 100 of them.
    pub first: Vec<RejectedRow>,
}

/// One row that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRow {
    /// The line that it begins in, counted from 1.
    pub line: u64,
    /// The column whose value is at fault, as a path; none where the row as a whole is.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// What is wrong with a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Path of the column; empty where the row as a whole is at fault.
    pub(super) column: String,
    pub(super) reason: String,
}

impl Flaw {
    /// A flaw of a row as a whole, or of a value whose column is not known yet.
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { column: String::new(), reason: reason.into() }
    }

    /// The same flaw, seen from the struct, list or row that holds `name`.
    pub(super) fn within(mut self, name: &str) -> Self {
        let path = if self.column.is_empty() { name.to_owned() } else { format!("{name}.{}", self.column) };
        self.column = path;
        self
    }
}

/// The beginning of a value, for a reason.
pub(super) fn excerpt(value: &str) -> String {
    match value.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("`{}…`", &value[..end]),
        None => format!("`{value}`"),
    }
}

/// Decides over rows that cannot be taken.
pub(super) struct Judge {
    policy: BadRows,
    rejected: Rejected,
}

impl Judge {
    pub(super) fn new(policy: BadRows) -> Self {
        Self { policy, rejected: Rejected::default() }
    }

    /// Notes a row.
    ///
    /// # Errors
    /// The file is at fault.
    pub(super) fn reject(&mut self, line: u64, flaw: Flaw) -> Result<(), ReadError> {
        let column = Some(flaw.column).filter(|column| !column.is_empty());
        let row = RejectedRow { line, column, reason: flaw.reason };
        let limit = match self.policy {
            BadRows::Quarantine => return Err(ReadError::Content(row.describe())),
            BadRows::Skip { limit } => limit,
        };
        self.rejected.rows += 1;
        if self.rejected.first.len() < DESCRIBED {
            self.rejected.first.push(row);
        }
        if self.rejected.rows <= limit {
            return Ok(());
        }
        let first = self.rejected.first.first().map(RejectedRow::describe).unwrap_or_default();
        Err(ReadError::Content(format!("more than {limit} rows cannot be taken; the first: {first}")))
    }

    pub(super) fn into_rejected(self) -> Rejected {
        self.rejected
    }
}

impl Rejected {
    /// The report in one line; none if nothing was left out.
    pub fn describe(&self) -> Option<String> {
        let first = self.first.first()?;
        Some(format!("{} rows left out, the first: {}", self.rows, first.describe()))
    }
}

impl RejectedRow {
    fn describe(&self) -> String {
        match &self.column {
            Some(column) => format!("line {}, column `{column}`: {}", self.line, self.reason),
            None => format!("line {}: {}", self.line, self.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_the_documented_shape_and_a_bounded_length() {
        let mut judge = Judge::new(BadRows::Skip { limit: 200 });
        for line in 1..=150 {
            judge.reject(line, Flaw::new("`x` is no long").within("b").within("a")).unwrap();
        }
        let rejected = judge.into_rejected();
        assert_eq!((rejected.rows, rejected.first.len()), (150, 100));
        let json = serde_json::to_value(&rejected.first[0]).unwrap();
        assert_eq!(json, serde_json::json!({"line": 1, "column": "a.b", "reason": "`x` is no long"}));
    }

    #[test]
    fn excerpts_are_cut_at_characters() {
        assert_eq!(excerpt("ä"), "`ä`");
        assert_eq!(excerpt(&"ä".repeat(65)), format!("`{}…`", "ä".repeat(64)));
    }
}
