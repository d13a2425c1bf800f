//! Which sources may become data files as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use iceberg::spec::{
    FormatVersion, NestedField, PrimitiveType, Schema, SortOrder, TableMetadataBuilder, Type,
    UnboundPartitionSpec,
};
use ingest_core::{ObjectHint, ObjectUri, RequestedObject};
use lake::columns::{Matching, map};
use lake::source::{ParquetSource, Resolved, resolve};
use lake::storage::Stores;
use lake::write::{Registered, Target, needed_mapping, register};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

const NAME_MAPPING: &str = "schema.name-mapping.default";

/// A file of that Parquet schema without rows; its leaves are the same however many rows they have.
fn file(message: &str, compression: Compression) -> Bytes {
    let schema = Arc::new(parse_message_type(message).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    while let Some(column) = group.next_column().unwrap() {
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.into_inner().unwrap().into()
}

async fn open(bytes: Bytes) -> ParquetSource {
    let store = Arc::new(InMemory::new());
    store.put(&"a".into(), bytes.into()).await.unwrap();
    let stores = Stores::new(BTreeMap::new()).unwrap();
    stores.lend("b", store);
    let wanted = RequestedObject { uri: ObjectUri::new("b", "a").unwrap(), hint: ObjectHint::default() };
    let Resolved::Object(object) = resolve(&stores, "s3", &wanted).await.unwrap() else {
        panic!("it was just put")
    };
    ParquetSource::open(object).await.unwrap()
}

/// A table whose column `a`, with field id 1, has that type.
fn target(kind: Type, properties: &[(&str, &str)]) -> Target {
    let columns = vec![NestedField::optional(1, "a", kind).into()];
    let schema = Schema::builder().with_fields(columns).build().unwrap();
    let metadata = TableMetadataBuilder::new(
        schema,
        UnboundPartitionSpec::builder().build(),
        SortOrder::unsorted_order(),
        "s3://b/t".to_owned(),
        FormatVersion::V3,
        properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    )
    .unwrap()
    .build()
    .unwrap()
    .metadata;
    Target::current(Arc::new(metadata)).unwrap()
}

async fn registered(leaf: &str, kind: PrimitiveType) -> Result<Registered, String> {
    let bytes = file(&format!("message m {{ {leaf}; }}"), Compression::SNAPPY);
    registered_file(bytes, &target(Type::Primitive(kind), &[])).await
}

async fn registered_file(bytes: Bytes, target: &Target) -> Result<Registered, String> {
    let source = open(bytes).await;
    let matching = Matching { ignore_case: true, field_ids: false };
    let (mapping, misfits) = map(source.schema().fields(), target.columns.fields(), matching);
    assert_eq!(misfits, []);
    register(&source, &mapping, target, "s3://b/a", None)
}

#[tokio::test]
async fn a_column_is_read_in_place_as_its_own_type_or_one_it_was_promoted_to() {
    use PrimitiveType as P;
    for (leaf, kind) in [
        ("optional boolean a", P::Boolean),
        ("optional int32 a", P::Int),
        ("optional int32 a (INTEGER(8,true))", P::Int),
        ("optional int32 a", P::Long),
        ("optional int64 a (INTEGER(64,true))", P::Long),
        ("optional float a", P::Double),
        ("optional double a", P::Double),
        ("optional int32 a (DATE)", P::Date),
        ("optional int64 a (TIME(MICROS,true))", P::Time),
        ("optional int64 a (TIMESTAMP(MICROS,false))", P::Timestamp),
        ("optional int64 a (TIMESTAMP(MICROS,true))", P::Timestamptz),
        ("optional int64 a (TIMESTAMP(NANOS,true))", P::TimestamptzNs),
        ("optional int32 a (DECIMAL(5,2))", P::Decimal { precision: 9, scale: 2 }),
        ("optional int64 a (DECIMAL(9,2))", P::Decimal { precision: 9, scale: 2 }),
        ("optional fixed_len_byte_array(16) a (DECIMAL(38,2))", P::Decimal { precision: 38, scale: 2 }),
        ("optional binary a (STRING)", P::String),
        ("optional binary a (UTF8)", P::String),
        ("optional binary a", P::Binary),
        ("optional fixed_len_byte_array(16) a (UUID)", P::Uuid),
        ("optional fixed_len_byte_array(3) a", P::Fixed(3)),
    ] {
        let registered = registered(leaf, kind).await.unwrap_or_else(|reason| panic!("{leaf}: {reason}"));
        assert!(registered.by_name);
        assert_eq!(registered.file.file_path(), "s3://b/a");
    }
}

#[tokio::test]
async fn what_readers_do_not_read_in_place_is_refused_by_name() {
    use PrimitiveType as P;
    for (leaf, kind) in [
        ("optional int96 a", P::Timestamptz),
        ("optional int32 a (INTEGER(16,false))", P::Int),
        ("optional int32 a (INTEGER(32,false))", P::Long),
        ("optional int64 a (TIMESTAMP(MILLIS,true))", P::Timestamptz),
        ("optional int64 a (TIMESTAMP(NANOS,true))", P::Timestamptz),
        ("optional int64 a (TIME(NANOS,true))", P::Time),
        ("optional int32 a (TIME(MILLIS,true))", P::Time),
        ("optional binary a (DECIMAL(9,2))", P::Decimal { precision: 9, scale: 2 }),
        ("optional binary a", P::String),
        ("optional binary a (ENUM)", P::String),
        ("optional fixed_len_byte_array(2) a (FLOAT16)", P::Float),
        ("optional fixed_len_byte_array(3) a", P::Binary),
    ] {
        let reason = registered(leaf, kind).await.expect_err(leaf);
        assert!(reason.contains("`a`"), "{leaf}: {reason}");
    }
    let number = target(Type::Primitive(P::Int), &[]);
    let reason = registered_file(file("message m { optional int32 a; }", Compression::LZ4), &number).await;
    assert!(reason.unwrap_err().contains("LZ4"));
}

#[tokio::test]
async fn lists_of_the_older_form_are_refused() {
    use iceberg::spec::ListType;
    let element = NestedField::list_element(2, Type::Primitive(PrimitiveType::Int), false).into();
    let target = target(Type::List(ListType::new(element)), &[]);
    let standard = "optional group a (LIST) { repeated group list { optional int32 element; } }";
    for (list, fits) in [
        (standard, true),
        ("optional group a (LIST) { repeated int32 element; }", false),
        ("repeated int32 a", false),
    ] {
        let bytes = file(
            &format!("message m {{ {list}{} }}", if list.ends_with('}') { "" } else { ";" }),
            Compression::SNAPPY,
        );
        let registered = registered_file(bytes, &target).await;
        assert_eq!(registered.is_ok(), fits, "{list}: {registered:?}");
    }
}

#[tokio::test]
async fn field_ids_are_the_tables_own_or_none() {
    assert!(!registered("optional int32 a = 1", PrimitiveType::Int).await.unwrap().by_name);
    let reason = registered("optional int32 a = 7", PrimitiveType::Int).await.unwrap_err();
    assert!(reason.contains("field id 7") && reason.contains("`a`"), "{reason}");
}

#[tokio::test]
async fn the_name_mapping_grows_by_what_a_file_needs() {
    let bytes = file("message m { optional int32 A; }", Compression::SNAPPY);
    let source = open(bytes).await;
    let matching = Matching { ignore_case: true, field_ids: false };
    let needed = |target: &Target| {
        let (mapping, _) = map(source.schema().fields(), target.columns.fields(), matching);
        let held = target.table.properties().get(NAME_MAPPING).map(String::as_str);
        needed_mapping(held, target, &mapping, source.schema().fields())
    };
    let number = Type::Primitive(PrimitiveType::Int);
    let wanted = needed(&target(number.clone(), &[])).unwrap().unwrap();
    assert_eq!(wanted, r#"[{"field-id":1,"names":["a","A"]}]"#);
    assert_eq!(needed(&target(number.clone(), &[(NAME_MAPPING, &wanted)])).unwrap(), None);
    let other = r#"[{"field-id":5,"names":["A"]}]"#;
    assert!(needed(&target(number.clone(), &[(NAME_MAPPING, other)])).unwrap_err().contains("`A`"));
    assert!(needed(&target(number, &[(NAME_MAPPING, "{")])).unwrap_err().contains("no mapping"));
}
