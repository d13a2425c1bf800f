use std::collections::BTreeMap;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use iceberg::TableCreation;
use iceberg::spec::TableMetadataBuilder;
use ingest_core::{ObjectHint, ObjectUri, RequestedObject};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use proptest::prelude::*;

use super::*;
use crate::columns::{Mapping, Matching, Origin, map, schema_for};
use crate::source::{ReadError, Resolved, resolve};
use crate::write::Placed;
use crate::write::align::align;

/// A bucket, and a table in it.
struct World {
    store: Arc<InMemory>,
    stores: Arc<Stores>,
    target: Target,
}

impl World {
    fn new(file: &ArrowSchema) -> Result<Self, String> {
        let creation = TableCreation::builder()
            .name("t".to_owned())
            .location("s3://b/t".to_owned())
            .schema(schema_for(file)?)
            .build();
        let table = TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata;
        let store = Arc::new(InMemory::new());
        let stores = Arc::new(Stores::new(BTreeMap::new()).unwrap());
        stores.lend("b", store.clone());
        Ok(Self { store, stores, target: Target::current(Arc::new(table)).unwrap() })
    }

    async fn open(&self, key: &str, file: Bytes) -> Result<ParquetSource, ReadError> {
        open(&self.store, &self.stores, key, file).await
    }

    fn mapping(&self, schema: &SchemaRef) -> Option<Mapping> {
        let (mapping, misfits) = map(schema.fields(), self.target.columns.fields(), Matching::default());
        misfits.is_empty().then_some(mapping)
    }

    fn input(&self, source: &ParquetSource) -> Result<SpliceInput, String> {
        let mapping = self.mapping(source.schema()).ok_or("a misfit")?;
        let shape = Arc::new(shape(source, &mapping, &self.target)?);
        Ok(SpliceInput { source: source.clone(), shape, partition: None })
    }

    async fn splice(&self, inputs: Vec<SpliceInput>, target_file_bytes: u64) -> Result<Written, WriteError> {
        let limits = SpliceLimits { target_file_bytes };
        splice(self.stores.clone(), self.target.clone(), inputs, limits).await
    }

    /// The rows as the table has them.
    fn aligned(&self, batches: &[RecordBatch]) -> RecordBatch {
        let aligned: Vec<_> = batches
            .iter()
            .map(|batch| align(batch, &self.mapping(&batch.schema()).unwrap(), &self.target.columns).unwrap())
            .collect();
        concat_batches(&self.target.columns, &aligned).unwrap()
    }

    /// The rows of one source, read from where they were placed, with the page index if there is one.
    async fn placed(&self, placed: &Placed) -> RecordBatch {
        let mut batches = Vec::new();
        for part in &placed.parts {
            let path = Path::from(part.file.strip_prefix("s3://b/").unwrap());
            let file = self.store.get(&path).await.unwrap().bytes().await.unwrap();
            let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
            let groups = part.first_row_group as usize..(part.first_row_group + part.row_groups) as usize;
            let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
            assert!(reader.metadata().file_metadata().key_value_metadata().is_none());
            let reader = reader.with_row_groups(groups.collect()).build().unwrap();
            batches.extend(reader.map(|batch| batch.unwrap()));
        }
        self.aligned(&batches)
    }

    async fn data_files(&self) -> usize {
        let path = Path::from("t");
        let found: Vec<_> = futures::TryStreamExt::try_collect(self.store.list(Some(&path))).await.unwrap();
        found.len()
    }
}

async fn open(store: &InMemory, stores: &Stores, key: &str, file: Bytes) -> Result<ParquetSource, ReadError> {
    store.put(&Path::from(key), file.into()).await.unwrap();
    let wanted = RequestedObject { uri: ObjectUri::new("b", key).unwrap(), hint: ObjectHint::default() };
    match resolve(stores, "s3", &wanted).await.unwrap() {
        Resolved::Object(object) => ParquetSource::open(object).await,
        Resolved::Fault(fault) => panic!("{fault:?}"),
    }
}

fn columns() -> Vec<Field> {
    let field = |name: &str, t: DataType| Field::new(name, t, true);
    let inner = vec![field("x", DataType::Int32), field("y", DataType::Utf8)];
    let entries = vec![Field::new("keys", DataType::Utf8, false), field("values", DataType::Int64)];
    let entries = Field::new("entries", DataType::Struct(entries.into()), false);
    vec![
        field("a", DataType::Int64),
        field("s", DataType::Utf8),
        field("f", DataType::Float64),
        field("b", DataType::Boolean),
        field("st", DataType::Struct(inner.into())),
        field("l", DataType::List(Arc::new(field("item", DataType::Int32)))),
        field("m", DataType::Map(Arc::new(entries), false)),
    ]
}

