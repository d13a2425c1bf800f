//! Text files as a whole: bytes of an object in, typed rows out.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use arrow_select::concat::concat_batches;
use ingest_core::{ObjectHint, ObjectUri, RequestedObject};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use proptest::prelude::*;

use super::*;
use crate::source::{ReadError, Resolved, SourceObject, resolve};
use crate::storage::Stores;

struct Seen {
    batch: RecordBatch,
    rejected: Rejected,
}

impl Seen {
    /// The columns, as `name: type`.
    fn columns(&self) -> Vec<String> {
        let schema = self.batch.schema();
        schema.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect()
    }

    /// The values row by row; `-` is null.
    fn rows(&self) -> Vec<Vec<String>> {
        let cell = |column: &arrow_array::ArrayRef, row| match column.is_null(row) {
            true => "-".to_owned(),
            false => array_value_to_string(column, row).unwrap(),
        };
        (0..self.batch.num_rows())
            .map(|row| self.batch.columns().iter().map(|column| cell(column, row)).collect())
            .collect()
    }
}

async fn object(bytes: Vec<u8>) -> SourceObject {
    let store = Arc::new(InMemory::new());
    store.put(&Path::from("a"), bytes.into()).await.unwrap();
    let stores = Stores::new(BTreeMap::new()).unwrap();
    stores.lend("b", store);
    let wanted = RequestedObject { uri: ObjectUri::new("b", "a").unwrap(), hint: ObjectHint::default() };
    match resolve(&stores, "s3", &wanted).await.unwrap() {
        Resolved::Object(object) => object,
        Resolved::Fault(fault) => panic!("{fault:?}"),
    }
}

async fn read_async(
    format: TextFormat,
    bytes: Vec<u8>,
    options: TextOptions,
    table: Option<&Schema>,
) -> Result<Seen, ReadError> {
    let source = TextSource::open(object(bytes).await, format, options, table).await?;
    let mut stream = source.batches();
    let mut batches = Vec::new();
    while let Some(batch) = stream.recv().await {
        batches.push(batch?);
    }
    let batch = concat_batches(source.schema(), &batches).unwrap();
    Ok(Seen { batch, rejected: source.rejected() })
}

