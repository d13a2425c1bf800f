//! The broker's process, run by the project's own script.

use std::{
    fs::read_to_string,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::{NamedTempFile, TempPath};

use crate::{eventually, free_port, paths};

/// The script gives up by itself after a minute; this is only the last resort.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// Its ports are free when chosen and may be taken when it gets to them, seconds later.
const ATTEMPTS: u32 = 3;

/// A running `scripts/kafka.sh`. It ends, with the broker and its data, when our end of its standard input closes:
/// when this is dropped, and also when the whole test process dies.
pub(super) struct Broker {
    script: Child,
    port: u16,
    log: TempPath,
}

impl Broker {
    pub(super) async fn start() -> Self {
        for _ in 1..ATTEMPTS {
            if let Ok(broker) = Self::attempt().await {
                return broker;
            }
        }
        Self::attempt().await.unwrap_or_else(|log| panic!("Kafka did not start:\n{log}"))
    }

    pub(super) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The error is what the script said before it ended.
    async fn attempt() -> Result<Self, String> {
        let port = free_port();
        let log = NamedTempFile::new().expect("the temporary folder can be written");
        let output = || Stdio::from(log.as_file().try_clone().expect("an open file can be shared"));
        let script = Command::new(paths::repository().join("scripts/kafka.sh"))
            .args(["run", "--until-stdin-closes"])
            .args(["--port", &port.to_string(), "--controller-port", &free_port().to_string()])
            .stdin(Stdio::piped())
            .stdout(output())
            .stderr(output())
            .spawn()
            .expect("scripts/kafka.sh can be started");
        let mut broker = Self { script, port, log: log.into_temp_path() };
        eventually("scripts/kafka.sh says that Kafka is ready, or ends", READY_WITHIN, async || {
            if said(&broker.log).contains("Kafka is ready") {
                return Some(Ok(()));
            }
            let ended = broker.script.try_wait().expect("the state of a child is known").is_some();
            ended.then(|| Err(said(&broker.log)))
        })
        .await?;
        Ok(broker)
    }
}

fn said(log: &Path) -> String {
    read_to_string(log).expect("the log file is ours until the broker is dropped")
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        // It fails only if the script was waited for already.
        let _ = self.script.wait();
    }
}
