//! Servers of other people, run by the project's own scripts, on the loopback interface.

mod kube;
mod minio;
mod postgres;
mod rest_catalog;

use std::{
    fs::read_to_string,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::{NamedTempFile, TempPath};

use crate::{eventually, free_port, paths};
pub use kube::KubeApi;
pub use minio::Minio;
pub use postgres::Postgres;
pub use rest_catalog::RestCatalog;

/// The scripts give up by themselves after a minute; this is only the last resort.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// A server's ports are free when chosen and may be taken when it gets to them, seconds later.
const ATTEMPTS: u32 = 3;

/// A running `scripts/<name>.sh`. It ends, with the server and its data, when our end of its standard input closes: when
/// this is dropped, and also when the whole test process dies.
pub(crate) struct Server {
    script: Child,
    log: TempPath,
    /// Where the server listens on 127.0.0.1.
    pub(crate) port: u16,
}

impl Server {
    /// Starts the server and waits until its script says that it is ready. `options` are asked for anew for each
    /// attempt, since they may name further ports.
    pub(crate) async fn start(name: &str, options: impl Fn() -> Vec<String>) -> Self {
        for _ in 1..ATTEMPTS {
            if let Ok(server) = Self::attempt(name, free_port(), options()).await {
                return server;
            }
        }
        Self::start_at(name, free_port(), options()).await
    }

    /// The same without options, of a server that need not be there; none if it is not.
    pub(crate) async fn start_if_installed(name: &str) -> Option<Self> {
        match Self::attempt(name, free_port(), Vec::new()).await {
            Ok(server) => Some(server),
            Err(log) if log.contains("is not installed") => None,
            Err(_) => Some(Self::start(name, Vec::new).await),
        }
    }

    /// The same at a port that the caller knows to be free.
    pub(crate) async fn start_at(name: &str, port: u16, options: Vec<String>) -> Self {
        let started = Self::attempt(name, port, options).await;
        started.unwrap_or_else(|log| panic!("scripts/{name}.sh did not start its server:\n{log}"))
    }

    /// The error is what the script said before it ended.
    async fn attempt(name: &str, port: u16, options: Vec<String>) -> Result<Self, String> {
        let log = NamedTempFile::new().expect("the temporary folder can be written");
        let output = || Stdio::from(log.as_file().try_clone().expect("an open file can be shared"));
        let script = Command::new(paths::repository().join(format!("scripts/{name}.sh")))
            .args(["run", "--until-stdin-closes", "--port", &port.to_string()])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(output())
            .stderr(output())
            .spawn()
            .unwrap_or_else(|error| panic!("scripts/{name}.sh cannot be started: {error}"));
        let mut server = Self { script, log: log.into_temp_path(), port };
        eventually(&format!("scripts/{name}.sh is ready, or ends"), READY_WITHIN, async || {
            if said(&server.log).contains(" is ready: ") {
                return Some(Ok(()));
            }
            let ended = server.script.try_wait().expect("the state of a child is known").is_some();
            ended.then(|| Err(said(&server.log)))
        })
        .await?;
        Ok(server)
    }
}

fn said(log: &Path) -> String {
    read_to_string(log).expect("the log file is ours until the server is dropped")
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        // It fails only if the script was waited for already.
        let _ = self.script.wait();
    }
}
