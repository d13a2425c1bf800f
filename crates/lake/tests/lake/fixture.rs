//! A lake of its own for each test.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use chrono::Utc;
use futures::TryStreamExt;
use iceberg::TableUpdate;
use iceberg::table::Table;
use ingest_core::{
    FileFormat, IngestRequest, IngestResult, ObjectHint, ObjectUri, RequestedObject, TableName,
};
use lake::catalog::{Catalog, Commit, CommitPort, Outcome};
use lake::storage::Stores;
use lake::{AllowList, Lake, LakeConfig};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;

pub const BUCKET: &str = "inbox";
pub const TABLE: &str = "db.events";

pub struct Fixture {
    pub lake: Arc<Lake>,
    pub bucket: Arc<dyn ObjectStore>,
    config: LakeConfig,
    stores: Arc<Stores>,
    _folder: tempfile::TempDir,
}

impl Fixture {
    pub async fn new() -> Self {
        Self::owning(&[]).await
    }

    /// One whose tables may own the sources of these patterns.
    pub async fn owning(owned: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let properties = BTreeMap::from([
            ("uri".to_owned(), format!("sqlite:///{at}/catalog.db")),
            ("warehouse".to_owned(), format!("file://{at}/warehouse")),
        ]);
        let config = LakeConfig {
            catalog_name: "my_catalog".to_owned(),
            properties: properties.clone(),
            store_name: "s3".to_owned(),
            ledger_root: None,
            heavy_root: None,
            create_tables: true,
            allow: AllowList::parse(["s3://inbox"], ["db.*"])
                .unwrap()
                .with_owned(owned.iter().copied())
                .unwrap(),
            concurrent_writes: 2,
        };
        let stores = Arc::new(Stores::new(properties).unwrap());
        let bucket: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        stores.lend(BUCKET, bucket.clone());
        let catalog = Catalog::open(&config.catalog_name, &config.properties, stores.clone()).await.unwrap();
        let lake = Arc::new(Lake::assemble(config.clone(), stores.clone(), catalog).unwrap());
        Self { lake, bucket, config, stores, _folder: folder }
    }

    /// Another process on the same catalog and warehouse, whose commits leave through `port`.
    pub async fn another(&self, port: impl FnOnce(Arc<dyn CommitPort>) -> Arc<dyn CommitPort>) -> Arc<Lake> {
        let catalog = self.catalog().await.with_port(port);
        Arc::new(Lake::assemble(self.config.clone(), self.stores.clone(), catalog).unwrap())
    }

    /// A process on another catalog over the same warehouse: its tables have the same folders as this one's.
    pub async fn neighbour(&self) -> Arc<Lake> {
        let config = LakeConfig { catalog_name: "another_catalog".to_owned(), ..self.config.clone() };
        let catalog =
            Catalog::open(&config.catalog_name, &config.properties, self.stores.clone()).await.unwrap();
        Arc::new(Lake::assemble(config, self.stores.clone(), catalog).unwrap())
    }

    pub async fn catalog(&self) -> Catalog {
        Catalog::open(&self.config.catalog_name, &self.config.properties, self.stores.clone()).await.unwrap()
    }

    /// Puts another store in the bucket's place.
    pub fn lend(&self, bucket: Arc<dyn ObjectStore>) {
        self.stores.lend(BUCKET, bucket);
    }

    pub fn folder(&self) -> &std::path::Path {
        self._folder.path()
    }

    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        let path = object_store::path::Path::parse(key).unwrap();
        self.bucket.put(&path, bytes.into().into()).await.unwrap();
    }

    pub async fn ingest(&self, keys: &[&str]) -> IngestResult {
        self.lake.ingest(&request(keys)).await.unwrap()
    }

    pub async fn table(&self) -> Table {
        self.catalog().await.load(&TableName::parse(TABLE).unwrap()).await.unwrap().unwrap()
    }

    /// Sets a table property as another program would.
    pub async fn set_property(&self, key: &str, value: &str) {
        let table = self.table().await;
        let updates =
            vec![TableUpdate::SetProperties { updates: HashMap::from([(key.to_owned(), value.to_owned())]) }];
        let outcome = self.catalog().await.commit(&table, Commit { requirements: Vec::new(), updates }).await;
        assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    }

    /// Every value of the table's column `id`, sorted.
    pub async fn ids(&self) -> Vec<i64> {
        let table = self.table().await;
        let batches: Vec<RecordBatch> = table
            .scan()
            .select(["id"])
            .build()
            .unwrap()
            .to_arrow()
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        let mut ids: Vec<i64> = batches
            .iter()
            .flat_map(|batch| {
                batch
                    .column(0)
                    .as_any()
                    .downcast_ref::<Int64Array>()
                    .unwrap()
                    .iter()
                    .flatten()
                    .collect::<Vec<_>>()
            })
            .collect();
        ids.sort_unstable();
        ids
    }
}

pub fn request(keys: &[&str]) -> IngestRequest {
    let objects = keys
        .iter()
        .map(|key| RequestedObject { uri: ObjectUri::new(BUCKET, key).unwrap(), hint: ObjectHint::default() })
        .collect();
    IngestRequest::new(
        TableName::parse(TABLE).unwrap(),
        FileFormat::Parquet,
        BTreeMap::new(),
        objects,
        Utc::now(),
    )
}

/// The same with options of the rule that routed it.
pub fn request_with(keys: &[&str], options: &[(&str, &str)]) -> IngestRequest {
    let plain = request(keys);
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    IngestRequest::new(plain.table, plain.format, options, plain.objects, plain.timestamp)
}

/// A Parquet file with these ids.
pub fn file(ids: std::ops::Range<i64>) -> Bytes {
    let names: StringArray = ids.clone().map(|id| Some(format!("name {id}"))).collect();
    parquet(vec![("id", Arc::new(Int64Array::from_iter_values(ids))), ("name", Arc::new(names))])
}

pub fn parquet(columns: Vec<(&str, ArrayRef)>) -> Bytes {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes.into()
}
