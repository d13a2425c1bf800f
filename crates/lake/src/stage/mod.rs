//! Stages: appends that another engine made on branches of their own, to be published into `main`.
//!
//! | module | what it decides or does |
//! |---|---|
//! | `list` | reads the list of a stage's objects |
//! | `check` | whether a snapshot is what its list says, and nothing else |
//! | `files` | the data files that it added |
//! | `parts` | which entry of the ledger names which of them |
//! | `branches` | finds branches that nobody wants any more |
//!
//! [`Lake::publish_staged`](crate::Lake::publish_staged) brings them together.

mod branches;
mod check;
mod files;
mod list;
mod parts;

use iceberg::spec::TableMetadata;
use ingest_core::staged::Stage;

pub use branches::{Branch, LEAST_AGE, MAX_BRANCHES_A_COMMIT};
pub(crate) use check::{Arrival, Unfit, arrival, check};
pub(crate) use files::added_files;
pub use files::{MAX_STAGE_FILES, MAX_STAGE_MANIFEST_BYTES};
pub(crate) use parts::parts;

/// Key in a stage's summary: the digest of the objects whose rows it holds.
pub const SUMMARY_STAGE: &str = "event-ingest.stage";
/// Key in a stage's summary: the request that it was made for.
pub const SUMMARY_REQUEST: &str = "event-ingest.request";
/// How the objects of a stage got in, as ledger and results say it.
pub const MODE: &str = "spark";

/// Whether a stage's branch ends at the stage.
pub(crate) fn stands(table: &TableMetadata, stage: &Stage) -> bool {
    ends_at(table, &stage.branch) == Some(stage.snapshot_id)
}

/// The snapshot at which a branch ends; none if there is no such branch.
pub(crate) fn ends_at(table: &TableMetadata, branch: &str) -> Option<i64> {
    table.snapshot_for_ref(branch).map(|snapshot| snapshot.snapshot_id())
}
