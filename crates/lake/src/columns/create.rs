//! Which Iceberg type holds a file's column: the schema of a table made for files.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema as ArrowSchema, TimeUnit};
use iceberg::arrow::arrow_schema_to_schema_auto_assign_ids;
use iceberg::spec::Schema;

use super::fit::U64_DIGITS;

/// The largest decimal precision that Iceberg knows.
const MAX_PRECISION: u8 = 38;

/// The schema of a table made for files like this one. All columns are optional: one file proves nothing
/// about the next.
///
/// # Errors
/// The text names the column that Iceberg cannot hold, or that appears twice.
pub fn schema_for(file: &ArrowSchema) -> Result<Schema, String> {
    if file.fields().is_empty() {
        return Err("the file has no columns: no table can be made for it".to_owned());
    }
    distinct(file.fields(), "")?;
    let fields: Vec<FieldRef> = file.fields().iter().map(|f| optional(f, "")).collect::<Result<_, _>>()?;
    arrow_schema_to_schema_auto_assign_ids(&ArrowSchema::new(fields)).map_err(|e| e.to_string())
}

/// The type that a table made for such a column gets.
fn table_type(t: &DataType, path: &str) -> Result<DataType, String> {
    use DataType as T;
    Ok(match t {
        T::Boolean
        | T::Int32
        | T::Int64
        | T::Float32
        | T::Float64
        | T::Date32
        | T::Utf8
        | T::Binary
        | T::FixedSizeBinary(_) => t.clone(),
        T::Int8 | T::Int16 | T::UInt8 | T::UInt16 => T::Int32,
        T::UInt32 => T::Int64,
        T::UInt64 => T::Decimal128(U64_DIGITS, 0),
        T::Float16 => T::Float32,
        T::Date64 => T::Date32,
        T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::LargeBinary | T::BinaryView => T::Binary,
        T::Decimal128(precision, scale) if *precision <= MAX_PRECISION && *scale >= 0 => t.clone(),
        T::Time32(_) | T::Time64(_) => T::Time64(TimeUnit::Microsecond),
        T::Timestamp(_, None) => T::Timestamp(TimeUnit::Microsecond, None),
        T::Timestamp(_, Some(_)) => T::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        T::Struct(fields) => {
            distinct(fields, path)?;
            T::Struct(fields.iter().map(|f| optional(f, path)).collect::<Result<_, _>>()?)
        }
        T::List(element) => T::List(optional(element, path)?),
        T::Map(entries, sorted) => {
            let (key, value) = entry(entries)?;
            let key = Field::new(key.name(), table_type(key.data_type(), &join(path, "key"))?, false);
            let fields = Fields::from(vec![Arc::new(key), optional(value, path)?]);
            T::Map(Arc::new(Field::new(entries.name(), T::Struct(fields), false)), *sorted)
        }
        _ => {
            return Err(format!("column `{path}` has type {t}, which an Iceberg v2 table cannot hold"));
        }
    })
}

fn optional(field: &FieldRef, parent: &str) -> Result<FieldRef, String> {
    let path = join(parent, field.name());
    Ok(Arc::new(Field::new(field.name(), table_type(field.data_type(), &path)?, true)))
}

/// The key and the value of a map's entries, which Arrow holds as a struct of two.
pub(crate) fn entry(entries: &FieldRef) -> Result<(&FieldRef, &FieldRef), String> {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Ok((&fields[0], &fields[1])),
        other => Err(format!("a map's entries have type {other}")),
    }
}

fn distinct(fields: &Fields, parent: &str) -> Result<(), String> {
    let mut seen = HashSet::new();
    match fields.iter().find(|field| !seen.insert(field.name())) {
        Some(twice) => Err(format!("column `{}` appears twice", join(parent, twice.name()))),
        None => Ok(()),
    }
}

pub(crate) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::super::{Matching, map};
    use super::*;

    fn fields(list: &[(&str, DataType)]) -> Fields {
        list.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect()
    }

    #[test]
    fn a_table_made_for_a_file_holds_that_file() {
        let entries = DataType::Struct(
            vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::UInt32, true)]
                .into(),
        );
        let file = ArrowSchema::new(fields(&[
            ("small", DataType::UInt8),
            ("big", DataType::UInt64),
            ("at", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))),
            ("tags", DataType::List(Arc::new(Field::new("item", DataType::LargeUtf8, true)))),
            ("counts", DataType::Map(Arc::new(Field::new("entries", entries, false)), false)),
        ]));
        let schema = schema_for(&file).unwrap();
        let arrow = iceberg::arrow::schema_to_arrow_schema(&schema).unwrap();
        assert_eq!(map(file.fields(), arrow.fields(), Matching::default()).1, []);
    }

    #[test]
    fn what_iceberg_cannot_hold_is_named() {
        let reason =
            schema_for(&ArrowSchema::new(fields(&[("d", DataType::Decimal256(50, 2))]))).unwrap_err();
        assert!(reason.contains("`d`"), "{reason}");
    }
}
