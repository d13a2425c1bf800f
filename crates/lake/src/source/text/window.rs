//! A bounded view on a stream, long enough for one row.

use std::io::Read;

use super::input::fault;
use crate::source::ReadError;

/// Bytes that are held at first. A longer row makes it grow.
const FIRST_BYTES: usize = 512 * 1024;
/// The longest row, in bytes. A quote that is never closed would otherwise take the file's rest into memory.
const MAX_ROW_BYTES: usize = 16 * 1024 * 1024;

/// The bytes of a stream that are not consumed yet, as far as they were read.
pub(super) struct Window {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl Window {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self { input, buffer: vec![0; FIRST_BYTES], start: 0, end: 0, ended: false }
    }

    /// What is there.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether nothing follows what is there.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Takes bytes off the beginning.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// Reads on until there are at least twice as many bytes as before (or one more than the longest row), or as many as were held at first, or the
    /// stream has ended: who looks from the beginning again each time still looks at each byte a few times only.
    ///
    /// # Errors
    /// The stream failed, or the row that begins here (in line `line`) is too long.
    pub(super) fn more(&mut self, line: u64) -> Result<(), ReadError> {
        let held = self.end - self.start;
        if held > MAX_ROW_BYTES {
            return Err(ReadError::Content(format!(
                "line {line}: the row is longer than {MAX_ROW_BYTES} bytes; is a quote never closed?"
            )));
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, held);
        let wanted = FIRST_BYTES.max((held * 2).min(MAX_ROW_BYTES + 1));
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < self.buffer.len() && !self.ended {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(fault(error)),
            }
        }
        Ok(())
    }
}
