//! What goes into the manifests for a data file against what PyIceberg takes from the same footer, field by field.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use iceberg::spec::{DataFile, Datum, Schema, TableMetadata};
use ingest_core::{ObjectHint, ObjectUri, RequestedObject};
use lake::columns::{Matching, map, schema_for};
use lake::source::{ParquetSource, Resolved, Source, resolve};
use lake::storage::Stores;
use lake::write::{RewriteInput, Target, register, rewrite};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use serde_json::{Value, json};
use testkit::python;

const SCRIPT: &str = "file_statistics.py";
const BUCKET: &str = "b";

/// Counts and bounds by field id; bounds are Iceberg's single values in hex.
type Described = BTreeMap<String, Value>;

/// A made file in both modes, and what PyIceberg says of each.
struct Compared {
    registered: Described,
    rewritten: Described,
    registered_by_pyiceberg: Described,
    rewritten_by_pyiceberg: Described,
    schema: Schema,
}

impl Compared {
    /// Takes what is said of a column out of `key`, in each of the four.
    fn take(&mut self, key: &str, column: &str) -> [Option<Value>; 4] {
        let id = self.schema.field_id_by_name(column).unwrap().to_string();
        let all = [
            &mut self.registered,
            &mut self.registered_by_pyiceberg,
            &mut self.rewritten,
            &mut self.rewritten_by_pyiceberg,
        ];
        all.map(|described| described.get_mut(key).unwrap().as_object_mut().unwrap().remove(&id))
    }

    /// All that was not taken out is equal.
    fn rest_is_equal(self) {
        assert_eq!(self.registered, self.registered_by_pyiceberg, "registered");
        assert_eq!(self.rewritten, self.rewritten_by_pyiceberg, "rewritten");
    }
}

#[tokio::test]
async fn every_type_is_described_as_by_pyiceberg() {
    let folder = made().await;
    for (name, lower_bounds) in [("flat", 19), ("integers", 3), ("empty", 0)] {
        let mut compared = compare(folder.path(), name, json!({})).await;
        // Without counting, which a registered file is spared, nobody knows of NaNs; PyIceberg never does.
        if name == "flat" {
            let counts = compared.take("nan_value_counts", "nan");
            assert_eq!([&counts[0], &counts[1], &counts[3]], [&None; 3]);
            assert!(counts[2].is_none() || counts[2] == Some(json!(2)), "{counts:?}");
            forget_counted_zeros(&mut compared);
            forget_uncounted_floats(&mut compared);
        }
        if name == "empty" {
            // Where there are no values none is null; PyIceberg says nothing.
            let ours = compared.registered.insert("null_value_counts".to_owned(), json!({})).unwrap();
            assert!(ours.as_object().unwrap().values().all(|count| *count == json!(0)), "{ours}");
        }
        let lower = compared.registered["lower_bounds"].as_object().unwrap();
        assert_eq!(lower.len(), lower_bounds, "{name}: {lower:?}");
        compared.rest_is_equal();
    }
}

#[tokio::test]
async fn fields_of_structs_have_bounds_beyond_pyicebergs() {
    let folder = made().await;
    let mut compared = compare(folder.path(), "nested", json!({})).await;
    // PyIceberg gives bounds to top-level columns alone. Java gives them to fields of structs too, and prunes by them.
    let long = |n: i64| Some(json!(hex(&Datum::long(n))));
    let text = |s: &str| Some(json!(hex(&Datum::string(s))));
    assert_eq!(compared.take("lower_bounds", "s.x"), [None, None, long(1), None]);
    assert_eq!(compared.take("upper_bounds", "s.x"), [None, None, long(4), None]);
    assert_eq!(compared.take("lower_bounds", "s.name"), [None, None, text("a"), None]);
    assert_eq!(compared.take("upper_bounds", "s.name"), [None, None, text("z"), None]);
    // Arrow C++ counts too few nulls within lists (arrow#51097), DuckDB too few within structs: of the files of others,
    // nothing is said of them.
    for leaf in ["s.x", "s.name", "l.element", "m.key", "m.value", "deep.element.x", "deep.element.name"] {
        let [registered, theirs, rewritten, theirs_too] = compared.take("null_value_counts", leaf);
        assert!(registered.is_none() && theirs.is_some(), "{leaf}: {registered:?}, {theirs:?}");
        assert_eq!(rewritten, theirs_too, "{leaf}");
    }
    forget_counted_zeros(&mut compared);
    compared.rest_is_equal();
}

