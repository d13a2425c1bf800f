//! The cases of `tests/golden/schema-policy`, which the Spark job decides alike.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use chrono::DateTime;
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::Schema;
use ingest_core::ObjectUri;
use lake::columns::{Misfit, Origin, map_with};
use lake::options::TableOptions;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde_json::{Value, json};

#[test]
fn cases_are_decided_as_the_spark_job_does() {
    // Asked when it runs: a build that several clones share may come from one that is gone.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo tells tests where their package is");
    let path = PathBuf::from(package).join("../../tests/golden/schema-policy/cases.json");
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() > 50, "{} cases", cases.len());
    for case in cases {
        let expected = if case["mapping"].is_null() { &case["misfit"] } else { &case["mapping"] };
        assert_eq!(&decide(&case), expected, "{}", case["name"]);
    }
}

/// The mapping of a case, or the kind of its first misfit.
fn decide(case: &Value) -> Value {
    let schema = json!({"type": "struct", "schema-id": 0, "fields": case["table"]});
    let schema: Schema = serde_json::from_value(schema).unwrap();
    let table = schema_to_arrow_schema(&schema).unwrap();
    let file: Fields = case["file"].as_array().unwrap().iter().map(column).collect();
    let properties: HashMap<String, String> = case["options"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (format!("event-ingest.{name}"), value.as_str().unwrap().to_owned()))
        .collect();
    let options = TableOptions::of(&properties, &BTreeMap::new()).unwrap();
    let uri = ObjectUri::new("inbox", case["key"].as_str().unwrap()).unwrap();

    let added = &options.added;
    let constants = added.constants(&uri, &file, DateTime::UNIX_EPOCH, table.fields(), options.matching);
    let mapped =
        constants.and_then(|constants| map_with(&file, &constants, table.fields(), options.matching));
    match mapped {
        Err(_) => json!("key"),
        Ok((_, misfits)) if !misfits.is_empty() => json!(kind(&misfits[0])),
        Ok((mapping, _)) => mapping.columns.iter().map(|origin| shown(origin, &file)).collect(),
    }
}

fn kind(misfit: &Misfit) -> &'static str {
    match misfit {
        Misfit::Unknown { .. } => "unknown",
        Misfit::Type { .. } => "type",
        Misfit::Missing(_) => "missing",
        Misfit::Twice(_) => "twice",
        Misfit::Id { .. } => "id",
    }
}

fn shown(origin: &Origin, file: &Fields) -> Value {
    match origin {
        Origin::Column(place, _) => json!(file[*place].name()),
        Origin::Absent => Value::Null,
        Origin::Constant(value) => json!({"constant": text(value)}),
    }
}

fn text(value: &ArrayRef) -> Option<String> {
    value.is_valid(0).then(|| array_value_to_string(value, 0).unwrap())
}

fn column(field: &Value) -> Field {
    let plain = Field::new(field["name"].as_str().unwrap(), data_type(&field["type"]), true);
    match field["id"].as_i64() {
        Some(id) => plain.with_metadata([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())].into()),
        None => plain,
    }
}

fn data_type(held: &Value) -> DataType {
    let part = |name: &str, part: &str| Arc::new(Field::new(name, data_type(&held[part]), name != "key"));
    match held["type"].as_str() {
        Some("struct") => DataType::Struct(held["fields"].as_array().unwrap().iter().map(column).collect()),
        Some("list") => DataType::List(part("element", "element")),
        Some("map") => {
            let entries: Fields = vec![part("key", "key"), part("value", "value")].into();
            DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
        }
        Some(other) => panic!("{other} is no nested type"),
        None => simple(held.as_str().unwrap()),
    }
}

fn simple(name: &str) -> DataType {
    let (base, numbers) = name.split_once(['[', '(']).unwrap_or((name, ""));
    let numbers: Vec<&str> = numbers.trim_end_matches([']', ')']).split(", ").collect();
    match base {
        "decimal" => DataType::Decimal128(numbers[0].parse().unwrap(), numbers[1].parse().unwrap()),
        "fixed" => DataType::FixedSizeBinary(numbers[0].parse().unwrap()),
        "timestamp" => {
            let unit = match numbers[0] {
                "ms" => TimeUnit::Millisecond,
                "us" => TimeUnit::Microsecond,
                "ns" => TimeUnit::Nanosecond,
                other => panic!("{other} is no unit"),
            };
            DataType::Timestamp(unit, numbers.get(1).map(|zone| (*zone).into()))
        }
        // As the worker reads them: without a zone, and of every zone.
        "int96" => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        "null" => DataType::Null,
        "bool" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float16" => DataType::Float16,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "date32" => DataType::Date32,
        "string" => DataType::Utf8,
        "large_string" => DataType::LargeUtf8,
        "binary" => DataType::Binary,
        other => panic!("{other} is no type"),
    }
}
