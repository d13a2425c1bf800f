//! A bucket behind the S3 protocol: standalone mode's endpoint, in a process of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use lake::{AllowList, Lake, LakeConfig};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::signer::Signer;
use object_store::{ObjectStoreExt, RetryConfig, path::Path as Key};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::notifications::Object;
use testkit::{Peer, Program, Reader, eventually};

/// Uploads, ingests and restarts are over within seconds; a busy machine is no failure.
pub const WITHIN: Duration = Duration::from_secs(90);

/// What a running server says of itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Endpoint {
    pub url: String,
    pub admin_url: String,
    pub access_key: String,
    pub secret_key: String,
    pub bucket: String,
    pub catalog_uri: String,
}

/// A standalone server over a folder that outlives its processes.
pub struct Standalone {
    pub endpoint: Endpoint,
    program: Program,
}

impl Standalone {
    pub async fn start(folder: &Path, options: &[&str]) -> Self {
        let announced = folder.join("endpoint.json");
        // A file of a process that was killed says where that one listened.
        let _ = std::fs::remove_file(&announced);
        let data = folder.display().to_string();
        let mut arguments =
            vec!["standalone", "--data", &data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        arguments.extend(options);
        // Where scripts find what was set up, should they be what it runs.
        let cache = std::env::var("EVENT_INGEST_CACHE").map(|cache| ("EVENT_INGEST_CACHE", cache));
        let environment = [("LOG_FORMAT", "json".to_owned())].into_iter().chain(cache.ok());
        let mut program = Program::start("event-ingest", arguments, environment);
        let endpoint = serde_json::from_str(&program.wrote(&announced).await).unwrap();
        Self { endpoint, program }
    }

    pub async fn activity(&self) -> Value {
        let url = format!("{}/api/v1/activity", self.endpoint.admin_url);
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }

    /// Waits until no announcement waits, and returns what became of the files.
    pub async fn settled(&self) -> Value {
        eventually("all announcements are worked off", WITHIN, async || {
            let activity = self.activity().await;
            (activity["inbox_waiting"] == 0).then_some(activity)
        })
        .await
    }

    pub fn reader(&self, table: &str) -> Reader {
        Reader::new(table, [("uri", self.endpoint.catalog_uri.as_str())])
    }

    pub async fn stop(self) {
        let status = self.program.terminate().await;
        assert!(status.success(), "{status}");
    }

    pub fn kill(self) {
        self.program.kill();
    }

    /// An S3 client of another make than the server's.
    pub fn client(&self) -> AmazonS3 {
        self.client_of(&self.endpoint.bucket).build().unwrap()
    }

    /// The same, for requests that may hit a server that was killed.
    pub fn client_without_retries(&self) -> AmazonS3 {
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        self.client_of(&self.endpoint.bucket).with_retry(retry).build().unwrap()
    }

    fn client_of(&self, bucket: &str) -> AmazonS3Builder {
        AmazonS3Builder::new()
            .with_endpoint(&self.endpoint.url)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_access_key_id(&self.endpoint.access_key)
            .with_secret_access_key(&self.endpoint.secret_key)
            .with_bucket_name(bucket)
    }

    /// Makes another bucket. The client has no call for it, but signs any request.
    pub async fn make_bucket(&self, name: &str) {
        let client = self.client_of(name).build().unwrap();
        let url = client.signed_url(Method::PUT, &Key::default(), WITHIN).await.unwrap();
        let answer = reqwest::Client::new().put(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Puts an object and returns its ETag, without quotes.
    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) -> String {
        let put = self.client().put(&Key::parse(key).unwrap(), bytes.into().into()).await.unwrap();
        put.e_tag.unwrap().trim_matches('"').to_owned()
    }

    /// The storage properties that reach this server.
    pub fn properties(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("s3.endpoint", self.endpoint.url.clone()),
            ("s3.access-key-id", self.endpoint.access_key.clone()),
            ("s3.secret-access-key", self.endpoint.secret_key.clone()),
            ("s3.region", "us-east-1".to_owned()),
        ])
    }
}

/// A light worker's catalog in a folder of its own, and its warehouse.
pub struct Lakehouse {
    folder: TempDir,
    warehouse: String,
}

impl Lakehouse {
    /// The warehouse lies in the folder, too.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = format!("file://{}/warehouse", folder.path().display());
        Self { folder, warehouse }
    }

    /// The warehouse lies elsewhere.
    pub fn at(warehouse: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), warehouse: warehouse.to_owned() }
    }

    /// Where SQLite keeps the catalog.
    pub fn catalog_file(&self) -> PathBuf {
        self.folder.path().join("catalog.db")
    }

    fn uri(&self) -> String {
        format!("sqlite:///{}", self.catalog_file().display())
    }

    /// The properties of the catalog, and of the storage that reaches `bucket`.
    pub fn properties(&self, bucket: &Standalone) -> BTreeMap<&'static str, String> {
        let mut properties = bucket.properties();
        properties.insert("uri", self.uri());
        properties.insert("warehouse", self.warehouse.clone());
        properties
    }

    /// The arguments of a worker that reads from `bucket` and may write every table of `db`.
    pub fn worker_arguments(&self, bucket: &Standalone) -> Vec<String> {
        let properties = self.properties(bucket);
        let mut arguments: Vec<String> = properties
            .iter()
            .flat_map(|(key, value)| ["--catalog".to_owned(), format!("{key}={value}")])
            .collect();
        let source = format!("s3://{}", bucket.endpoint.bucket);
        arguments.extend(["--allow-source".to_owned(), source, "--create-tables".to_owned()]);
        arguments
    }

    pub fn reader(&self, table: &str) -> Reader {
        Reader::new(table, [("uri", self.uri().as_str())])
    }

    fn catalog(&self) -> BTreeMap<String, String> {
        [("uri", self.uri()), ("warehouse", self.warehouse.clone())].map(|(k, v)| (k.to_owned(), v)).into()
    }

    /// The ids in a table, as PyIceberg and DuckDB see them.
    pub async fn read(&self, table: &str) -> Value {
        Peer::shared().ask("read", json!({"catalog": self.catalog(), "table": table})).await
    }

    /// The tables as a process that starts now finds them.
    pub async fn lake(&self) -> Lake {
        let config = LakeConfig {
            catalog_name: "my_catalog".to_owned(),
            properties: self.catalog(),
            store_name: "s3".to_owned(),
            ledger_root: None,
            heavy_root: None,
            create_tables: false,
            allow: AllowList::parse(["*"], ["*"]).unwrap(),
            concurrent_writes: 1,
        };
        Lake::open(config).await.unwrap()
    }

    /// A reader of a warehouse that this server stores.
    pub fn reader_through(&self, server: &Standalone, table: &str) -> Reader {
        let mut properties = server.properties();
        properties.insert("uri", self.uri());
        Reader::new(table, properties.iter().map(|(key, value)| (*key, value.as_str())))
    }
}

/// An object that was put, as its producer would announce it.
pub struct Stored {
    pub key: String,
    pub etag: String,
    pub size: u64,
    pub source: PathBuf,
}

impl Stored {
    pub async fn put(bucket: &Standalone, key: &str, source: &Path) -> Self {
        let bytes = std::fs::read(source).unwrap();
        let size = bytes.len() as u64;
        let etag = bucket.put(key, bytes).await;
        Self { key: key.to_owned(), etag, size, source: source.to_owned() }
    }

    pub fn object<'a>(&'a self, bucket: &'a str) -> Object<'a> {
        Object { bucket, key: &self.key, size: self.size, etag: &self.etag, version_id: None }
    }
}
