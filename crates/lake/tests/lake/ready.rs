//! A table made ready for files that another engine will stage.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};

use crate::fixture::{Fixture, file, parquet, request, request_with};

fn numbers() -> ArrayRef {
    Arc::new(Int64Array::from(vec![1]))
}

fn columns(table: &iceberg::table::Table) -> Vec<String> {
    table.metadata().current_schema().as_struct().fields().iter().map(|field| field.name.clone()).collect()
}

#[tokio::test]
async fn a_missing_table_is_made_by_the_first_file_that_can() {
    let fixture = Fixture::new().await;
    fixture.put("bad", "no parquet").await;
    assert!(!fixture.lake.make_ready(&request(&["bad"])).await.unwrap());
    assert!(!fixture.folder().join("warehouse/db").exists());
    fixture.put("a", file(0..3)).await;
    assert!(fixture.lake.make_ready(&request(&["bad", "a"])).await.unwrap());
    let table = fixture.table().await;
    assert_eq!(columns(&table), ["id", "name"]);
    assert_eq!(table.metadata().snapshots().len(), 1, "its ledger is begun");
    assert!(fixture.lake.make_ready(&request(&["bad", "a"])).await.unwrap());
    assert_eq!(
        fixture.table().await.metadata_location(),
        table.metadata_location(),
        "said again it does nothing"
    );
    let quarantined = fixture.lake.outstanding(&request(&["bad"])).await.unwrap();
    assert!(matches!(quarantined[0].1, lake::ingest::Standing::New(_)), "bad files are not its business");
}

#[tokio::test]
async fn under_evolve_the_columns_of_all_files_come_in_a_commit_without_rows() {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..3)).await;
    fixture.ingest(&["a"]).await;
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let mut keys = Vec::new();
    // More than a slice, with a column of its own at either end, and one that never fits.
    for n in 0..210 {
        let key = format!("k{n:03}");
        let column = match n {
            0 => ("first", numbers()),
            209 => ("last", numbers()),
            100 => ("id", text.clone()),
            _ => ("id", numbers()),
        };
        fixture.put(&key, parquet(vec![column])).await;
        keys.push(key);
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert!(fixture.lake.make_ready(&request(&keys)).await.unwrap());
    assert_eq!(columns(&fixture.table().await), ["id", "name"], "strict is strict");

    let evolving = request_with(&keys, &[("schema-policy", "evolve")]);
    assert!(fixture.lake.make_ready(&evolving).await.unwrap());
    let table = fixture.table().await;
    assert_eq!(columns(&table), ["id", "name", "first", "last"]);
    let snapshot = table.metadata().current_snapshot().unwrap();
    assert_eq!(snapshot.schema_id(), Some(table.metadata().current_schema_id()));
    assert!(!snapshot.summary().additional_properties.contains_key("added-records"));
    assert_eq!(fixture.ids().await, vec![0, 1, 2]);
    assert!(fixture.lake.make_ready(&evolving).await.unwrap());
    assert_eq!(fixture.table().await.metadata_location(), table.metadata_location());
}
