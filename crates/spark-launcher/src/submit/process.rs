//! A process that outlives its launcher: found again by its number and the time of its start.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::process::Command;

/// How long a process may take to end by itself once it is told to.
const GRACE: Duration = Duration::from_secs(10);
/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Place of the start time in `/proc/<pid>/stat` after the process's name, which may hold anything.
const START_FIELD: usize = 19;

/// A process, told apart from a later one of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number, which is its group's too.
    pub pid: u32,
    /// When it began, in clock ticks since the system did; 0 if it had ended before that could be read.
    pub start: u64,
}

impl Process {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Self {
        Self { pid, start: start(pid).unwrap_or(0) }
    }

    /// Whether it runs.
    pub fn lives(self) -> bool {
        self.start > 0 && start(self.pid) == Some(self.start)
    }

    /// Ends it and its children: asks first, then insists. Takes some seconds at most.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn end(self) -> io::Result<()> {
        for signal in ["TERM", "KILL"] {
            if !self.lives() {
                return Ok(());
            }
            self.signal(signal).await?;
            let until = Instant::now() + GRACE;
            while self.lives() && Instant::now() < until {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        match self.lives() {
            true => {
                Err(io::Error::new(io::ErrorKind::TimedOut, format!("process {} does not end", self.pid)))
            }
            false => Ok(()),
        }
    }

    /// Sends a signal to the whole group. By the shell, which `spark-submit` needs as well: without unsafe code there is
    /// no other way.
    async fn signal(self, signal: &str) -> io::Result<()> {
        let line = format!("kill -s {signal} -- -{}", self.pid);
        let mut shell = Command::new("sh");
        // Who has ended meanwhile cannot be told anything: whether it lives is looked at anyway.
        shell
            .args(["-c", &line])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await
            .map(|_| ())
    }
}

/// The start time of a running process; none if there is none, or one that only waits to be buried.
fn start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    fields.get(START_FIELD)?.parse().ok()
}
