//! Regular expressions over keys.

use regex::{Captures, Regex, RegexBuilder};

/// Most bytes that one compiled expression takes, and again its look-up tables.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// An expression that has to match a whole key. Matching takes time in proportion to the key's length, whatever the
/// expression.
#[derive(Debug, Clone)]
pub struct KeyRegex {
    text: String,
    whole: Regex,
}

/// An expression that cannot be used. A retry never helps.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegexError {
    /// It is longer than it may be, once compiled.
    #[error(
        "is too large: a compiled regex may take {MAX_COMPILED_BYTES} bytes; make its repetitions smaller"
    )]
    TooLarge,
    /// It is none.
    #[error("is no regular expression: {0}")]
    Syntax(String),
}

impl KeyRegex {
    /// Compiles `text`.
    pub fn new(text: &str) -> Result<Self, RegexError> {
        // By itself first, or `a)|(b` would be read as something else, and errors would point to the wrong place.
        compile(text)?;
        Ok(Self { text: text.to_owned(), whole: compile(&format!(r"\A(?:{text})\z"))? })
    }

    /// Whether the whole key matches.
    pub(super) fn matches(&self, key: &str) -> bool {
        self.whole.is_match(key)
    }

    /// What the key holds where the expression captures; `None` if it does not match.
    pub(super) fn captures<'k>(&self, key: &'k str) -> Option<Captures<'k>> {
        self.whole.captures(key)
    }

    /// Whether it has a capture of this name.
    pub fn has_capture(&self, name: &str) -> bool {
        self.whole.capture_names().flatten().any(|capture| capture == name)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn compile(text: &str) -> Result<Regex, RegexError> {
    let built = RegexBuilder::new(text)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .dot_matches_new_line(true)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => RegexError::TooLarge,
        // The last line says what is wrong; those above draw where.
        error => RegexError::Syntax(error.to_string().lines().last().unwrap_or_default().to_owned()),
    })
}

impl PartialEq for KeyRegex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for KeyRegex {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_key_has_to_match() {
        let regex = KeyRegex::new("in/(?<t>[a-z]+)|a|ab").unwrap();
        assert!(regex.matches("in/x") && regex.matches("a") && regex.matches("ab"));
        assert!(!regex.matches("in/x/y") && !regex.matches("xin/x") && !regex.matches("abc"));
        assert_eq!(&regex.captures("in/x").unwrap()["t"], "x");
        assert!(regex.has_capture("t") && !regex.has_capture("u"));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let error = |text: &str| KeyRegex::new(text).unwrap_err().to_string();
        assert!(error("in/(").contains("unclosed group"), "{}", error("in/("));
        assert!(error("a)|(b").contains("unopened group"), "{}", error("a)|(b"));
        assert!(matches!(KeyRegex::new(r"(\w{1000}){1000}"), Err(RegexError::TooLarge)));
        // Not in linear time, so not at all.
        assert!(KeyRegex::new(r"(a)\1").is_err() && KeyRegex::new("(?=a)").is_err());
    }
}
