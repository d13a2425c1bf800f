//! Which table metadata files the table itself has, as its current metadata tells.

use std::collections::HashSet;

use iceberg::table::Table;

use super::{digest, names};
use crate::catalog::DELETE_AFTER_COMMIT;

/// The metadata files of a table whose writers delete those that fall out of its log.
pub(super) struct Versions {
    /// Digests of the files in the log.
    logged: HashSet<u128>,
    /// Version of the current file; `None` if it has none, or if older files are kept on purpose.
    current: Option<u64>,
}

impl Versions {
    pub(super) fn of(table: &Table) -> Self {
        let metadata = table.metadata();
        let trimmed = metadata.properties().get(DELETE_AFTER_COMMIT).is_some_and(|value| value == "true");
        let current = table.metadata_location().and_then(|url| names::version(names::last(url)));
        Self {
            logged: metadata.metadata_log().iter().map(|log| digest(&log.metadata_file)).collect(),
            current: current.filter(|_| trimmed),
        }
    }

    /// Whether this is an earlier metadata file that the log does not have: a failed commit made it, or it is part of
    /// the history of another catalog.
    pub(super) fn lacks(&self, url: &str) -> bool {
        let version = names::version(names::last(url));
        version.zip(self.current).is_some_and(|(version, current)| version < current)
            && !self.logged.contains(&digest(url))
    }
}
