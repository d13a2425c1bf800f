//! Which Iceberg type holds a file's column, and whether a file fits a table's schema.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema as ArrowSchema, TimeUnit};
use iceberg::arrow::arrow_schema_to_schema_auto_assign_ids;
use iceberg::spec::Schema;

/// The largest decimal precision that Iceberg knows.
const MAX_PRECISION: u8 = 38;
/// Digits of the largest unsigned 64-bit integer.
const U64_DIGITS: u8 = 20;

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

/// Checks that every row of a file fits a table under the policy `strict`: columns map by name, each has a
/// type that the table's type holds without loss, none is unknown to the table, no required one is missing.
///
/// # Errors
/// The text names the first column at fault.
pub fn check(file: &Fields, table: &Fields, parent: &str) -> Result<(), String> {
    distinct(file, parent)?;
    for field in file {
        let path = join(parent, field.name());
        let Some((_, column)) = table.find(field.name()) else {
            return Err(format!("column `{path}` is not in the table's schema"));
        };
        check_type(field.data_type(), column.data_type(), &path)?;
    }
    match table.iter().find(|column| !column.is_nullable() && file.find(column.name()).is_none()) {
        Some(column) => {
            Err(format!("column `{}` is required by the table and missing", join(parent, column.name())))
        }
        None => Ok(()),
    }
}

fn check_type(from: &DataType, to: &DataType, path: &str) -> Result<(), String> {
    match (from, to) {
        (DataType::Struct(from), DataType::Struct(to)) => check(from, to, path),
        (DataType::List(from), DataType::List(to)) => {
            check_type(from.data_type(), to.data_type(), &join(path, "element"))
        }
        (DataType::Map(from, _), DataType::Map(to, _)) => {
            let ((from_key, from_value), (to_key, to_value)) = (entry(from)?, entry(to)?);
            check_type(from_key.data_type(), to_key.data_type(), &join(path, "key"))?;
            check_type(from_value.data_type(), to_value.data_type(), &join(path, "value"))
        }
        _ if fits(from, to) => Ok(()),
        _ => Err(format!("column `{path}` has type {from}, the table holds {to}")),
    }
}

/// Whether each value of one type has an exact counterpart in another. Sub-microsecond times are checked
/// value by value when they are converted.
fn fits(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Date32, Date64, Decimal128, Float16, Float32, Float64, Int8, Int16, Int32, Int64, Time32, Time64,
        Timestamp, UInt8, UInt16, UInt32, UInt64,
    };
    match (from, to) {
        (Int8 | Int16 | UInt8 | UInt16, Int32 | Int64) | (Int32 | UInt32, Int64) => true,
        (UInt64, Decimal128(precision, 0)) => *precision >= U64_DIGITS,
        (Float16, Float32 | Float64) | (Float32, Float64) => true,
        (Decimal128(from, from_scale), Decimal128(to, to_scale)) => from_scale == to_scale && from <= to,
        (Timestamp(_, from), Timestamp(TimeUnit::Microsecond, to)) => from.is_some() == to.is_some(),
        (Time32(_) | Time64(_), Time64(TimeUnit::Microsecond)) | (Date64, Date32) => true,
        (from, to) => from == to || (binary(from) && binary(to)) || (text(from) && text(to)),
    }
}

fn binary(t: &DataType) -> bool {
    matches!(t, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn text(t: &DataType) -> bool {
    matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
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
pub(super) fn entry(entries: &FieldRef) -> Result<(&FieldRef, &FieldRef), String> {
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

pub(super) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, DataType)]) -> Fields {
        list.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect()
    }

    #[test]
    fn lossless_promotions_fit_and_lossy_ones_do_not() {
        use DataType as T;
        let utc = |unit| T::Timestamp(unit, Some("UTC".into()));
        let yes = [
            (T::Int32, T::Int64),
            (T::UInt32, T::Int64),
            (T::UInt64, T::Decimal128(20, 0)),
            (T::Float32, T::Float64),
            (T::Decimal128(9, 2), T::Decimal128(18, 2)),
            (utc(TimeUnit::Millisecond), utc(TimeUnit::Microsecond)),
            (T::LargeUtf8, T::Utf8),
        ];
        let no = [
            (T::Int64, T::Int32),
            (T::UInt32, T::Int32),
            (T::UInt64, T::Int64),
            (T::Float64, T::Float32),
            (T::Decimal128(9, 2), T::Decimal128(18, 3)),
            (T::Timestamp(TimeUnit::Microsecond, None), utc(TimeUnit::Microsecond)),
            (T::Utf8, T::Binary),
            (T::Int32, T::Utf8),
        ];
        for (from, to) in yes {
            assert!(fits(&from, &to), "{from} into {to}");
        }
        for (from, to) in no {
            assert!(!fits(&from, &to), "{from} into {to}");
        }
    }

    #[test]
    fn a_mismatch_names_the_nested_column() {
        let file = fields(&[("a", DataType::Struct(fields(&[("b", DataType::Utf8)])))]);
        let table = fields(&[("a", DataType::Struct(fields(&[("b", DataType::Int64)])))]);
        let reason = check(&file, &table, "").unwrap_err();
        assert!(reason.contains("`a.b`") && reason.contains("Utf8") && reason.contains("Int64"), "{reason}");
    }

    #[test]
    fn unknown_missing_and_doubled_columns_are_told_apart() {
        let table: Fields =
            vec![Field::new("id", DataType::Int64, false), Field::new("x", DataType::Int64, true)].into();
        let unknown =
            check(&fields(&[("id", DataType::Int64), ("y", DataType::Int64)]), &table, "").unwrap_err();
        let missing = check(&fields(&[("x", DataType::Int64)]), &table, "").unwrap_err();
        let twice =
            check(&fields(&[("id", DataType::Int64), ("id", DataType::Int64)]), &table, "").unwrap_err();
        assert!(unknown.contains("not in the table"), "{unknown}");
        assert!(missing.contains("required"), "{missing}");
        assert!(twice.contains("twice"), "{twice}");
        check(&fields(&[("id", DataType::Int64)]), &table, "").expect("an optional column may be missing");
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
        check(file.fields(), arrow.fields(), "").unwrap();
    }

    #[test]
    fn what_iceberg_cannot_hold_is_named() {
        let reason =
            schema_for(&ArrowSchema::new(fields(&[("d", DataType::Decimal256(50, 2))]))).unwrap_err();
        assert!(reason.contains("`d`"), "{reason}");
    }
}
