//! What writing led to, whichever way the rows took.

use iceberg::spec::DataFile;

use crate::error::Error;
use crate::ledger::Part;
use crate::source::ReadError;

/// Data files, and which of them hold which source's rows.
#[derive(Debug, Default)]
pub struct Written {
    /// The files, closed and described, part of no snapshot yet.
    pub files: Vec<DataFile>,
    /// For each source, in order, what became of it.
    pub sources: Vec<Placed>,
}

/// Where the rows of one source are.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Rows written.
    pub rows: u64,
    /// The row groups that hold them; none for a source without rows.
    pub parts: Vec<Part>,
}

impl Placed {
    /// Takes in where the next rows went: on from the last part, or elsewhere.
    pub(super) fn add(&mut self, part: Part) {
        match self.parts.last_mut() {
            _ if part.row_groups == 0 => {}
            Some(last)
                if last.file == part.file
                    && part.first_row_group <= last.first_row_group + last.row_groups =>
            {
                last.row_groups =
                    last.row_groups.max(part.first_row_group + part.row_groups - last.first_row_group);
            }
            _ => self.parts.push(part),
        }
    }
}

/// Why nothing was written. Files that were begun are gone again.
#[derive(Debug)]
pub enum WriteError {
    /// These sources, by their index, are at fault; all of them were looked at. Never empty.
    Sources(Vec<(usize, ReadError)>),
    /// Sources whose pages turned out not to be for every reader: they have to be decoded and encoded anew.
    Unspliceable {
        /// These, by their index, and why. Never empty.
        rewrite: Vec<(usize, String)>,
        /// Those that are at fault besides.
        bad: Vec<(usize, ReadError)>,
    },
    /// The table's side failed.
    Sink(Error),
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        WriteError::Sink(error)
    }
}