/// Rows that hold nulls at every level, lists of every small length, and repeated texts.
fn rows(schema: &SchemaRef, seed: usize, count: usize) -> RecordBatch {
    use serde_json::{Map, Value, json};
    let mut lines = String::new();
    for row in (0..count).map(|row| row * 7 + seed) {
        let list: Vec<Value> =
            (0..row % 4).map(|i| if i == 2 { Value::Null } else { json!(row + i) }).collect();
        let pairs: Map<String, Value> = (0..row % 3).map(|i| (format!("k{i}"), json!(row))).collect();
        let all = json!({
            "a": if row % 5 == 0 { Value::Null } else { json!(row) },
            "s": if row % 6 == 1 { Value::Null } else { json!(format!("text {}", row % 11)) },
            "f": row as f64 / 3.0,
            "b": row % 2 == 0,
            "st": if row % 7 == 3 { Value::Null } else { json!({"x": row, "y": format!("{seed} {row}")}) },
            "l": if row % 9 == 0 { Value::Null } else { json!(list) },
            "m": if row % 8 == 5 { Value::Null } else { json!(pairs) },
        });
        let kept: Map<String, Value> =
            schema.fields().iter().map(|field| (field.name().clone(), all[field.name()].clone())).collect();
        lines.push_str(&Value::Object(kept).to_string());
        lines.push('\n');
    }
    let reader = arrow_json::ReaderBuilder::new(schema.clone()).build(lines.as_bytes()).unwrap();
    let batches: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
    concat_batches(schema, &batches).unwrap()
}

/// How a source is written.
#[derive(Debug, Clone)]
struct Writing {
    rows: usize,
    seed: usize,
    group_rows: usize,
    page_rows: usize,
    codec: u8,
    dictionary: bool,
    version_2: bool,
    statistics: u8,
    bloom: bool,
    reversed: bool,
}

fn writing() -> impl Strategy<Value = Writing> {
    let sizes = (0..300usize, 0..50usize, 1..200usize, 1..60usize, 0..4u8);
    let flags = (any::<bool>(), any::<bool>(), 0..3u8, any::<bool>(), any::<bool>());
    (sizes, flags).prop_map(|((rows, seed, group_rows, page_rows, codec), flags)| {
        let (dictionary, version_2, statistics, bloom, reversed) = flags;
        Writing {
            rows,
            seed,
            group_rows,
            page_rows,
            codec,
            dictionary,
            version_2,
            statistics,
            bloom,
            reversed,
        }
    })
}

impl Writing {
    fn write(&self, fields: &[Field]) -> (RecordBatch, Bytes) {
        let mut fields = fields.to_vec();
        if self.reversed {
            fields.reverse();
        }
        let schema = Arc::new(ArrowSchema::new(fields));
        let batch = rows(&schema, self.seed, self.rows);
        let codecs = [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::ZSTD(Default::default()),
        ];
        let statistics = [EnabledStatistics::None, EnabledStatistics::Chunk, EnabledStatistics::Page];
        let version = if self.version_2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 };
        let properties = WriterProperties::builder()
            .set_compression(codecs[usize::from(self.codec)])
            .set_encoding(Encoding::PLAIN)
            .set_dictionary_enabled(self.dictionary)
            .set_writer_version(version)
            .set_max_row_group_row_count(Some(self.group_rows))
            .set_data_page_row_count_limit(self.page_rows)
            .set_write_batch_size(self.page_rows)
            .set_statistics_enabled(statistics[usize::from(self.statistics)])
            .set_bloom_filter_enabled(self.bloom)
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        (batch, writer.into_inner().unwrap().into())
    }
}

