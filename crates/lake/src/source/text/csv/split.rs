//! Where the first row of some bytes ends, and where its fields are.
//!
//! A row ends with LF, CR LF or CR. A field that begins with the quote ends with the quote; within it the doubled
//! quote is one quote. A quote elsewhere is data. Unlike what general readers offer, this one says which fields
//! were quoted (a quoted nothing is no null) and looks at no more bytes than it is given.

/// What the parts of a row are told apart by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
    pub(super) trim: bool,
}

/// Where a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
    /// Its text has quotes or escapes that stand for something else.
    pub(super) escaped: bool,
}

/// How a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    /// Here: it takes so many bytes and lines.
    Row { bytes: usize, lines: u64, flaw: Option<&'static str> },
    /// Not within these bytes.
    More,
}

/// The most columns that a file may have: a row of nothing but delimiters would otherwise take many times its size.
pub(super) const MAX_COLUMNS: usize = 10_000;

pub(super) const UNCLOSED: &str = "a quote is opened and never closed";
const TOO_MANY: &str = "it has more than 10000 fields";
const AFTER_QUOTE: &str = "text follows the quote that ends a field";

/// Finds the fields of the first row. `ended` says that nothing follows the bytes, of which there is at least one.
pub(super) fn split(bytes: &[u8], ended: bool, dialect: Dialect, fields: &mut Vec<Span>) -> Split {
    fields.clear();
    let mut scan = Scan { bytes, ended, dialect, at: 0, lines: 0 };
    let mut flaw = None;
    loop {
        let field = match scan.field() {
            Field::Whole(span) => span,
            Field::Cut => return Split::More,
            Field::Flawed(flaw) => return scan.recover(flaw),
        };
        if fields.len() < MAX_COLUMNS {
            fields.push(field);
        } else {
            flaw = Some(TOO_MANY);
        }
        match scan.bytes.get(scan.at) {
            Some(byte) if *byte == dialect.delimiter => scan.at += 1,
            _ => return scan.end(flaw),
        }
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    ended: bool,
    dialect: Dialect,
    at: usize,
    lines: u64,
}

enum Field {
    /// The scan is at what follows it: a delimiter, a line end, or the end of all.
    Whole(Span),
    /// The bytes end within it, or right after it, where more may follow.
    Cut,
    Flawed(&'static str),
}

impl Scan<'_> {
    fn field(&mut self) -> Field {
        if self.dialect.trim {
            self.skip_blanks();
        }
        match self.bytes.get(self.at) {
            Some(byte) if Some(*byte) == self.dialect.quote => self.quoted(*byte),
            _ => self.bare(),
        }
    }

    fn bare(&mut self) -> Field {
        let (start, delimiter) = (self.at, self.dialect.delimiter);
        let length = self.bytes[start..]
            .iter()
            .position(|byte| *byte == delimiter || *byte == b'\n' || *byte == b'\r');
        let Some(length) = length else {
            self.at = self.bytes.len();
            let end = self.trimmed(start);
            return if self.ended { whole(start, end) } else { Field::Cut };
        };
        self.at = start + length;
        whole(start, self.trimmed(start))
    }

    fn trimmed(&self, start: usize) -> usize {
        let mut end = self.at;
        while self.dialect.trim && end > start && self.blank(self.bytes[end - 1]) {
            end -= 1;
        }
        end
    }

    fn quoted(&mut self, quote: u8) -> Field {
        let (start, escape) = (self.at + 1, self.dialect.escape.unwrap_or(quote));
        let mut escaped = false;
        self.at = start;
        loop {
            let Some(byte) = self.bytes.get(self.at).copied() else {
                return if self.ended { Field::Flawed(UNCLOSED) } else { Field::Cut };
            };
            let next = self.bytes.get(self.at + 1).copied();
            if byte == b'\n' {
                self.lines += 1;
            } else if byte != quote && byte != escape {
                // Most bytes.
            } else if next.is_none() && !self.ended {
                return Field::Cut;
            } else if byte == quote && next != Some(quote) {
                break;
            } else {
                // A doubled quote, or what an escape makes data.
                escaped = true;
                self.lines += u64::from(next == Some(b'\n'));
                self.at += 1;
            }
            self.at += 1;
        }
        let end = self.at;
        self.at += 1;
        if self.dialect.trim {
            self.skip_blanks();
        }
        match self.bytes.get(self.at).copied() {
            None if !self.ended => Field::Cut,
            Some(byte) if byte != self.dialect.delimiter && byte != b'\r' && byte != b'\n' => {
                Field::Flawed(AFTER_QUOTE)
            }
            _ => Field::Whole(Span { start, end, quoted: true, escaped }),
        }
    }

    /// Ends the row at a line end or at the end of all.
    fn end(&mut self, flaw: Option<&'static str>) -> Split {
        let length = match self.bytes.get(self.at..).unwrap_or_default() {
            [] if !self.ended => return Split::More,
            [b'\r'] if !self.ended => return Split::More,
            [] => 0,
            [b'\r', b'\n', ..] => 2,
            _ => 1,
        };
        Split::Row { bytes: (self.at + length).min(self.bytes.len()), lines: self.lines + 1, flaw }
    }

    /// Ends a row that cannot be understood with its line.
    fn recover(&mut self, flaw: &'static str) -> Split {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        self.end(Some(flaw))
    }

    fn skip_blanks(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| self.blank(*byte)) {
            self.at += 1;
        }
    }

    fn blank(&self, byte: u8) -> bool {
        byte != self.dialect.delimiter && matches!(byte, b' ' | b'\t')
    }
}

