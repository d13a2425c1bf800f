//! Partitioned and sorted tables: every row is in a file of its own partition, once, and readers find it there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use futures::TryStreamExt;
use iceberg::TableUpdate;
use iceberg::expr::Reference;
use iceberg::spec::{
    DataFile, Datum, Literal, ManifestFile, NestedField, NullOrder, PrimitiveType, Schema, SortDirection,
    SortField, SortOrder, Transform, Type, UnboundPartitionSpec,
};
use iceberg::table::Table;
use ingest_core::TableName;
use lake::catalog::{Commit, Outcome};
use lake::creation::Design;

use crate::fixture::{Fixture, TABLE, parquet};

/// Makes the table `id`, `day`, `name`, partitioned by the day and a bucket of the id and sorted by name, as another
/// program would.
async fn partitioned(fixture: &Fixture) {
    let optional = |id, name: &str, kind| NestedField::optional(id, name, Type::Primitive(kind)).into();
    let fields = [
        optional(1, "id", PrimitiveType::Long),
        optional(2, "day", PrimitiveType::Date),
        optional(3, "name", PrimitiveType::String),
    ];
    let schema = Schema::builder().with_fields(fields).build().unwrap();
    let catalog = fixture.catalog().await;
    let properties = [("commit.manifest.min-count-to-merge".to_owned(), "2".to_owned())].into();
    let table =
        catalog.create(&TableName::parse(TABLE).unwrap(), Design::plain(schema, properties)).await.unwrap();
    let spec = UnboundPartitionSpec::builder()
        .add_partition_field(2, "day", Transform::Identity)
        .unwrap()
        .add_partition_field(1, "id_bucket", Transform::Bucket(2))
        .unwrap()
        .build();
    let field = SortField::builder()
        .source_id(3)
        .transform(Transform::Identity)
        .direction(SortDirection::Descending)
        .null_order(NullOrder::Last)
        .build();
    let sort_order = SortOrder::builder().with_order_id(1).with_sort_field(field).build_unbound().unwrap();
    let updates = vec![
        TableUpdate::AddSpec { spec },
        TableUpdate::SetDefaultSpec { spec_id: -1 },
        TableUpdate::AddSortOrder { sort_order },
        TableUpdate::SetDefaultSortOrder { sort_order_id: -1 },
    ];
    let outcome = catalog.commit(&table, Commit { requirements: Vec::new(), updates }).await;
    assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
}

/// A file with these ids; a row's day is its id modulo 3, none for every seventh.
fn file(ids: std::ops::Range<i64>) -> bytes::Bytes {
    let day = |id: i64| (id % 7 != 0).then_some(i32::try_from(id % 3).unwrap());
    let days: Date32Array = ids.clone().map(day).collect();
    let names: StringArray = ids.clone().map(|id| Some(format!("name {}", id * 7919 % 1000))).collect();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
    // The column order is not the table's.
    parquet(vec![("name", Arc::new(names)), ("id", ids), ("day", Arc::new(days))])
}

async fn files(table: &Table) -> (Vec<ManifestFile>, Vec<DataFile>) {
    let snapshot = table.metadata().current_snapshot().unwrap();
    let list = table.manifest_list_reader(snapshot).load().await.unwrap();
    let mut files = Vec::new();
    for manifest in list.entries() {
        let manifest = manifest.load_manifest(table.file_io()).await.unwrap();
        files.extend(manifest.entries().iter().map(|entry| entry.data_file().clone()));
    }
    (list.entries().to_vec(), files)
}

async fn rows(table: &Table, filter: iceberg::expr::Predicate) -> Vec<RecordBatch> {
    let scan = table.scan().with_filter(filter).build().unwrap();
    scan.to_arrow().await.unwrap().try_collect().await.unwrap()
}

#[tokio::test]
async fn rows_are_found_in_their_partitions_once() {
    let fixture = Fixture::new().await;
    partitioned(&fixture).await;
    fixture.put("a", file(0..100)).await;
    fixture.put("b", file(100..150)).await;
    fixture.put("c", file(150..400)).await;
    assert_eq!(fixture.ingest(&["a", "b"]).await.rows, 150);
    assert_eq!(fixture.ingest(&["c", "a"]).await.rows, 250);
    assert_eq!(fixture.ingest(&["a", "b", "c"]).await.rows, 0);
    assert_eq!(fixture.ids().await, (0..400).collect::<Vec<_>>());

    let table = fixture.table().await;
    let (manifests, files) = files(&table).await;
    assert_eq!(manifests.len(), 1, "the second commit merged the manifest of the first");
    let mut by_partition: BTreeMap<String, u64> = BTreeMap::new();
    for file in &files {
        *by_partition.entry(format!("{:?}", file.partition())).or_default() += file.record_count();
        assert_eq!(file.sort_order_id(), Some(1));
        // All rows of the file are of one day: its bounds are its partition.
        let day = file.partition()[0].clone();
        let bound =
            |bounds: &HashMap<i32, Datum>| bounds.get(&2).map(|d| Literal::Primitive(d.literal().clone()));
        assert_eq!((bound(file.lower_bounds()), bound(file.upper_bounds())), (day.clone(), day));
    }
    assert_eq!(by_partition.len(), 8, "{by_partition:?}");
    assert_eq!(by_partition.values().sum::<u64>(), 400);
    // What a planner reads of the manifest before it opens it.
    let days = &manifests[0].partitions.as_ref().unwrap()[0];
    assert!(days.contains_null);
    assert_eq!(days.lower_bound.as_ref().unwrap().as_slice(), 0i32.to_le_bytes());
    assert_eq!(days.upper_bound.as_ref().unwrap().as_slice(), 2i32.to_le_bytes());
    assert_eq!(manifests[0].partition_spec_id, table.metadata().default_partition_spec_id());

    for day in 0..3 {
        let found = rows(&table, Reference::new("day").equal_to(Datum::date(day))).await;
        let mut ids: Vec<i64> = found
            .iter()
            .flat_map(|batch| {
                batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
            })
            .collect();
        ids.sort_unstable();
        let expected: Vec<i64> = (0..400).filter(|id| id % 7 != 0 && id % 3 == i64::from(day)).collect();
        assert_eq!(ids, expected);
    }
    let none: usize =
        rows(&table, Reference::new("day").is_null()).await.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(none, (0..400).filter(|id| id % 7 == 0).count());
}

#[tokio::test]
async fn each_file_of_a_sorted_table_is_in_order() {
    let fixture = Fixture::new().await;
    partitioned(&fixture).await;
    fixture.put("a", file(0..1000)).await;
    fixture.put("b", file(1000..3000)).await;
    fixture.ingest(&["a", "b"]).await;
    let table = fixture.table().await;
    let (_, files) = files(&table).await;
    let mut seen = 0;
    for file in files {
        let path = file.file_path().strip_prefix("file://").unwrap().to_owned();
        let opened = std::fs::File::open(path).unwrap();
        let batches = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(opened)
            .unwrap()
            .build()
            .unwrap();
        let names: Vec<String> = batches
            .flat_map(|batch| {
                let batch = batch.unwrap();
                let names = batch.column(2).as_any().downcast_ref::<StringArray>().unwrap();
                names.iter().map(|name| name.unwrap().to_owned()).collect::<Vec<_>>()
            })
            .collect();
        assert!(names.is_sorted_by(|a, b| a >= b), "a file claims an order that it is not in");
        seen += names.len();
    }
    assert_eq!(seen, 3000);
}
