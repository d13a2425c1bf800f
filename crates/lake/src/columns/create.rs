//! Which Iceberg type holds a file's column: the schema of a table made for files.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema as ArrowSchema};
use iceberg::spec::{
    ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, Schema, StructType, Type,
};

use super::fit::U64_DIGITS;
use super::logical::Logical;

/// The largest decimal precision that Iceberg knows.
const MAX_PRECISION: u8 = 38;
const UUID_BYTES: i32 = 16;
/// Field ids of a new schema begin here.
const FIRST_ID: i32 = 1;

/// The schema of a table made for files like this one. All columns are optional: one file proves nothing
/// about the next. A column of nulls alone is left out: nothing is known of it.
///
/// # Errors
/// The text names the column that Iceberg cannot hold, or that appears twice.
pub fn schema_for(file: &ArrowSchema) -> Result<Schema, String> {
    let mut next_id = FIRST_ID;
    let fields = columns(file.fields(), "", &mut next_id)?;
    if fields.is_empty() {
        return Err("the file has no columns with values: no table can be made for it".to_owned());
    }
    Schema::builder().with_fields(fields).build().map_err(|e| e.to_string())
}

/// The optional column of a table that holds a file's column, with field ids from `next_id` on; none for a column
/// of nulls alone. `parent` is the path of the struct that it is in, empty at the top.
///
/// # Errors
/// The text names the column that Iceberg cannot hold, or that appears twice.
pub fn column(field: &Field, parent: &str, next_id: &mut i32) -> Result<Option<NestedFieldRef>, String> {
    if *field.data_type() == DataType::Null {
        return Ok(None);
    }
    let id = take(next_id);
    let held = table_type(field, &join(parent, field.name()), next_id)?;
    Ok(Some(Arc::new(NestedField::optional(id, field.name(), held))))
}

fn columns(fields: &Fields, parent: &str, next_id: &mut i32) -> Result<Vec<NestedFieldRef>, String> {
    distinct(fields, parent)?;
    fields.iter().filter_map(|field| column(field, parent, next_id).transpose()).collect()
}

fn take(next_id: &mut i32) -> i32 {
    let id = *next_id;
    *next_id += 1;
    id
}

/// The type that a table made for such a column gets.
fn table_type(field: &Field, path: &str, next_id: &mut i32) -> Result<Type, String> {
    match field.data_type() {
        DataType::Struct(fields) => {
            let fields = columns(fields, path, next_id)?;
            if fields.is_empty() {
                return Err(format!("column `{path}` is a struct without fields that hold values"));
            }
            Ok(Type::Struct(StructType::new(fields)))
        }
        DataType::List(element) => {
            let id = take(next_id);
            let held = table_type(element, &join(path, "element"), next_id)?;
            Ok(Type::List(ListType::new(Arc::new(NestedField::list_element(id, held, false)))))
        }
        DataType::Map(entries, _) => {
            let (key, value) = entry(entries)?;
            let (key_id, value_id) = (take(next_id), take(next_id));
            let key = table_type(key, &join(path, "key"), next_id)?;
            let value = table_type(value, &join(path, "value"), next_id)?;
            Ok(Type::Map(MapType::optional(key_id, key, value_id, value)))
        }
        _ => primitive(field, path).map(Type::Primitive),
    }
}

fn primitive(field: &Field, path: &str) -> Result<PrimitiveType, String> {
    use DataType as T;
    use PrimitiveType as P;
    let decimal = |precision: u8, scale: i8| {
        let fits = precision <= MAX_PRECISION;
        u32::try_from(scale)
            .ok()
            .filter(|_| fits)
            .map(|scale| P::Decimal { precision: precision.into(), scale })
    };
    let logical = Logical::of(field);
    let held = match (logical, field.data_type()) {
        (Some(Logical::Uuid), T::FixedSizeBinary(UUID_BYTES)) => Some(P::Uuid),
        (Some(Logical::Enum), T::Binary) => Some(P::String),
        (Some(_), _) => None,
        (None, held) => match held {
            T::Boolean => Some(P::Boolean),
            T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 => Some(P::Int),
            T::Int64 | T::UInt32 => Some(P::Long),
            T::UInt64 => Some(P::Decimal { precision: U64_DIGITS.into(), scale: 0 }),
            T::Float16 | T::Float32 => Some(P::Float),
            T::Float64 => Some(P::Double),
            T::Date32 | T::Date64 => Some(P::Date),
            T::Utf8 | T::LargeUtf8 | T::Utf8View => Some(P::String),
            T::Binary | T::LargeBinary | T::BinaryView => Some(P::Binary),
            T::FixedSizeBinary(length) => u64::try_from(*length).ok().filter(|n| *n > 0).map(P::Fixed),
            T::Decimal128(precision, scale) | T::Decimal256(precision, scale) => decimal(*precision, *scale),
            T::Time32(_) | T::Time64(_) => Some(P::Time),
            T::Timestamp(_, None) => Some(P::Timestamp),
            T::Timestamp(_, Some(_)) => Some(P::Timestamptz),
            _ => None,
        },
    };
    held.ok_or_else(|| {
        let name = logical.map_or_else(|| field.data_type().to_string(), |logical| logical.name().to_owned());
        format!("column `{path}` has type {name}, which an Iceberg v2 table cannot hold")
    })
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
    use arrow_schema::TimeUnit;

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

    #[test]
    fn types_that_arrow_takes_for_bytes_are_named_as_parquet_names_them() {
        use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
        use parquet::schema::types::{SchemaDescriptor, Type as ParquetType};

        let bytes = |name: &str, logical: Option<LogicalType>| {
            let leaf = ParquetType::primitive_type_builder(name, PhysicalType::BYTE_ARRAY);
            Arc::new(leaf.with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build().unwrap())
        };
        let group = |name: &str, logical, fields| {
            let group = ParquetType::group_type_builder(name).with_logical_type(logical).with_fields(fields);
            Arc::new(group.with_repetition(Repetition::OPTIONAL).build().unwrap())
        };
        let variant = LogicalType::Variant { specification_version: None };
        let geography = LogicalType::Geography { crs: None, algorithm: None };
        for (column, named) in [
            (group("v", Some(variant), vec![bytes("metadata", None), bytes("value", None)]), "VARIANT"),
            (bytes("v", Some(geography)), "GEOGRAPHY"),
            (bytes("v", Some(LogicalType::Geometry { crs: None })), "GEOMETRY"),
        ] {
            let root = ParquetType::group_type_builder("m").with_fields(vec![column]).build().unwrap();
            let parquet = SchemaDescriptor::new(Arc::new(root));
            let arrow = parquet::arrow::parquet_to_arrow_schema(&parquet, None).unwrap();
            let file = super::super::with_logical_types(&parquet, &arrow);
            let reason = schema_for(&file).unwrap_err();
            assert!(reason.contains("`v") && reason.contains(named), "{reason}");
        }
    }
}
