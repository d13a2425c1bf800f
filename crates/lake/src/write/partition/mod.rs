//! Which partition of the table each row belongs to.

mod codes;
mod key;
mod place;
mod single;
mod transform;

use arrow_array::{Array, ArrayRef, RecordBatch};
use iceberg::arrow::arrow_primitive_to_literal;
use iceberg::spec::{Literal, Struct, Transform, Type};

pub use single::single_partition;

pub(super) use key::Key;
pub(super) use place::Place;
pub(super) use transform::apply;

use super::target::Target;
use crate::error::{Error, Result};

/// The default partition spec of a table, for batches of a target's schema.
pub(super) struct Partitioner {
    fields: Vec<Field>,
}

struct Field {
    name: String,
    /// The source column; none if it is within a list or a map, which only a void transform can live with.
    place: Option<Place>,
    transform: Transform,
    kind: Type,
}

impl Partitioner {
    /// None if the table is not partitioned.
    ///
    /// # Errors
    /// A spec that names columns which cannot be found, or transforms that are not known.
    pub(super) fn of(target: &Target) -> Result<Option<Self>> {
        let spec = target.table.default_partition_spec();
        if spec.fields().is_empty() {
            return Ok(None);
        }
        let invalid = |reason: &str| Error::invalid(format!("the table's partition spec: {reason}"));
        let kinds = spec
            .partition_type(&target.schema)
            .map_err(|e| invalid("it does not fit the schema").caused_by(e))?;
        let mut fields = Vec::with_capacity(spec.fields().len());
        for (field, kind) in spec.fields().iter().zip(kinds.fields()) {
            let place = Place::of(target.columns.fields(), field.source_id);
            if place.is_none() && field.transform != Transform::Void {
                return Err(invalid(&format!("field `{}` has no column that it is made of", field.name)));
            }
            let (name, kind) = (field.name.clone(), kind.field_type.as_ref().clone());
            fields.push(Field { name, place, transform: field.transform, kind });
        }
        Ok(Some(Self { fields }))
    }

    /// The partition values of a batch's rows, one column for each field of the spec.
    ///
    /// # Errors
    /// A transform that does not take its column; the text names the field.
    pub(super) fn columns(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, String> {
        self.fields
            .iter()
            .map(|field| match &field.place {
                Some(place) => apply(field.transform, &place.column(batch)?)
                    .map_err(|e| format!("partition field `{}`: {e}", field.name)),
                None => Ok(arrow_array::new_null_array(&arrow_schema::DataType::Boolean, batch.num_rows())),
            })
            .collect()
    }

    /// Rows by partition, in the order in which partitions appear; within one in their own order.
    pub(super) fn groups(&self, columns: &[ArrayRef], rows: usize) -> Vec<Vec<u32>> {
        codes::groups(columns, rows)
    }

    /// The partition of one row.
    ///
    /// # Errors
    /// A value that Iceberg does not hold; the text names the field.
    pub(super) fn partition(&self, columns: &[ArrayRef], row: usize) -> Result<Struct, String> {
        let values = self.fields.iter().zip(columns).map(|(field, column)| {
            value(column, row, &field.kind).map_err(|e| format!("partition field `{}`: {e}", field.name))
        });
        values.collect::<Result<Vec<_>, _>>().map(Struct::from_iter)
    }
}

/// One value of a column as Iceberg holds it in a manifest.
fn value(column: &ArrayRef, row: usize, kind: &Type) -> Result<Option<Literal>, String> {
    if column.is_null(row) {
        return Ok(None);
    }
    let literals = arrow_primitive_to_literal(&column.slice(row, 1), kind).map_err(|e| e.to_string())?;
    literals.into_iter().next().ok_or_else(|| "no value".to_owned())
}
