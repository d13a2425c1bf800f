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
    /// Takes in where the next rows went: on from the last part in the same file, or elsewhere.
    pub(super) fn add(&mut self, part: &Part) {
        let last = self.parts.iter_mut().rev().find(|held| held.file == part.file);
        match last {
            _ if part.row_groups == 0 => {}
            Some(last) if part.first_row_group <= last.first_row_group + last.row_groups => {
                last.row_groups =
                    last.row_groups.max(part.first_row_group + part.row_groups - last.first_row_group);
            }
            _ => self.parts.push(part.clone()),
        }
    }
}

/// Why nothing was written. Files that were begun are gone again.
#[derive(Debug)]
pub enum WriteError {
    /// Sources, by their index; all of them were looked at. Never are both lists empty.
    Sources {
        /// These are at fault.
        bad: Vec<(usize, ReadError)>,
        /// These have pages that not every reader takes, and why: they have to be decoded and encoded anew.
        unspliceable: Vec<(usize, String)>,
    },
    /// The table's side failed.
    Sink(Error),
}

impl WriteError {
    /// These sources are at fault.
    pub(crate) fn bad(bad: Vec<(usize, ReadError)>) -> Self {
        WriteError::Sources { bad, unspliceable: Vec::new() }
    }

    /// The same error of sources that are known by other indices: `places[i]` in place of `i`.
    pub(crate) fn at(self, places: &[usize]) -> Self {
        let moved = |index: usize| places[index];
        match self {
            WriteError::Sources { bad, unspliceable } => WriteError::Sources {
                bad: bad.into_iter().map(|(index, error)| (moved(index), error)).collect(),
                unspliceable: unspliceable.into_iter().map(|(index, why)| (moved(index), why)).collect(),
            },
            WriteError::Sink(error) => WriteError::Sink(error),
        }
    }

    /// Both errors as one.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (
                WriteError::Sources { mut bad, mut unspliceable },
                WriteError::Sources { bad: more, unspliceable: others },
            ) => {
                bad.extend(more);
                unspliceable.extend(others);
                WriteError::Sources { bad, unspliceable }
            }
            (WriteError::Sink(error), _) | (_, WriteError::Sink(error)) => WriteError::Sink(error),
        }
    }
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        WriteError::Sink(error)
    }
}
