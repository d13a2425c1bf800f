//! A run of the ledger: entries sorted by identity, as a Parquet file that any engine can query.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use ingest_core::{ObjectIdentity, ObjectVersion};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::entry::Entry;

const KIND_VERSION_ID: &str = "version-id";
const KIND_ETAG: &str = "etag";
/// Entries that are turned into columns, or back, at a time.
const BATCH_ENTRIES: usize = 4 * 1024;

/// Writes a run file, a batch of entries at a time. They have to come sorted by identity.
pub(super) struct RunWriter {
    file: ArrowWriter<Vec<u8>>,
    pending: Vec<Entry>,
    written: u64,
}

impl RunWriter {
    pub(super) fn new() -> Result<Self, ParquetError> {
        let file = ArrowWriter::try_new(Vec::new(), batch(&[])?.schema(), None)?;
        Ok(Self { file, pending: Vec::new(), written: 0 })
    }

    pub(super) fn push(&mut self, entry: Entry) -> Result<(), ParquetError> {
        self.written += 1;
        self.pending.push(entry);
        if self.pending.len() >= BATCH_ENTRIES { self.flush() } else { Ok(()) }
    }

    /// The file's bytes and its number of entries.
    pub(super) fn finish(mut self) -> Result<(Bytes, u64), ParquetError> {
        self.flush()?;
        Ok((self.file.into_inner()?.into(), self.written))
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        self.file.write(&batch(&self.pending)?)?;
        self.pending.clear();
        Ok(())
    }
}

/// The entries of a run file, in its order.
pub(super) fn entries(run: Bytes) -> Result<impl Iterator<Item = Result<Entry, ParquetError>>, ParquetError> {
    let batches = ParquetRecordBatchReaderBuilder::try_new(run)?.with_batch_size(BATCH_ENTRIES).build()?;
    Ok(batches.flat_map(|batch| match batch {
        Ok(batch) => (0..batch.num_rows())
            .map(|row| identity(&batch, row).and_then(|id| entry(&batch, row, id)))
            .collect(),
        Err(error) => vec![Err(error.into())],
    }))
}

/// The entries of a run whose identity is wanted.
pub(super) fn find(run: Bytes, wanted: &HashSet<ObjectIdentity>) -> Result<Vec<Entry>, ParquetError> {
    let mut found = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(run)?.build()? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let identity = identity(&batch, row)?;
            if wanted.contains(&identity) {
                found.push(entry(&batch, row, identity)?);
            }
        }
    }
    Ok(found)
}

fn batch(entries: &[Entry]) -> Result<RecordBatch, ParquetError> {
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
    let mut files = ListBuilder::new(StringBuilder::new());
    for entry in entries {
        files.append_value(entry.data_files.iter().map(Some));
    }
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("store", text(|e| &e.identity.store), false),
        ("bucket", text(|e| &e.identity.bucket), false),
        ("key", text(|e| &e.identity.key), false),
        ("version_kind", text(|e| kind(&e.identity.version)), false),
        ("version", text(|e| value(&e.identity.version)), false),
        ("event_time", time(|e| e.event_time), true),
        ("request_id", text(|e| &e.request_id), false),
        ("snapshot_id", number(|e| e.snapshot_id), false),
        ("mode", text(|e| &e.mode), false),
        ("rows", number(|e| i64::try_from(e.rows).unwrap_or(i64::MAX)), false),
        ("data_files", Arc::new(files.finish()) as ArrayRef, false),
        ("time", time(|e| Some(e.time)), false),
    ])?)
}

fn identity(batch: &RecordBatch, row: usize) -> Result<ObjectIdentity, ParquetError> {
    let value = text(batch, "version", row)?;
    let version = match text(batch, "version_kind", row)?.as_str() {
        KIND_VERSION_ID => ObjectVersion::VersionId(value),
        KIND_ETAG => ObjectVersion::ETag(value),
        other => {
            return Err(ParquetError::General(format!("version_kind `{other}` is not known")));
        }
    };
    Ok(ObjectIdentity {
        store: text(batch, "store", row)?,
        bucket: text(batch, "bucket", row)?,
        key: text(batch, "key", row)?,
        version,
    })
}

