//! A JSON text, value by value: nothing is held but the place, and numbers stay the text that they are.

use super::super::rejected::{Flaw, excerpt};

/// How deep values may lie in each other: deeper ones would take the thread's stack.
const MAX_DEPTH: usize = 64;

/// What a list or an object begins and ends with.
pub(in super::super) type Ends = (u8, u8);
/// Of a list.
pub(in super::super) const LIST: Ends = (b'[', b']');
/// Of an object.
pub(in super::super) const OBJECT: Ends = (b'{', b'}');

/// A place in a JSON text.
#[derive(Debug, Clone)]
pub(in super::super) struct Json<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl<'a> Json<'a> {
    pub(in super::super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The byte that comes next, blanks left out; 0 at the end.
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Takes this byte if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn fail<T>(&self, expected: &str) -> Result<T, Flaw> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found = if rest.is_empty() { "the end of the line".to_owned() } else { excerpt(rest) };
        Err(Flaw::new(format!("not JSON: expected {expected} at byte {}, found {found}", self.at + 1)))
    }

    /// What comes next.
    pub(in super::super) fn kind(&mut self) -> Result<Kind, Flaw> {
        Ok(match self.peek() {
            b'n' => Kind::Null,
            b't' | b'f' => Kind::Boolean,
            b'-' | b'0'..=b'9' => Kind::Number,
            b'"' => Kind::Text,
            b'[' => Kind::List,
            b'{' => Kind::Object,
            _ => return self.fail("a value"),
        })
    }

    /// Takes the value that comes next, whatever it is, as the text that it stands for: a string's own, else JSON.
    pub(in super::super) fn text<'s>(&mut self, scratch: &'s mut String) -> Result<&'s str, Flaw>
    where
        'a: 's,
    {
        if self.kind()? == Kind::Text { self.string(scratch) } else { self.skip() }
    }

    /// Takes a null, a boolean or a number, as it is written.
    fn word(&mut self) -> Result<&'a str, Flaw> {
        let rest = &self.text[self.at..];
        for word in ["null", "true", "false"] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(word);
            }
        }
        self.number()
    }

    fn number(&mut self) -> Result<&'a str, Flaw> {
        let (start, bytes) = (self.at, self.text.as_bytes());
        let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
        let digits = |at: &mut usize| {
            let from = *at;
            while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
                *at += 1;
            }
            *at > from
        };
        let zero = bytes.get(at) == Some(&b'0');
        let first = at;
        let mut good = digits(&mut at) && !(zero && at > first + 1);
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            good &= digits(&mut at);
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
            good &= digits(&mut at);
        }
        if !good {
            return self.fail("a value");
        }
        self.at = at;
        Ok(&self.text[start..at])
    }

    /// Takes a string.
    pub(in super::super) fn string<'s>(&mut self, scratch: &'s mut String) -> Result<&'s str, Flaw>
    where
        'a: 's,
    {
        let raw = self.raw_string()?;
        if !raw.contains('\\') {
            return Ok(raw);
        }
        scratch.clear();
        if unescape(raw, scratch).is_none() {
            return Err(Flaw::new(format!("not JSON: {} has an escape that means nothing", excerpt(raw))));
        }
        Ok(scratch)
    }

    /// Takes a string as it stands between its quotes.
    fn raw_string(&mut self) -> Result<&'a str, Flaw> {
        if !self.take(b'"') {
            return self.fail("a string");
        }
        let (start, bytes) = (self.at, self.text.as_bytes());
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(byte) if *byte >= b' ' => self.at += 1,
                _ => {
                    self.at = self.at.min(bytes.len());
                    return self.fail("the end of a string");
                }
            }
        }
        self.at += 1;
        Ok(&self.text[start..self.at - 1])
    }

    fn skip_string(&mut self) -> Result<(), Flaw> {
        // A string without escapes allocates nothing here.
        self.string(&mut String::new()).map(|_| ())
    }

    /// Takes any value; the answer is how it is written.
    pub(in super::super) fn skip(&mut self) -> Result<&'a str, Flaw> {
        let kind = self.kind()?;
        let start = self.at;
        match kind {
            Kind::Null | Kind::Boolean | Kind::Number => return self.word(),
            Kind::Text => self.skip_string()?,
            Kind::List => {
                let mut more = self.open(LIST)?;
                while more {
                    self.skip()?;
                    more = self.another(LIST)?;
                }
            }
            Kind::Object => {
                let mut more = self.open(OBJECT)?;
                while more {
                    self.skip_string()?;
                    self.colon()?;
                    self.skip()?;
                    more = self.another(OBJECT)?;
                }
            }
        }
        Ok(&self.text[start..self.at])
    }

    /// Enters the list or object that comes next; says whether it has anything in it.
    pub(in super::super) fn open(&mut self, (open, close): Ends) -> Result<bool, Flaw> {
        if !self.take(open) {
            return self.fail(if open == b'[' { "a list" } else { "an object" });
        }
        if self.take(close) {
            return Ok(false);
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Flaw::new(format!("values lie more than {MAX_DEPTH} deep in each other")));
        }
        Ok(true)
    }

    /// Goes on within a list or an object; says whether another follows.
    pub(in super::super) fn another(&mut self, (_, close): Ends) -> Result<bool, Flaw> {
        if self.take(b',') {
            return Ok(true);
        }
        if self.take(close) {
            self.depth -= 1;
            return Ok(false);
        }
        self.fail(if close == b']' {
            "a comma or the end of a list"
        } else {
            "a comma or the end of an object"
        })
    }

    /// Takes the colon behind a key.
    pub(in super::super) fn colon(&mut self) -> Result<(), Flaw> {
        if self.take(b':') { Ok(()) } else { self.fail("a colon") }
    }

    /// Says that nothing follows.
    pub(in super::super) fn end(&mut self) -> Result<(), Flaw> {
        if self.peek() == 0 && self.at == self.text.len() { Ok(()) } else { self.fail("nothing more") }
    }
}