fn plain(seed: usize) -> Writing {
    Writing {
        rows: 100,
        seed,
        group_rows: 40,
        page_rows: 10,
        codec: 1,
        dictionary: true,
        version_2: false,
        statistics: 2,
        bloom: true,
        reversed: false,
    }
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_out_are_rows_in_source_by_source(
        sources in proptest::collection::vec(writing(), 1..5),
        kept in proptest::sample::subsequence(columns(), 1..=7),
        file_bytes in prop_oneof![Just(u64::MAX), 1..20_000u64],
    ) {
        block(async {
            let world = World::new(&ArrowSchema::new(kept.clone())).unwrap();
            let (mut expected, mut inputs) = (Vec::new(), Vec::new());
            for (place, writing) in sources.iter().enumerate() {
                let (batch, file) = writing.write(&kept);
                let source = world.open(&format!("in/{place}"), file).await.unwrap();
                inputs.push(world.input(&source).unwrap());
                expected.push(world.aligned(&[batch]));
            }
            let written = world.splice(inputs, file_bytes).await;
            let written = match written {
                // Values that are all null are a page without values.
                Err(WriteError::Sources { bad, .. }) if bad.is_empty() => return,
                written => written.unwrap(),
            };
            for (expected, placed) in expected.iter().zip(&written.sources) {
                assert_eq!(placed.rows as usize, expected.num_rows());
                assert_eq!(&world.placed(placed).await, expected);
            }
            let count: u64 = written.files.iter().map(|file| file.record_count()).sum();
            assert_eq!(count as usize, expected.iter().map(RecordBatch::num_rows).sum::<usize>());
        });
    }

    #[test]
    fn a_damaged_source_never_harms_another(at in 0..1000usize, flips in proptest::collection::vec((0..1000usize, 1..=255u8), 1..4)) {
        block(async {
            let kept = columns();
            let world = World::new(&ArrowSchema::new(kept.clone())).unwrap();
            let (batch, good) = plain(1).write(&kept);
            let (_, file) = plain(2).write(&kept);
            let mut damaged = file.to_vec();
            let length = damaged.len();
            for (off, mask) in flips {
                damaged[(at * length / 1000 + off) % length] ^= mask;
            }
            let good = world.input(&world.open("in/good", good).await.unwrap()).unwrap();
            let Ok(bad) = world.open("in/bad", damaged.into()).await else { return };
            let Ok(bad) = world.input(&bad) else { return };
            match world.splice(vec![good.clone(), bad, good], u64::MAX).await {
                Ok(written) => {
                    for place in [0, 2] {
                        assert_eq!(world.placed(&written.sources[place]).await, world.aligned(std::slice::from_ref(&batch)));
                    }
                }
                Err(WriteError::Sources { bad, unspliceable }) => {
                    let named = bad.iter().map(|f| f.0).chain(unspliceable.iter().map(|f| f.0));
                    assert_eq!(named.collect::<Vec<_>>(), [1]);
                }
                Err(WriteError::Sink(error)) => panic!("{error}"),
            }
        });
    }
}

#[tokio::test]
async fn indexes_filters_and_ids_go_along() {
    let kept = columns();
    let world = World::new(&ArrowSchema::new(kept.clone())).unwrap();
    let source = world.open("in/a", plain(1).write(&kept).1).await.unwrap();
    let input = world.input(&source).unwrap();
    let written = world.splice(vec![input.clone(), input], u64::MAX).await.unwrap();
    assert_eq!(written.files.len(), 1);
    let path = Path::from(written.files[0].file_path().strip_prefix("s3://b/").unwrap());
    let file = world.store.get(&path).await.unwrap().bytes().await.unwrap();
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Skip)
        .parse_and_finish(&file)
        .unwrap();
    assert_eq!(metadata.num_row_groups(), 6);
    for group in metadata.row_groups() {
        for chunk in group.columns() {
            assert!(chunk.column_descr().self_type().get_basic_info().has_id());
            assert!(chunk.bloom_filter_offset().is_some());
            // The first version's pages do not tell rows from values where values repeat.
            let flat = chunk.column_descr().max_rep_level() == 0;
            assert_eq!(chunk.offset_index_offset().is_some(), flat);
            // Within a struct that may be null, writers count nulls differently.
            let column = chunk.column_descr();
            let own = column.max_def_level() <= i16::from(column.self_type().is_optional());
            assert_eq!(chunk.column_index_offset().is_some(), flat && own);
        }
    }
}

#[tokio::test]
async fn floats_whose_nans_nobody_counted_have_no_bounds() {
    let kept = columns()[..3].to_vec();
    let world = World::new(&ArrowSchema::new(kept.clone())).unwrap();
    let source = world.open("in/a", plain(1).write(&kept).1).await.unwrap();
    let written = world.splice(vec![world.input(&source).unwrap()], u64::MAX).await.unwrap();
    let bounded = |column: &str| {
        let id = world.target.schema.field_id_by_name(column).unwrap();
        written.files.iter().any(|file| file.lower_bounds().contains_key(&id))
    };
    assert_eq!(["a", "s", "f"].map(bounded), [true, true, false]);
}

