//! The service on a loopback socket, with an ingest that answers as the test says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use clap::Parser;
use ingest_core::staged::{KnownObject, Staged};
use ingest_core::{FileOutcome, FileStatus, IngestRequest, IngestResult};
use lake::ingest::{Conflict, Publication};
use lake::{Error, ErrorKind};
use light_worker::{Args, Config, Ingest, RunError, run_on};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Answers by the name of the first file: `s3://b/<name>`.
pub struct Fake {
    /// Has a permit for each `slow` request that has begun.
    pub begun: Semaphore,
    /// A `slow` request ends when it gets a permit.
    pub release: Semaphore,
    /// Has a permit for each request that has ended.
    pub ended: Semaphore,
    /// What readiness says.
    pub ready: std::sync::Mutex<Result<(), &'static str>>,
}

#[derive(Clone)]
pub struct Shared(Arc<Fake>);

#[async_trait]
impl Ingest for Shared {
    async fn ingest(&self, request: &IngestRequest) -> lake::Result<IngestResult> {
        let failed = |kind| Err(Error::new(kind, "as the test says"));
        let answer = match request.objects[0].uri.key() {
            "slow.parquet" => {
                self.0.begun.add_permits(1);
                self.0.release.acquire().await.expect("never closed").forget();
                Ok(done(request))
            }
            "panic.parquet" => panic!("as the test says"),
            "forbidden.parquet" => failed(ErrorKind::Forbidden),
            "invalid.parquet" => failed(ErrorKind::Invalid),
            "busy.parquet" => failed(ErrorKind::Busy),
            "unavailable.parquet" => failed(ErrorKind::Unavailable),
            "inconsistent.parquet" => failed(ErrorKind::Inconsistent),
            _ => Ok(done(request)),
        };
        self.0.ended.add_permits(1);
        answer
    }

    async fn publish_staged(&self, staged: &Staged) -> lake::Result<Publication> {
        let failed = |kind| Err(Error::new(kind, "as the test says"));
        match staged.request_id.as_str() {
            "conflict" => Ok(Publication::Conflict(Conflict {
                reason: "as the test says".to_owned(),
                known: vec![KnownObject {
                    file: "s3://b/known.parquet".to_owned(),
                    version_id: None,
                    etag: Some("e".to_owned()),
                }],
            })),
            "forbidden" => failed(ErrorKind::Forbidden),
            "invalid" => failed(ErrorKind::Invalid),
            "busy" => failed(ErrorKind::Busy),
            "inconsistent" => failed(ErrorKind::Inconsistent),
            id => Ok(Publication::Published(IngestResult {
                request_id: id.to_owned(),
                table: staged.table.clone(),
                rows: 7,
                files_processed: 1,
                files_skipped: 0,
                files_quarantined: 0,
                snapshot_id: Some(8),
                mode: "spark".to_owned(),
                files: vec![FileOutcome {
                    file: "s3://b/a.parquet".to_owned(),
                    status: FileStatus::Processed,
                    rows: 7,
                    mode: Some("spark".to_owned()),
                    reason: None,
                }],
            })),
        }
    }

    async fn ready(&self) -> lake::Result<()> {
        let verdict = *self.0.ready.lock().expect("not poisoned");
        verdict.map_err(|reason| Error::new(ErrorKind::Unavailable, reason))
    }
}

fn done(request: &IngestRequest) -> IngestResult {
    let files = request.objects.iter().map(|object| FileOutcome {
        file: object.uri.to_string(),
        status: FileStatus::Processed,
        rows: 10,
        mode: Some("rewrite".to_owned()),
        reason: None,
    });
    IngestResult {
        request_id: request.request_id.clone(),
        table: request.table.clone(),
        rows: 10 * request.file_count() as u64,
        files_processed: request.file_count() as u64,
        files_skipped: 0,
        files_quarantined: 0,
        snapshot_id: Some(7),
        mode: "rewrite".to_owned(),
        files: files.collect(),
    }
}

/// A running service.
pub struct Service {
    pub fake: Arc<Fake>,
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub ended: JoinHandle<Result<(), RunError>>,
}

impl Service {
    pub async fn start(flags: &[&str]) -> Self {
        let line = ["light-worker"].iter().chain(flags);
        let config: Config = Args::try_parse_from(line)
            .expect("valid flags")
            .config(&BTreeMap::new())
            .expect("valid settings");
        let fake = Arc::new(Fake {
            begun: Semaphore::new(0),
            release: Semaphore::new(0),
            ended: Semaphore::new(0),
            ready: std::sync::Mutex::new(Ok(())),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let stop = CancellationToken::new();
        let ended = tokio::spawn(run_on(listener, config, Shared(fake.clone()), stop.clone()));
        Self { fake, address, stop, ended }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A plain request for one file of this name.
    pub async fn post(&self, file: &str) -> reqwest::Response {
        self.post_body(&format!(r#"{{"files":["s3://b/{file}.parquet"]}}"#), &[]).await
    }

    pub async fn post_body(&self, body: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = reqwest::Client::new().post(self.url("/")).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer")
    }

    /// Sends these bytes as they are, and reads up to the end of the answer's head.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.address).await.expect("listening");
        socket.write_all(bytes).await.expect("taken");
        let mut answer = Vec::new();
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            let read = socket.read_buf(&mut answer).await.expect("an answer");
            assert!(read > 0, "the connection was closed without an answer");
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub async fn metrics(&self) -> String {
        let page = reqwest::get(self.url("/metrics")).await.expect("an answer");
        page.text().await.expect("text")
    }
}
