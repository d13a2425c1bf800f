//! The one pattern language of rules: text in which `*` stands for any run of characters.

use std::{convert::Infallible, fmt, str::FromStr};

/// A pattern: literal but for `*`, which stands for any run of characters, none included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// The pattern `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether the whole of `text` is of this pattern.
    pub fn matches(&self, text: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else {
            return self.0 == text;
        };
        let Some(mut text) = text.strip_prefix(head) else {
            return false;
        };
        let Some((middle, tail)) = rest.rsplit_once('*') else {
            return text.ends_with(rest);
        };
        // Each inner piece at its first place leaves the most for those behind it.
        for piece in middle.split('*') {
            match text.split_once(piece) {
                Some((_, behind)) => text = behind,
                None => return false,
            }
        }
        text.ends_with(tail)
    }

    /// Whether each text of `other`'s pattern is of this one too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        // Only a `*` of this pattern can take in a `*` of the other, and what takes in that takes in any run.
        self.matches(&other.0)
    }

    /// How each text of this pattern begins and ends.
    pub(crate) fn ends(&self) -> (&str, &str) {
        let head = self.0.split('*').next().unwrap_or_default();
        let tail = self.0.rsplit('*').next().unwrap_or_default();
        (head, tail)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Glob {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_run() {
        let yes = [
            ("a", "a"),
            ("*", ""),
            ("*", "a"),
            ("a*", "a"),
            ("a*", "ab"),
            ("*b", "ab"),
            ("a*c", "abc"),
            ("a*c", "ac"),
            ("a*b*c", "aXbYc"),
            ("a*b*c", "abbc"),
            ("**", "x"),
            ("*ab*ab", "abab"),
            ("ObjectCreated:*", "ObjectCreated:Put"),
        ];
        for (pattern, text) in yes {
            assert!(Glob::new(pattern).matches(text), "{pattern} {text}");
        }
        let no = [
            ("a", "ab"),
            ("", "a"),
            ("a*", "ba"),
            ("a*a", "a"),
            ("a*b*c", "ac"),
            ("*ab*ab", "ab"),
            ("a*c", "acb"),
            ("A", "a"),
        ];
        for (pattern, text) in no {
            assert!(!Glob::new(pattern).matches(text), "{pattern} {text}");
        }
    }
}
