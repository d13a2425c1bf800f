//! Columns that are not in a file: from the segments of its key, its name, and the time of its ingest.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};
use chrono::{DateTime, NaiveDate, Utc};
use ingest_core::ObjectUri;
use percent_encoding::percent_decode_str;

use super::mapping::{Mapping, Matching, Misfit, Origin, map};

/// What Hive and Spark write into a key for null.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";
/// Columns that one key may give; more is no layout of partitions.
const MAX_HIVE_COLUMNS: usize = 32;

/// Which columns to add to those of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Added {
    /// One for each `name=value` segment of the key.
    pub hive: bool,
    /// The URI of the object, under this name.
    pub source: Option<String>,
    /// The time of the ingest, under this name.
    pub ingest_time: Option<String>,
}

/// A column with one value for all rows of a file.
#[derive(Debug, Clone)]
pub struct Constant {
    field: FieldRef,
    /// One row.
    value: ArrayRef,
}

impl Added {
    /// The columns for an object. Values of key segments get the type of the table's column, if there is one.
    ///
    /// A column that the file has itself is not added: its own values stand.
    ///
    /// # Errors
    /// A value that the table's column does not hold.
    pub fn constants(
        &self,
        uri: &ObjectUri,
        file: &Fields,
        now: DateTime<Utc>,
        table: &Fields,
        matching: Matching,
    ) -> Result<Vec<Constant>, String> {
        let named = |among: &Fields, name: &str| {
            among.iter().find(|column| matching.same(column.name(), name)).cloned()
        };
        let mut constants = Vec::new();
        if self.hive {
            for (name, value) in hive_columns(uri.key())? {
                if named(file, &name).is_none() {
                    let known = named(table, &name);
                    constants.push(hive_constant(&name, value.as_deref(), known.as_ref())?);
                }
            }
        }
        if let Some(name) = &self.source {
            let value = StringArray::from(vec![uri.to_string()]);
            constants.push(Constant::new(name, Arc::new(value)));
        }
        if let Some(name) = &self.ingest_time {
            let value = TimestampMicrosecondArray::from(vec![now.timestamp_micros()]).with_timezone("UTC");
            constants.push(Constant::new(name, Arc::new(value)));
        }
        for constant in &mut constants {
            // What is made for the table's column bears its field id.
            if let Some(column) = named(table, constant.field.name()) {
                let field = constant.field.as_ref().clone().with_metadata(column.metadata().clone());
                constant.field = Arc::new(field);
            }
        }
        Ok(constants)
    }
}

impl Added {
    /// The table's columns but for those that are added to the file's: what rows without names hold, in this order.
    pub fn others(&self, uri: &ObjectUri, table: &Schema, matching: Matching) -> Schema {
        let hive = if self.hive { hive_columns(uri.key()).unwrap_or_default() } else { Vec::new() };
        let names = hive.into_iter().map(|(name, _)| name);
        let names: Vec<String> = names.chain(self.source.clone()).chain(self.ingest_time.clone()).collect();
        let added = |column: &&FieldRef| names.iter().any(|name| matching.same(column.name(), name));
        Schema::new(table.fields().iter().filter(|column| !added(column)).cloned().collect::<Fields>())
    }
}

impl Constant {
    fn new(name: &str, value: ArrayRef) -> Self {
        Self { field: Arc::new(Field::new(name, value.data_type().clone(), true)), value }
    }
}

/// Columns of a file with those that are added. One that the file has itself is not added: its own values stand.
pub fn with_constants(file: &Fields, constants: &[Constant], matching: Matching) -> Schema {
    let new = constants
        .iter()
        .filter(|constant| !file.iter().any(|column| matching.same(column.name(), constant.field.name())))
        .map(|constant| constant.field.clone());
    Schema::new(file.iter().cloned().chain(new).collect::<Fields>())
}

/// [`map`] for files with constants beside their own columns.
///
/// # Errors
/// The text names a constant that the table's column does not hold.
pub fn map_with(
    file: &Fields,
    constants: &[Constant],
    table: &Fields,
    matching: Matching,
) -> Result<(Mapping, Vec<Misfit>), String> {
    let all = with_constants(file, constants, matching);
    let (mut mapping, misfits) = map(all.fields(), table, matching);
    if !misfits.is_empty() {
        return Ok((mapping, misfits));
    }
    for (origin, column) in mapping.columns.iter_mut().zip(table) {
        let place = match origin {
            Origin::Column(place, _) if *place >= file.len() => *place,
            _ => continue,
        };
        let name = all.field(place).name();
        let constant = constants.iter().find(|constant| constant.field.name() == name);
        let constant = constant.expect("a column beyond the file's is one of the constants");
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let value = cast_with_options(&constant.value, column.data_type(), &options)
            .map_err(|e| format!("column `{name}`: {e}"))?;
        if value.null_count() > 0 && !column.is_nullable() {
            return Err(format!("column `{name}` is required by the table, and null in the key"));
        }
        *origin = Origin::Constant(value);
    }
    Ok((mapping, misfits))
}

