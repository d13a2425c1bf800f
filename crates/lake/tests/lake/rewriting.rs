//! What `rewrite` promises: the rows that went in come out, each in the partition that the spec says, whatever the
//! transform; and it is looked at every source before one is called bad.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, LargeBinaryArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_cast::display::array_value_to_string;
use chrono::{DateTime, Datelike};
use iceberg::TableCreation;
use iceberg::spec::{
    Literal, NullOrder, SortDirection, SortField, SortOrder, TableMetadata, TableMetadataBuilder, Transform,
    UnboundPartitionSpec,
};
use ingest_core::{FileFormat, ObjectHint, ObjectUri, RequestedObject};
use lake::columns::{Matching, map, schema_for};
use lake::source::{ReadError, Resolved, Source, TextOptions, resolve};
use lake::storage::Stores;
use lake::write::{RewriteInput, Target, WriteError, Written, rewrite, single_partition};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use proptest::prelude::*;

/// A row: its number, and values of which any may be missing.
#[derive(Debug, Clone)]
struct Row {
    long: Option<i64>,
    int: Option<i32>,
    text: Option<String>,
    at: Option<i64>,
    day: Option<i32>,
    price: Option<i128>,
    bytes: Option<Vec<u8>>,
    inner: Option<Option<i64>>,
}

fn row() -> impl Strategy<Value = Row> {
    let maybe = proptest::option::weighted::<std::ops::Range<i64>>;
    (
        maybe(0.9, -30..30),
        proptest::option::weighted(0.9, prop_oneof![Just(i32::MIN), Just(i32::MAX), -9..9]),
        proptest::option::weighted(0.9, "[aä𝄞]{0,4}"),
        maybe(0.9, -200_000_000_000_000..200_000_000_000_000),
        proptest::option::weighted(0.9, -1000..1000),
        proptest::option::weighted(0.9, -99i128..99),
        proptest::option::weighted(0.9, proptest::collection::vec(0u8..3, 0..4)),
        proptest::option::weighted(0.8, maybe(0.8, 0..3)),
    )
        .prop_map(|(long, int, text, at, day, price, bytes, inner)| Row {
            long,
            int,
            text,
            at,
            day,
            price,
            bytes,
            inner,
        })
}

