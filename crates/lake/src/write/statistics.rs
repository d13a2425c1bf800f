//! What Iceberg's planner needs to know of a data file, from the Parquet metadata that was just written.
//!
//! A bound must never hide a row: where one row group has values but no bound, the column has none.

use std::collections::HashMap;

use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, PrimitiveType, Schema, Struct, Type,
};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;

use super::target::Target;

/// Characters of a string bound, and bytes of a binary one: Iceberg's default `truncate(16)`.
const BOUND_LENGTH: usize = 16;

/// A data file that was just written.
#[derive(Debug, Clone, Copy)]
pub struct Description<'a> {
    /// Its footer.
    pub metadata: &'a ParquetMetaData,
    /// The table that it is for.
    pub target: &'a Target,
    /// Its URL.
    pub path: &'a str,
    /// Its bytes.
    pub size: u64,
    /// The partition that all its rows are in, of the table's default spec; empty without one.
    pub partition: &'a Struct,
    /// NaNs by field id, where they were counted.
    pub nan_counts: &'a HashMap<i32, u64>,
    /// The order that all its rows are in.
    pub sort_order_id: Option<i32>,
}

/// Describes a file that we wrote.
///
/// # Errors
/// The text says which part of the metadata does not fit; that is a defect of the writer, not of the input.
pub fn describe(file: &Description<'_>) -> Result<DataFile, String> {
    let Description { metadata, target, path, size, partition, nan_counts, sort_order_id } = *file;
    let (schema, spec_id) = (&target.schema, target.table.default_partition_spec_id());
    let mut columns: HashMap<i32, Column> = HashMap::new();
    let mut rows = 0;
    let mut offsets = Vec::with_capacity(metadata.num_row_groups());
    for group in metadata.row_groups() {
        rows += u64::try_from(group.num_rows()).unwrap_or(0);
        if let Some(first) = group.columns().first() {
            offsets.push(first.dictionary_page_offset().unwrap_or(first.data_page_offset()));
        }
        for chunk in group.columns() {
            let info = chunk.column_descr().self_type().get_basic_info();
            if info.has_id() {
                columns.entry(info.id()).or_insert_with(|| Column::new(schema, info.id(), chunk)).add(chunk);
            }
        }
    }
    let mut builder = DataFileBuilder::default();
    builder
        .content(DataContentType::Data)
        .file_path(path.to_owned())
        .file_format(DataFileFormat::Parquet)
        .record_count(rows)
        .file_size_in_bytes(size)
        .split_offsets(Some(offsets))
        .partition_spec_id(spec_id)
        .column_sizes(collect(&columns, |c| Some(c.size)))
        .value_counts(collect(&columns, |c| Some(c.values)))
        .null_value_counts(collect(&columns, |c| c.nulls))
        .nan_value_counts(nan_counts.clone())
        .partition(partition.clone())
        .lower_bounds(collect(&columns, |c| c.lower.bound()))
        .upper_bounds(collect(&columns, |c| c.upper.bound()));
    if let Some(order) = sort_order_id {
        builder.sort_order_id(order);
    }
    builder.build().map_err(|e| e.to_string())
}

fn collect<T>(columns: &HashMap<i32, Column>, value: impl Fn(&Column) -> Option<T>) -> HashMap<i32, T> {
    columns.iter().filter_map(|(id, column)| Some((*id, value(column)?))).collect()
}

/// A bound over row groups.
enum Bound {
    /// No row group had values yet.
    Open,
    /// Holds for all row groups so far.
    Known(Datum),
    /// A row group had values and gave no bound: nothing can be said of the file.
    Lost,
}

impl Bound {
    fn merge(&mut self, next: Option<Datum>, better: impl Fn(&Datum, &Datum) -> bool) {
        *self = match (std::mem::replace(self, Bound::Lost), next) {
            (Bound::Open, Some(next)) => Bound::Known(next),
            (Bound::Known(held), Some(next)) => Bound::Known(if better(&next, &held) { next } else { held }),
            (Bound::Lost, _) | (_, None) => Bound::Lost,
        };
    }

    fn bound(&self) -> Option<Datum> {
        match self {
            Bound::Known(datum) => Some(datum.clone()),
            Bound::Open | Bound::Lost => None,
        }
    }
}

struct Column {
    kind: Option<PrimitiveType>,
    size: u64,
    values: u64,
    nulls: Option<u64>,
    lower: Bound,
    upper: Bound,
}

