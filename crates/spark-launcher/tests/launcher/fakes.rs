//! Table, Spark and the service around them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use clap::Parser;
use ingest_core::{IngestRequest, IngestResult, TableName};
use lake::storage::Stores;
use lake::{Error, ErrorKind};
use serde_json::Value;
use service_kit::metrics::Metrics;
use spark_launcher::decide::Limits;
use spark_launcher::launcher::{Launcher, Parts};
use spark_launcher::record::files::Files;
use spark_launcher::record::store::Records;
use spark_launcher::sink::{Sink, Standing};
use spark_launcher::{
    Args, Attempt, AttemptName, AttemptState, Backend, BackendError, LauncherMetrics, RunError, run_on,
};
use testkit::eventually;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What the table and Spark know.
#[derive(Debug, Default)]
pub struct State {
    pub table: BTreeSet<String>,
    pub set_aside: BTreeMap<String, DateTime<Utc>>,
    /// Why the table is not made ready.
    pub unready: Option<ErrorKind>,
    /// No file of any request can make the table: each is set aside.
    pub hopeless: bool,
    /// Why they cannot be set aside in this process.
    pub not_set_aside: Option<ErrorKind>,
    /// Why Spark starts nothing.
    pub no_spark: Option<BackendError>,
    pub started: Vec<Attempt>,
    pub states: BTreeMap<AttemptName, AttemptState>,
    pub stopped: Vec<AttemptName>,
    pub dropped: Vec<(String, usize)>,
}

#[derive(Debug, Clone, Default)]
pub struct World(Arc<Mutex<State>>);

impl World {
    pub fn get(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("not poisoned")
    }

    /// The newest attempt ends like this, with these files in the table.
    pub fn end(&self, state: AttemptState, files: &[&str]) {
        let mut world = self.get();
        let name = world.started.last().expect("one was started").name.clone();
        world.table.extend(files.iter().map(|file| (*file).to_owned()));
        world.states.insert(name, state);
    }
}

#[async_trait]
impl Sink for World {
    async fn outstanding(&self, request: &IngestRequest) -> lake::Result<Vec<Standing>> {
        let world = self.get();
        let standing = |file: &str| match world.set_aside.get(file) {
            _ if file.contains("forbidden") => Standing::Forbidden,
            _ if world.table.contains(file) => Standing::InTable,
            Some(time) => Standing::SetAside(*time),
            None => Standing::New,
        };
        Ok(request.objects.iter().map(|object| standing(&object.uri.to_string())).collect())
    }

    async fn make_ready(&self, _: &IngestRequest) -> lake::Result<bool> {
        let world = self.get();
        match world.unready {
            Some(kind) => Err(Error::new(kind, "as the test says")),
            None => Ok(!world.hopeless),
        }
    }

    async fn ingest(&self, request: &IngestRequest) -> lake::Result<IngestResult> {
        let mut world = self.get();
        if let Some(kind) = world.not_set_aside {
            return Err(Error::new(kind, "as the test says"));
        }
        let files = request.objects.iter().map(|object| (object.uri.to_string(), Utc::now()));
        world.set_aside.extend(files);
        Ok(IngestResult {
            request_id: request.request_id.clone(),
            table: request.table.clone(),
            rows: 0,
            files_processed: 0,
            files_skipped: 0,
            files_quarantined: request.file_count() as u64,
            snapshot_id: None,
            mode: "none".to_owned(),
            files: Vec::new(),
        })
    }

    async fn drop_stale_branches(
        &self,
        table: &TableName,
        live: &BTreeSet<String>,
    ) -> lake::Result<Vec<String>> {
        self.get().dropped.push((table.to_string(), live.len()));
        Ok(Vec::new())
    }

