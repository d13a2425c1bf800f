//! Mode `splice` end to end: whose chunks are copied, into which schema, and what is checked before.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_cast::display::array_value_to_string;
use bytes::Bytes;
use futures::TryStreamExt;
use ingest_core::{FileStatus, IngestResult};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::fixture::{Fixture, file, parquet, request_with};

impl Fixture {
    async fn splice(&self, keys: &[&str], options: &[(&str, &str)]) -> IngestResult {
        let options = [&[("mode", "splice")], options].concat();
        self.lake.ingest(&request_with(keys, &options)).await.unwrap()
    }

    /// Every row of the table as text, these columns of it, sorted.
    async fn shown(&self, columns: &[&str]) -> Vec<String> {
        let table = self.table().await;
        let scan = table.scan().select(columns.iter().copied()).build().unwrap();
        let batches: Vec<RecordBatch> = scan.to_arrow().await.unwrap().try_collect().await.unwrap();
        let row = |batch: &RecordBatch, row| {
            let cells = columns.iter().map(|name| batch.column_by_name(name).unwrap());
            cells.map(|cells| array_value_to_string(cells, row).unwrap()).collect::<Vec<_>>().join("|")
        };
        let mut rows: Vec<String> =
            batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| row(batch, at))).collect();
        rows.sort_unstable();
        rows
    }
}

#[tokio::test]
async fn chunks_of_files_from_before_and_after_a_column_came_are_copied() {
    let fixture = Fixture::new().await;
    fixture.put("1", file(0..2)).await;
    assert_eq!(fixture.splice(&["1"], &[]).await.mode, "splice");
    let id: ArrayRef = Arc::new(Int64Array::from(vec![2]));
    let more: ArrayRef = Arc::new(StringArray::from(vec!["new"]));
    fixture.put("2", parquet(vec![("more", more), ("id", id)])).await;
    fixture.put("3", file(3..4)).await;
    let result = fixture.splice(&["2", "3"], &[("schema-policy", "evolve")]).await;
    assert_eq!((result.rows, result.mode.as_str()), (2, "splice"), "{result:?}");
    fixture.put("4", file(4..5)).await;
    assert_eq!(fixture.splice(&["4"], &[]).await.mode, "splice");
    let rows = fixture.shown(&["id", "name", "more"]).await;
    assert_eq!(rows, ["0|name 0|", "1|name 1|", "2||new", "3|name 3|", "4|name 4|"]);
}

#[tokio::test]
async fn columns_of_the_key_are_made_beside_chunks_that_are_copied() {
    let fixture = Fixture::new().await;
    let keys = ["dt=2026-01-02/region=eu/1", "dt=2026-01-03/region=us/2"];
    fixture.put(keys[0], file(0..2)).await;
    fixture.put(keys[1], file(2..3)).await;
    let result = fixture.splice(&keys, &[("hive-columns", "true")]).await;
    assert_eq!((result.rows, result.mode.as_str()), (3, "splice"), "{result:?}");
    let rows = fixture.shown(&["id", "dt", "region"]).await;
    assert_eq!(rows, ["0|2026-01-02|eu", "1|2026-01-02|eu", "2|2026-01-03|us"]);
}

/// A file whose pages are sound and whose first value is not: it says to be longer than its page.
fn damaged_within_a_page() -> Bytes {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["first name", "second name"]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
    let batch = RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("name", names, true)]).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let value = b"\x0a\0\0\0first name";
    let at = bytes.windows(value.len()).position(|window| window == value).unwrap();
    bytes[at + 1] = 0x7F;
    bytes.into()
}

#[tokio::test]
async fn every_value_is_decoded_before_it_is_copied_if_the_option_says_so() {
    let fixture = Fixture::new().await;
    fixture.put("sound", file(0..2)).await;
    fixture.put("damaged", damaged_within_a_page()).await;
    let result = fixture.splice(&["sound", "damaged"], &[("verify", "decode")]).await;
    let states: Vec<FileStatus> = result.files.iter().map(|file| file.status).collect();
    assert_eq!(states, [FileStatus::Processed, FileStatus::Quarantined], "{result:?}");
    assert_eq!((result.rows, result.mode.as_str()), (2, "splice"));
    assert_eq!(fixture.shown(&["id", "name"]).await, ["0|name 0", "1|name 1"]);
}
