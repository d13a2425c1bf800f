//! What Iceberg's planner needs to know of a data file, from its Parquet metadata.
//!
//! A bound must never hide a row: where one row group has values but no bound, the column has none. Nor has one whose
//! nulls or NaNs were not counted: readers take a count that is missing for none.

mod bounds;
mod metrics;
mod trust;
mod writers;

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, PrimitiveType, Struct, Type,
};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;

use self::bounds::{Bound, End};
use self::metrics::{Metrics, Mode};
pub use self::trust::{PageBounds, trusted, trusted_pages};
pub(super) use self::writers::believed;
use super::target::Target;

/// A data file as it is to be described.
#[derive(Debug, Clone, Copy)]
pub struct Description<'a> {
    /// What its footer says.
    pub metadata: &'a ParquetMetaData,
    /// What it was made for.
    pub target: &'a Target,
    /// Its address, as it is to stand in the manifest.
    pub path: &'a str,
    /// Its length in bytes.
    pub size: u64,
    /// The partition that all of its rows are in, by the table's default spec; none without one.
    pub partition: Option<&'a Struct>,
    /// The field id of each Parquet leaf, in the file's order; see [`field_ids`]. A leaf without one is left out.
    pub ids: &'a [Option<i32>],
    /// NaNs of the float columns, by field id, where they were counted: Parquet does not. Others have no bounds.
    pub nan_counts: &'a HashMap<i32, u64>,
    /// Whether the footer's statistics can be relied on.
    pub trust: Trust,
    /// The table's sort order that the whole file is in.
    pub sort_order_id: Option<i32>,
}

/// Whose word the statistics of a footer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Ours: they were computed here, or passed [`trusted`] when their chunks were copied.
    Ours,
    /// A foreign writer's: what does not pass [`trusted`] is not there.
    Foreign,
}

/// The field ids that a file of ours bears, leaf by leaf.
pub fn field_ids(schema: &SchemaDescriptor) -> Vec<Option<i32>> {
    let id = |info: &parquet::schema::types::BasicTypeInfo| info.has_id().then(|| info.id());
    schema.columns().iter().map(|leaf| id(leaf.self_type().get_basic_info())).collect()
}

/// Describes a data file for the table's manifests.
///
/// # Errors
/// The text says which part of the metadata does not fit; that is a defect of the writer, not of the input.
pub fn describe(file: &Description<'_>) -> Result<DataFile, String> {
    let columns = columns(file);
    let counted = |column: &&Column| column.mode != Mode::None;
    let mut builder = DataFileBuilder::default();
    builder
        .content(DataContentType::Data)
        .file_path(file.path.to_owned())
        .file_format(DataFileFormat::Parquet)
        .record_count(rows(file.metadata))
        .file_size_in_bytes(file.size)
        .split_offsets(Some(split_offsets(file.metadata)))
        .partition_spec_id(file.target.table.default_partition_spec_id())
        .column_sizes(collect(&columns, |c| Some(c.size)))
        .value_counts(collect(&columns, |c| Some(c).filter(counted).map(|c| c.values)))
        .null_value_counts(collect(&columns, |c| Some(c).filter(counted).and_then(|c| c.nulls)))
        .nan_value_counts(nan_counts(file.nan_counts, &columns))
        .lower_bounds(collect(&columns, |c| c.bounds().0))
        .upper_bounds(collect(&columns, |c| c.bounds().1));
    if let Some(partition) = file.partition {
        builder.partition(partition.clone());
    }
    if let Some(order) = file.sort_order_id {
        builder.sort_order_id(order);
    }
    builder.build().map_err(|e| e.to_string())
}

fn columns(file: &Description<'_>) -> BTreeMap<i32, Column> {
    let metrics = Metrics::of(file.target);
    let footer = file.metadata.file_metadata();
    let mut columns: BTreeMap<i32, Column> = BTreeMap::new();
    for group in file.metadata.row_groups() {
        for (leaf, chunk) in group.columns().iter().enumerate() {
            let Some(id) = file.ids.get(leaf).copied().flatten() else { continue };
            let statistics = match file.trust {
                Trust::Ours => chunk.statistics().cloned(),
                Trust::Foreign => trusted(footer, leaf, chunk),
            };
            columns
                .entry(id)
                .or_insert_with(|| Column::new(file, &metrics, id, leaf))
                .add(chunk, statistics.as_ref());
        }
    }
    columns
}

