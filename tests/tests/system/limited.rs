//! A light worker whose memory the system limits: what makes room for whatever a file claims ends the process, and with
//! it the test.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Program, python};

use crate::bucket::{Lakehouse, Standalone};
use crate::worker::Worker;

/// Bytes of private memory that the worker may ask for, the stacks of its threads included. It needs a third of that.
const MEMORY: u64 = 512 * 1024 * 1024;

/// The worker, the bucket that it reads from, and its tables.
pub struct Limited {
    pub bucket: Standalone,
    pub lakehouse: Lakehouse,
    worker: Worker,
    _folder: TempDir,
}

impl Limited {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The bucket's own worker is to stay out of this.
        let bucket = Standalone::start(folder.path(), &["--batch-wait", "1h", "--batch-files", "1000"]).await;
        let lakehouse = Lakehouse::new();
        let own = format!("s3://{}", bucket.endpoint.bucket);
        let worker = Worker::start_with(&bucket, &lakehouse, &[("OWN_SOURCES", &own)]).await;
        limit(&worker.program, MEMORY);
        Self { bucket, lakehouse, worker, _folder: folder }
    }

    /// The address of a key in the bucket.
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket.endpoint.bucket)
    }

    /// Puts a file of this machine, and returns its address.
    pub async fn put(&self, key: &str, file: &Path) -> String {
        self.bucket.put(key, std::fs::read(file).unwrap()).await;
        self.uri(key)
    }

    /// Has files ingested by one request, and returns what became of each.
    pub async fn ingest(&self, table: &str, format: &str, options: Value, files: &[String]) -> Vec<Value> {
        let request = json!({"files": files, "table": table, "format": format, "options": options});
        let answer = self.worker.client.post(&self.worker.url).json(&request).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("the worker is gone: {request}: {error}"));
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{status}: {request}: {text}");
        let mut result: Value = serde_json::from_str(&text).unwrap();
        let Value::Array(files) = result["files"].take() else { panic!("{request}: {text}") };
        files
    }

    /// The most memory that the worker has held at once so far, in bytes.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.worker.program.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Ends the programs. The worker must still be well, and no code in it may have panicked.
    pub async fn stop(self) {
        let log = self.worker.program.log();
        assert!(!log.contains("panicked at"), "{log}");
        self.stop_after_panics().await;
    }

    /// The same where a library may have panicked and was caught.
    pub async fn stop_after_panics(self) {
        assert!(self.worker.program.terminate().await.success());
        self.bucket.stop().await;
    }
}

/// By util-linux's program, for a process that runs: that is after its libraries were loaded.
fn limit(program: &Program, bytes: u64) {
    let status = Command::new("prlimit")
        .args([format!("--pid={}", program.pid()), format!("--data={bytes}")])
        .status()
        .expect("util-linux is part of every Linux");
    assert!(status.success(), "prlimit: {status}");
}

/// Asserts that tables hold, to another reader, what their originals hold: see `compare_tables.py`.
pub async fn assert_equal(limited: &Limited, comparisons: &[Value]) {
    let list = tempfile::NamedTempFile::new().unwrap();
    let properties = limited.lakehouse.properties(&limited.bucket);
    let asked = json!({"catalog": properties, "comparisons": comparisons});
    std::fs::write(list.path(), asked.to_string()).unwrap();
    let output = python("compare_tables.py", [list.path()]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
}
