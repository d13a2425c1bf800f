//! What a comparison of ledger and table finds.

use std::fmt;

use ingest_core::ObjectIdentity;

/// Findings that are listed one by one; more are only counted.
pub const MAX_FINDINGS: usize = 1_000;

/// Something that ought not to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A run of the ledger cannot be read.
    RunUnreadable {
        /// Path of the run, below the table's ledger folder.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// A run holds another number of entries than the head says.
    RunCount {
        /// Path of the run, below the table's ledger folder.
        path: String,
        /// Entries by the head.
        promised: u64,
        /// Entries that are there.
        found: u64,
    },
    /// An object version stands in the ledger twice.
    Duplicate {
        /// Which one.
        identity: ObjectIdentity,
    },
    /// The ledger names a data file that `main` does not have, and no snapshot is known that took it away.
    FileGone {
        /// The file.
        url: String,
        /// The snapshot that added it.
        snapshot_id: i64,
    },
    /// We added a data file to `main`, and the ledger does not name it.
    FileUnnamed {
        /// The file.
        url: String,
        /// The snapshot that added it.
        snapshot_id: i64,
    },
    /// The entries of a data file have other rows in sum than the file.
    FileRows {
        /// The file.
        url: String,
        /// Rows of its entries.
        ledger: u64,
        /// Rows of the file.
        file: u64,
    },
    /// The entries of a snapshot have other rows in sum than it says that it added.
    SnapshotRows {
        /// Which one.
        snapshot_id: i64,
        /// Rows of its entries.
        ledger: u64,
        /// Rows that it added.
        added: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunUnreadable { path, reason } => write!(f, "run {path} cannot be read: {reason}"),
            Self::RunCount { path, promised, found } => {
                write!(f, "run {path} has {found} entries, its head says {promised}")
            }
            Self::Duplicate { identity } => {
                let ObjectIdentity { store, bucket, key, version } = identity;
                write!(f, "s3://{bucket}/{key} of store {store}, {version:?}, stands in the ledger twice")
            }
            Self::FileGone { url, snapshot_id } => write!(
                f,
                "{url}, added by snapshot {snapshot_id}, is not in main, and no snapshot is known that took it away"
            ),
            Self::FileUnnamed { url, snapshot_id } => {
                write!(f, "{url}, added by snapshot {snapshot_id} of ours, is not named by the ledger")
            }
            Self::FileRows { url, ledger, file } => {
                write!(f, "{url} has {file} rows, its entries in the ledger {ledger}")
            }
            Self::SnapshotRows { snapshot_id, ledger, added } => {
                write!(
                    f,
                    "snapshot {snapshot_id} added {added} rows, its entries in the ledger have {ledger}"
                )
            }
        }
    }
}

/// How a ledger and its table compare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Runs of the ledger.
    pub runs: u64,
    /// Entries that could be read.
    pub entries: u64,
    /// Rows of those entries.
    pub rows: u64,
    /// Data files of `main`.
    pub files: u64,
    /// Files that the ledger names and that a later snapshot replaced or deleted: no fault.
    pub rewritten: u64,
    /// Data files of `main` that another writer added: no fault.
    pub foreign: u64,
    /// What is wrong, the first [`MAX_FINDINGS`] of it.
    pub findings: Vec<Finding>,
    /// What is wrong beyond that.
    pub more: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn sound(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS { self.findings.push(finding) } else { self.more += 1 }
    }
}
