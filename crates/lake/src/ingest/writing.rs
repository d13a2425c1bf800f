//! Writing the files of a plan, each its way.

use std::sync::Arc;

use iceberg::spec::DataFile;

use super::plan::{Planned, Way};
use crate::ledger::Part;
use crate::options::Verify;
use crate::source::{ParquetSource, ReadError, Source};
use crate::storage::Stores;
use crate::write::{
    Placed, Registered, RewriteInput, SpliceInput, SpliceLimits, Target, Unclaimed, WriteError, Written,
    rewrite, splice,
};

/// What was written of a plan.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// New data files: nobody else knows them.
    pub(super) files: Vec<DataFile>,
    /// Sources that are data files where they are: they are not ours to delete.
    pub(super) registered: Vec<DataFile>,
    /// What became of each file stands at its place in the plan.
    pub(super) sources: Vec<Placed>,
}

/// The files of a plan by their ways, each with its place in the plan.
#[derive(Default)]
struct Ways {
    splice: Vec<(usize, SpliceInput)>,
    rewrite: Vec<(usize, RewriteInput)>,
    register: Vec<(usize, Source, Registered)>,
}

/// Writes the planned files. If the future is dropped, what was written is deleted.
///
/// # Errors
/// See [`WriteError`]; nothing is left behind.
pub(super) async fn write(
    stores: Arc<Stores>,
    target: Target,
    files: Vec<Planned>,
    verify: Verify,
) -> Result<Output, WriteError> {
    let mut output = Output { sources: vec![Placed::default(); files.len()], ..Output::default() };
    let ways = Ways::of(files);
    ways.verify(verify).await?;
    let Ways { splice: splices, rewrite: rewrites, register } = ways;
    let (splice_places, splices): (Vec<usize>, Vec<SpliceInput>) = splices.into_iter().unzip();
    let (rewrite_places, rewrites): (Vec<usize>, Vec<RewriteInput>) = rewrites.into_iter().unzip();
    let copying = async {
        if splices.is_empty() {
            return Ok(Unclaimed::new(&stores, Written::default()));
        }
        let written = splice(stores.clone(), target.clone(), splices, SpliceLimits::of(&target)).await;
        written.map(|written| Unclaimed::new(&stores, written))
    };
    let encoding = async {
        if rewrites.is_empty() {
            return Ok(Unclaimed::new(&stores, Written::default()));
        }
        let written = rewrite(stores.clone(), target.clone(), rewrites).await;
        written.map(|written| Unclaimed::new(&stores, written))
    };
    let (copied, encoded) = match tokio::join!(copying, encoding) {
        (Ok(copied), Ok(encoded)) => (copied, encoded),
        (copied, encoded) => {
            let copied = copied.err().map(|error| error.at(&splice_places));
            let encoded = encoded.err().map(|error| error.at(&rewrite_places));
            return Err(match (copied, encoded) {
                (Some(copied), Some(encoded)) => copied.and(encoded),
                (Some(error), None) | (None, Some(error)) => error,
                (None, None) => unreachable!("one of them failed"),
            });
        }
    };
    for (places, unclaimed) in [(splice_places, copied), (rewrite_places, encoded)] {
        let Written { files, sources } = unclaimed.claim();
        output.files.extend(files);
        for (place, placed) in places.into_iter().zip(sources) {
            output.sources[place] = placed;
        }
    }
    for (place, source, Registered { file, rows, .. }) in register {
        let groups = match &source {
            Source::Parquet(source) => source.metadata().num_row_groups(),
            Source::Text(_) => 0,
        };
        if rows > 0 {
            let part = Part {
                file: file.file_path().to_owned(),
                first_row_group: 0,
                row_groups: u32::try_from(groups).unwrap_or(u32::MAX),
            };
            output.sources[place] = Placed { rows, parts: vec![part] };
            output.registered.push(file);
        }
    }
    Ok(output)
}

impl Ways {
    fn of(files: Vec<Planned>) -> Self {
        let mut ways = Self::default();
        for (place, Planned { source, mapping, way, .. }) in files.into_iter().enumerate() {
            match (way, source) {
                (Way::Splice(shape, partition), Source::Parquet(source)) => {
                    ways.splice.push((place, SpliceInput { source, shape, partition }));
                }
                (Way::Register(registered), source) => ways.register.push((place, source, *registered)),
                (Way::Rewrite | Way::Splice(..), source) => {
                    ways.rewrite.push((place, RewriteInput { source, mapping }));
                }
            }
        }
        ways
    }

    /// Decodes sources that would go unread otherwise: those with lists and maps, whose rows begin where levels say
    /// so that no page header shows; or all of them.
    async fn verify(&self, verify: Verify) -> Result<(), WriteError> {
        let mut faults: Vec<(usize, ReadError)> = Vec::new();
        let spliced = self.splice.iter().map(|(place, input)| (*place, &input.source));
        let registered = self.register.iter().filter_map(|(place, source, _)| match source {
            Source::Parquet(source) => Some((*place, source)),
            Source::Text(_) => None,
        });
        let wanted = |source: &ParquetSource| verify == Verify::Decode || has_lists(source);
        for (place, source) in spliced.chain(registered).filter(|(_, source)| wanted(source)) {
            match source.verify().await {
                Ok(()) => {}
                Err(ReadError::Store(error)) => return Err(WriteError::Sink(error)),
                Err(error) => faults.push((place, error)),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(WriteError::bad(faults)) }
    }
}

fn has_lists(source: &ParquetSource) -> bool {
    let leaves = source.metadata().file_metadata().schema_descr();
    leaves.columns().iter().any(|leaf| leaf.max_rep_level() > 0)
}
