//! A table of a test's own in one of the catalogs, a bucket, and who works on both.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use futures::TryStreamExt;
use ingest_core::{IngestRequest, IngestResult, TableName};
use lake::catalog::Catalog;
use lake::storage::Stores;
use lake::{AllowList, Lake, LakeConfig};
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, path::Path};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Peer, Postgres, RestCatalog};

const BUCKET: &str = "inbox";

/// The catalogs that the suite runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    Rest,
}

pub struct World {
    pub kind: Kind,
    pub table: String,
    /// Our own process.
    pub lake: Arc<Lake>,
    config: LakeConfig,
    bucket: Arc<InMemory>,
    /// Held for its end.
    _folder: TempDir,
}

impl World {
    pub async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let uri = match kind {
            Kind::Sqlite => format!("sqlite:///{at}/catalog.db"),
            Kind::Postgres => Postgres::shared().await.uri(),
            Kind::Rest => RestCatalog::shared().await.uri(),
        };
        Self::at(kind, &uri, folder).await
    }

    /// A world whose lakes, and they alone, reach the catalog through a proxy.
    pub async fn behind(kind: Kind, uri: &str) -> Self {
        Self::at(kind, uri, tempfile::tempdir().unwrap()).await
    }

    async fn at(kind: Kind, uri: &str, folder: TempDir) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let at = folder.path().display();
        let mut properties = BTreeMap::from([("uri".to_owned(), uri.to_owned())]);
        if kind == Kind::Rest {
            properties.insert("type".to_owned(), "rest".to_owned());
        } else {
            properties.insert("warehouse".to_owned(), format!("file://{at}/warehouse"));
        }
        let config = LakeConfig {
            catalog_name: "my_catalog".to_owned(),
            properties,
            store_name: "s3".to_owned(),
            ledger_root: Some(format!("file://{at}/ledger")),
            heavy_root: None,
            create_tables: true,
            allow: AllowList::parse(["s3://inbox"], ["*"]).unwrap(),
            concurrent_writes: 2,
        };
        let bucket = Arc::new(InMemory::new());
        let lake = open(&config, &bucket).await;
        let table = format!("suite{}.events", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { kind, table, lake, config, bucket, _folder: folder }
    }

    /// Another process on the same catalog.
    pub async fn another(&self) -> Arc<Lake> {
        open(&self.config, &self.bucket).await
    }

    /// Puts an object with these rows.
    pub async fn put(&self, key: &str, ids: Range<i64>) {
        self.bucket.put(&Path::from(key), source(ids).into()).await.unwrap();
    }

    pub fn request(&self, keys: &[&str]) -> IngestRequest {
        request(&self.table, keys)
    }

    /// Ingests objects that were put, by our own process.
    pub async fn ingest(&self, keys: &[&str]) -> IngestResult {
        self.lake.ingest(&self.request(keys)).await.unwrap()
    }

    /// Has PyIceberg do something to the table.
    pub async fn peer(&self, command: &str, mut arguments: Value) -> Value {
        // Never through the proxy: its faults are for us.
        let uri = match self.kind {
            Kind::Sqlite => self.config.properties["uri"].clone(),
            Kind::Postgres => Postgres::shared().await.uri(),
            Kind::Rest => RestCatalog::shared().await.uri(),
        };
        let mut properties = self.config.properties.clone();
        properties.insert("uri".to_owned(), uri);
        arguments["catalog"] = json!(properties);
        if arguments["table"].is_null() {
            arguments["table"] = json!(self.table);
        }
        Peer::shared().ask(command, arguments).await
    }

    /// The snapshot that `main` names.
    pub async fn main(&self) -> i64 {
        self.peer("snapshots", json!({})).await["main"].as_i64().unwrap()
    }

    /// Asserts that both readers see exactly these ids, and that the ledger names as many rows as we added of them.
    pub async fn assert_holds(&self, ids: impl IntoIterator<Item = i64>, ours: u64) {
        let ids: Vec<i64> = ids.into_iter().collect();
        let seen = self.peer("read", json!({})).await;
        assert_eq!(seen["pyiceberg"], json!(ids), "to PyIceberg");
        assert_eq!(seen["duckdb"], json!(ids), "to DuckDB");
        assert_eq!(counted(&*self.another().await, &self.table).await, ours, "the ledger's rows");
    }
}

async fn open(config: &LakeConfig, bucket: &Arc<InMemory>) -> Arc<Lake> {
    let stores = Arc::new(Stores::new(config.properties.clone()).unwrap());
    stores.lend(BUCKET, bucket.clone());
    let catalog = Catalog::open(&config.catalog_name, &config.properties, stores.clone()).await.unwrap();
    Arc::new(Lake::assemble(config.clone(), stores, catalog).unwrap())
}

/// Rows that the ledger of `main` says it knows.
pub async fn counted(lake: &Lake, table: &str) -> u64 {
    let seen = lake.inspect(&TableName::parse(table).unwrap()).await.unwrap().expect("the table is there");
    let entries: Vec<_> = seen.ledger.entries(&seen.head).try_collect().await.unwrap();
    entries.iter().map(|entry| entry.rows).sum()
}

/// A request as it travels.
pub fn request(table: &str, keys: &[&str]) -> IngestRequest {
    let files: Vec<String> = keys.iter().map(|key| format!("s3://{BUCKET}/{key}")).collect();
    let body = json!({"files": files, "table": table, "format": "parquet"}).to_string();
    let defaults = ingest_core::RequestDefaults::default();
    IngestRequest::from_json(body.as_bytes(), &defaults, chrono::Utc::now()).unwrap()
}

/// A Parquet file of these ids, with the columns that PyIceberg's rows have.
pub fn source(ids: Range<i64>) -> Bytes {
    let names: StringArray = ids.clone().map(|id| Some(format!("name {id}"))).collect();
    let columns: [(&str, ArrayRef, bool); 2] =
        [("id", Arc::new(Int64Array::from_iter_values(ids)), true), ("name", Arc::new(names), true)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes.into()
}
