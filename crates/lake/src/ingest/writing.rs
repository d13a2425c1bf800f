//! Writing the files of a plan, each its way.

use std::sync::Arc;

use super::plan::{Planned, Way};
use crate::storage::Stores;
use crate::write::{RewriteInput, Target, WriteError, Written, rewrite};

/// Writes the planned files. What became of each stands at its place in `files`.
///
/// # Errors
/// See [`WriteError`]; nothing is left behind.
pub(super) async fn write(
    stores: Arc<Stores>,
    target: Target,
    files: Vec<Planned>,
) -> Result<Written, WriteError> {
    let inputs = files
        .into_iter()
        .map(|Planned { source, mapping, way: Way::Rewrite, .. }| RewriteInput { source, mapping })
        .collect();
    rewrite(stores, target, inputs).await
}
