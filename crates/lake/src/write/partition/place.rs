//! Where a column is in the batches of a table's schema, by its field id.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, make_array};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Fields};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

/// The path to a column, through structs alone: its place among its siblings at each level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::write) struct Place(pub(super) Vec<usize>);

impl Place {
    /// The place of the column with this id; none if it is not there, or within a list or a map.
    pub(in crate::write) fn of(fields: &Fields, id: i32) -> Option<Self> {
        let mut path = Vec::new();
        find(fields, &id.to_string(), &mut path).then_some(Self(path))
    }

    /// The column, null wherever a struct around it is.
    ///
    /// # Errors
    /// The batch is of another schema.
    pub(in crate::write) fn column(&self, batch: &RecordBatch) -> Result<ArrayRef, String> {
        let missing = || "a batch lacks a column of the table".to_owned();
        let (first, deeper) = self.0.split_first().ok_or_else(missing)?;
        let mut column = batch.columns().get(*first).ok_or_else(missing)?.clone();
        let mut nulls = None;
        for place in deeper {
            let parent = column.as_struct_opt().ok_or_else(missing)?;
            nulls = NullBuffer::union(nulls.as_ref(), parent.nulls());
            let child = parent.columns().get(*place).ok_or_else(missing)?.clone();
            column = child;
        }
        if nulls.is_none() {
            return Ok(column);
        }
        let nulls = NullBuffer::union(nulls.as_ref(), column.nulls());
        let data = column.to_data().into_builder().nulls(nulls).build().map_err(|e| e.to_string())?;
        Ok(make_array(data))
    }
}

fn find(fields: &Fields, id: &str, path: &mut Vec<usize>) -> bool {
    for (place, field) in fields.iter().enumerate() {
        path.push(place);
        if field.metadata().get(PARQUET_FIELD_ID_META_KEY).is_some_and(|held| held == id) {
            return true;
        }
        if let DataType::Struct(inner) = field.data_type()
            && find(inner, id, path)
        {
            return true;
        }
        path.pop();
    }
    false
}