fn rows(metadata: &ParquetMetaData) -> u64 {
    metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).sum()
}

/// Where readers may cut the file: the beginnings of its row groups.
fn split_offsets(metadata: &ParquetMetaData) -> Vec<i64> {
    let first = metadata.row_groups().iter().filter_map(|group| group.columns().first());
    let mut offsets: Vec<i64> = first.map(chunk_start).collect();
    offsets.sort_unstable();
    offsets
}

/// Some writers set the place of a dictionary that is not there to 0 or to one behind the data.
fn chunk_start(chunk: &ColumnChunkMetaData) -> i64 {
    let data = chunk.data_page_offset();
    chunk.dictionary_page_offset().filter(|dictionary| (1..data).contains(dictionary)).unwrap_or(data)
}

fn collect<T>(columns: &BTreeMap<i32, Column>, value: impl Fn(&Column) -> Option<T>) -> HashMap<i32, T> {
    columns.iter().filter_map(|(id, column)| Some((*id, value(column)?))).collect()
}

/// A count has a place only beside the column's other counts.
fn nan_counts(counts: &HashMap<i32, u64>, columns: &BTreeMap<i32, Column>) -> HashMap<i32, u64> {
    let kept = |id: &i32| columns.get(id).is_some_and(|column| column.mode != Mode::None);
    counts.iter().filter(|(id, _)| kept(id)).map(|(id, count)| (*id, *count)).collect()
}

struct Column {
    kind: Option<PrimitiveType>,
    mode: Mode,
    size: u64,
    values: u64,
    nulls: Option<u64>,
    /// Whether the column can have nulls at all.
    nullable: bool,
    lower: Bound,
    upper: Bound,
}

impl Column {
    fn new(file: &Description<'_>, metrics: &Metrics, id: i32, leaf: usize) -> Self {
        let column = file.metadata.file_metadata().schema_descr().column(leaf);
        // Elements of lists and maps have no bounds in Iceberg: a row is not one value there.
        let repeated = column.max_rep_level() > 0;
        let nans_known = file.nan_counts.contains_key(&id);
        let kind = match file.target.schema.field_by_id(id).map(|field| field.field_type.as_ref()) {
            Some(Type::Primitive(PrimitiveType::Float | PrimitiveType::Double)) if !nans_known => None,
            Some(Type::Primitive(kind)) if !repeated => Some(kind.clone()),
            _ => None,
        };
        let (mode, nullable) = (metrics.mode(id), column.max_def_level() > 0);
        let (lower, upper) = (Bound::Open, Bound::Open);
        Self { kind, mode, size: 0, values: 0, nulls: Some(0), nullable, lower, upper }
    }

    fn add(&mut self, chunk: &ColumnChunkMetaData, statistics: Option<&Statistics>) {
        let values = u64::try_from(chunk.num_values()).unwrap_or(0);
        self.size += u64::try_from(chunk.compressed_size()).unwrap_or(0);
        self.values += values;
        let known = values == 0 || !self.nullable;
        let nulls = if known { Some(0) } else { statistics.and_then(Statistics::null_count_opt) };
        self.nulls = self.nulls.zip(nulls).map(|(held, next)| held + next);
        if nulls == Some(values) {
            return;
        }
        let (Some(kind), Some(length)) = (&self.kind, self.mode.bound_length()) else { return };
        self.lower.merge(End::Lower, statistics.and_then(|s| bounds::of(End::Lower, kind, s, length)));
        self.upper.merge(End::Upper, statistics.and_then(|s| bounds::of(End::Upper, kind, s, length)));
    }

    fn bounds(&self) -> (Option<Datum>, Option<Datum>) {
        if self.nulls.is_none() {
            return (None, None);
        }
        let (lower, upper) = (self.lower.known(), self.upper.known());
        if self.kind == Some(PrimitiveType::Uuid) && !bounds::agreed(lower.as_ref(), upper.as_ref()) {
            return (None, None);
        }
        (lower, upper)
    }
}