/// Reads a file; a fault of its content is the text of the error.
fn read(
    format: TextFormat,
    bytes: impl Into<Vec<u8>>,
    options: &[(&str, &str)],
    table: Option<&Schema>,
) -> Result<Seen, String> {
    let given: BTreeMap<&str, &str> = options.iter().copied().collect();
    let options = TextOptions::of(|name| given.get(name).copied()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(read_async(format, bytes.into(), options, table)).map_err(|error| match error {
        ReadError::Content(reason) => reason,
        other => panic!("{other:?}"),
    })
}

fn csv(bytes: impl Into<Vec<u8>>, options: &[(&str, &str)]) -> Result<Seen, String> {
    read(TextFormat::Csv, bytes, options, None)
}

fn json(bytes: impl Into<Vec<u8>>, options: &[(&str, &str)]) -> Result<Seen, String> {
    read(TextFormat::Json, bytes, options, None)
}

fn table(fields: &[(&str, DataType, bool)]) -> Schema {
    let field = |(name, t, nullable): &(&str, DataType, bool)| Field::new(*name, t.clone(), *nullable);
    Schema::new(fields.iter().map(field).collect::<Vec<_>>())
}

#[test]
fn a_csv_file_shows_its_types() {
    let seen = csv(
        "\u{FEFF}id,name,price,day,at,zip,flag\r\n\
         1,\"a, \"\"b\"\"\nc\",1.5,2020-01-01,2020-01-01T00:00:00Z,007,true\r\n\
         \r\n\
         2,\"\",,2020-01-02,2020-01-01 01:00:00+01:00,123,",
        &[],
    )
    .unwrap();
    let columns = [
        "id: Int64",
        "name: Utf8",
        "price: Float64",
        "day: Date32",
        "at: Timestamp(µs, \"+0000\")",
        "zip: Utf8",
        "flag: Boolean",
    ];
    assert_eq!(seen.columns(), columns);
    let rows = [
        ["1", "a, \"b\"\nc", "1.5", "2020-01-01", "2020-01-01T00:00:00Z", "007", "true"],
        ["2", "", "-", "2020-01-02", "2020-01-01T00:00:00Z", "123", "-"],
    ];
    assert_eq!(seen.rows(), rows);
}

#[test]
fn types_come_from_the_table_and_unknown_columns_from_the_file() {
    let table = table(&[
        ("Price", DataType::Decimal128(9, 2), true),
        ("id", DataType::Int32, false),
        ("tags", DataType::List(Arc::new(Field::new("element", DataType::Int32, true))), true),
    ]);
    let text = "id,price,tags,new\n7,1.5,\"[1, null]\",x\n";
    let seen = read(TextFormat::Csv, text, &[], Some(&table)).unwrap();
    assert_eq!(seen.columns()[..2], ["id: Int32", "price: Float64"], "case counts");
    assert_eq!(seen.rows(), [["7", "1.5", "[1, ]", "x"]]);
    let options = TextOptions { ignore_case: true, ..TextOptions::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(read_async(TextFormat::Csv, text.into(), options, Some(&table)));
    assert_eq!(seen.ok().unwrap().columns()[1], "price: Decimal128(9, 2)");
}

#[test]
fn without_a_header_columns_are_the_tables_or_numbered() {
    let table = table(&[("a", DataType::Int32, true), ("b", DataType::Utf8, true)]);
    let headless = [("csv.header", "false"), ("csv.delimiter", "tab"), ("csv.null", "NA")];
    let seen = read(TextFormat::Csv, "1\tx\nNA\t\"NA\"\n", &headless, Some(&table)).unwrap();
    assert_eq!(
        (seen.columns(), seen.rows()),
        (
            vec!["a: Int32".to_owned(), "b: Utf8".to_owned()],
            vec![vec!["1".to_owned(), "x".to_owned()], vec!["-".to_owned(), "NA".to_owned()]]
        )
    );
    let seen = csv("1\tx\n", &headless).unwrap();
    assert_eq!(seen.columns(), ["column_1: Int64", "column_2: Utf8"]);
    let reason = csv("\n1\n\"2\"x\n", &headless).err().unwrap();
    assert!(reason.starts_with("line 3: "), "{reason}");
    let reason = read(TextFormat::Csv, "1\n", &headless, Some(&table)).err().unwrap();
    assert_eq!(reason, "line 1: the row has 1 fields, there are 2 columns");
}

#[test]
fn a_bad_row_is_named_by_line_column_and_reason() {
    let table = table(&[
        ("id", DataType::Int64, false),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
    ]);
    let cases = [
        ("id,at\n1,\n\"\n\",\n", "line 3, column `id`: `\n` is no long"),
        ("id,at\n1,\n\n,2020-01-01 00:00\n", "line 4, column `id`: the table requires a value"),
        ("id,at\n1,\"2020-01-01\"\n", "line 2, column `at`: `2020-01-01` is no timestamp"),
        ("id,at\n1\n", "line 2: the row has 1 fields, there are 2 columns"),
        ("id,at\n1,\"a\"b\n", "line 2: text follows the quote that ends a field"),
        ("id,at\n1,\"a\n\n", "line 2: a quote is opened and never closed"),
        ("id,\n1,2\n", "line 1: column 2 has no name in the header"),
    ];
    for (text, expected) in cases {
        assert_eq!(read(TextFormat::Csv, text, &[], Some(&table)).err().as_deref(), Some(expected));
    }
    let cases = [
        ("{\"id\": 1}\n\n{\"id\": 1.5}", "line 3, column `id`: `1.5` is no long"),
        ("{\"id\": null}", "line 1, column `id`: the table requires a value"),
        ("{\"id\": 1}\n{\"at\": null}", "line 2, column `id`: the table requires a value"),
        ("{\"id\": 1, \"id\": 2}", "line 1, column `id`: the key appears twice"),
        ("{\"id\": 1} {}", "line 1: not JSON: expected nothing more at byte 11, found `{}`"),
        (
            "{\"id\": 1, \"x\": {\"y\": [tru]}}",
            "line 1, column `x.y.element`: not JSON: expected a value at byte 23, found `tru]}}`",
        ),
        ("7", "line 1: not JSON: expected an object at byte 1, found `7`"),
        ("\n[\n{\"id\": 1}]", "the file is a JSON array; send one object a line"),
        ("[{\"id\": 1}]", "the file is a JSON array; send one object a line"),
    ];
    for (text, expected) in cases {
        assert_eq!(read(TextFormat::Json, text, &[], Some(&table)).err().as_deref(), Some(expected));
    }
    let utf8 = read(TextFormat::Csv, b"id,at\n1,\n2,\xFF\n".as_slice(), &[], Some(&table));
    assert_eq!(utf8.err().as_deref(), Some("line 3: the row is not UTF-8"));
}

#[test]
fn bad_rows_are_left_out_up_to_the_limit() {
    let table = table(&[("id", DataType::Int64, false), ("s", DataType::Utf8, true)]);
    let skip = [("text.bad-rows", "skip"), ("text.bad-rows-limit", "3")];
    let seen = read(TextFormat::Csv, "id,s\n1,a\nx,b\n3\n\"\"\"4\",c\n5,d\n", &skip, Some(&table)).unwrap();
    assert_eq!(seen.rows(), [["1", "a"], ["5", "d"]]);
    let lines: Vec<_> = seen.rejected.first.iter().map(|row| (row.line, row.column.as_deref())).collect();
    assert_eq!((seen.rejected.rows, lines), (3, vec![(3, Some("id")), (4, None), (5, Some("id"))]));
    let reason = read(TextFormat::Csv, "id,s\nx,\nx,\nx,\nx,\n", &skip, Some(&table)).err().unwrap();
    assert_eq!(reason, "more than 3 rows cannot be taken; the first: line 2, column `id`: `x` is no long");
    let reason = read(TextFormat::Csv, "id,s\n1,\"a\n2,b\n3,c\n", &skip, Some(&table)).err().unwrap();
    assert_eq!(reason, "line 2: a quote is opened and never closed", "rows are not lost in a field");

    let lines = "{\"id\": 1}\n{\"id\": 2, \"junk\": \n{\"id\": 3, \"s\": \"a\"}\n{\"id\": \"x\"}\n\"";
    let seen = read(TextFormat::Json, lines, &skip, Some(&table)).unwrap();
    assert_eq!(seen.columns(), ["id: Int64", "s: Utf8"], "a bad row makes no column");
    assert_eq!(seen.rows(), [["1", "-"], ["3", "a"]]);
    assert_eq!(seen.rejected.rows, 3);
}

#[test]
fn a_flaw_deep_in_a_row_leaves_the_other_rows_whole() {
    let inner = DataType::Struct(
        vec![Field::new("x", DataType::Int32, false), Field::new("y", DataType::Utf8, true)].into(),
    );
    let entries = DataType::Struct(
        vec![Field::new("key", DataType::Utf8, false), Field::new("value", inner.clone(), true)].into(),
    );
    let table = table(&[
        ("l", DataType::List(Arc::new(Field::new("element", inner, true))), true),
        ("m", DataType::Map(Arc::new(Field::new("key_value", entries, false)), false), true),
        ("n", DataType::Int64, true),
    ]);
    let text = [
        r#"{"l": [{"x": 1, "y": "a"}, null], "m": {"k": {"x": 2}}, "n": 1}"#,
        r#"{"l": [{"x": 1, "y": "a"}, {"y": "b"}], "n": 2}"#,
        r#"{"l": [{"x": 1}, {"x": "z"}], "n": 3}"#,
        r#"{"m": {"k": {"x": 2}, "k": null}}"#,
        r#"{"m": {"k": {"x": 2, "x": 3}}, "l": 1}"#,
        r#"{"m": {"k" 1}}"#,
        r#"{"m": [], "n": 3}"#,
        r#"{"m": {}, "l": [], "n": 4}"#,
    ]
    .join("\n");
    let seen = read(TextFormat::Json, text, &[("text.bad-rows", "skip")], Some(&table)).unwrap();
    let rows = [["[{x: 1, y: a}, ]", "{k: {x: 2}}", "1"], ["[]", "{}", "4"]];
    assert_eq!(seen.rows(), rows);
    let columns: Vec<_> = seen.rejected.first.iter().map(|row| row.column.as_deref().unwrap_or("")).collect();
    assert_eq!(columns, ["l.element.x", "l.element.x", "m", "m.value.x", "m.value", "m"]);
}

#[test]
fn compressed_files_may_have_several_members() {
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    let files = [
        [gzip("\u{FEFF}id\n1"), gzip("2\n3\n")].concat(),
        [zstd("id\n12\n"), zstd("3")].concat(),
        b"id\n12\n3".to_vec(),
    ];
    for file in &files {
        assert_eq!(csv(file.clone(), &[]).unwrap().rows(), [["12"], ["3"]]);
    }
    for (file, name) in [(&files[0], "gzip"), (&files[1], "zstd")] {
        let reason = csv(&file[..file.len() - 3], &[]).err().unwrap();
        assert!(reason.starts_with(&format!("the {name} data is damaged or cut off")), "{reason}");
    }
    assert!(csv("id\n1\n", &[("text.compression", "gzip")]).is_err());
    assert!(csv("", &[("text.compression", "gzip")]).unwrap().columns().is_empty());
    let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 7], zstd("id\n1\n").as_slice()].concat();
    assert_eq!(csv(skipped, &[]).unwrap().rows(), [["1"]]);
    let twice = zstd::encode_all(gzip("id\n1\n").as_slice(), 1).unwrap();
    for reason in [csv(twice, &[]), csv(gzip("id\n"), &[("text.compression", "none")])] {
        assert_eq!(reason.err().unwrap(), "the text in the file is itself gzip or zstd data");
    }
}

