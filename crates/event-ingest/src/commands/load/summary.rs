//! What a command counted.

use std::collections::BTreeMap;

use serde::Serialize;

/// Objects that are named in the summary with the reason why they are not in the table; more are only counted.
const MAX_NOTED: usize = 100;
/// An object that is not in the table, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Note {
    /// `s3://` URI.
    pub(crate) file: String,
    /// What became of it.
    pub(crate) status: &'static str,
    /// Why.
    pub(crate) reason: String,
}

/// Everything that was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// Keys of the listings, and objects that were named.
    pub(crate) files_seen: u64,
    /// No rule wants them, or they are by-products of writers; by reason.
    pub(crate) files_ignored: BTreeMap<&'static str, u64>,
    /// In the table before this command looked.
    pub(crate) files_in_table: u64,
    /// To be ingested.
    pub(crate) files_missing: u64,
    /// Their bytes.
    pub(crate) bytes_missing: u64,
    /// Too young to be looked at.
    pub(crate) files_recent: u64,
    /// Gone since they were listed.
    pub(crate) files_gone: u64,
    /// Rolled back, and left out.
    pub(crate) files_rolled_back: u64,
    /// Ingested by this command.
    pub(crate) files_processed: u64,
    /// Their rows.
    pub(crate) rows: u64,
    /// Requested, and in the table already by then.
    pub(crate) files_skipped: u64,
    /// Quarantined, now or before.
    pub(crate) files_quarantined: u64,
    /// Outside what may be read; a bucket or prefix that was named counts as one.
    pub(crate) files_forbidden: u64,
    /// Requests that were carried out.
    pub(crate) requests: u64,
    /// Some of the objects that are not in the table, and why.
    pub(crate) not_in_table: Vec<Note>,
}

impl Summary {
    /// Whether every object that was to be ingested is in the table.
    pub(crate) fn all_in(&self) -> bool {
        self.files_quarantined + self.files_forbidden == 0
    }

    /// Remembers an object that is not in the table, if there is room.
    pub(crate) fn note(&mut self, note: Note) {
        if self.not_in_table.len() < MAX_NOTED {
            self.not_in_table.push(note);
        }
    }

    /// What there is to count, with a label for people. What did not happen is left out.
    pub(crate) fn counts(&self) -> Vec<(String, u64)> {
        let mut counts = vec![("files seen".to_owned(), self.files_seen)];
        let ignored = self.files_ignored.iter().map(|(reason, count)| (format!("ignored, {reason}"), *count));
        counts.extend(ignored);
        let rest = [
            ("in the table already", self.files_in_table + self.files_skipped),
            ("missing", self.files_missing),
            ("bytes missing", self.bytes_missing),
            ("too recent", self.files_recent),
            ("gone meanwhile", self.files_gone),
            ("rolled back, left out", self.files_rolled_back),
            ("ingested", self.files_processed),
            ("rows ingested", self.rows),
            ("quarantined", self.files_quarantined),
            ("forbidden", self.files_forbidden),
        ];
        counts.extend(
            rest.into_iter().filter(|(_, count)| *count > 0).map(|(label, count)| (label.to_owned(), count)),
        );
        counts
    }
}
