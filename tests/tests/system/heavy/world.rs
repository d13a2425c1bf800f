//! A light worker that publishes, a launcher that runs Spark on this machine, and the catalog that all of them share.

mod spark;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::proxy::HttpProxy;
use testkit::{ANY_PORT, Program, Reader, RestCatalog, eventually, paths};

use crate::bucket::{Standalone, Stored};

/// A Spark application takes some twenty seconds on two cores, and several may run at a time.
pub const WITHIN: Duration = Duration::from_secs(240);

/// Name of the catalog, to Spark and to us: a SQL catalog keys its rows by it.
const CATALOG: &str = "my_catalog";

/// The catalogs that the heavy path is tried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Rest,
}

/// The parts of a heavy path, but for the launcher, which tests start as they need it.
pub struct World {
    pub bucket: Standalone,
    pub worker: Program,
    pub worker_url: String,
    /// Between Spark and the worker: what is posted may get lost here.
    pub line: HttpProxy,
    pub table: String,
    pub client: reqwest::Client,
    /// The program that submits to Spark.
    submit: String,
    /// `(key, value)` of the catalog, as our programs want them.
    properties: Vec<(String, String)>,
    folder: TempDir,
}

/// A running launcher.
pub struct Launcher {
    pub program: Program,
    pub url: String,
}

impl World {
    pub async fn new(kind: Kind) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let properties = match kind {
            Kind::Sqlite => vec![
                pair("uri", format!("sqlite:///{at}/catalog.db")),
                pair("warehouse", format!("file://{at}/warehouse")),
            ],
            Kind::Rest => {
                vec![pair("type", "rest".to_owned()), pair("uri", RestCatalog::shared().await.uri())]
            }
        };
        // The bucket's own worker is to stay out of this.
        let data = folder.path().join("bucket");
        let bucket = Standalone::start(&data, &["--batch-wait", "1h", "--batch-files", "1000"]).await;
        let table = format!("heavy{}.flights", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut arguments = lake_arguments(&bucket, &properties, &ledger_root(&folder));
        arguments.extend(["--create-tables", "--listen", ANY_PORT].map(str::to_owned));
        let mut worker = Program::start("light-worker", arguments, [("LOG_FORMAT", "json")]);
        let worker_url = worker.serving().await;
        let line = HttpProxy::start(&worker_url, "/").await;
        let client = reqwest::Client::new();
        let submit = paths::repository().join("scripts/spark-submit.sh").display().to_string();
        Self { bucket, worker, worker_url, line, table, client, submit, properties, folder }
    }

    /// Starts a launcher that submits to a Spark in this machine, and looks after its records every second.
    pub async fn launcher(&self) -> Launcher {
        self.launcher_with(&self.spark_submit(&[])).await
    }