impl Column {
    fn new(schema: &Schema, id: i32, chunk: &ColumnChunkMetaData) -> Self {
        // Elements of lists and maps have no bounds in Iceberg: a row is not one value there.
        let repeated = chunk.column_descr().max_rep_level() > 0;
        let kind = match schema.field_by_id(id).map(|field| field.field_type.as_ref()) {
            Some(Type::Primitive(kind)) if !repeated => Some(kind.clone()),
            _ => None,
        };
        Self { kind, size: 0, values: 0, nulls: Some(0), lower: Bound::Open, upper: Bound::Open }
    }

    fn add(&mut self, chunk: &ColumnChunkMetaData) {
        let values = u64::try_from(chunk.num_values()).unwrap_or(0);
        self.size += u64::try_from(chunk.compressed_size()).unwrap_or(0);
        self.values += values;
        let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
        self.nulls = self.nulls.zip(nulls).map(|(held, next)| held + next);
        if nulls == Some(values) {
            return;
        }
        let Some(kind) = &self.kind else { return };
        let (lower, upper) = match chunk.statistics() {
            Some(statistics) => (lower(kind, statistics), upper(kind, statistics)),
            None => (None, None),
        };
        self.lower.merge(lower, |next, held| next < held);
        self.upper.merge(upper, |next, held| next > held);
    }
}

fn lower(kind: &PrimitiveType, statistics: &Statistics) -> Option<Datum> {
    let bytes = statistics.min_bytes_opt()?;
    match kind {
        PrimitiveType::String => {
            let text = std::str::from_utf8(valid_utf8(bytes)).ok()?;
            Some(Datum::string(text.chars().take(BOUND_LENGTH).collect::<String>()))
        }
        PrimitiveType::Binary => Some(Datum::binary(bytes.iter().take(BOUND_LENGTH).copied())),
        _ => exact(kind, statistics, bytes),
    }
}

fn upper(kind: &PrimitiveType, statistics: &Statistics) -> Option<Datum> {
    let bytes = statistics.max_bytes_opt()?;
    match kind {
        PrimitiveType::String => {
            let text = std::str::from_utf8(bytes).ok()?;
            if statistics.max_is_exact() && text.chars().count() <= BOUND_LENGTH {
                return Some(Datum::string(text));
            }
            let mut head: Vec<char> = text.chars().take(BOUND_LENGTH).collect();
            // The next string after all that begin like this one.
            while let Some(last) = head.pop() {
                if let Some(next) = successor(last) {
                    head.push(next);
                    return Some(Datum::string(head.into_iter().collect::<String>()));
                }
            }
            None
        }
        PrimitiveType::Binary => {
            if statistics.max_is_exact() && bytes.len() <= BOUND_LENGTH {
                return Some(Datum::binary(bytes.iter().copied()));
            }
            let mut head = bytes[..bytes.len().min(BOUND_LENGTH)].to_vec();
            while let Some(last) = head.pop() {
                if last < u8::MAX {
                    head.push(last + 1);
                    return Some(Datum::binary(head));
                }
            }
            None
        }
        _ => exact(kind, statistics, bytes),
    }
}

/// Bounds of types that are not truncated. Parquet's plain bytes are Iceberg's single-value bytes, save for a
/// decimal kept as an integer: little-endian there, big-endian here.
fn exact(kind: &PrimitiveType, statistics: &Statistics, bytes: &[u8]) -> Option<Datum> {
    let integer = matches!(statistics, Statistics::Int32(_) | Statistics::Int64(_));
    let datum = if matches!(kind, PrimitiveType::Decimal { .. }) && integer {
        let turned: Vec<u8> = bytes.iter().rev().copied().collect();
        Datum::try_from_bytes(&turned, kind.clone())
    } else {
        Datum::try_from_bytes(bytes, kind.clone())
    };
    datum.ok().filter(|datum| !datum.is_nan())
}

/// Statistics that were cut at a byte may end within a character.
fn valid_utf8(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes,
        Err(e) => &bytes[..e.valid_up_to()],
    }
}

fn successor(c: char) -> Option<char> {
    let mut next = u32::from(c) + 1;
    if next == 0xD800 {
        // Surrogates are no characters.
        next = 0xE000;
    }
    char::from_u32(next)
}
