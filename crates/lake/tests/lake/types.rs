//! Types and statistics: what goes in comes out, and no bound hides a row.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int16Array,
    Int64Array, ListArray, RecordBatch, StringArray, StructArray, TimestampMillisecondArray, UInt64Array,
};
use futures::TryStreamExt;
use iceberg::expr::Reference;
use iceberg::spec::Datum;

use crate::fixture::{Fixture, parquet};

#[tokio::test]
async fn a_table_is_made_for_a_file_and_holds_its_values() {
    let fixture = Fixture::new().await;
    let inner = StructArray::from(
        RecordBatch::try_from_iter([("x", Arc::new(Int16Array::from(vec![1, 2])) as ArrayRef)]).unwrap(),
    );
    let file = parquet(vec![
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("small", Arc::new(Int16Array::from(vec![-1, 2]))),
        ("big", Arc::new(UInt64Array::from(vec![0, u64::MAX]))),
        ("price", Arc::new(Decimal128Array::from(vec![-12_345, 99]).with_precision_and_scale(9, 2).unwrap())),
        ("day", Arc::new(Date32Array::from(vec![0, 20_000]))),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![1, 1_700_000_000_123]).with_timezone("UTC"))),
        ("code", Arc::new(FixedSizeBinaryArray::try_from_iter([[1u8, 2], [3, 4]].iter()).unwrap())),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None])),
        ),
        ("nested", Arc::new(inner)),
    ]);
    fixture.put("a", file).await;
    let result = fixture.ingest(&["a"]).await;
    assert_eq!(result.rows, 2, "{:?}", result.files);

    let table = fixture.table().await;
    let batches: Vec<RecordBatch> =
        table.scan().build().unwrap().to_arrow().await.unwrap().try_collect().await.unwrap();
    let batch = arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap();
    let shown: Vec<String> = batch
        .columns()
        .iter()
        .flat_map(|column| {
            (0..2).map(move |row| arrow_cast::display::array_value_to_string(column, row).unwrap())
        })
        .collect();
    let expected = [
        "true",
        "",
        "-1",
        "2",
        "0",
        "18446744073709551615",
        "-123.45",
        "0.99",
        "1970-01-01",
        "2024-10-04",
        "1970-01-01T00:00:00.001Z",
        "2023-11-14T22:13:20.123Z",
        "0102",
        "0304",
        "[1, ]",
        "",
        "{x: 1}",
        "{x: 2}",
    ];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn no_bound_hides_a_row() {
    let fixture = Fixture::new().await;
    let long = |c: char| format!("{}{c}", "ä".repeat(40));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![long('a'), long('z'), "\u{10FFFF}".repeat(20)]));
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, -0.0, 5.0]));
    let prices: ArrayRef =
        Arc::new(Decimal128Array::from(vec![-500, 0, 500]).with_precision_and_scale(25, 2).unwrap());
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    fixture.put("a", parquet(vec![("id", ids), ("t", texts), ("n", numbers), ("p", prices)])).await;
    fixture.ingest(&["a"]).await;
    let table = fixture.table().await;
    let price = |text: &str| Datum::decimal_from_str(text).unwrap();
    let queries = [
        Reference::new("t").equal_to(Datum::string(long('a'))),
        Reference::new("t").equal_to(Datum::string(long('z'))),
        Reference::new("t").equal_to(Datum::string("\u{10FFFF}".repeat(20))),
        Reference::new("n").equal_to(Datum::double(0.0)),
        Reference::new("n").equal_to(Datum::double(5.0)),
        Reference::new("p").equal_to(price("-5.00")),
        Reference::new("p").equal_to(price("5.00")),
        Reference::new("id").equal_to(Datum::long(1)),
    ];
    for query in queries {
        let files = table.scan().with_filter(query.clone()).build().unwrap().plan_files().await.unwrap();
        let files: Vec<_> = files.try_collect().await.unwrap();
        assert_eq!(files.len(), 1, "{query} is answered without the file that has the row");
    }
    let nothing = Reference::new("id").equal_to(Datum::long(4));
    let files: Vec<_> = table
        .scan()
        .with_filter(nothing)
        .build()
        .unwrap()
        .plan_files()
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert!(files.is_empty(), "bounds are there and prune");
}