/// Adds what a string's raw text stands for; none if it stands for nothing.
fn unescape(raw: &str, into: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        into.push_str(&rest[..at]);
        let (character, used) = match rest.as_bytes().get(at + 1)? {
            b'"' => ('"', 2),
            b'\\' => ('\\', 2),
            b'/' => ('/', 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{C}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => unicode(&rest[at..])?,
            _ => return None,
        };
        into.push(character);
        rest = &rest[at + used..];
    }
    into.push_str(rest);
    Some(())
}

/// The character of `\uXXXX`, or of a pair of these.
fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex { u16::from_str_radix(digits, 16).ok() } else { None }
    };
    let first = unit(text)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((character, 6));
    }
    let pair = [first, unit(text.get(6..)?)?];
    let character = char::decode_utf16(pair).next()?.ok()?;
    Some((character, 12))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> Result<(), Flaw> {
        let mut json = Json::new(text);
        json.skip()?;
        json.end()
    }

    #[test]
    fn strings_are_unescaped() {
        let mut scratch = String::new();
        let text = r#""a\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00""#;
        assert_eq!(Json::new(text).string(&mut scratch).unwrap(), "a\"\\/\u{8}\u{C}\n\r\tä😀");
        for bad in [r#""\ud83d""#, r#""\ud83dx""#, r#""\x""#, r#""\u00g0""#, r#""\u+123""#, "\"a", "\"a\\"] {
            assert!(Json::new(bad).string(&mut scratch).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reason_says_where_and_what() {
        assert_eq!(
            whole(r#"{"a": tru}"#).unwrap_err().reason,
            "not JSON: expected a value at byte 7, found `tru}`"
        );
        let reason = whole(r#"{"a": 1"#).unwrap_err().reason;
        assert!(reason.ends_with("at byte 8, found the end of the line"), "{reason}");
    }

    #[test]
    fn depth_is_bounded() {
        assert!(whole(&format!("{}1{}", "[".repeat(64), "]".repeat(64))).is_ok());
        assert!(whole(&"[".repeat(100_000)).unwrap_err().reason.contains("64 deep"));
    }

    proptest! {
        /// Another parser takes the same texts for JSON.
        #[test]
        fn what_is_json_is_what_another_parser_says(
            text in r#"([\[\]{},: 01.eE-]|"a"|"\\n"|"\\u0041"|true|null|"b": ?){0,12}"#
        ) {
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text);
            prop_assert_eq!(whole(&text).is_ok(), theirs.is_ok(), "{}: {:?}", text, theirs.err());
        }
    }
}
