//! Schema policy `evolve`, columns that are added to a file's own, and tables made by a rule.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use futures::TryStreamExt;
use iceberg::table::Table;
use ingest_core::{FileStatus, IngestResult};
use lake::Lake;

use super::fixture::{Fixture, parquet, request_with};

async fn evolve(lake: &Lake, keys: &[&str]) -> IngestResult {
    lake.ingest(&request_with(keys, &[("schema-policy", "evolve")])).await.unwrap()
}

async fn rows(table: &Table) -> RecordBatch {
    let batches: Vec<RecordBatch> =
        table.scan().build().unwrap().to_arrow().await.unwrap().try_collect().await.unwrap();
    arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn longs(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().collect()
}

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn bigs(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

#[tokio::test]
async fn new_columns_and_wider_types_come_in_the_same_commit_as_their_rows() {
    let fixture = Fixture::new().await;
    fixture.put("1.parquet", parquet(vec![("id", ints(&[1]))])).await;
    fixture.ingest(&["1.parquet"]).await;
    let before = fixture.table().await;
    fixture.put("2.parquet", parquet(vec![("id", bigs(&[1 << 40])), ("x", bigs(&[7]))])).await;
    fixture.put("3.parquet", parquet(vec![("y", bigs(&[8])), ("id", ints(&[3]))])).await;
    fixture
        .put("4.parquet", parquet(vec![("id", Arc::new(StringArray::from(vec!["no"])) as ArrayRef)]))
        .await;
    let result = evolve(&fixture.lake, &["2.parquet", "3.parquet", "4.parquet"]).await;
    assert_eq!((result.files_processed, result.files_quarantined), (2, 1));
    assert!(result.files[2].reason.as_deref().unwrap().contains("`id`"), "{:?}", result.files[2]);

    let table = fixture.table().await;
    let metadata = table.metadata();
    let snapshot = metadata.current_snapshot().unwrap();
    assert_eq!(metadata.snapshots().len(), before.metadata().snapshots().len() + 1);
    assert_eq!(snapshot.schema_id(), Some(metadata.current_schema_id()));
    assert_eq!(metadata.schemas_iter().count(), 2, "one change for all files of the request");
    let rows = rows(&table).await;
    let mut found: Vec<_> =
        longs(&rows, "id").into_iter().zip(longs(&rows, "x")).zip(longs(&rows, "y")).collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [((Some(1), None), None), ((Some(3), None), Some(8)), ((Some(1 << 40), Some(7)), None)]
    );
}

#[tokio::test]
async fn under_strict_the_schema_stays_and_the_file_is_set_aside() {
    let fixture = Fixture::new().await;
    fixture.put("1.parquet", parquet(vec![("id", ints(&[1]))])).await;
    fixture.put("2.parquet", parquet(vec![("id", ints(&[2])), ("x", bigs(&[7]))])).await;
    let result = fixture.ingest(&["1.parquet", "2.parquet"]).await;
    assert_eq!((result.files_processed, result.files_quarantined), (1, 1));
    assert_eq!(fixture.table().await.metadata().schemas_iter().count(), 1);
}

/// Each of two processes adds a column of its own, at the same time, again and again: no field id may be given twice.
#[tokio::test(flavor = "multi_thread")]
async fn two_workers_that_evolve_at_once_lose_neither_a_column_nor_a_row() {
    const ROUNDS: i64 = 12;
    let fixture = Fixture::new().await;
    fixture.put("0.parquet", parquet(vec![("id", bigs(&[-1]))])).await;
    fixture.ingest(&["0.parquet"]).await;
    let other = fixture.another(|port| port).await;
    for round in 0..ROUNDS {
        let mut keys = Vec::new();
        for side in ["a", "b"] {
            let (key, column) = (format!("{side}{round}.parquet"), format!("{side}{round}"));
            fixture.put(&key, parquet(vec![("id", bigs(&[round])), (&column, bigs(&[round * 100]))])).await;
            keys.push(key);
        }
        let (ours, theirs) = ([keys[0].as_str()], [keys[1].as_str()]);
        let (a, b) = tokio::join!(evolve(&fixture.lake, &ours), evolve(&other, &theirs));
        assert_eq!((a.files_processed, b.files_processed), (1, 1));
    }
    let table = fixture.table().await;
    let rows = rows(&table).await;
    assert_eq!(rows.num_rows() as i64, 2 * ROUNDS + 1);
    let ids = longs(&rows, "id");
    for round in 0..ROUNDS {
        for side in ["a", "b"] {
            let values = longs(&rows, &format!("{side}{round}"));
            let set: Vec<_> = values.iter().zip(&ids).filter(|(value, _)| value.is_some()).collect();
            assert_eq!(set, [(&Some(round * 100), &Some(round))], "column {side}{round}");
        }
    }
}

/// A file that a table did not hold is looked at again when the table turns out to be another.
#[tokio::test]
async fn a_file_fits_once_the_table_has_the_column() {
    let fixture = Fixture::new().await;
    fixture.put("1.parquet", parquet(vec![("id", ints(&[1]))])).await;
    fixture.put("2.parquet", parquet(vec![("id", ints(&[2])), ("x", bigs(&[7]))])).await;
    fixture.put("3.parquet", parquet(vec![("id", ints(&[3])), ("X", bigs(&[9]))])).await;
    fixture.ingest(&["1.parquet"]).await;
    evolve(&fixture.lake, &["2.parquet"]).await;
    let case = request_with(&["3.parquet"], &[("case-sensitive", "false")]);
    let result = fixture.lake.ingest(&case).await.unwrap();
    assert_eq!(result.files[0].status, FileStatus::Processed, "{:?}", result.files[0]);
    let rows = rows(&fixture.table().await).await;
    let mut found: Vec<_> = longs(&rows, "x");
    found.sort_unstable();
    assert_eq!(found, [None, Some(7), Some(9)]);
}

#[tokio::test]
async fn columns_come_from_the_key_the_name_and_the_clock() {
    let fixture = Fixture::new().await;
    let options = [("hive-columns", "true"), ("source-column", "src"), ("ingest-time-column", "at")];
    let key = "dt=2026-01-02/region=eu/1.parquet";
    fixture.put(key, parquet(vec![("id", ints(&[1, 2]))])).await;
    let bad = "dt=yesterday/region=eu/2.parquet";
    fixture.put(bad, parquet(vec![("id", ints(&[3]))])).await;
    let result = fixture.lake.ingest(&request_with(&[key, bad], &options)).await.unwrap();
    assert_eq!((result.files_processed, result.files_quarantined), (1, 1));
    assert!(result.files[1].reason.as_deref().unwrap().contains("dt=yesterday"), "{:?}", result.files[1]);
    let rows = rows(&fixture.table().await).await;
    let text =
        |name| rows.column_by_name(name).unwrap().as_string::<i32>().iter().flatten().map(str::to_owned);
    assert_eq!(text("region").collect::<Vec<_>>(), ["eu", "eu"]);
    assert_eq!(text("src").collect::<Vec<_>>(), vec![format!("s3://inbox/{key}"); 2]);
    let dates: Vec<_> = rows.column_by_name("dt").unwrap().as_primitive::<Date32Type>().iter().collect();
    assert_eq!(dates, [Some(20_455); 2]);
    assert_eq!(rows.column_by_name("at").unwrap().null_count(), 0);
}

#[tokio::test]
async fn a_rule_says_what_its_new_table_is_like() {
    let fixture = Fixture::new().await;
    fixture.put("1.parquet", parquet(vec![("id", ints(&[1]))])).await;
    let options = [("create.sort-by", "id desc"), ("create.property.owner", "etl")];
    let result = fixture.lake.ingest(&request_with(&["1.parquet"], &options)).await.unwrap();
    assert_eq!(result.files_processed, 1);
    let table = fixture.table().await;
    let metadata = table.metadata();
    assert_eq!(metadata.properties()["owner"], "etl");
    assert_eq!(metadata.default_sort_order().fields.len(), 1);

    let wrong = request_with(&["1.parquet"], &[("create.partition-by", "week(id)")]);
    let error = fixture.lake.ingest(&wrong).await.unwrap_err().to_string();
    assert!(error.contains("week(id)"), "{error}");
}
