//! Equal rows of a few columns, found by the bytes of their values.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// Rows by equality of their values in all columns, in the order in which values appear first.
pub(super) fn groups(columns: &[ArrayRef], rows: usize) -> Vec<Vec<u32>> {
    // Each row's group by the columns so far. A pair of (group so far, value) makes a finer group.
    let mut of_row = vec![0u32; rows];
    let mut count = usize::from(rows > 0);
    for column in columns {
        let data = column.to_data();
        let bytes =
            values(column, data.buffers().first().map_or(&[], |buffer| buffer.as_slice()), data.offset());
        let mut known: HashMap<(u32, Option<&[u8]>), u32> = HashMap::new();
        for (row, group) in of_row.iter_mut().enumerate() {
            let value = column.is_valid(row).then(|| bytes(row));
            let next = u32::try_from(known.len()).expect("a run has fewer rows than that");
            *group = *known.entry((*group, value)).or_insert(next);
        }
        count = known.len();
    }
    let mut groups = vec![Vec::new(); count];
    for (row, group) in (0u32..).zip(of_row) {
        groups[group as usize].push(row);
    }
    groups
}

type At<'a> = Box<dyn Fn(usize) -> &'a [u8] + 'a>;

/// The bytes of a column's value at a row. `first` is the column's first buffer, in which its rows start at `offset`.
fn values<'a>(column: &'a ArrayRef, first: &'a [u8], offset: usize) -> At<'a> {
    match column.data_type() {
        DataType::Boolean => {
            let flags = column.as_boolean();
            Box::new(move |row| if flags.value(row) { &[1] } else { &[0] })
        }
        DataType::Utf8 => {
            let text = column.as_string::<i32>();
            Box::new(move |row| text.value(row).as_bytes())
        }
        DataType::LargeUtf8 => {
            let text = column.as_string::<i64>();
            Box::new(move |row| text.value(row).as_bytes())
        }
        DataType::Binary => {
            let binary = column.as_binary::<i32>();
            Box::new(move |row| binary.value(row))
        }
        DataType::LargeBinary => {
            let binary = column.as_binary::<i64>();
            Box::new(move |row| binary.value(row))
        }
        DataType::FixedSizeBinary(_) => {
            let fixed = column.as_fixed_size_binary();
            Box::new(move |row| fixed.value(row))
        }
        // What is left has values of one width, or none at all.
        other => {
            let width = other.primitive_width().unwrap_or(0);
            Box::new(move |row| &first[(offset + row) * width..(offset + row + 1) * width])
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Decimal128Array, Int32Array, StringArray};

    use super::*;

    #[test]
    fn rows_are_together_if_all_their_values_are_equal() {
        let numbers: ArrayRef =
            Arc::new(Int32Array::from(vec![Some(9), Some(1), None, Some(1), None, Some(1)]));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["-", "a", "a", "b", "a", "a"]));
        assert_eq!(groups(&[numbers.slice(1, 5), text.slice(1, 5)], 5), [vec![0, 4], vec![1, 3], vec![2]]);
        assert_eq!(groups(&[numbers.slice(1, 5)], 5), [vec![0, 2, 4], vec![1, 3]]);
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true]));
        let decimals: ArrayRef = Arc::new(Decimal128Array::from(vec![1, 1, 1 << 70]));
        assert_eq!(groups(std::slice::from_ref(&flags), 3), [vec![0, 2], vec![1]]);
        assert_eq!(groups(&[flags, decimals], 3), [vec![0], vec![1], vec![2]]);
        assert_eq!(groups(&[], 2), [vec![0, 1]]);
        assert_eq!(groups(&[], 0), Vec::<Vec<u32>>::new());
    }
}
