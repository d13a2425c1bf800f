//! Entries as columns and back. The types are plain: any engine can read them.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{Int32Builder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, Utc};
use ingest_core::ObjectIdentity;
use parquet::errors::ParquetError;

use super::entry::{Entry, ObjectName, Part};
use super::hash::{DIGEST_BYTES, digest, key_hash, version, version_kind, version_text};

/// The hash of the object's name: what runs are sorted by.
pub(super) const KEY_HASH: &str = "key_hash";
/// The name of the object version.
pub(super) const DIGEST: &str = "digest";
/// The snapshot that made its rows visible.
pub(super) const SNAPSHOT_ID: &str = "snapshot_id";
/// The second and third sort key.
pub(super) const VERSION_KIND: &str = "version_kind";
pub(super) const VERSION: &str = "version";

/// How many columns stand before the others in the file, for look-ups: [`KEY_HASH`], [`DIGEST`], [`SNAPSHOT_ID`].
pub(super) const LOOK_UP_COLUMNS: usize = 3;

/// The columns of a run.
pub(super) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name| Field::new(name, DataType::Utf8, false);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let parts = Field::new_list_field(DataType::Struct(part_fields()), false);
    Arc::new(Schema::new(vec![
        Field::new(KEY_HASH, DataType::Int64, false),
        Field::new(DIGEST, DataType::FixedSizeBinary(DIGEST_BYTES as i32), false),
        Field::new(SNAPSHOT_ID, DataType::Int64, false),
        text("store"),
        text("bucket"),
        text("key"),
        text(VERSION_KIND),
        text(VERSION),
        Field::new("event_time", time.clone(), true),
        text("request_id"),
        text("mode"),
        Field::new("rows", DataType::Int64, false),
        Field::new("parts", DataType::List(Arc::new(parts.with_name("element"))), false),
        Field::new("time", time, false),
    ]))
});

fn part_fields() -> Fields {
    Fields::from(vec![
        Field::new("file", DataType::Utf8, false),
        Field::new("first_row_group", DataType::Int32, false),
        Field::new("row_groups", DataType::Int32, false),
    ])
}

/// Puts entries into the order of a run.
pub(super) fn sort(entries: &mut [Entry]) {
    entries.sort_by_cached_key(|entry| {
        let version = &entry.identity.version;
        let hash = key_hash(&ObjectName::of(&entry.identity));
        (hash, version_kind(version), version_text(version).to_owned())
    });
}

/// One batch of all columns.
pub(super) fn encode(entries: &[Entry]) -> Result<RecordBatch, ParquetError> {
    let text = |value: fn(&Entry) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(entries.iter().map(value)))
    };
    let number = |value: fn(&Entry) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(entries.iter().map(value)))
    };
    let time = |value: fn(&Entry) -> Option<DateTime<Utc>>| -> ArrayRef {
        let micros = entries.iter().map(|entry| value(entry).map(|t| t.timestamp_micros()));
        Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone("UTC"))
    };
    let digests = entries.iter().map(|entry| Some(digest(&entry.identity)));
    let digests = FixedSizeBinaryArray::try_from_sparse_iter_with_size(digests, DIGEST_BYTES as i32)?;
    Ok(RecordBatch::try_new(
        SCHEMA.clone(),
        vec![
            number(|e| key_hash(&ObjectName::of(&e.identity))),
            Arc::new(digests),
            number(|e| e.snapshot_id),
            text(|e| &e.identity.store),
            text(|e| &e.identity.bucket),
            text(|e| &e.identity.key),
            text(|e| version_kind(&e.identity.version)),
            text(|e| version_text(&e.identity.version)),
            time(|e| e.event_time),
            text(|e| &e.request_id),
            text(|e| &e.mode),
            number(|e| i64::try_from(e.rows).unwrap_or(i64::MAX)),
            encode_parts(entries)?,
            time(|e| Some(e.time)),
        ],
    )?)
}

