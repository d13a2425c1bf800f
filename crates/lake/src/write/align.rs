//! From a file's batches to the table's columns: same order, same types, absent columns null.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, Time64NanosecondType, TimestampNanosecondType};
use arrow_array::{
    Array, ArrayRef, ListArray, MapArray, RecordBatch, StructArray, UInt32Array, new_null_array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, FieldRef, Fields, SchemaRef, TimeUnit};
use arrow_select::take::take;

use crate::columns::{Mapping, Node, Origin, entry, join};

/// Nanoseconds in the microsecond that Iceberg v2 holds.
const NANOS_PER_MICRO: i64 = 1_000;

/// The batch in the table's schema. `mapping` was made for the schemas of both, without a misfit.
///
/// # Errors
/// A value that the table cannot hold; the text names the column and why.
pub fn align(batch: &RecordBatch, mapping: &Mapping, table: &SchemaRef) -> Result<RecordBatch, String> {
    let source = StructArray::from(batch.clone());
    let columns = align_fields(&source, &mapping.columns, table.fields(), "")?;
    RecordBatch::try_new_with_options(
        table.clone(),
        columns,
        &arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
    )
    .map_err(|e| e.to_string())
}

fn align_fields(
    source: &StructArray,
    origins: &[Origin],
    table: &Fields,
    parent: &str,
) -> Result<Vec<ArrayRef>, String> {
    let aligned = |(field, origin): (&FieldRef, &Origin)| {
        let path = join(parent, field.name());
        let column = match origin {
            Origin::Column(place, node) => align_array(source.column(*place), node, field, &path)?,
            Origin::Absent => new_null_array(field.data_type(), source.len()),
            Origin::Constant(value) => {
                let first = UInt32Array::from(vec![0; source.len()]);
                take(value, &first, None).map_err(|e| format!("column `{path}`: {e}"))?
            }
        };
        required(&column, source, field, &path)?;
        Ok(column)
    };
    table.iter().zip(origins).map(aligned).collect()
}

/// A required column has no nulls, save below a parent that is null itself.
fn required(column: &ArrayRef, parent: &StructArray, field: &FieldRef, path: &str) -> Result<(), String> {
    if field.is_nullable() || column.null_count() == 0 {
        return Ok(());
    }
    let offending = (0..column.len()).any(|row| column.is_null(row) && parent.is_valid(row));
    if offending { Err(format!("column `{path}` is required by the table and has nulls")) } else { Ok(()) }
}

/// A column of the file as the table holds it.
///
/// # Errors
/// See [`align`].
pub(super) fn align_array(
    array: &ArrayRef,
    node: &Node,
    to: &FieldRef,
    path: &str,
) -> Result<ArrayRef, String> {
    let failed = |e: arrow_schema::ArrowError| format!("column `{path}`: {e}");
    match (node, to.data_type()) {
        (Node::Struct(origins), DataType::Struct(fields)) => {
            let source = array.as_struct();
            let columns = align_fields(source, origins, fields, path)?;
            let nulls = source.nulls().cloned();
            let aligned = StructArray::try_new_with_length(fields.clone(), columns, nulls, source.len());
            Ok(Arc::new(aligned.map_err(failed)?))
        }
        (Node::List(node), DataType::List(element)) => {
            let source = array.as_list::<i32>();
            let values = align_array(source.values(), node, element, &join(path, "element"))?;
            let (offsets, nulls) = (source.offsets().clone(), source.nulls().cloned());
            Ok(Arc::new(ListArray::try_new(element.clone(), offsets, values, nulls).map_err(failed)?))
        }
        (Node::Map(key_node, value_node), DataType::Map(entries, sorted)) => {
            let source = array.as_map();
            let (key, value) = entry(entries)?;
            let columns = vec![
                align_array(source.keys(), key_node, key, &join(path, "key"))?,
                align_array(source.values(), value_node, value, &join(path, "value"))?,
            ];
            let DataType::Struct(fields) = entries.data_type() else { unreachable!("entry() saw a struct") };
            let entries_array = StructArray::try_new(fields.clone(), columns, None).map_err(failed)?;
            let (offsets, nulls) = (source.offsets().clone(), source.nulls().cloned());
            Ok(Arc::new(
                MapArray::try_new(entries.clone(), offsets, entries_array, nulls, *sorted).map_err(failed)?,
            ))
        }
        (_, leaf) if array.data_type() == leaf => Ok(array.clone()),
        (_, leaf) => {
            if !matches!(leaf, DataType::Timestamp(TimeUnit::Nanosecond, _)) {
                exact(array, path)?;
            }
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(array, leaf, &options).map_err(failed)
        }
    }
}

