//! Files that are wholly in one partition, as far as their footers prove it: such a file need not be decoded.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, FieldRef};
use iceberg::spec::{PartitionKey, Struct, Transform};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::super::align::align_array;
use super::super::statistics::trusted;
use super::super::target::Target;
use super::{Partitioner, apply};
use crate::columns::{Mapping, Node, Origin};

/// The partition of a partitioned table that holds every row of a file, if the file's footer proves that there is one.
/// None says nothing: of a file without rows, of a table that is not partitioned, or of statistics that cannot be
/// trusted.
pub fn single_partition(
    footer: &ParquetMetaData,
    mapping: &Mapping,
    target: &Target,
) -> Option<PartitionKey> {
    let groups: Vec<&RowGroupMetaData> =
        footer.row_groups().iter().filter(|group| group.num_rows() > 0).collect();
    let partitioner = Partitioner::of(target).ok().flatten().filter(|_| !groups.is_empty())?;
    let mut columns = Vec::with_capacity(partitioner.fields.len());
    for field in &partitioner.fields {
        columns.push(match &field.place {
            None => arrow_array::new_null_array(&DataType::Boolean, 1),
            Some(place) => {
                let (top, deeper) = place.0.split_first()?;
                let source = target.columns.fields().get(*top)?;
                let known = match mapping.columns.get(*top)? {
                    // Whatever the field is within it, it is null.
                    Origin::Absent => arrow_array::new_null_array(type_at(source, deeper)?, 1),
                    Origin::Constant(value) if deeper.is_empty() => value.clone(),
                    Origin::Column(at, Node::Leaf) if deeper.is_empty() => {
                        bounds(footer, &groups, *at, source)?
                    }
                    _ => return None,
                };
                the_one(&known, field.transform)?
            }
        });
    }
    let partition: Struct = partitioner.partition(&columns, 0).ok()?;
    let spec = target.table.default_partition_spec();
    Some(PartitionKey::new(spec.as_ref().clone(), target.schema.clone(), partition))
}

fn type_at<'a>(field: &'a FieldRef, path: &[usize]) -> Option<&'a DataType> {
    path.iter().try_fold(field.data_type(), |held, place| match held {
        DataType::Struct(fields) => fields.get(*place).map(|field| field.data_type()),
        _ => None,
    })
}

/// The one value that a transform makes of all of these. Transforms other than buckets keep the order of values, so
/// what lies between two that become one becomes that one too.
fn the_one(bounds: &ArrayRef, transform: Transform) -> Option<ArrayRef> {
    if matches!(transform, Transform::Bucket(_)) && !all_equal(bounds) {
        return None;
    }
    let values = apply(transform, bounds).ok()?;
    all_equal(&values).then(|| values.slice(0, 1))
}

fn all_equal(values: &ArrayRef) -> bool {
    super::codes::groups(std::slice::from_ref(values), values.len()).len() == 1
}

/// Values of the table's type between which all values of the file's column at `place` lie: the smallest and the
/// largest of each row group, or a null where all are null.
fn bounds(
    footer: &ParquetMetaData,
    groups: &[&RowGroupMetaData],
    place: usize,
    table: &FieldRef,
) -> Option<ArrayRef> {
    let descriptor = footer.file_metadata().schema_descr();
    let schema = parquet_to_arrow_schema(descriptor, None).ok()?;
    let name = schema.fields().get(place)?.name();
    let statistics = StatisticsConverter::try_new(name, &schema, descriptor).ok()?;
    let leaf = statistics.parquet_column_index()?;
    let said: Vec<Statistics> = groups
        .iter()
        .map(|group| trusted(footer.file_metadata(), leaf, group.columns().get(leaf)?))
        .collect::<Option<_>>()?;
    let nulls: Vec<u64> = said.iter().map(Statistics::null_count_opt).collect::<Option<_>>()?;
    let rows: u64 = groups.iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).sum();
    if nulls.iter().sum::<u64>() == rows {
        return Some(arrow_array::new_null_array(table.data_type(), 1));
    }
    if nulls.iter().any(|nulls| *nulls > 0) || !said.iter().all(bounded) {
        return None;
    }
    let smallest = statistics.row_group_mins(groups.iter().copied()).ok()?;
    let largest = statistics.row_group_maxes(groups.iter().copied()).ok()?;
    let both = arrow_select::concat::concat(&[&smallest, &largest]).ok()?;
    let optional: FieldRef = Arc::new(Field::clone(table).with_nullable(true));
    let values = align_array(&both, &Node::Leaf, &optional, table.name()).ok()?;
    (values.null_count() == 0).then_some(values)
}

/// Whether all values of a column chunk lie between bounds. Those of floats may leave out NaN.
fn bounded(statistics: &Statistics) -> bool {
    let float = matches!(statistics, Statistics::Float(_) | Statistics::Double(_));
    !float && statistics.min_bytes_opt().is_some() && statistics.max_bytes_opt().is_some()
}