#[tokio::test]
async fn bounds_that_could_hide_rows_are_left_out_where_pyiceberg_gives_them() {
    let folder = made().await;
    let mut compared = compare(folder.path(), "apart", json!({})).await;
    // One row group is of NaNs alone and has no bounds; and NaNs were not counted at all.
    let one = Some(json!(hex(&Datum::double(1.0))));
    let [registered, theirs, ..] = compared.take("lower_bounds", "nan group");
    assert_eq!((registered, theirs), (None, one.clone()));
    let [registered, theirs, ..] = compared.take("upper_bounds", "nan group");
    assert_eq!((registered, theirs), (None, one));
    // Java took the halves of UUIDs for signed numbers: in its order these bounds are the wrong way round.
    for key in ["lower_bounds", "upper_bounds"] {
        let [registered, theirs, rewritten, theirs_too] = compared.take(key, "uuid");
        assert_eq!((registered, rewritten), (None, None));
        assert!(theirs.is_some() && theirs_too.is_some());
    }
    compared.take("nan_value_counts", "nan group");
    compared.rest_is_equal();
}

#[tokio::test]
async fn the_tables_metrics_properties_are_followed_as_by_pyiceberg() {
    let folder = made().await;
    for properties in [
        json!({"write.metadata.metrics.default": "none"}),
        json!({"write.metadata.metrics.default": "counts", "write.metadata.metrics.column.short": "truncate(2)"}),
        json!({
            "write.metadata.metrics.default": "full",
            "write.metadata.metrics.column.long": "none",
            "write.metadata.metrics.column.long text": "truncate(3)",
            "write.metadata.metrics.column.bytes": "truncate(1)",
            "write.metadata.metrics.column.int": "counts",
        }),
    ] {
        let mut compared = compare(folder.path(), "flat", properties).await;
        compared.take("nan_value_counts", "nan");
        forget_counted_zeros(&mut compared);
        forget_uncounted_floats(&mut compared);
        compared.rest_is_equal();
    }
}

/// Where NaNs were counted and none was found, that stands in the manifest; PyIceberg counts none.
fn forget_counted_zeros(compared: &mut Compared) {
    let counts = compared.rewritten.get_mut("nan_value_counts").unwrap().as_object_mut().unwrap();
    counts.retain(|_, count| *count != json!(0));
}

/// Where NaNs were not counted there are no bounds: Java would take them for those of all rows. PyIceberg gives them.
fn forget_uncounted_floats(compared: &mut Compared) {
    for column in ["float", "double", "zero", "nan"] {
        for key in ["lower_bounds", "upper_bounds"] {
            let [registered, _, rewritten, theirs] = compared.take(key, column);
            assert_eq!((registered, rewritten), (None, theirs), "{column}");
        }
    }
}