/// Refuses times that a cast to microseconds would silently cut.
fn exact(array: &ArrayRef, path: &str) -> Result<(), String> {
    let nanos = match array.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            array.as_primitive::<TimestampNanosecondType>().reinterpret_cast::<Int64Type>()
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            array.as_primitive::<Time64NanosecondType>().reinterpret_cast::<Int64Type>()
        }
        _ => return Ok(()),
    };
    match nanos.iter().flatten().find(|value| value % NANOS_PER_MICRO != 0) {
        Some(value) => Err(format!(
            "column `{path}` has a time of {value} ns, which is no whole microsecond; an Iceberg v2 table holds microseconds"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, Int64Array, StringArray, TimestampNanosecondArray};
    use arrow_schema::{Field, Schema};

    use super::*;
    use crate::columns::{Matching, map};

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
            .unwrap()
    }

    fn aligned(batch: &RecordBatch, table: &SchemaRef) -> Result<RecordBatch, String> {
        let (mapping, misfits) = map(batch.schema().fields(), table.fields(), Matching::default());
        assert_eq!(misfits, []);
        align(batch, &mapping, table)
    }

    fn table(fields: Vec<Field>) -> SchemaRef {
        Arc::new(Schema::new(fields))
    }

    #[test]
    fn columns_map_by_name_widen_and_fill_with_null() {
        let source = batch(vec![
            ("b", Arc::new(StringArray::from(vec!["x", "y"]))),
            ("a", Arc::new(Int32Array::from(vec![Some(1), None]))),
        ]);
        let schema = table(vec![
            Field::new("a", DataType::Int64, true),
            Field::new("absent", DataType::Int64, true),
            Field::new("b", DataType::Utf8, true),
        ]);
        let aligned = aligned(&source, &schema).unwrap();
        assert_eq!(aligned.column(0).as_ref(), &Int64Array::from(vec![Some(1), None]));
        assert_eq!(aligned.column(1).null_count(), 2);
        assert_eq!(aligned.column(2).as_ref(), &StringArray::from(vec!["x", "y"]));
    }

    #[test]
    fn a_null_in_a_required_column_is_refused_by_name() {
        let source = batch(vec![("id", Arc::new(Int64Array::from(vec![Some(1), None])))]);
        let reason = aligned(&source, &table(vec![Field::new("id", DataType::Int64, false)])).unwrap_err();
        assert!(reason.contains("`id`"), "{reason}");
    }

    #[test]
    fn nanoseconds_pass_when_they_are_whole_microseconds_and_else_are_refused() {
        let schema = table(vec![Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, None), true)]);
        let whole = batch(vec![("t", Arc::new(TimestampNanosecondArray::from(vec![Some(2_000), None])))]);
        let part = batch(vec![("t", Arc::new(TimestampNanosecondArray::from(vec![2_001])))]);
        assert_eq!(aligned(&whole, &schema).unwrap().num_rows(), 2);
        assert!(aligned(&part, &schema).unwrap_err().contains("2001 ns"));
    }

    #[test]
    fn nested_columns_are_aligned_at_every_level() {
        let inner = StructArray::from(batch(vec![("x", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef)]));
        let item = Arc::new(Field::new("item", inner.data_type().clone(), true));
        let list = ListArray::new(item, arrow_buffer_offsets(), Arc::new(inner), None);
        let source = batch(vec![("l", Arc::new(list))]);
        let to = DataType::Struct(
            vec![Field::new("x", DataType::Int64, true), Field::new("y", DataType::Utf8, true)].into(),
        );
        let schema =
            table(vec![Field::new("l", DataType::List(Arc::new(Field::new("element", to, true))), true)]);
        let aligned = aligned(&source, &schema).unwrap();
        let elements = aligned.column(0).as_list::<i32>().values().as_struct().clone();
        assert_eq!(elements.column(0).as_ref(), &Int64Array::from(vec![1, 2]));
        assert_eq!(elements.column(1).null_count(), 2);
    }

    fn arrow_buffer_offsets() -> arrow_buffer::OffsetBuffer<i32> {
        arrow_buffer::OffsetBuffer::new(vec![0, 2].into())
    }
}