    /// The options of such a launcher, and others.
    pub fn spark_submit<'a>(&'a self, options: &[&'a str]) -> Vec<&'a str> {
        [&["--backend", "spark-submit", "--spark-submit", &self.submit], options].concat()
    }

    /// The same with a backend of the test's choice.
    pub async fn launcher_with(&self, options: &[&str]) -> Launcher {
        let mut arguments = lake_arguments(&self.bucket, &self.properties, &ledger_root(&self.folder));
        let job = paths::repository().join("spark/main.py").display().to_string();
        let work = self.work_folder().display().to_string();
        let own = ["--create-tables", "--listen", ANY_PORT, "--scan-interval", "500ms"];
        let spark = ["--spark-job", &job, "--spark-work-dir", &work, "--spark-master", "local[2,4]"];
        arguments.extend(own.into_iter().chain(spark).chain(options.iter().copied()).map(str::to_owned));
        if !options.contains(&"--attempt-pause-min") {
            arguments.extend(["--attempt-pause-min", "1s"].map(str::to_owned));
        }
        for setting in self.spark_conf() {
            arguments.extend(["--spark-conf".to_owned(), setting]);
        }
        let mut program = Program::start("spark-launcher", arguments, self.job_environment());
        let url = program.serving().await;
        Launcher { program, url }
    }

    /// Runs a command of the operator's over this lake: its exit code, and all that it wrote.
    pub async fn operate(&self, command: &[&str]) -> (i32, String) {
        let mut arguments: Vec<String> = command.iter().map(|part| (*part).to_owned()).collect();
        arguments.extend(lake_arguments(&self.bucket, &self.properties, &ledger_root(&self.folder)));
        let (status, said) =
            Program::start("event-ingest", arguments, [("LOG_FORMAT", "json")]).exited().await;
        (status.code().expect("no signal ended it"), said)
    }

    /// What the job finds in its environment; the launcher hands it on.
    fn job_environment(&self) -> Vec<(String, String)> {
        let endpoint = &self.bucket.endpoint;
        let cache = std::env::var("EVENT_INGEST_CACHE").ok();
        let given = [
            ("LOG_FORMAT", "json".to_owned()),
            ("SPARK_CATALOG", CATALOG.to_owned()),
            ("PUBLISHER_URL", self.line.url()),
            ("AWS_ENDPOINT_URL_S3", endpoint.url.clone()),
            ("AWS_ACCESS_KEY_ID", endpoint.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", endpoint.secret_key.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        let given = given.into_iter().map(|(name, value)| (name.to_owned(), value));
        given.chain(cache.map(|cache| ("EVENT_INGEST_CACHE".to_owned(), cache))).collect()
    }

    /// Puts an example file, and returns its address.
    pub async fn put(&self, key: &str, source: &Path) -> String {
        Stored::put(&self.bucket, key, source).await;
        format!("s3://{}/{key}", self.bucket.endpoint.bucket)
    }

    /// Puts so many example files, and returns them with their addresses.
    pub async fn put_examples(&self, number: usize) -> (Vec<PathBuf>, Vec<String>) {
        let sources: Vec<PathBuf> = paths::example_files().into_iter().take(number).collect();
        let mut files = Vec::new();
        for (place, source) in sources.iter().enumerate() {
            files.push(self.put(&format!("incoming/{place}.parquet"), source).await);
        }
        (sources, files)
    }

    pub fn request(&self, files: &[String]) -> Value {
        json!({"files": files, "table": self.table, "format": "parquet"})
    }

    /// Has the light worker take files.
    pub async fn light(&self, files: &[String]) -> Value {
        let answer = self.client.post(&self.worker_url).json(&self.request(files)).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    pub fn reader(&self) -> Reader {
        Reader::new(&self.table, self.properties.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    /// Where the records are.
    pub fn heavy_folder(&self) -> PathBuf {
        self.folder.path().join("ledger/heavy")
    }

    /// How many files a record has. (A local file system keeps the empty folder.)
    pub fn record_files(&self, id: &str) -> usize {
        self.heavy_folder().join("records").join(id).read_dir().map_or(0, Iterator::count)
    }

    /// Where the launcher keeps the folders of its processes.
    pub fn work_folder(&self) -> PathBuf {
        self.folder.path().join("spark-work")
    }

    /// Waits until the record is closed, and returns the number of its last attempt.
    pub async fn closed(&self, id: &str) -> u64 {
        self.closed_again(id, 0).await
    }

    /// Waits until a record of the same request is closed that began after this attempt.
    pub async fn closed_again(&self, id: &str, before: u64) -> u64 {
        let path = self.heavy_folder().join(format!("closed/{id}.json"));
        eventually(&format!("record {id} is closed"), WITHIN, async || {
            let story: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
            story["through"].as_u64().filter(|through| *through > before)
        })
        .await
    }

    /// All that an attempt's driver has written.
    pub fn log(&self, id: &str, attempt: u32) -> String {
        let path = self.work_folder().join(format!("ingest-{id}-{attempt}/log"));
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Ends an attempt's driver, and all that it has started, at once.
    pub async fn kill(&self, id: &str, attempt: u32) {
        let path = self.work_folder().join(format!("ingest-{id}-{attempt}/process.json"));
        let process: Value = eventually("the driver's process is known", WITHIN, async || {
            serde_json::from_slice(&std::fs::read(&path).ok()?).ok()
        })
        .await;
        let pid = process["process"]["pid"].as_u64().expect("a process has a number");
        let status = Command::new("sh").args(["-c", &format!("kill -s KILL -- -{pid}")]).status().unwrap();
        assert!(status.success(), "process group {pid} could not be killed");
    }

    /// Every number of rows is exactly that of the sources, to three readers that are not ours.
    pub async fn assert_holds(&self, sources: &[PathBuf]) {
        self.reader().assert_holds(sources).await;
    }
}

impl Launcher {
    /// Hands over a request, and returns its record's id.
    pub async fn take(&self, world: &World, request: &Value) -> String {
        let answer = world.client.post(&self.url).json(request).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::ACCEPTED, "{text}");
        let said: Value = serde_json::from_str(&text).unwrap();
        let application = said["application"].as_str().unwrap_or_else(|| panic!("no application: {said}"));
        let (id, attempt) = application.strip_prefix("ingest-").unwrap().rsplit_once('-').unwrap();
        assert!(attempt.parse::<u32>().is_ok(), "{application}");
        id.to_owned()
    }
}

fn ledger_root(folder: &TempDir) -> String {
    format!("file://{}/ledger", folder.path().display())
}

/// What worker and launcher have to know of catalog, bucket and ledger.
fn lake_arguments(bucket: &Standalone, properties: &[(String, String)], ledger_root: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let storage = bucket.properties();
    let storage = storage.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    for (key, value) in properties.iter().cloned().chain(storage) {
        arguments.extend(["--catalog".to_owned(), format!("{key}={value}")]);
    }
    let source = format!("s3://{}", bucket.endpoint.bucket);
    let others = ["--allow-source", &source, "--allow-table", "*", "--catalog-name", CATALOG];
    arguments.extend(others.map(str::to_owned));
    arguments.extend(["--ledger-root".to_owned(), ledger_root.to_owned()]);
    arguments
}