#[test]
fn a_zstd_frame_may_ask_for_a_window_of_32_mib_and_no_more() {
    // One raw block; the second byte after the magic number is the window's size as a power of two.
    let frame = |power: u8, text: &str| {
        let block = ((text.len() as u32) << 3 | 1).to_le_bytes();
        [&[0x28, 0xB5, 0x2F, 0xFD, 0, (power - 10) << 3], &block[..3], text.as_bytes()].concat()
    };
    let good = frame(25, "id\n1\n");
    assert_eq!(csv(good.clone(), &[]).unwrap().rows(), [["1"]]);
    for power in [26, 31, 41] {
        assert!(csv([good.clone(), frame(power, "2\n")].concat(), &[]).is_err(), "{power}");
    }
}

#[test]
fn what_is_no_utf8_text_is_refused_by_name() {
    let cases: [(&[u8], &str); 5] = [
        (b"i\0d\0", "the file is not UTF-8 text: it has NUL bytes; is it UTF-16?"),
        (b"Obj\x01\x04\x16avro.schema", "the file is an Avro file, not text"),
        (b"ORC\x00\x01\x02", "the file is an ORC file, not text"),
        (b"PAR1\x15\x04\x15", "the file is a Parquet file, not text"),
        (b"\xFF\xFEi\0d\0", "the file is UTF-16; send UTF-8"),
    ];
    for (bytes, reason) in cases {
        assert_eq!(csv(bytes, &[]).err().as_deref(), Some(reason));
        assert_eq!(json(bytes, &[]).err().as_deref(), Some(reason));
    }
}

