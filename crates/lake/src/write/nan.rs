//! How many values of each float column are not a number: Parquet's own statistics do not say.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

/// NaNs by field id, for every column of floats, zeros included.
pub(super) type NanCounts = HashMap<i32, u64>;

/// Adds the NaNs of a batch, whose schema bears the field ids.
pub(super) fn count(batch: &RecordBatch, counts: &mut NanCounts) {
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        add(field, column, None, counts);
    }
}

fn add(field: &Field, array: &ArrayRef, parent: Option<&NullBuffer>, counts: &mut NanCounts) {
    let valid = || NullBuffer::union(parent, array.nulls());
    match field.data_type() {
        DataType::Float32 => {
            let nan = tally(array.as_primitive::<Float32Type>().values(), |v| v.is_nan(), valid());
            note(field, nan, counts);
        }
        DataType::Float64 => {
            let nan = tally(array.as_primitive::<Float64Type>().values(), |v| v.is_nan(), valid());
            note(field, nan, counts);
        }
        DataType::Struct(fields) => {
            let valid = valid();
            for (field, column) in fields.iter().zip(array.as_struct().columns()) {
                add(field, column, valid.as_ref(), counts);
            }
        }
        DataType::List(element) => {
            let list = array.as_list::<i32>();
            let (from, to) = ends(list.value_offsets());
            add(element, &list.values().slice(from, to - from), None, counts);
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let (from, to) = ends(map.value_offsets());
            let entries = map.entries().slice(from, to - from);
            for (field, column) in entries.fields().iter().zip(entries.columns()) {
                add(field, column, None, counts);
            }
        }
        _ => {}
    }
}

/// The stretch of a list's values that its rows refer to.
fn ends(offsets: &[i32]) -> (usize, usize) {
    let at = |offset: Option<&i32>| offset.and_then(|n| usize::try_from(*n).ok()).unwrap_or(0);
    (at(offsets.first()), at(offsets.last()))
}

fn tally<T>(values: &[T], is_nan: impl Fn(&T) -> bool, valid: Option<NullBuffer>) -> u64 {
    let all = values.iter().filter(|value| is_nan(value)).count();
    match valid {
        // Where there is none at all, the slots of nulls need no look.
        Some(valid) if all > 0 => {
            values.iter().zip(valid.iter()).filter(|(value, valid)| *valid && is_nan(value)).count() as u64
        }
        _ => all as u64,
    }
}

fn note(field: &Field, nan: u64, counts: &mut NanCounts) {
    let id = field.metadata().get(PARQUET_FIELD_ID_META_KEY).and_then(|id| id.parse().ok());
    if let Some(id) = id {
        *counts.entry(id).or_insert(0) += nan;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float32Array, Float64Array, ListArray, StructArray};
    use arrow_schema::{Fields, Schema};

    use super::*;

    fn field(name: &str, t: DataType, id: i32) -> Field {
        let id = (PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string());
        Field::new(name, t, true).with_metadata([id].into())
    }

    #[test]
    fn nans_count_at_every_level_and_nulls_do_not() {
        let nan = f64::NAN;
        let inner = Fields::from(vec![field("x", DataType::Float32, 3)]);
        let x: ArrayRef = Arc::new(Float32Array::from(vec![f32::NAN, f32::NAN, 1.0]));
        // The second row is null: what its child holds is no value.
        let nested = StructArray::new(inner.clone(), vec![x], Some(vec![true, false, true].into()));
        let element = Arc::new(field("element", DataType::Float64, 5));
        let values = Float64Array::from(vec![nan, nan, nan, 1.0]);
        let offsets = arrow_buffer::OffsetBuffer::new(vec![0, 1, 3, 4].into());
        let list = ListArray::new(element.clone(), offsets, Arc::new(values), None).slice(1, 2);
        let schema = Schema::new(vec![
            field("d", DataType::Float64, 1),
            field("s", DataType::Struct(inner), 2),
            field("l", DataType::List(element), 4),
            field("none", DataType::Float64, 6),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Float64Array::from(vec![Some(nan), None])),
            Arc::new(nested.slice(0, 2)),
            Arc::new(list),
            Arc::new(Float64Array::from(vec![0.0, 1.0])),
        ];
        let mut counts = NanCounts::new();
        count(&RecordBatch::try_new(Arc::new(schema), columns).unwrap(), &mut counts);
        assert_eq!(counts, NanCounts::from([(1, 1), (3, 1), (5, 2), (6, 0)]));
    }
}