#[tokio::test]
async fn every_bad_source_is_named_and_nothing_is_left_behind() {
    let kept = vec![columns().remove(0)];
    let world = World::new(&ArrowSchema::new(kept.clone())).unwrap();
    let (_, good) = plain(1).write(&kept);
    let mut bad = good.to_vec();
    // The first page header.
    bad[4..8].fill(0xFF);
    let mut inputs = Vec::new();
    for (place, file) in [good.clone(), bad.clone().into(), good, bad.into()].into_iter().enumerate() {
        let source = world.open(&format!("in/{place}"), file).await.unwrap();
        inputs.push(world.input(&source).unwrap());
    }
    match world.splice(inputs, 1).await {
        Err(WriteError::Sources { bad: faults, .. }) => {
            assert_eq!(faults.iter().map(|fault| fault.0).collect::<Vec<_>>(), [1, 3]);
            assert!(faults.iter().all(|fault| matches!(&fault.1, ReadError::Content(_))), "{faults:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.data_files().await, 0);
}

#[tokio::test]
async fn constant_columns_are_made() {
    let kept = columns();
    let world = World::new(&ArrowSchema::new(kept.clone())).unwrap();
    let own: Vec<Field> = kept[1..3].to_vec();
    let (batch, file) = plain(1).write(&own);
    let source = world.open("in/a", file).await.unwrap();
    let mut mapping = world.mapping(source.schema()).unwrap();
    let value: ArrayRef = Arc::new(Int64Array::from(vec![42]));
    mapping.columns[0] = Origin::Constant(value);
    let shape = Arc::new(shape(&source, &mapping, &world.target).unwrap());
    let written = world.splice(vec![SpliceInput { source, shape, partition: None }], u64::MAX).await.unwrap();
    let found = world.placed(&written.sources[0]).await;
    assert_eq!(found, align(&batch, &mapping, &world.target.columns).unwrap());
}

#[tokio::test]
async fn what_cannot_be_spliced_is_named() {
    let table = ArrowSchema::new(vec![Field::new("a", DataType::Int64, true)]);
    let world = World::new(&table).unwrap();
    let file = ArrowSchema::new(vec![Field::new("a", DataType::Int32, true)]);
    let writer = ArrowWriter::try_new(Vec::new(), Arc::new(file), None).unwrap();
    let source = world.open("in/a", writer.into_inner().unwrap().into()).await.unwrap();
    let reason = world.input(&source).unwrap_err();
    assert!(reason.contains("`a`") && reason.contains("long"), "{reason}");
}

/// Each file of the corpus is refused, or comes out as the decoder reads it.
#[tokio::test]
async fn the_corpus_comes_through_or_is_refused() {
    let Some(corpus) = std::env::var_os("PARQUET_TESTING_DIR") else {
        eprintln!("PARQUET_TESTING_DIR is not set: the corpus is not tested");
        return;
    };
    let mut spliced = 0;
    for folder in ["data", "bad_data"] {
        for entry in std::fs::read_dir(std::path::Path::new(&corpus).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "parquet") {
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let store = Arc::new(InMemory::new());
            let stores = Stores::new(BTreeMap::new()).unwrap();
            stores.lend("b", store.clone());
            let file = Bytes::from(std::fs::read(&path).unwrap());
            let outcome = async {
                let opened =
                    open(&store, &stores, &name, file.clone()).await.map_err(|e| format!("{e:?}"))?;
                let world = World::new(opened.schema())?;
                let source = world.open(&name, file).await.map_err(|e| format!("{e:?}"))?;
                let input = world.input(&source)?;
                let written = world.splice(vec![input], u64::MAX).await.map_err(|e| format!("{e:?}"))?;
                let mut batches = Vec::new();
                let mut stream = source.batches();
                while let Some(batch) = stream.recv().await {
                    batches.push(batch.map_err(|e| format!("decoded: {e:?}"))?);
                }
                assert_eq!(world.placed(&written.sources[0]).await, world.aligned(&batches), "{name}");
                Ok::<(), String>(())
            };
            match outcome.await {
                Ok(()) => spliced += 1,
                Err(reason) => eprintln!("{name}: {reason}"),
            }
        }
    }
    assert!(spliced > 5, "only {spliced} files were spliced");
}