/// A folder with the files that the script makes.
async fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = python(SCRIPT, ["write".as_ref(), folder.path().as_os_str()]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// Registers and rewrites a file for a table that was made for it, and asks PyIceberg of both.
async fn compare(folder: &Path, name: &str, properties: Value) -> Compared {
    let store = Arc::new(InMemory::new());
    let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
    stores.lend(BUCKET, store.clone());
    let file = folder.join(format!("{name}.parquet"));
    store.put(&name.into(), Bytes::from(std::fs::read(&file).unwrap()).into()).await.unwrap();
    let source = open(&stores, name).await;
    let schema = schema_for(source.schema()).unwrap();
    let metadata = metadata(&schema, properties);
    let written_metadata = folder.join("table.json");
    std::fs::write(&written_metadata, metadata.to_string()).unwrap();
    let table: TableMetadata = serde_json::from_value(metadata).unwrap();
    let target = Target::current(Arc::new(table)).unwrap();
    let (mapping, misfits) = map(source.schema().fields(), target.columns.fields(), Matching::default());
    assert_eq!(misfits, []);

    let registered = register(&source, &mapping, &target, "s3://b/x", None).unwrap();
    assert!(registered.by_name);
    let mut files = vec![file];
    let input = RewriteInput { source: Source::Parquet(source), mapping: Arc::new(mapping) };
    let written = rewrite(stores.clone(), target, vec![input]).await.unwrap();
    if let [data_file] = &written.files[..] {
        let path = data_file.file_path().strip_prefix("s3://b/").unwrap();
        let bytes = store.get(&path.into()).await.unwrap().bytes().await.unwrap();
        files.push(folder.join(format!("{name}-rewritten.parquet")));
        std::fs::write(&files[1], bytes).unwrap();
    }
    let mut theirs = describe(&written_metadata, &files).await;
    let mut taken = |file: &Path| theirs.remove(file.file_name().unwrap().to_str().unwrap()).unwrap();
    let registered_by_pyiceberg = taken(&files[0]);
    // A file without rows becomes no data file.
    let (rewritten, rewritten_by_pyiceberg) = match files.get(1) {
        Some(file) => (described(&written.files[0]), taken(file)),
        None => Default::default(),
    };
    Compared {
        registered: described(&registered.file),
        registered_by_pyiceberg,
        rewritten,
        rewritten_by_pyiceberg,
        schema,
    }
}

async fn open(stores: &Stores, key: &str) -> ParquetSource {
    let wanted = RequestedObject { uri: ObjectUri::new(BUCKET, key).unwrap(), hint: ObjectHint::default() };
    let Resolved::Object(object) = resolve(stores, "s3", &wanted).await.unwrap() else {
        panic!("it was just put")
    };
    ParquetSource::open(object).await.unwrap()
}

fn metadata(schema: &Schema, properties: Value) -> Value {
    json!({
        "format-version": 2, "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1", "location": "s3://b/t",
        "last-sequence-number": 0, "last-updated-ms": 1_700_000_000_000_i64,
        "last-column-id": schema.highest_field_id(), "current-schema-id": 0,
        "schemas": [serde_json::to_value(schema).unwrap()],
        "default-spec-id": 0, "partition-specs": [{"spec-id": 0, "fields": []}], "last-partition-id": 999,
        "default-sort-order-id": 0, "sort-orders": [{"order-id": 0, "fields": []}],
        "properties": properties, "snapshots": [], "snapshot-log": [], "metadata-log": [], "refs": {},
    })
}

fn described(file: &DataFile) -> Described {
    let bounds = |bounds: &HashMap<i32, Datum>| -> Value {
        bounds.iter().map(|(id, datum)| (id.to_string(), json!(hex(datum)))).collect()
    };
    let counts = |counts: &HashMap<i32, u64>| -> Value {
        counts.iter().map(|(id, count)| (id.to_string(), json!(count))).collect()
    };
    [
        ("record_count", json!(file.record_count())),
        ("column_sizes", counts(file.column_sizes())),
        ("value_counts", counts(file.value_counts())),
        ("null_value_counts", counts(file.null_value_counts())),
        ("nan_value_counts", counts(file.nan_value_counts())),
        ("lower_bounds", bounds(file.lower_bounds())),
        ("upper_bounds", bounds(file.upper_bounds())),
        ("split_offsets", json!(file.split_offsets())),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

fn hex(datum: &Datum) -> String {
    datum.to_bytes().unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn describe(metadata: &Path, files: &[std::path::PathBuf]) -> HashMap<String, Described> {
    let arguments = ["describe".as_ref(), metadata.as_os_str()].into_iter();
    let output = python(SCRIPT, arguments.chain(files.iter().map(|file| file.as_os_str()))).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