fn encode_parts(entries: &[Entry]) -> Result<ArrayRef, ArrowError> {
    let number = |value: u32| {
        i32::try_from(value).map_err(|_| ArrowError::CastError("a file has too many row groups".to_owned()))
    };
    let parts = StructBuilder::new(
        part_fields(),
        vec![Box::new(StringBuilder::new()), Box::new(Int32Builder::new()), Box::new(Int32Builder::new())],
    );
    let element = Field::new("element", DataType::Struct(part_fields()), false);
    let mut lists = ListBuilder::new(parts).with_field(element);
    let unlike = || ArrowError::SchemaError("the columns of a part are not as declared".to_owned());
    for entry in entries {
        for part in &entry.parts {
            let row = lists.values();
            row.field_builder::<StringBuilder>(0).ok_or_else(unlike)?.append_value(&part.file);
            let first = number(part.first_row_group)?;
            row.field_builder::<Int32Builder>(1).ok_or_else(unlike)?.append_value(first);
            let count = number(part.row_groups)?;
            row.field_builder::<Int32Builder>(2).ok_or_else(unlike)?.append_value(count);
            row.append(true);
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// The entries of a batch of all columns.
pub(super) fn decode(batch: &RecordBatch) -> Result<Vec<Entry>, ParquetError> {
    (0..batch.num_rows()).map(|row| entry(batch, row)).collect()
}

fn entry(batch: &RecordBatch, row: usize) -> Result<Entry, ParquetError> {
    let parts = column(batch, "parts")?.as_list_opt::<i32>().ok_or_else(|| wrong("parts"))?.value(row);
    let kind = text(batch, VERSION_KIND, row)?;
    let version = version(&kind, text(batch, VERSION, row)?)
        .ok_or_else(|| ParquetError::General(format!("version_kind `{kind}` is not known")))?;
    Ok(Entry {
        identity: ObjectIdentity {
            store: text(batch, "store", row)?,
            bucket: text(batch, "bucket", row)?,
            key: text(batch, "key", row)?,
            version,
        },
        event_time: time(batch, "event_time", row)?,
        request_id: text(batch, "request_id", row)?,
        snapshot_id: numbers(batch, SNAPSHOT_ID)?.value(row),
        mode: text(batch, "mode", row)?,
        rows: u64::try_from(numbers(batch, "rows")?.value(row)).map_err(|_| wrong("rows"))?,
        parts: decode_parts(parts.as_struct_opt().ok_or_else(|| wrong("parts"))?)?,
        time: time(batch, "time", row)?.ok_or_else(|| wrong("time"))?,
    })
}

fn decode_parts(parts: &StructArray) -> Result<Vec<Part>, ParquetError> {
    let wrong = || wrong("parts");
    let files = parts.column_by_name("file").and_then(|c| c.as_string_opt::<i32>()).ok_or_else(wrong)?;
    let numbers =
        |name| parts.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int32Type>()).ok_or_else(wrong);
    let (first, count) = (numbers("first_row_group")?, numbers("row_groups")?);
    let part = |row| {
        Ok(Part {
            file: files.value(row).to_owned(),
            first_row_group: u32::try_from(first.value(row)).map_err(|_| wrong())?,
            row_groups: u32::try_from(count.value(row)).map_err(|_| wrong())?,
        })
    };
    (0..parts.len()).map(part).collect()
}

/// A column of 64-bit numbers.
pub(super) fn numbers<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, ParquetError> {
    column(batch, name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong(name))
}

/// A column of texts.
pub(super) fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, ParquetError> {
    column(batch, name)?.as_string_opt::<i32>().ok_or_else(|| wrong(name))
}

/// The column of digests.
pub(super) fn digests(batch: &RecordBatch) -> Result<&FixedSizeBinaryArray, ParquetError> {
    column(batch, DIGEST)?.as_fixed_size_binary_opt().ok_or_else(|| wrong(DIGEST))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ParquetError> {
    batch.column_by_name(name).ok_or_else(|| ParquetError::General(format!("column `{name}` is missing")))
}

fn wrong(name: &str) -> ParquetError {
    ParquetError::General(format!("column `{name}` has a type or value that is not expected"))
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Result<String, ParquetError> {
    Ok(texts(batch, name)?.value(row).to_owned())
}

fn time(batch: &RecordBatch, name: &str, row: usize) -> Result<Option<DateTime<Utc>>, ParquetError> {
    let array =
        column(batch, name)?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong(name))?;
    if array.is_null(row) {
        return Ok(None);
    }
    DateTime::from_timestamp_micros(array.value(row)).map(Some).ok_or_else(|| wrong(name))
}

#[cfg(test)]
pub(super) mod tests {
    use ingest_core::ObjectVersion;

    use super::*;

    pub(in crate::ledger) fn entry(key: &str) -> Entry {
        let part = |file: &str, first_row_group| Part { file: file.into(), first_row_group, row_groups: 2 };
        Entry {
            identity: ObjectIdentity {
                store: "s3".into(),
                bucket: "inbox".into(),
                key: key.into(),
                version: ObjectVersion::ETag("abc-2".into()),
            },
            event_time: None,
            request_id: "r".into(),
            snapshot_id: i64::MAX,
            mode: "rewrite".into(),
            rows: 3,
            parts: vec![part("file:///a", 0), part("file:///b", 7)],
            time: DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
        }
    }

    #[test]
    fn entries_survive_as_columns() {
        let mut versioned = entry("ü/ b+%2F");
        versioned.identity.version = ObjectVersion::VersionId("ABC".into());
        versioned.event_time = DateTime::from_timestamp_micros(5);
        versioned.parts.clear();
        let all = vec![entry("a"), versioned];
        assert_eq!(decode(&encode(&all).unwrap()).unwrap(), all);
    }

    #[test]
    fn entries_are_sorted_by_name_hash_then_kind_then_version() {
        let mut all: Vec<Entry> = (0..50).map(|n| entry(&n.to_string())).collect();
        for version in [ObjectVersion::VersionId("a".into()), ObjectVersion::ETag("b".into())] {
            let mut other = entry("7");
            other.identity.version = version;
            all.push(other);
        }
        sort(&mut all);
        let keys: Vec<_> = all
            .iter()
            .map(|e| (key_hash(&ObjectName::of(&e.identity)), version_kind(&e.identity.version)))
            .collect();
        assert!(keys.is_sorted());
        let of_7: Vec<_> =
            all.iter().filter(|e| e.identity.key == "7").map(|e| &e.identity.version).collect();
        let expected = [
            &ObjectVersion::ETag("abc-2".into()),
            &ObjectVersion::ETag("b".into()),
            &ObjectVersion::VersionId("a".into()),
        ];
        assert_eq!(of_7, expected);
    }
}