    async fn ready(&self) -> lake::Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Backend for World {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn start(&self, attempt: &Attempt) -> Result<(), BackendError> {
        let mut world = self.get();
        match &world.no_spark {
            Some(BackendError::Unavailable(why)) => return Err(BackendError::Unavailable(why.clone())),
            Some(BackendError::Rejected(why)) => return Err(BackendError::Rejected(why.clone())),
            None => {}
        }
        if !world.states.contains_key(&attempt.name) {
            world.started.push(attempt.clone());
            world.states.insert(attempt.name.clone(), AttemptState::Live("running".to_owned()));
        }
        Ok(())
    }

    async fn state(&self, name: &AttemptName) -> Result<AttemptState, BackendError> {
        Ok(self.get().states.get(name).cloned().unwrap_or(AttemptState::Absent))
    }

    async fn stop(&self, name: &AttemptName) -> Result<(), BackendError> {
        let mut world = self.get();
        world.states.remove(name);
        world.stopped.push(name.clone());
        Ok(())
    }
}

fn launcher(
    world: &World,
    records: &Records,
    limits: Limits,
    max_records: usize,
    metrics: &Metrics,
) -> Launcher {
    Launcher::new(Parts {
        sink: Arc::new(world.clone()),
        backend: Arc::new(world.clone()),
        records: records.clone(),
        limits,
        max_records,
        metrics: LauncherMetrics::new(metrics),
    })
}

/// A running service. It scans when the test says so.
pub struct Service {
    pub world: World,
    pub launcher: Arc<Launcher>,
    pub records: Records,
    pub folder: tempfile::TempDir,
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub ended: JoinHandle<Result<(), RunError>>,
}

impl Service {
    pub async fn start(limits: Limits, max_records: usize) -> Self {
        let world = World::default();
        let folder = tempfile::tempdir().expect("a folder");
        let root = format!("file://{}/heavy", folder.path().display());
        let stores = Arc::new(Stores::new(BTreeMap::new()).expect("no properties"));
        let records = Records::new(Files::new(stores, &root).expect("a folder"));
        let metrics = Metrics::new();
        let launcher = Arc::new(launcher(&world, &records, limits, max_records, &metrics));
        let line = ["spark-launcher", "--backend", "inline", "--scan-interval", "1h"];
        let config = Args::try_parse_from(line)
            .expect("valid flags")
            .config(&BTreeMap::new())
            .expect("valid settings");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let stop = CancellationToken::new();
        let ended = tokio::spawn(run_on(listener, config, launcher.clone(), metrics, stop.clone()));
        let service = Self { world, launcher, records, folder, address, stop, ended };
        // It scans at its start. What the test does comes after that.
        eventually("the first scan", Duration::from_secs(60), async || {
            let page = service.metrics().await;
            (!page.contains("event_ingest_heavy_last_scan_timestamp_seconds 0")).then_some(())
        })
        .await;
        service
    }

    /// A launcher over the same records that was started just now.
    pub fn another(&self) -> Launcher {
        launcher(&self.world, &self.records, Limits::default(), 10, &Metrics::new())
    }

    /// One whose failed attempts are repeated at once.
    pub async fn eager() -> Self {
        Self::start(Limits { attempts: 2, first_pause: Duration::ZERO, ..Limits::default() }, 10).await
    }

    pub async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, Option<String>, Value) {
        let answer = reqwest::Client::new().post(format!("http://{}/", self.address)).body(body).send().await;
        let answer = answer.expect("an answer");
        let ty = answer.headers().get("ce-type").map(|ty| ty.to_str().expect("ASCII").to_owned());
        (answer.status().as_u16(), ty, answer.json().await.expect("JSON"))
    }

    pub async fn send(&self, files: &[&str]) -> (u16, Value) {
        let body = serde_json::json!({"files": files, "table": "db.t", "request_id": "label"});
        let (status, _, answer) = self.post(body.to_string()).await;
        (status, answer)
    }

    pub async fn scan(&self) -> BTreeMap<&'static str, i64> {
        self.launcher.scan_and_tidy().await.expect("records can be listed").states
    }

    pub async fn metrics(&self) -> String {
        let page = reqwest::get(format!("http://{}/metrics", self.address)).await.expect("an answer");
        page.text().await.expect("text")
    }

    pub fn file(&self, path: &str) -> Value {
        let bytes = std::fs::read(self.folder.path().join("heavy").join(path)).expect(path);
        serde_json::from_slice(&bytes).expect("JSON")
    }
}
