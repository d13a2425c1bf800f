//! Rules as people write them: a YAML file, text in, rules out.

mod compile;
mod shape;

use std::fmt;

use serde_saphyr::Location;

use super::RuleSet;

/// Longest file in bytes.
pub const MAX_RULES_BYTES: usize = 256 * 1024;

/// Most rules of a file: each record may have to be compared with all of them.
pub const MAX_RULES: usize = 1_000;

/// Deepest nesting of a file, about twice what rules need.
const MAX_DEPTH: usize = 16;

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The line, from 1; `None` if it is about the file as a whole.
    pub line: Option<u64>,
    /// The column in characters, from 1.
    pub column: Option<u64>,
    /// The rule, by its name.
    pub rule: Option<String>,
    /// What is wrong, and what was expected.
    pub text: String,
}

/// A file that is none of rules: everything that is wrong with it, or the first thing if it cannot be read at all. No
/// retry helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RulesError {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// Reads a file of rules. Fields that are not known are errors, and so are anchors, aliases and merge keys: what a file
/// means is what it says, and as long as it is.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(text: &str) -> Result<RuleSet, RulesError> {
    if text.len() > MAX_RULES_BYTES {
        return Err(Problem::of_file(format!(
            "the file has {} bytes; it may have {MAX_RULES_BYTES}",
            text.len()
        ))
        .into());
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0, max_depth: MAX_DEPTH, max_documents: 1 },
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        strict_booleans: true,
        with_snippet: false,
    };
    let file: shape::File =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| Problem::of_yaml(&error))?;
    compile::compile(file)
}

impl Problem {
    fn of_file(text: String) -> Self {
        Self { line: None, column: None, rule: None, text }
    }

    fn of_yaml(error: &serde_saphyr::Error) -> Self {
        let place = error.location().unwrap_or(Location::UNKNOWN);
        let text = error.without_snippet().to_string();
        // The line is told once, and in one way.
        let told = format!(" at line {}, column {}", place.line(), place.column());
        Self { text: text.strip_suffix(&told).unwrap_or(&text).to_owned(), ..Self::at(place) }
    }

    fn at(location: Location) -> Self {
        let known = location != Location::UNKNOWN;
        Self {
            line: known.then(|| location.line()),
            column: known.then(|| location.column()),
            rule: None,
            text: String::new(),
        }
    }
}

impl From<Problem> for RulesError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "rule {rule}: ")?;
        }
        f.write_str(&self.text)
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