fn whole(start: usize, end: usize) -> Field {
    Field::Whole(Span { start, end, quoted: false, escaped: false })
}

/// What the text of an escaped field stands for.
pub(super) fn unescape(text: &str, dialect: Dialect, into: &mut String) {
    let quote = dialect.quote.map(char::from);
    let escape = dialect.escape.map(char::from);
    into.clear();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let stands_for_next = Some(character) == quote || Some(character) == escape;
        into.push(if stands_for_next { characters.next().unwrap_or(character) } else { character });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIALECT: Dialect = Dialect { delimiter: b',', quote: Some(b'"'), escape: None, trim: false };

    /// The rows of a text, and the line in which each begins.
    fn rows(text: &str, dialect: Dialect) -> Vec<(u64, Result<Vec<String>, &'static str>)> {
        let (mut rows, mut fields, mut scratch) = (Vec::new(), Vec::new(), String::new());
        let (mut at, mut line) = (0, 1);
        while at < text.len() {
            let rest = &text[at..];
            let Split::Row { bytes, lines, flaw } = split(rest.as_bytes(), true, dialect, &mut fields) else {
                panic!("nothing more is to come")
            };
            let texts = fields.iter().map(|span| {
                let text = &rest[span.start..span.end];
                if !span.escaped {
                    return text.to_owned();
                }
                unescape(text, dialect, &mut scratch);
                scratch.clone()
            });
            rows.push((line, flaw.map_or_else(|| Ok(texts.collect()), Err)));
            at += bytes;
            line += lines;
        }
        rows
    }

    fn good(line: u64, fields: &[&str]) -> (u64, Result<Vec<String>, &'static str>) {
        (line, Ok(fields.iter().map(|field| (*field).to_owned()).collect()))
    }

    #[test]
    fn quotes_line_ends_and_lines() {
        assert_eq!(rows("a,b\r\n1,\n", DIALECT), [good(1, &["a", "b"]), good(2, &["1", ""])]);
        assert_eq!(
            rows("\"a\nb\",\"c\"\"d\"\re\"f,\"\"", DIALECT),
            [good(1, &["a\nb", "c\"d"]), good(3, &["e\"f", ""])]
        );
        assert_eq!(
            rows("\"a\"x,b\nc\n\"d", DIALECT),
            [(1, Err(AFTER_QUOTE)), good(2, &["c"]), (3, Err(UNCLOSED))]
        );
    }

    #[test]
    fn the_fields_of_a_row_are_counted() {
        let most = ",".repeat(MAX_COLUMNS - 1);
        assert_eq!(rows(&most, DIALECT)[0].1.as_ref().map(Vec::len), Ok(MAX_COLUMNS));
        let more = format!("{most},\na\n");
        assert_eq!(rows(&more, DIALECT), [(1, Err(TOO_MANY)), good(2, &["a"])]);
        let mut fields = Vec::new();
        split(more.as_bytes(), true, DIALECT, &mut fields);
        assert_eq!(fields.len(), MAX_COLUMNS);
    }

    #[test]
    fn escapes_and_blanks() {
        let dialect = Dialect { escape: Some(b'\\'), trim: true, ..DIALECT };
        assert_eq!(
            rows(" a b , \"c\\\"\\\\ \" \n\"\\n\",\t\n", dialect),
            [good(1, &["a b", "c\"\\ "]), good(2, &["n", ""])]
        );
        let bare = Dialect { quote: None, delimiter: b'\t', ..DIALECT };
        assert_eq!(rows("\"a\t b", bare), [good(1, &["\"a", " b"])]);
    }

    proptest! {
        /// The csv crate finds the same rows, where both understand them.
        #[test]
        fn rows_are_those_of_another_reader(text in "([ab,\"\r\n]|\"\"){0,40}") {
            let ours = rows(&text, DIALECT);
            prop_assume!(ours.iter().all(|(_, row)| row.is_ok()));
            let ours: Vec<Vec<String>> = ours
                .into_iter()
                .filter_map(|(_, row)| row.ok())
                // That one leaves out empty lines while it reads.
                .filter(|row| row != &[""])
                .collect();
            let theirs: Vec<Vec<String>> = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes())
                .records()
                .map(|row| row.unwrap().iter().map(str::to_owned).collect())
                .filter(|row: &Vec<String>| row != &[""])
                .collect();
            prop_assert_eq!(ours, theirs);
        }

        /// However the bytes arrive, the rows are the same.
        #[test]
        fn a_row_that_is_cut_asks_for_more(text in "([ab,\"\r\n]|\"\"){1,40}", cut in 0usize..40) {
            let (mut whole, mut part) = (Vec::new(), Vec::new());
            let all = split(text.as_bytes(), true, DIALECT, &mut whole);
            let cut = cut.min(text.len());
            match split(&text.as_bytes()[..cut], false, DIALECT, &mut part) {
                Split::More => {}
                row => prop_assert_eq!((row, part), (all, whole)),
            }
        }
    }
}
