//! The rows of a CSV file, one after the other.

use super::super::options::TextOptions;
use super::super::rejected::Flaw;
use super::super::window::Window;
use super::split::{Dialect, Span, Split, UNCLOSED, split, unescape};
use crate::source::ReadError;

/// The longest name of a column, in bytes.
const MAX_NAME_BYTES: usize = 1_024;

/// A CSV file that is being read.
pub(in super::super) struct Rows {
    window: Window,
    dialect: Dialect,
    spans: Vec<Span>,
    null: Vec<String>,
    /// Line of the row that is read next, counted from 1.
    line: u64,
    /// Bytes of the row that was handed out last.
    last: usize,
}

/// One row.
pub(in super::super) struct Row<'a> {
    /// The line that it begins in.
    pub(in super::super) line: u64,
    /// Bytes that it takes in the file.
    pub(in super::super) bytes: usize,
    /// Its fields; or why they are not known.
    pub(in super::super) fields: Result<Fields<'a>, Flaw>,
}

/// The fields of a row.
pub(in super::super) struct Fields<'a> {
    text: &'a str,
    spans: &'a [Span],
    null: &'a [String],
    dialect: Dialect,
}

/// One field.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Field<'a> {
    /// Nothing, or a null marker.
    Null,
    /// Nothing between quotes: an empty text, and null for other types.
    Empty,
    /// This text.
    Text(&'a str),
}

impl Rows {
    pub(in super::super) fn new(window: Window, options: &TextOptions) -> Self {
        let TextOptions { delimiter, quote, escape, trim, null, .. } = options;
        let dialect = Dialect { delimiter: *delimiter, quote: *quote, escape: *escape, trim: *trim };
        Self { window, dialect, spans: Vec::new(), null: null.clone(), line: 1, last: 0 }
    }

    /// The names in the first row; none if the file is empty.
    ///
    /// # Errors
    /// The store failed; or the first row is no header.
    pub(in super::super) fn header(&mut self) -> Result<Option<Vec<String>>, ReadError> {
        let Some(row) = self.next()? else { return Ok(None) };
        let line = row.line;
        let content = |reason: &str| ReadError::Content(format!("line {line}: {reason}"));
        let fields = row.fields.map_err(|flaw| content(&flaw.reason))?;
        let (mut names, mut scratch) = (Vec::with_capacity(fields.len()), String::new());
        for index in 0..fields.len() {
            match fields.raw(index, &mut scratch) {
                "" => return Err(content(&format!("column {} has no name in the header", index + 1))),
                name if name.len() > MAX_NAME_BYTES => {
                    let reason =
                        format!("the name of column {} has more than {MAX_NAME_BYTES} bytes", index + 1);
                    return Err(content(&reason));
                }
                name => names.push(name.to_owned()),
            }
        }
        Ok(Some(names))
    }

    /// The number of columns that the first row has, which is not taken; none if the file is empty.
    ///
    /// # Errors
    /// See [`header`](Self::header).
    pub(in super::super) fn width(&mut self) -> Result<Option<usize>, ReadError> {
        let Some(row) = self.next()? else { return Ok(None) };
        let line = row.line;
        let width = match row.fields {
            Ok(fields) => fields.len(),
            Err(flaw) => return Err(ReadError::Content(format!("line {line}: {}", flaw.reason))),
        };
        // It stays in the window, and is handed out again.
        (self.last, self.line) = (0, line);
        Ok(Some(width))
    }

    /// The next row that is no empty line; none at the end.
    ///
    /// # Errors
    /// The store failed; or the file cannot be read further.
    pub(in super::super) fn next(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        self.window.consume(std::mem::take(&mut self.last));
        let (line, bytes, flaw) = loop {
            if self.window.bytes().is_empty() {
                if self.window.ended() {
                    return Ok(None);
                }
                self.window.more(self.line)?;
                continue;
            }
            match split(self.window.bytes(), self.window.ended(), self.dialect, &mut self.spans) {
                Split::More => self.window.more(self.line)?,
                Split::Row { bytes, lines, flaw } => {
                    let line = self.line;
                    if flaw == Some(UNCLOSED) {
                        // No bad row, but a quote that took in all rows to the end.
                        return Err(ReadError::Content(format!("line {line}: {UNCLOSED}")));
                    }
                    self.line += lines;
                    let empty =
                        matches!(self.spans.as_slice(), [only] if !only.quoted && only.start == only.end);
                    if flaw.is_none() && empty {
                        self.window.consume(bytes);
                        continue;
                    }
                    break (line, bytes, flaw);
                }
            }
        };
        self.last = bytes;
        let Self { window, dialect, spans, null, .. } = self;
        let fields = match (flaw, std::str::from_utf8(&window.bytes()[..bytes])) {
            (Some(flaw), _) => Err(Flaw::new(flaw)),
            (None, Err(_)) => Err(Flaw::new("the row is not UTF-8")),
            (None, Ok(text)) => Ok(Fields { text, spans, null, dialect: *dialect }),
        };
        Ok(Some(Row { line, bytes, fields }))
    }
}

impl Fields<'_> {
    pub(in super::super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The field at this place, of which there are [`len`](Self::len).
    pub(in super::super) fn get<'a>(&'a self, index: usize, scratch: &'a mut String) -> Field<'a> {
        let quoted = self.spans[index].quoted;
        match self.raw(index, scratch) {
            "" if quoted => Field::Empty,
            "" => Field::Null,
            text if !quoted && self.null.iter().any(|marker| marker == text) => Field::Null,
            text => Field::Text(text),
        }
    }

    fn raw<'a>(&'a self, index: usize, scratch: &'a mut String) -> &'a str {
        let span = self.spans[index];
        let text = &self.text[span.start..span.end];
        if !span.escaped {
            return text;
        }
        unescape(text, self.dialect, scratch);
        scratch
    }
}