#[test]
fn a_file_without_rows_has_the_columns_that_it_names() {
    let table = table(&[("id", DataType::Int64, false)]);
    assert_eq!(csv("a,b\n", &[]).unwrap().columns(), ["a: Utf8", "b: Utf8"]);
    for format in [TextFormat::Csv, TextFormat::Json] {
        let seen = read(format, "\n", &[], Some(&table)).unwrap();
        assert_eq!((seen.columns(), seen.batch.num_rows()), (vec!["id: Int64".to_owned()], 0));
        assert!(read(format, "", &[], None).unwrap().columns().is_empty());
    }
}

#[test]
fn a_row_without_end_is_refused_before_it_fills_the_memory() {
    let mut text = b"a\n\"".to_vec();
    text.resize(40 * 1024 * 1024, b'x');
    let reason = csv(text.clone(), &[]).err().unwrap();
    assert!(reason.starts_with("line 2: the row is longer than 16777216 bytes"), "{reason}");
    let reason = json(text[3..].to_vec(), &[]).err().unwrap();
    assert!(reason.starts_with("line 1: the row is longer"), "{reason}");
}

#[test]
fn nulls_count_although_they_take_no_bytes_in_the_file() {
    let keys: Vec<String> = (0..5_000).map(|key| format!("\"k{key}\": 1")).collect();
    let wide = format!("{{{}}}", keys.join(", "));
    let list = format!("{{\"l\": [{wide}]}}\n{{\"l\": [{{}}{}]}}", ", {}".repeat(20_000));
    let reason = json(list, &[]).err().unwrap();
    assert_eq!(reason, "line 2, column `l`: the row's values and nulls take more than 128 MiB");
    let rows = format!("{wide}\n{}", "{}\n".repeat(2_000));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let source =
            TextSource::open(object(rows.into()).await, TextFormat::Json, TextOptions::default(), None);
        let mut stream = source.await.unwrap().batches();
        let (mut rows, mut batches) = (0, 0);
        while let Some(batch) = stream.recv().await {
            (rows, batches) = (rows + batch.unwrap().num_rows(), batches + 1);
        }
        assert_eq!((rows, batches), (2_001, 3));
    });
}