/// A file's rows; `first` is the number of the first.
fn batch(rows: &[Row], first: usize) -> RecordBatch {
    let numbers = Int64Array::from_iter_values((first..first + rows.len()).map(|n| n as i64));
    let inner: ArrayRef = Arc::new(rows.iter().map(|row| row.inner.flatten()).collect::<Int64Array>());
    let field = Arc::new(arrow_schema::Field::new("x", inner.data_type().clone(), true));
    let valid: Vec<bool> = rows.iter().map(|row| row.inner.is_some()).collect();
    let price: Decimal128Array = rows.iter().map(|row| row.price).collect();
    let at: TimestampMicrosecondArray = rows.iter().map(|row| row.at).collect();
    let bytes: LargeBinaryArray = rows.iter().map(|row| row.bytes.as_deref()).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("number", Arc::new(numbers)),
        ("long", Arc::new(rows.iter().map(|row| row.long).collect::<Int64Array>())),
        ("int", Arc::new(rows.iter().map(|row| row.int).collect::<Int32Array>())),
        ("text", Arc::new(rows.iter().map(|row| row.text.as_deref()).collect::<StringArray>())),
        ("at", Arc::new(at.with_timezone("UTC"))),
        ("day", Arc::new(rows.iter().map(|row| row.day).collect::<Date32Array>())),
        ("price", Arc::new(price.with_precision_and_scale(9, 2).unwrap())),
        ("bytes", Arc::new(bytes)),
        ("inner", Arc::new(StructArray::new(vec![field].into(), vec![inner], Some(valid.into())))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn transforms() -> impl Strategy<Value = (&'static str, Transform)> {
    use Transform::{Bucket, Day, Hour, Identity, Month, Truncate, Void, Year};
    prop::sample::select(vec![
        ("long", Identity),
        ("long", Bucket(3)),
        ("long", Truncate(10)),
        ("long", Void),
        ("int", Truncate(7)),
        ("text", Identity),
        ("text", Bucket(4)),
        ("text", Truncate(1)),
        ("at", Year),
        ("at", Month),
        ("at", Day),
        ("at", Hour),
        ("at", Bucket(2)),
        ("day", Year),
        ("day", Month),
        ("day", Day),
        ("price", Identity),
        ("price", Bucket(3)),
        ("price", Truncate(50)),
        ("bytes", Truncate(1)),
        ("bytes", Identity),
        ("inner.x", Identity),
    ])
}

/// What the spec says of a row; a bucket is only looked at for being the same for equal values.
fn expected(row: &Row, column: &str, transform: Transform) -> Option<Literal> {
    let text = |t: &str| match transform {
        Transform::Truncate(n) => Literal::string(t.chars().take(n as usize).collect::<String>()),
        _ => Literal::string(t),
    };
    let down = |v: i128, n: u32| v - v.rem_euclid(i128::from(n));
    let calendar = |year: i32, month: u32, days: i64, hours: i64| match transform {
        Transform::Year => Literal::int(year - 1970),
        Transform::Month => Literal::int((year - 1970) * 12 + i32::try_from(month).unwrap() - 1),
        Transform::Day => Literal::date(i32::try_from(days).unwrap()),
        _ => Literal::int(i32::try_from(hours).unwrap()),
    };
    if transform == Transform::Void {
        return None;
    }
    match column {
        "long" => row.long.map(|v| match transform {
            Transform::Truncate(n) => Literal::long(i64::try_from(down(v.into(), n)).unwrap()),
            _ => Literal::long(v),
        }),
        "int" => row.int.map(|v| Literal::int(down(v.into(), 7) as i32)),
        "text" => row.text.as_deref().map(text),
        "at" => row.at.map(|v| {
            let time = DateTime::from_timestamp_micros(v).unwrap();
            let (days, hours) = (v.div_euclid(86_400_000_000), v.div_euclid(3_600_000_000));
            calendar(time.year(), time.month(), days, hours)
        }),
        "day" => row.day.map(|v| {
            let date = chrono::NaiveDate::from_epoch_days(v).unwrap();
            calendar(date.year(), date.month(), v.into(), 0)
        }),
        "price" => row.price.map(|v| match transform {
            Transform::Truncate(n) => Literal::decimal(down(v, n)),
            _ => Literal::decimal(v),
        }),
        "bytes" => row.bytes.clone().map(|v| match transform {
            Transform::Truncate(n) => Literal::binary(v.into_iter().take(n as usize).collect::<Vec<_>>()),
            _ => Literal::binary(v),
        }),
        _ => row.inner.flatten().map(Literal::long),
    }
}

/// A store with files, and a table for them.
struct Bench {
    bucket: Arc<InMemory>,
    stores: Arc<Stores>,
    target: Target,
}

impl Bench {
    fn new(spec: &[(&str, Transform)], sorted_by: Option<&str>) -> Self {
        Self::of(&batch(&[], 0), spec, sorted_by)
    }

    fn of(batch: &RecordBatch, spec: &[(&str, Transform)], sorted_by: Option<&str>) -> Self {
        let schema = schema_for(&batch.schema()).unwrap();
        let mut fields = UnboundPartitionSpec::builder();
        for (number, (column, transform)) in spec.iter().enumerate() {
            let id = schema.field_id_by_name(column).unwrap();
            fields = fields.add_partition_field(id, format!("p{number}"), *transform).unwrap();
        }
        let mut order = SortOrder::builder();
        if let Some(column) = sorted_by {
            order.with_sort_field(
                SortField::builder()
                    .source_id(schema.field_id_by_name(column).unwrap())
                    .transform(Transform::Identity)
                    .direction(SortDirection::Ascending)
                    .null_order(NullOrder::First)
                    .build(),
            );
        }
        let creation = TableCreation::builder()
            .name("t".to_owned())
            .location("s3://out/t".to_owned())
            .schema(schema)
            .partition_spec(fields.build())
            .sort_order(order.build_unbound().unwrap())
            .build();
        let table: TableMetadata =
            TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata;
        let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
        let bucket = Arc::new(InMemory::new());
        stores.lend("in", bucket.clone());
        stores.lend("out", bucket.clone());
        Self { bucket, stores, target: Target::current(Arc::new(table)).unwrap() }
    }

    async fn input(&self, key: &str, bytes: Vec<u8>) -> RewriteInput {
        self.bucket.put(&Path::from(key), bytes.into()).await.unwrap();
        let uri = ObjectUri::new("in", key).unwrap();
        let wanted = RequestedObject { uri, hint: ObjectHint::default() };
        let Resolved::Object(object) = resolve(&self.stores, "s3", &wanted).await.unwrap() else {
            panic!("it was just put")
        };
        let source = Source::open(object, FileFormat::Parquet, &TextOptions::default(), None).await.unwrap();
        let columns = self.target.columns.fields();
        let (mapping, misfits) = map(source.schema().fields(), columns, Matching::default());
        assert_eq!(misfits, []);
        RewriteInput { source, mapping: Arc::new(mapping) }
    }

    async fn rewrite(&self, inputs: Vec<RewriteInput>) -> Result<Written, WriteError> {
        rewrite(self.stores.clone(), self.target.clone(), inputs).await
    }

    /// The rows of a data file, and for each its row group.
    async fn read(&self, url: &str) -> Vec<(u32, RecordBatch)> {
        let path = Path::from(url.strip_prefix("s3://out/").unwrap());
        let bytes = self.bucket.get(&path).await.unwrap().bytes().await.unwrap();
        let groups =
            ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap().metadata().num_row_groups();
        let mut read = Vec::new();
        for group in 0..groups {
            let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap();
            for batch in builder.with_row_groups(vec![group]).build().unwrap() {
                read.push((u32::try_from(group).unwrap(), batch.unwrap()));
            }
        }
        read
    }

    async fn objects(&self) -> usize {
        use futures::TryStreamExt;
        let found: Vec<_> = self.bucket.list(Some(&Path::from("t"))).try_collect().await.unwrap();
        found.len()
    }
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn footer(bytes: &[u8]) -> ParquetMetaData {
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().metadata().as_ref().clone()
}

/// A row as text, all its columns.
fn shown(batch: &RecordBatch, row: usize) -> String {
    let value = |column: &ArrayRef| match column.as_any().downcast_ref::<TimestampMicrosecondArray>() {
        _ if column.is_null(row) => "null".to_owned(),
        // The name of the zone is not part of the value.
        Some(times) => times.value(row).to_string(),
        None => array_value_to_string(column, row).unwrap(),
    };
    batch.columns().iter().map(value).collect::<Vec<_>>().join("|")
}

async fn rows_stay_in_their_partitions(
    files: Vec<Vec<Row>>,
    spec: Vec<(&'static str, Transform)>,
    sorted_by: Option<&'static str>,
) {
    let bench = Bench::new(&spec, sorted_by);
    let (mut inputs, mut all, mut source_of, mut wanted) = (vec![], vec![], vec![], BTreeSet::new());
    for (number, rows) in files.iter().enumerate() {
        let batch = batch(rows, all.len());
        let bytes = parquet(&batch);
        let input = bench.input(&format!("f{number}"), bytes.clone()).await;
        if let Some(key) = single_partition(&footer(&bytes), &input.mapping, &bench.target) {
            for row in rows {
                for ((column, transform), held) in spec.iter().zip(key.data().iter()) {
                    if !matches!(transform, Transform::Bucket(_)) {
                        assert_eq!(held.cloned(), expected(row, column, *transform), "{column} {transform}");
                    }
                }
            }
        }
        inputs.push(input);
        wanted.extend((0..rows.len()).map(|row| shown(&batch, row)));
        all.extend(rows.iter().cloned());
        source_of.extend(std::iter::repeat_n(number, rows.len()));
    }
    let written = bench.rewrite(inputs).await.unwrap();
    let placed: Vec<u64> = written.sources.iter().map(|source| source.rows).collect();
    assert_eq!(placed, files.iter().map(|rows| rows.len() as u64).collect::<Vec<_>>());

    let (mut found, mut buckets) = (BTreeSet::new(), BTreeMap::new());
    for file in &written.files {
        for (group, batch) in bench.read(file.file_path()).await {
            for at in 0..batch.num_rows() {
                assert!(found.insert(shown(&batch, at)), "a row is there twice");
                let number = batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(at);
                let (row, source) = (&all[number as usize], source_of[number as usize]);
                let parts = &written.sources[source].parts;
                let held = |part: &lake::ledger::Part| {
                    part.file == file.file_path()
                        && (part.first_row_group..part.first_row_group + part.row_groups).contains(&group)
                };
                assert!(parts.iter().any(held), "the ledger would not know of a row");
                for (place, (column, transform)) in spec.iter().enumerate() {
                    let value = file.partition()[place].clone();
                    if matches!(transform, Transform::Bucket(_)) {
                        let of =
                            (place, expected(row, column, Transform::Identity).map(|v| format!("{v:?}")));
                        let of = (of, (*column == "at").then_some(row.at));
                        assert_eq!(*buckets.entry(of).or_insert_with(|| value.clone()), value);
                    } else {
                        assert_eq!(value, expected(row, column, *transform), "{column} {transform}");
                    }
                }
            }
        }
    }
    assert_eq!(found, wanted);
    assert_eq!(bench.objects().await, written.files.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn every_row_comes_out_in_its_own_partition(
        files in proptest::collection::vec(proptest::collection::vec(row(), 0..30), 1..4),
        spec in proptest::collection::vec(transforms(), 0..3),
        sorted_by in proptest::option::of(prop::sample::select(vec!["text", "at", "inner.x"])),
    ) {
        // A field may be named once for each transform only.
        let mut seen = BTreeSet::new();
        let spec = spec.into_iter().filter(|(column, _)| seen.insert(*column)).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(rows_stay_in_their_partitions(files, spec, sorted_by));
    }
}

#[tokio::test]
async fn a_file_that_is_in_one_partition_is_known_by_its_footer() {
    let spec = [("day", Transform::Month), ("long", Transform::Bucket(5)), ("text", Transform::Identity)];
    let bench = Bench::new(&spec, None);
    let row = |day, long, text: &str| Row {
        long,
        int: None,
        text: Some(text.to_owned()),
        at: None,
        day,
        price: None,
        bytes: None,
        inner: None,
    };
    let known = async |rows: &[Row]| {
        let bytes = parquet(&batch(rows, 0));
        let input = bench.input("a", bytes.clone()).await;
        let key = single_partition(&footer(&bytes), &input.mapping, &bench.target);
        key.map(|key| key.data().iter().map(|value| value.cloned()).collect::<Vec<_>>())
    };
    let one = known(&[row(Some(0), Some(7), "x"), row(Some(30), Some(7), "x")]).await.unwrap();
    assert_eq!((one[0].clone(), one[2].clone()), (Some(Literal::int(0)), Some(Literal::string("x"))));
    let none = known(&[row(None, None, "x"), row(None, None, "x")]).await.unwrap();
    assert_eq!(none[..2], [None, None]);
    assert_eq!(known(&[row(Some(30), Some(7), "x"), row(Some(31), Some(7), "x")]).await, None);
    assert_eq!(known(&[row(Some(0), Some(7), "x"), row(None, Some(7), "x")]).await, None);
    assert_eq!(known(&[row(Some(0), Some(7), "x"), row(Some(0), Some(8), "x")]).await, None);
    assert_eq!(known(&[row(Some(0), Some(7), "x"), row(Some(0), Some(7), "y")]).await, None);
    assert_eq!(known(&[]).await, None);
}

#[tokio::test]
async fn every_bad_source_is_found_at_once_and_nothing_is_left() {
    let bench = Bench::new(&[], None);
    let good = || parquet(&batch(&vec![sample(); 100], 0));
    let bad = || {
        let mut bytes = good();
        // The pages begin after the magic; the footer stays readable.
        for byte in &mut bytes[4..300] {
            *byte ^= 0x5a;
        }
        bytes
    };
    let mut inputs = Vec::new();
    for (key, bytes) in [("a", good()), ("b", bad()), ("c", good()), ("d", bad())] {
        inputs.push(bench.input(key, bytes).await);
    }
    let Err(WriteError::Sources { bad: faults, .. }) = bench.rewrite(inputs.clone()).await else {
        panic!("two of the sources are damaged")
    };
    assert_eq!(faults.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 3]);
    assert!(faults.iter().all(|(_, error)| matches!(error, ReadError::Content(_))), "{faults:?}");
    assert_eq!(bench.objects().await, 0);
    let rest = vec![inputs[0].clone(), inputs[2].clone()];
    assert_eq!(bench.rewrite(rest).await.unwrap().sources.iter().map(|s| s.rows).sum::<u64>(), 200);
}

fn sample() -> Row {
    Row {
        long: Some(1),
        int: Some(2),
        text: Some("abc".to_owned()),
        at: Some(3),
        day: Some(4),
        price: Some(5),
        bytes: Some(vec![6]),
        inner: Some(Some(7)),
    }
}

#[tokio::test]
async fn one_huge_row_group_becomes_row_groups_of_a_bounded_size() {
    const ROWS: usize = 100_000;
    let wide =
        |row: usize| (0..12).map(|n| format!("{:x}", (row * 31 + n) * 0x9E37_79B9)).collect::<String>();
    let text: StringArray = (0..ROWS).map(|row| Some(wide(row).repeat(6))).collect();
    let batch =
        RecordBatch::try_from_iter_with_nullable([("text", Arc::new(text) as ArrayRef, true)]).unwrap();
    let bench = Bench::of(&batch, &[], None);
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(ROWS))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    assert_eq!(footer(&bytes).num_row_groups(), 1);
    let input = bench.input("a", bytes).await;
    drop(batch);

    // What comes of the decoder stays small, whatever the row group.
    let mut batches = input.source.batches();
    while let Some(batch) = batches.recv().await {
        let size = batch.unwrap().get_array_memory_size();
        assert!(size < 24 * 1024 * 1024, "a batch of {size} bytes");
    }
    let written = bench.rewrite(vec![input]).await.unwrap();
    assert_eq!(written.files.len(), 1, "a large file does not become many small ones");
    assert_eq!(written.files[0].record_count(), ROWS as u64);
    assert_eq!(written.sources[0].parts.len(), 1);
}
