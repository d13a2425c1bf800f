//! How each file of a slice gets into its table, decided from footers and the table alone.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::Fields;
use chrono::{DateTime, Utc};
use iceberg::spec::{PartitionKey, Schema, SchemaRef, TableMetadata};
use uuid::Uuid;

use crate::columns::{Constant, Fitting, Mapping, schema_for, with_constants};
use crate::error::Result;
use crate::layout::data_folder;
use crate::ledger::REGISTER;
use crate::options::{Mode, TableOptions};
use crate::source::{ParquetSource, Source, SourceObject};
use crate::storage::plain_scheme;
use crate::write::{Registered, Shape, Target, register, shape, single_partition};

/// Row groups with fewer rows than this on average, and less than [`SMALL_CHUNK_BYTES`] a column, are not copied:
/// decoding and encoding the file anew, once, costs less than every later scan, which would pay for the many small
/// pieces. Both numbers are measured: bench/README.md.
const SMALL_GROUP_ROWS: u64 = 16 * 1024;
/// See [`SMALL_GROUP_ROWS`].
const SMALL_CHUNK_BYTES: u64 = 40 * 1024;

/// Files that fit their table, and the table that they were planned for.
#[derive(Debug)]
pub(super) struct Plan {
    /// What is written for.
    pub(super) target: Target,
    /// The schema that the table has to get with them, if its own is not enough.
    pub(super) evolved: Option<SchemaRef>,
    /// The files that fit.
    pub(super) files: Vec<Planned>,
    /// The files that do not, and why.
    pub(super) unfit: Vec<(usize, String)>,
}

/// A file and the way it goes.
#[derive(Debug)]
pub(super) struct Planned {
    /// Its place in the slice.
    pub(super) place: usize,
    pub(super) source: Source,
    pub(super) mapping: Arc<Mapping>,
    pub(super) way: Way,
    /// Why it is this way, for a person.
    pub(super) why: String,
}

/// How the rows of a file become rows of the table.
#[derive(Debug)]
pub(super) enum Way {
    /// Its column chunks are copied.
    Splice(Arc<Shape>, Option<PartitionKey>),
    /// They are decoded and written anew.
    Rewrite,
    /// It is a data file as it stands.
    Register(Box<Registered>),
}

impl Way {
    /// The name under which ledger and results know it.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Way::Splice(..) => "splice",
            Way::Rewrite => "rewrite",
            Way::Register(_) => REGISTER,
        }
    }
}

/// What one plan leaves to the next: what is known of files beside their footers, by their places in the slice.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The table and the schema that files were held against last.
    pub(super) schema: Option<(Uuid, i32)>,
    /// Files whose pages turned out not to be copied, and why.
    pub(super) unspliceable: HashMap<usize, String>,
    /// Files that may not get in, and why.
    pub(super) barred: HashMap<usize, String>,
}

/// Plans the files of a slice, with their places there, for a table.
///
/// # Errors
/// A table that cannot be written.
pub(super) fn plan(
    table: &Arc<TableMetadata>,
    options: &TableOptions,
    mut sources: Vec<(usize, Source)>,
    known: &Known,
    now: DateTime<Utc>,
) -> Result<Plan> {
    let mut unfit = Vec::new();
    loop {
        let mut plan = plan_once(table, options, &sources, known, now)?;
        // A table does not change for files that never come.
        let without = plan.evolved.is_some() && !plan.unfit.is_empty();
        sources.retain(|(place, _)| !plan.unfit.iter().any(|(unfit, _)| unfit == place));
        unfit.append(&mut plan.unfit);
        if !without {
            return Ok(Plan { unfit, ..plan });
        }
    }
}

fn plan_once(
    table: &Arc<TableMetadata>,
    options: &TableOptions,
    sources: &[(usize, Source)],
    known: &Known,
    now: DateTime<Utc>,
) -> Result<Plan> {
    let mut fitting = Fitting::new(table, options.schema_policy, options.matching)?;
    let mut unfit = Vec::new();
    let mut admitted = Vec::with_capacity(sources.len());
    for (place, source) in sources {
        let fits = outside(source.object(), table)
            .and_then(|()| constants(source, options, &fitting, now))
            .and_then(|constants| {
                fitting.admit(source.schema().fields(), &constants)?;
                Ok(constants)
            });
        match fits {
            Ok(constants) => admitted.push((*place, source, constants)),
            Err(reason) => unfit.push((*place, reason)),
        }
    }
    // Only now is it known what the table becomes.
    let target = Target::with_schema(table.clone(), fitting.schema.clone())?;
    let mut files = Vec::with_capacity(admitted.len());
    for (place, source, constants) in admitted {
        let planned = fitting.mapping(source.schema().fields(), &constants).and_then(|mapping| {
            let (way, why) = decide(place, source, &mapping, &target, options.mode, known)?;
            Ok((mapping, way, why))
        });
        match planned {
            Ok((mapping, way, why)) => {
                files.push(Planned { place, source: source.clone(), mapping: Arc::new(mapping), way, why });
            }
            Err(reason) => unfit.push((place, reason)),
        }
    }
    Ok(Plan { target, evolved: fitting.evolved().cloned(), files, unfit })
}