fn entry(batch: &RecordBatch, row: usize, identity: ObjectIdentity) -> Result<Entry, ParquetError> {
    let files =
        column(batch, "data_files")?.as_list_opt::<i32>().ok_or_else(|| wrong("data_files"))?.value(row);
    let files = files.as_string_opt::<i32>().ok_or_else(|| wrong("data_files"))?;
    Ok(Entry {
        identity,
        event_time: time(batch, "event_time", row)?,
        request_id: text(batch, "request_id", row)?,
        snapshot_id: number(batch, "snapshot_id", row)?,
        mode: text(batch, "mode", row)?,
        rows: u64::try_from(number(batch, "rows", row)?).map_err(|_| wrong("rows"))?,
        data_files: files.iter().flatten().map(str::to_owned).collect(),
        time: time(batch, "time", row)?.ok_or_else(|| wrong("time"))?,
    })
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ParquetError> {
    batch.column_by_name(name).ok_or_else(|| ParquetError::General(format!("column `{name}` is missing")))
}

fn wrong(name: &str) -> ParquetError {
    ParquetError::General(format!("column `{name}` has a type or value that is not expected"))
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Result<String, ParquetError> {
    let array = column(batch, name)?.as_string_opt::<i32>().ok_or_else(|| wrong(name))?;
    Ok(array.value(row).to_owned())
}

fn number(batch: &RecordBatch, name: &str, row: usize) -> Result<i64, ParquetError> {
    let array = column(batch, name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong(name))?;
    Ok(array.value(row))
}

fn time(batch: &RecordBatch, name: &str, row: usize) -> Result<Option<DateTime<Utc>>, ParquetError> {
    let array =
        column(batch, name)?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong(name))?;
    if arrow_array::Array::is_null(array, row) {
        return Ok(None);
    }
    DateTime::from_timestamp_micros(array.value(row)).map(Some).ok_or_else(|| wrong(name))
}

fn kind(version: &ObjectVersion) -> &'static str {
    match version {
        ObjectVersion::VersionId(_) => KIND_VERSION_ID,
        ObjectVersion::ETag(_) => KIND_ETAG,
    }
}

fn value(version: &ObjectVersion) -> &str {
    match version {
        ObjectVersion::VersionId(value) | ObjectVersion::ETag(value) => value,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::ledger) fn entry(key: &str) -> Entry {
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
            data_files: vec!["file:///a".into(), "file:///b".into()],
            time: DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
        }
    }

    fn encode(all: &[Entry]) -> Bytes {
        let mut writer = RunWriter::new().unwrap();
        all.iter().for_each(|entry| writer.push(entry.clone()).unwrap());
        writer.finish().unwrap().0
    }

    #[test]
    fn entries_survive_the_file_whole() {
        let mut versioned = entry("ü/ b+%2F");
        versioned.identity.version = ObjectVersion::VersionId("ABC".into());
        versioned.event_time = DateTime::from_timestamp_micros(5);
        versioned.data_files.clear();
        let all = vec![entry("a"), versioned.clone()];
        let wanted = all.iter().map(|e| e.identity.clone()).collect();
        let mut found = find(encode(&all), &wanted).unwrap();
        found.sort_by(|a, b| a.identity.cmp(&b.identity));
        assert_eq!(found, all);
    }

    #[test]
    fn a_version_id_and_an_etag_of_the_same_text_are_two_identities() {
        let mut other = entry("a");
        other.identity.version = ObjectVersion::VersionId("abc-2".into());
        let wanted = HashSet::from([other.identity]);
        assert!(find(encode(&[entry("a")]), &wanted).unwrap().is_empty());
    }
}