/// The `name=value` segments of a key, in order; null for Hive's word for it.
fn hive_columns(key: &str) -> Result<Vec<(String, Option<String>)>, String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
    let folders = key.rsplit_once('/').map_or("", |(folders, _)| folders);
    let mut columns: Vec<(String, Option<String>)> = Vec::new();
    for segment in folders.split('/') {
        let Some((name, value)) = segment.split_once('=') else { continue };
        let (Ok(name), Ok(value)) = (decoded(name), decoded(value)) else {
            return Err(format!("the key's segment `{segment}` is not percent-encoded UTF-8"));
        };
        if name.is_empty() {
            continue;
        }
        if columns.iter().any(|(other, _)| *other == name) || columns.len() == MAX_HIVE_COLUMNS {
            return Err(format!(
                "the key names column `{name}` twice, or more than {MAX_HIVE_COLUMNS} columns"
            ));
        }
        columns.push((name, (value != HIVE_NULL).then_some(value)));
    }
    Ok(columns)
}

fn hive_constant(name: &str, value: Option<&str>, known: Option<&FieldRef>) -> Result<Constant, String> {
    let to = known.map_or_else(|| guessed(value), |column| column.data_type().clone());
    let Some(text) = value else { return Ok(Constant::new(name, new_null_array(&to, 1))) };
    let array: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let value = cast_with_options(&array, &to, &options)
        .map_err(|_| format!("the key says `{name}={text}`, the table's column holds {to}"))?;
    Ok(Constant::new(name, value))
}

/// The type of a column that no table has yet: what the value looks like, and writes back the same.
fn guessed(value: Option<&str>) -> DataType {
    match value {
        Some(text) if text.parse::<i64>().is_ok_and(|number| number.to_string() == text) => DataType::Int64,
        Some(text) if text.parse::<NaiveDate>().is_ok_and(|date| date.to_string() == text) => {
            DataType::Date32
        }
        _ => DataType::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Date32Type, Int64Type};

    use arrow_schema::TimeUnit;

    use super::*;

    fn instant() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))
    }

    fn uri(key: &str) -> ObjectUri {
        ObjectUri::new("inbox", key).unwrap()
    }

    fn hive(key: &str, table: &Fields) -> Result<Vec<Constant>, String> {
        let added = Added { hive: true, ..Added::default() };
        added.constants(&uri(key), &Fields::empty(), DateTime::UNIX_EPOCH, table, Matching::default())
    }

    fn table(columns: &[(&str, DataType)]) -> Fields {
        columns.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect()
    }

    #[test]
    fn key_segments_become_columns_of_the_types_they_look_like() {
        let constants = hive(
            "in/dt=2026-01-02/n=7/code=007/x%3Dy=a%2Fb/e=__HIVE_DEFAULT_PARTITION__/f=1.csv",
            &table(&[]),
        )
        .unwrap();
        let shown: Vec<_> =
            constants.iter().map(|c| (c.field.name().as_str(), c.value.data_type().clone())).collect();
        let text = DataType::Utf8;
        let types = [
            ("dt", DataType::Date32),
            ("n", DataType::Int64),
            ("code", text.clone()),
            ("x=y", text.clone()),
            ("e", text),
        ];
        assert_eq!(shown, types);
        assert_eq!(constants[0].value.as_primitive::<Date32Type>().value(0), 20_455);
        assert_eq!(constants[3].value.as_string::<i32>().value(0), "a/b");
        assert!(constants[4].value.is_null(0));
    }

    #[test]
    fn a_table_that_has_the_column_decides_its_type() {
        let constants = hive("n=7/f", &table(&[("n", DataType::Utf8)])).unwrap();
        assert_eq!(constants[0].value.as_string::<i32>().value(0), "7");
        let reason = hive("n=x/f", &table(&[("n", DataType::Int64)])).unwrap_err();
        assert!(reason.contains("n=x"), "{reason}");
        assert!(hive("n=1/n=2/f", &table(&[])).is_err());
    }

    #[test]
    fn rows_without_names_hold_what_is_not_added() {
        let columns = table(&[("n", DataType::Int64), ("a", DataType::Utf8), ("src", DataType::Utf8)]);
        let added = Added { hive: true, source: Some("src".to_owned()), ingest_time: None };
        let others = added.others(&uri("n=7/f.csv"), &Schema::new(columns), Matching::default());
        assert_eq!(others.fields().iter().map(|column| column.name().as_str()).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn constants_are_mapped_beside_the_files_own_columns() {
        let added = Added { hive: true, source: Some("src".to_owned()), ingest_time: Some("at".to_owned()) };
        let columns = table(&[
            ("at", instant()),
            ("n", DataType::Int64),
            ("a", DataType::Utf8),
            ("src", DataType::Utf8),
        ]);
        let file = table(&[("a", DataType::Utf8)]);
        let constants = added
            .constants(&uri("n=7/a=9/f"), &file, DateTime::UNIX_EPOCH, &columns, Matching::default())
            .unwrap();
        let (mapping, misfits) = map_with(&file, &constants, &columns, Matching::default()).unwrap();
        assert_eq!(misfits, []);
        let [Origin::Constant(at), Origin::Constant(n), Origin::Column(0, _), Origin::Constant(src)] =
            mapping.columns.as_slice()
        else {
            panic!("{mapping:?}")
        };
        assert_eq!(at.data_type(), &instant());
        assert_eq!(n.as_primitive::<Int64Type>().value(0), 7);
        assert_eq!(src.as_string::<i32>().value(0), "s3://inbox/n=7/a=9/f");
    }
}
