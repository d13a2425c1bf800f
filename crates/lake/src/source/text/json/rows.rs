//! The lines of a file, one after the other.

use super::super::rejected::Flaw;
use super::super::window::Window;
use crate::source::ReadError;

/// A file of JSON lines that is being read.
pub(in super::super) struct Rows {
    window: Window,
    /// The line that is read next, counted from 1.
    line: u64,
    /// Bytes of the line that was handed out last.
    last: usize,
    /// Whether no line was handed out yet.
    first: bool,
}

/// One line with something in it.
pub(in super::super) struct Row<'a> {
    pub(in super::super) line: u64,
    /// Bytes that it takes in the file.
    pub(in super::super) bytes: usize,
    /// Its text without blanks around; or why it is none.
    pub(in super::super) text: Result<&'a str, Flaw>,
}

impl Rows {
    pub(in super::super) fn new(window: Window) -> Self {
        Self { window, line: 1, last: 0, first: true }
    }

    /// The next line that is not blank; none at the end.
    ///
    /// # Errors
    /// The store failed; or the file cannot be read further.
    pub(in super::super) fn next(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        self.window.consume(std::mem::take(&mut self.last));
        let bytes = loop {
            let held = self.window.bytes();
            let bytes = match held.iter().position(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None if !self.window.ended() => {
                    self.window.more(self.line)?;
                    continue;
                }
                None if held.is_empty() => return Ok(None),
                None => held.len(),
            };
            if held[..bytes].iter().any(|byte| !byte.is_ascii_whitespace()) {
                break bytes;
            }
            self.window.consume(bytes);
            self.line += 1;
        };
        let line = self.line;
        (self.last, self.line) = (bytes, line + 1);
        let text = match std::str::from_utf8(&self.window.bytes()[..bytes]) {
            Ok(text) => Ok(text.trim_ascii()),
            Err(_) => Err(Flaw::new("the line is not UTF-8")),
        };
        if std::mem::take(&mut self.first) && matches!(text, Ok(text) if text.starts_with('[')) {
            return Err(ReadError::Content("the file is a JSON array; send one object a line".to_owned()));
        }
        Ok(Some(Row { line, bytes, text }))
    }
}
