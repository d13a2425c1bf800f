//! Mode `splice`: column chunks are copied byte for byte into new data files, under the table's names and field ids.
//! Pages are checked as they pass, never decoded.

mod constant;
mod copy;
mod leaf;
mod output;
mod plan;
mod reads;
mod shape;
mod side;
mod steps;
mod trust;
mod upload;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use iceberg::spec::PartitionKey;
use tokio::sync::oneshot;

use self::copy::Copier;
pub(super) use self::leaf::Forms;
pub(super) use self::shape::{Leaf, shape_of};
pub use self::shape::{Shape, shape};
use super::partition::Key;
use super::{Target, Unclaimed, WriteError, Written};
use crate::error::Error;
use crate::source::ParquetSource;
use crate::storage::Stores;

/// Iceberg's own default (`write.target-file-size-bytes`).
const TARGET_FILE_BYTES: u64 = 512 * 1024 * 1024;
/// What a table may ask for: smaller files are of no use, and an upload of larger ones would have too many parts.
const LEAST_FILE_BYTES: u64 = 1024 * 1024;
const MOST_FILE_BYTES: u64 = 32 * 1024 * 1024 * 1024;

/// A source, and what becomes of its columns.
#[derive(Debug, Clone)]
pub struct SpliceInput {
    /// What is read.
    pub source: ParquetSource,
    /// It was made for this source and the target.
    pub shape: Arc<Shape>,
    /// The partition that all rows are in; none in a table without partitions.
    pub partition: Option<PartitionKey>,
}

/// How large data files become.
#[derive(Debug, Clone, Copy)]
pub struct SpliceLimits {
    /// A data file is closed before the row group that would make it larger than so many bytes.
    pub target_file_bytes: u64,
}

impl Default for SpliceLimits {
    fn default() -> Self {
        Self { target_file_bytes: TARGET_FILE_BYTES }
    }
}

impl SpliceLimits {
    /// As the table says.
    pub fn of(target: &Target) -> Self {
        let said = target.table.properties().get("write.target-file-size-bytes");
        let bytes = said.and_then(|value| value.parse().ok()).filter(|bytes: &u64| *bytes > 0);
        let bytes = bytes.unwrap_or(TARGET_FILE_BYTES).clamp(LEAST_FILE_BYTES, MOST_FILE_BYTES);
        Self { target_file_bytes: bytes }
    }
}

/// Copies the column chunks of `inputs` into new data files of `target`: those with equal shapes and partitions share
/// files. If the future is dropped, copying ends soon, and what was written is deleted.
///
/// # Errors
/// See [`WriteError`]; every source was looked at when it is one of theirs.
pub async fn splice(
    stores: Arc<Stores>,
    target: Target,
    inputs: Vec<SpliceInput>,
    limits: SpliceLimits,
) -> Result<Written, WriteError> {
    let (answer, written) = oneshot::channel();
    tokio::spawn(run(stores, target, inputs, limits, answer));
    written
        .await
        .map_err(|e| WriteError::Sink(Error::unavailable("writing data files was cut short").caused_by(e)))?
        .map(Unclaimed::claim)
}

/// Answers with the files; deletes them if nobody takes the answer.
async fn run(
    stores: Arc<Stores>,
    target: Target,
    inputs: Vec<SpliceInput>,
    limits: SpliceLimits,
    answer: oneshot::Sender<Result<Unclaimed, WriteError>>,
) {
    let groups = groups(&inputs);
    let mut copier = Copier::new(stores.clone(), target, Arc::new(inputs), limits);
    let mut result = Ok(());
    for group in groups {
        result = copier.group(group, || !answer.is_closed()).await;
        if result.is_err() {
            break;
        }
    }
    let result = result.and_then(|()| copier.finish()).map(|(files, sources)| Written { files, sources });
    if result.is_err() {
        copier.discard().await;
    }
    // Nobody may take it, now or once it was sent.
    let _ = answer.send(result.map(|written| Unclaimed::new(&stores, written)));
}

/// The places of inputs that may share data files.
fn groups(inputs: &[SpliceInput]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, input) in inputs.iter().enumerate() {
        let alike = |group: &&mut Vec<usize>| {
            let first = &inputs[group[0]];
            (Arc::ptr_eq(&first.shape, &input.shape) || first.shape == input.shape)
                && same_partition(first.partition.as_ref(), input.partition.as_ref())
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups
}

fn same_partition(a: Option<&PartitionKey>, b: Option<&PartitionKey>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            a.spec().spec_id() == b.spec().spec_id() && Key::of(a.data()) == Key::of(b.data())
        }
        (None, None) => true,
        _ => false,
    }
}
