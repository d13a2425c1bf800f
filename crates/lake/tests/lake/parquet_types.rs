//! Every type that Parquet knows: what a table made for it has, and that its values come out again.

use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt;
use parquet::data_type::{
    BoolType, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type,
    Int64Type, Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use crate::fixture::Fixture;

/// The only value of a leaf, in its physical type.
enum Value {
    Bool(bool),
    I32(i32),
    I64(i64),
    /// Julian day and nanoseconds within it.
    I96(u32, u64),
    F32(f32),
    F64(f64),
    Bytes(&'static [u8]),
    Fixed(&'static [u8]),
    /// No value, in a leaf of 32-bit integers.
    Null,
}
use Value::{Bool, Bytes as B, F32, F64, Fixed, I32, I64, I96, Null};

impl Value {
    fn write(&self, mut column: SerializedColumnWriter<'_>, levels: (i16, i16)) {
        let (definition, repetition) = (Some(&[levels.0][..]), Some(&[levels.1][..]));
        macro_rules! put {
            ($kind:ty, $value:expr) => {
                column.typed::<$kind>().write_batch(&[$value], definition, repetition)
            };
        }
        match self {
            Bool(v) => put!(BoolType, *v),
            I32(v) => put!(Int32Type, *v),
            I64(v) => put!(Int64Type, *v),
            I96(day, nanos) => {
                put!(Int96Type, Int96::from(vec![*nanos as u32, (*nanos >> 32) as u32, *day]))
            }
            F32(v) => put!(FloatType, *v),
            F64(v) => put!(DoubleType, *v),
            B(v) => put!(ByteArrayType, v.to_vec().into()),
            Fixed(v) => put!(FixedLenByteArrayType, FixedLenByteArray::from(v.to_vec())),
            Null => column.typed::<Int32Type>().write_batch(&[], Some(&[0]), Some(&[0])),
        }
        .unwrap();
        column.close().unwrap();
    }
}

/// A file of one row of these leaves, each an optional one or within a list of one element.
fn file(leaves: &[(String, &Value)]) -> Bytes {
    let text: String = leaves.iter().map(|(leaf, _)| leaf.as_str()).collect();
    let schema = Arc::new(parse_message_type(&format!("message m {{ {text} }}")).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let levels: Vec<i16> = writer.schema_descr().columns().iter().map(|leaf| leaf.max_def_level()).collect();
    let mut group = writer.next_row_group().unwrap();
    for ((_, value), level) in leaves.iter().zip(levels) {
        value.write(group.next_column().unwrap().unwrap(), (level, 0));
    }
    group.close().unwrap();
    writer.into_inner().unwrap().into()
}

#[tokio::test]
async fn every_type_that_iceberg_has_is_held_exactly() {
    // The leaf's physical type and annotation, its value, the table's type, and the value read from the table.
    let cases: &[(&str, Value, &str, &str)] = &[
        ("boolean", Bool(true), "boolean", "true"),
        ("int32", I32(-5), "int", "-5"),
        ("int32 (INTEGER(8,true))", I32(-128), "int", "-128"),
        ("int32 (INTEGER(16,true))", I32(-32_768), "int", "-32768"),
        ("int32 (INTEGER(8,false))", I32(255), "int", "255"),
        ("int32 (INTEGER(16,false))", I32(65_535), "int", "65535"),
        ("int32 (INTEGER(32,false))", I32(-1), "long", "4294967295"),
        ("int64", I64(i64::MIN), "long", "-9223372036854775808"),
        ("int64 (INTEGER(64,true))", I64(7), "long", "7"),
        ("int64 (INTEGER(64,false))", I64(-1), "decimal(20,0)", "18446744073709551615"),
        ("int32 (UINT_8)", I32(200), "int", "200"),
        ("float", F32(1.5), "float", "1.5"),
        ("double", F64(-2.5), "double", "-2.5"),
        ("fixed_len_byte_array(2) (FLOAT16)", Fixed(&[0x00, 0x3c]), "float", "1.0"),
        ("int32 (DECIMAL(9,2))", I32(-12_345), "decimal(9,2)", "-123.45"),
        ("int64 (DECIMAL(18,2))", I64(12_345), "decimal(18,2)", "123.45"),
        ("binary (DECIMAL(9,2))", B(&[0xff, 0x85]), "decimal(9,2)", "-1.23"),
        ("fixed_len_byte_array(3) (DECIMAL(6,2))", Fixed(&[0xff, 0xff, 0x85]), "decimal(6,2)", "-1.23"),
        ("fixed_len_byte_array(17) (DECIMAL(38,2))", Fixed(&[0xff; 17]), "decimal(38,2)", "-0.01"),
        ("int32 (DATE)", I32(-1), "date", "1969-12-31"),
        ("int32 (TIME(MILLIS,true))", I32(1), "time", "00:00:00.001"),
        ("int64 (TIME(MICROS,false))", I64(1), "time", "00:00:00.000001"),
        ("int64 (TIME(NANOS,true))", I64(2_000), "time", "00:00:00.000002"),
        ("int64 (TIMESTAMP(MILLIS,false))", I64(-1), "timestamp", "1969-12-31T23:59:59.999"),
        ("int64 (TIMESTAMP(MICROS,false))", I64(1), "timestamp", "1970-01-01T00:00:00.000001"),
        ("int64 (TIMESTAMP(NANOS,false))", I64(3_000), "timestamp", "1970-01-01T00:00:00.000003"),
        ("int64 (TIMESTAMP(MILLIS,true))", I64(1), "timestamptz", "1970-01-01T00:00:00.001Z"),
        ("int64 (TIMESTAMP(MICROS,true))", I64(1), "timestamptz", "1970-01-01T00:00:00.000001Z"),
        ("int64 (TIMESTAMP(NANOS,true))", I64(3_000), "timestamptz", "1970-01-01T00:00:00.000003Z"),
        ("int64 (TIMESTAMP_MILLIS)", I64(1), "timestamptz", "1970-01-01T00:00:00.001Z"),
        // In nanoseconds, years like this one would wrap around.
        ("int96", I96(5_373_484, 1_000), "timestamptz", "9999-12-31T00:00:00.000001Z"),
        ("int96", I96(1_721_426, 0), "timestamptz", "0001-01-01T00:00:00Z"),
        ("binary (STRING)", B("ä".as_bytes()), "string", "ä"),
        ("binary (UTF8)", B(b"b"), "string", "b"),
        ("binary (JSON)", B(b"{}"), "string", "{}"),
        ("binary (ENUM)", B(b"RED"), "string", "RED"),
        ("binary (BSON)", B(&[5, 0, 0, 0, 0]), "binary", "0500000000"),
        ("binary", B(&[0xff]), "binary", "ff"),
        ("fixed_len_byte_array(3)", Fixed(&[1, 2, 3]), "fixed(3)", "010203"),
        ("fixed_len_byte_array(16) (UUID)", Fixed(&[0xab; 16]), "uuid", "abababababababababababababababab"),
    ];
    let leaf = |at: usize, kind: &str| match kind.split_once(' ') {
        Some((physical, annotation)) => format!("optional {physical} c{at} {annotation};"),
        None => format!("optional {kind} c{at};"),
    };
    let mut leaves: Vec<(String, &Value)> =
        cases.iter().enumerate().map(|(at, (kind, value, ..))| (leaf(at, kind), value)).collect();
    let (seven, eight) = (I32(7), I32(8));
    leaves.push(("optional group old (LIST) { repeated int32 element; }".to_owned(), &seven));
    let standard =
        "optional group list (LIST) { repeated group list { optional int32 element (INTEGER(16,false)); } }";
    leaves.push((standard.to_owned(), &eight));

    let fixture = Fixture::new().await;
    fixture.put("a", file(&leaves)).await;
    let result = fixture.ingest(&["a"]).await;
    assert_eq!(result.rows, 1, "{:?}", result.files);
    let table = fixture.table().await;
    let schema = table.metadata().current_schema().clone();
    let batches: Vec<RecordBatch> =
        table.scan().build().unwrap().to_arrow().await.unwrap().try_collect().await.unwrap();
    let shown = |name: &str| {
        let column = batches[0].column_by_name(name).unwrap();
        arrow_cast::display::array_value_to_string(column, 0).unwrap()
    };
    for (at, (kind, _, held, value)) in cases.iter().enumerate() {
        let name = format!("c{at}");
        let field = schema.field_by_name(&name).unwrap();
        assert_eq!((field.field_type.to_string().as_str(), shown(&name).as_str()), (*held, *value), "{kind}");
    }
    assert_eq!((shown("old"), shown("list")), ("[7]".to_owned(), "[8]".to_owned()));
}

/// Why a file with a column `x` of that kind is not taken.
async fn refused(kind: &str, value: Value) -> String {
    let (physical, annotation) = kind.split_once(' ').unwrap_or((kind, ""));
    let fixture = Fixture::new().await;
    let sound = I32(1);
    let leaves =
        [("optional int32 id;".to_owned(), &sound), (format!("optional {physical} x {annotation};"), &value)];
    fixture.put("a", file(&leaves)).await;
    let result = fixture.ingest(&["a"]).await;
    assert_eq!(result.rows, 0, "{kind}");
    format!("{:?}", result.files)
}

#[tokio::test]
async fn what_iceberg_cannot_hold_is_refused_by_the_columns_name() {
    for (kind, value, named) in [
        ("fixed_len_byte_array(12) (INTERVAL)", Fixed(&[1; 12]), "Interval"),
        ("fixed_len_byte_array(20) (DECIMAL(40,2))", Fixed(&[0; 20]), "Decimal256"),
        ("int64 (TIMESTAMP(NANOS,true))", I64(1), "no whole microsecond"),
        ("int64 (TIME(NANOS,true))", I64(1), "no whole microsecond"),
        ("int96", I96(2_440_588, 1), "no whole microsecond"),
        ("int96", I96(1 << 30, 0), "out of the range"),
        ("binary (GEOMETRY)", B(&[1]), "GEOMETRY"),
        ("binary (ENUM)", B(&[0xff]), "UTF"),
    ] {
        let reason = refused(kind, value).await;
        assert!(reason.contains("`x`") && reason.contains(named), "{kind}: {reason}");
    }
}

#[tokio::test]
async fn a_column_of_nulls_alone_fits_every_table() {
    let fixture = Fixture::new().await;
    let (id, none) = (I64(1), Null);
    let leaves = |unknown: &str, value| {
        file(&[("optional int64 id;".to_owned(), &id), (format!("optional int32 {unknown};"), value)])
    };
    fixture.put("made of", leaves("x (UNKNOWN)", &none)).await;
    assert_eq!(fixture.ingest(&["made of"]).await.rows, 1);
    let columns = fixture.table().await.metadata().current_schema().as_struct().fields().len();
    assert_eq!(columns, 1, "nothing is known of `x`");
    fixture.put("beside", leaves("id2 (UNKNOWN)", &none)).await;
    let as_id = file(&[("optional int32 id (UNKNOWN);".to_owned(), &none)]);
    fixture.put("as id", as_id).await;
    let result = fixture.ingest(&["beside", "as id"]).await;
    assert_eq!(result.rows, 2, "{:?}", result.files);
    assert_eq!(fixture.ids().await, [1, 1]);
}