#[test]
fn rows_come_in_bounded_batches_and_in_order() {
    let text: String = std::iter::once("id,text\n".to_owned())
        .chain((0..20_000).map(|n| format!("{n},\"line\n{n}\"\n")))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let source =
            TextSource::open(object(text.into()).await, TextFormat::Csv, TextOptions::default(), None);
        let source = source.await.unwrap();
        let mut stream = source.batches();
        let mut sizes = Vec::new();
        while let Some(batch) = stream.recv().await {
            sizes.push(batch.unwrap().num_rows());
        }
        assert_eq!(sizes, [8_192, 8_192, 3_616]);
    });
}

type Row = (Option<i64>, Option<f64>, Option<bool>, Option<String>);

fn row() -> impl Strategy<Value = Row> {
    let text = prop::option::of("[a-zé,;'\"\\\\ \r\n\t0-9]{0,8}");
    (any::<Option<i64>>(), prop::option::of(prop::num::f64::NORMAL), any::<Option<bool>>(), text)
}

fn typed() -> Schema {
    table(&[
        ("long", DataType::Int64, true),
        ("double", DataType::Float64, true),
        ("flag", DataType::Boolean, true),
        ("text", DataType::Utf8, true),
    ])
}

fn shown(rows: &[Row]) -> Vec<Vec<String>> {
    let or = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let row = |(long, double, flag, text): &Row| {
        let double = double.map(|value| {
            let cell: arrow_array::ArrayRef = Arc::new(arrow_array::Float64Array::from(vec![value]));
            array_value_to_string(&cell, 0).unwrap()
        });
        vec![or(long.map(|v| v.to_string())), or(double), or(flag.map(|v| v.to_string())), or(text.clone())]
    };
    rows.iter().map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn csv_rows_come_back(
        rows in prop::collection::vec(row(), 0..20),
        delimiter in prop::sample::select(vec![",", ";", "\t"]),
        quote in prop::sample::select(vec!["\"", "'"]),
        end in prop::sample::select(vec!["\n", "\r\n"]),
        quote_all: bool,
    ) {
        let mut text = ["long", "double", "flag", "text"].join(delimiter) + end;
        for (long, double, flag, string) in &rows {
            let bare = |value: Option<String>| match value {
                Some(value) if quote_all => format!("{quote}{value}{quote}"),
                value => value.unwrap_or_default(),
            };
            let fields = [
                bare(long.map(|v| v.to_string())),
                bare(double.map(|v| format!("{v:e}"))),
                bare(flag.map(|v| v.to_string())),
                string.as_ref().map_or(String::new(), |v| format!("{quote}{}{quote}", v.replace(quote, &quote.repeat(2)))),
            ];
            text += &(fields.join(delimiter) + end);
        }
        let options = [("csv.delimiter", delimiter), ("csv.quote", quote)];
        let seen = read(TextFormat::Csv, text, &options, Some(&typed())).unwrap();
        prop_assert_eq!(seen.rows(), shown(&rows));
    }

    /// What another program writes as JSON lines is the same batch again, also if the table is made for it.
    #[test]
    fn json_rows_come_back(rows in prop::collection::vec((row(), prop::collection::vec(any::<Option<i64>>(), 0..3)), 1..20)) {
        let flat: Vec<Row> = rows.iter().map(|(row, _)| row.clone()).collect();
        let lists: Vec<_> = rows.iter().map(|(_, list)| Some(list.clone())).collect();
        let longs = arrow_array::Int64Array::from(flat.iter().map(|row| row.0).collect::<Vec<_>>());
        let doubles = arrow_array::Float64Array::from(flat.iter().map(|row| row.1).collect::<Vec<_>>());
        let flags = arrow_array::BooleanArray::from(flat.iter().map(|row| row.2).collect::<Vec<_>>());
        let texts = arrow_array::StringArray::from(flat.iter().map(|row| row.3.clone()).collect::<Vec<_>>());
        let inner = RecordBatch::try_from_iter_with_nullable([
            ("flag", Arc::new(flags) as arrow_array::ArrayRef, true),
            ("text", Arc::new(texts) as _, true),
        ]).unwrap();
        let list = arrow_array::ListArray::from_iter_primitive::<arrow_array::types::Int64Type, _, _>(lists);
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("long", Arc::new(longs) as arrow_array::ArrayRef, true),
            ("double", Arc::new(doubles) as _, true),
            ("inner", Arc::new(arrow_array::StructArray::from(inner)) as _, true),
            ("list", Arc::new(list) as _, true),
        ]).unwrap();
        let mut text = Vec::new();
        arrow_json::LineDelimitedWriter::new(&mut text).write(&batch).unwrap();
        let seen = read(TextFormat::Json, text, &[], Some(&batch.schema())).unwrap();
        let known: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        for name in known {
            let (there, here) = (batch.column_by_name(&name).unwrap(), seen.batch.column_by_name(&name));
            let Some(here) = here else {
                prop_assert_eq!(there.null_count(), there.len());
                continue;
            };
            for row in 0..there.len() {
                let text = |array| array_value_to_string(array, row).unwrap();
                // Members that are null are not written: the struct may have fewer here.
                if name != "inner" {
                    prop_assert_eq!(text(there), text(here));
                }
            }
        }
    }

    /// A column's inferred type says of each value what its text says.
    #[test]
    fn inferred_types_lose_nothing(cells in prop::collection::vec(
        prop_oneof![
            "-?[0-9]{1,20}", "-?[0-9]{1,12}\\.[0-9]{1,8}", "true|false", "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|2[0-8])",
            "20[0-9]{2}-01-01T0[0-9]:00:00(\\.[0-9]{1,9})?Z?", "[a-z]{1,5}", "-?[0-9]\\.[0-9]{1,17}e-?[0-9]{1,3}",
        ],
        1..4,
    )) {
        let text = format!("c\n{}\n", cells.join("\n"));
        let seen = csv(text, &[]).unwrap();
        let data_type = seen.batch.schema().field(0).data_type().clone();
        for (cell, shown) in cells.iter().zip(seen.rows()) {
            let shown = &shown[0];
            let same = match &data_type {
                DataType::Float64 => {
                    let (there, here): (f64, f64) = (cell.parse().unwrap(), shown.parse().unwrap());
                    there == here || (there.is_nan() && here.is_nan())
                }
                // A fraction's zeros at the end say nothing.
                DataType::Timestamp(..) => {
                    let bare = |text: &str| text.trim_end_matches('Z').trim_end_matches('0').to_owned();
                    let fraction = cell.contains('.');
                    cell == shown || (fraction && bare(shown).starts_with(bare(cell).trim_end_matches(['.', '0', ':'])))
                }
                _ => cell == shown,
            };
            prop_assert!(same, "{}: `{}` became `{}`", data_type, cell, shown);
        }
    }

    /// No bytes make the reader panic, and what it leaves out and takes is all that there is.
    #[test]
    fn any_bytes_are_rows_or_reasons(bytes in prop::collection::vec(prop_oneof![
        Just(b','), Just(b'"'), Just(b'\n'), Just(b'\r'), Just(b'{'), Just(b'}'), Just(b'['), Just(b':'), any::<u8>()
    ], 0..200)) {
        for format in [TextFormat::Csv, TextFormat::Json] {
            for bytes in [bytes.clone(), [b"{\"a\": ".as_slice(), &bytes].concat()] {
                if let Err(reason) = read(format, bytes, &[("text.bad-rows", "skip")], None) {
                    prop_assert!(!reason.contains("gave up") && !reason.contains("fit together"), "{}", reason);
                }
            }
        }
    }
}