/// Fails for what lies where the table's own data files do: each would bring forth another.
fn outside(object: &SourceObject, table: &TableMetadata) -> Result<(), String> {
    let folder = format!("{}/", data_folder(table));
    if object.uri.to_string().starts_with(plain_scheme(&folder).as_ref()) {
        return Err("it lies among the table's own data files".to_owned());
    }
    Ok(())
}

/// The schema of a table made for files like this one.
///
/// # Errors
/// The text names the column that Iceberg cannot hold, or a value of the key that means nothing.
pub(super) fn schema_after(
    source: &Source,
    options: &TableOptions,
    now: DateTime<Utc>,
) -> Result<Schema, String> {
    let columns = source.schema().fields();
    let constants =
        options.added.constants(&source.object().uri, columns, now, &Fields::empty(), options.matching)?;
    schema_for(&with_constants(columns, &constants, options.matching))
}

fn constants(
    source: &Source,
    options: &TableOptions,
    fitting: &Fitting,
    now: DateTime<Utc>,
) -> Result<Vec<Constant>, String> {
    let (uri, file, table) = (&source.object().uri, source.schema().fields(), fitting.columns.fields());
    options.added.constants(uri, file, now, table, options.matching)
}

/// The way of one file, and why; or why there is none.
fn decide(
    place: usize,
    source: &Source,
    mapping: &Mapping,
    target: &Target,
    mode: Mode,
    known: &Known,
) -> Result<(Way, String), String> {
    let parquet = match source {
        Source::Parquet(parquet) => Ok(parquet),
        Source::Text(_) => Err("text has no column chunks".to_owned()),
    };
    if let Some(why) = known.barred.get(&place) {
        return Err(match mode {
            Mode::Register => format!("cannot be registered: {why}"),
            _ => why.clone(),
        });
    }
    match mode {
        Mode::Rewrite => Ok((Way::Rewrite, "the option `mode` says so".to_owned())),
        Mode::Register => {
            let parquet = parquet.map_err(|why| format!("cannot be registered: {why}"))?;
            let registered =
                registered(parquet, mapping, target).map_err(|why| format!("cannot be registered: {why}"))?;
            Ok((Way::Register(Box::new(registered)), "its columns are the table's as they stand".to_owned()))
        }
        Mode::Auto | Mode::Splice => {
            let spliced = match known.unspliceable.get(&place) {
                Some(why) => Err(why.clone()),
                None => parquet.and_then(|parquet| {
                    if mode == Mode::Auto {
                        large_enough(parquet)?;
                    }
                    spliced(parquet, mapping, target)
                }),
            };
            Ok(match spliced {
                Ok(way) => (way, "its columns are the table's as they stand".to_owned()),
                Err(why) => (Way::Rewrite, why),
            })
        }
    }
}

/// Fails where copying would make a table that is slow to read.
fn large_enough(source: &ParquetSource) -> Result<(), String> {
    let footer = source.metadata();
    let groups = footer.num_row_groups() as u64;
    let columns = footer.file_metadata().schema_descr().num_columns() as u64;
    let bytes: u64 =
        footer.row_groups().iter().map(|group| u64::try_from(group.compressed_size()).unwrap_or(0)).sum();
    let rows = source.rows() / groups.max(1);
    if rows < SMALL_GROUP_ROWS && bytes / (groups * columns).max(1) < SMALL_CHUNK_BYTES {
        return Err(format!("its row groups of {rows} rows on average are too small for readers"));
    }
    Ok(())
}

fn spliced(source: &ParquetSource, mapping: &Mapping, target: &Target) -> Result<Way, String> {
    if !target.table.default_sort_order().is_unsorted() {
        return Err("the table has a sort order".to_owned());
    }
    let partition = partition(source, mapping, target)?;
    Ok(Way::Splice(Arc::new(shape(source, mapping, target)?), partition))
}

fn registered(source: &ParquetSource, mapping: &Mapping, target: &Target) -> Result<Registered, String> {
    let partition = partition(source, mapping, target)?;
    register(source, mapping, target, &source.object().uri.to_string(), partition.as_ref())
}

/// The partition of all rows of a file; none in a table without partitions.
fn partition(
    source: &ParquetSource,
    mapping: &Mapping,
    target: &Target,
) -> Result<Option<PartitionKey>, String> {
    if target.table.default_partition_spec().is_unpartitioned() {
        return Ok(None);
    }
    let one = single_partition(source.metadata(), mapping, target);
    one.map(Some).ok_or_else(|| "its statistics do not prove that all rows are in one partition".to_owned())
}
