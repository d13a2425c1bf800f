//! Attempts as processes of `spark-submit`, on whatever master: for machines with Spark and without Kubernetes.
//!
//! Each attempt has a folder: `process.json` (which process, of which content), `log` (all it wrote), `exit` (its exit
//! code). A launcher that is started anew finds its processes there. Only one launcher may use a folder.

mod args;
mod process;

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::backend::{Attempt, AttemptName, AttemptState, Backend, BackendError};
use process::Process;

pub use args::SubmitArgs;

const PROCESS: &str = "process.json";
const LOG: &str = "log";
const EXIT: &str = "exit";
/// The job's exit code that says that no other attempt can do better; the shell's and Python's for programs that are used
/// wrongly or not there, too, which a person has to mend as well.
const NEVER: &str = "2";
/// How long the folder of an attempt is kept: less than its closed record is.
const KEPT: Duration = Duration::from_secs(6 * 24 * 60 * 60);
/// Bytes of a log's end that are looked through for its last line.
const TAIL_BYTES: u64 = 4_096;
/// Characters of that line that are repeated.
const LINE_CHARS: usize = 500;

/// How attempts are submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitConfig {
    /// `spark-submit`.
    pub program: PathBuf,
    /// `--master`, unless Spark's own configuration says it.
    pub master: Option<String>,
    /// `--conf`.
    pub conf: Vec<(String, String)>,
    /// Further arguments before the job.
    pub arguments: Vec<String>,
    /// The job's file.
    pub job: String,
    /// Folder of the attempts' folders.
    pub folder: PathBuf,
    /// Processes at once.
    pub at_once: usize,
    /// Bytes that a log may have before it is begun anew.
    pub log_bytes: u64,
    /// Added to the environment, which is handed on.
    pub variables: Variables,
}

/// Environment variables; what they say is not shown, for some of it is secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(pub Vec<(String, String)>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl SubmitConfig {
    /// The arguments of `spark-submit` for an attempt.
    pub fn arguments(&self, attempt: &Attempt) -> Vec<String> {
        let mut line = vec!["--name".to_owned(), attempt.name.to_string()];
        if let Some(master) = &self.master {
            line.extend(["--master".to_owned(), master.clone()]);
        }
        for (key, value) in &self.conf {
            line.extend(["--conf".to_owned(), format!("{key}={value}")]);
        }
        line.extend(self.arguments.iter().cloned());
        line.extend([self.job.clone(), attempt.document.clone()]);
        line
    }
}

/// Runs attempts as processes.
#[derive(Debug)]
pub struct Submit {
    config: SubmitConfig,
    /// One start at a time, so that they can be counted.
    starting: Arc<Mutex<()>>,
    /// Folders of processes that this launcher began and whose ends it has not written down.
    awaited: Awaited,
}

/// What writes an end down, by the folder of the attempt.
type Awaited = Arc<std::sync::Mutex<HashMap<PathBuf, JoinHandle<()>>>>;

const NO_PANIC: &str = "no holder of this lock panics";

/// `process.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Submitted {
    process: Process,
    /// SHA-256 of what was asked for, in hex.
    content: String,
}

impl Submit {
    /// Submits as configured.
    pub fn new(config: SubmitConfig) -> Self {
        Self { config, starting: Arc::default(), awaited: Awaited::default() }
    }

    fn folder(&self, name: &AttemptName) -> PathBuf {
        self.config.folder.join(name.to_string())
    }

    fn live(&self) -> io::Result<usize> {
        let mut live = 0;
        for entry in folders(&self.config.folder)? {
            match read(&entry)? {
                Some(submitted) if submitted.process.lives() => live += 1,
                _ => forget(&entry)?,
            }
        }
        Ok(live)
    }

    fn spawn(&self, attempt: &Attempt, folder: &Path, content: String) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        // Appending, so that a log can be cut while it is written.
        let log = OpenOptions::new().create(true).append(true).open(folder.join(LOG))?;
        let mut child = Command::new(&self.config.program)
            .args(self.config.arguments(attempt))
            .envs(self.config.variables.0.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // What ends the launcher does not end it.
            .process_group(0)
            .spawn()?;
        let pid = child.id().unwrap_or_default();
        let submitted = Submitted { process: Process::of(pid), content };
        if let Err(error) = replace(&folder.join(PROCESS), &serde_json::to_vec(&submitted)?) {
            // Nobody would find it again.
            tokio::spawn(submitted.process.end());
            return Err(error);
        }
        let (awaited, ended) = (self.awaited.clone(), folder.to_owned());
        let mut entries = self.awaited.lock().expect(NO_PANIC);
        let writer = tokio::spawn(async move {
            let exit = ended.join(EXIT);
            let code = match child.wait().await {
                Ok(status) => status.code().map_or_else(|| status.to_string(), |code| code.to_string()),
                Err(error) => error.to_string(),
            };
            if let Err(error) = replace(&exit, code.as_bytes()) {
                tracing::warn!(%error, path = %exit.display(), "exit code not written");
            }
            awaited.lock().expect(NO_PANIC).remove(&ended);
        });
        entries.insert(folder.to_owned(), writer);
        Ok(())
    }

    fn look(&self, folder: &Path) -> io::Result<AttemptState> {
        let Some(submitted) = read(folder)? else { return Ok(AttemptState::Absent) };
        let log = folder.join(LOG);
        // First: it may end, and its end be written down, between the two.
        let lives = submitted.process.lives() || self.awaited.lock().expect(NO_PANIC).contains_key(folder);
        if let Ok(code) = fs::read_to_string(folder.join(EXIT)) {
            return Ok(match code.as_str() {
                "0" => AttemptState::Succeeded,
                NEVER => AttemptState::Refused(format!("exit code {NEVER}; {}", last_words(&log))),
                code => AttemptState::Failed(format!("exit code {code}; {}", last_words(&log))),
            });
        }
        if !lives {
            return Ok(AttemptState::Failed(format!("it ended while nobody looked; {}", last_words(&log))));
        }
        cut(&log, self.config.log_bytes)?;
        Ok(AttemptState::Live(format!("process {}", submitted.process.pid)))
    }
}

#[async_trait]
impl Backend for Submit {
    fn name(&self) -> &'static str {
        "spark-submit"
    }

    async fn start(&self, attempt: &Attempt) -> Result<(), BackendError> {
        let _one = self.starting.lock().await;
        let folder = self.folder(&attempt.name);
        let content = hex::encode(Sha256::digest(attempt.request.to_json()));
        // An old one of this name was of a record that is forgotten.
        forget(&folder).map_err(|e| failed("clean up", &folder, &e))?;
        if let Some(known) = read(&folder).map_err(|e| failed("look at", &folder, &e))? {
            let state = self.look(&folder).map_err(|e| failed("look at", &folder, &e))?;
            return match state {
                AttemptState::Live(_) | AttemptState::Succeeded if known.content == content => Ok(()),
                _ => Err(BackendError::Rejected("it failed before, or asked for something else".to_owned())),
            };
        }
        let live = self.live().map_err(|e| failed("look through", &self.config.folder, &e))?;
        if live >= self.config.at_once {
            return Err(BackendError::Unavailable(format!("{live} processes run, as many as may")));
        }
        self.spawn(attempt, &folder, content).map_err(|e| failed("run", &self.config.program, &e))
    }

    async fn state(&self, name: &AttemptName) -> Result<AttemptState, BackendError> {
        let folder = self.folder(name);
        self.look(&folder).map_err(|e| failed("look at", &folder, &e))
    }

    async fn stop(&self, name: &AttemptName) -> Result<(), BackendError> {
        let folder = self.folder(name);
        let Some(submitted) = read(&folder).map_err(|e| failed("look at", &folder, &e))? else {
            return Ok(());
        };
        submitted.process.end().await.map_err(|e| failed("end the process of", &folder, &e))?;
        // Or the end would be written into a folder that is being removed.
        let writer = self.awaited.lock().expect(NO_PANIC).remove(&folder);
        if let Some(writer) = writer {
            // It has not panicked, and nobody aborts it.
            let _ = writer.await;
        }
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("remove", &folder, &e)),
            _ => Ok(()),
        }
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> BackendError {
    BackendError::Unavailable(format!("cannot {what} {}: {error}", path.display()))
}

fn folders(of: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(of) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Removes the folder of a process that ended long ago.
fn forget(folder: &Path) -> io::Result<()> {
    let Some(submitted) = read(folder)? else { return Ok(()) };
    let age = fs::metadata(folder.join(PROCESS))?.modified()?;
    let old = SystemTime::now().duration_since(age).is_ok_and(|age| age > KEPT);
    if old && !submitted.process.lives() { fs::remove_dir_all(folder) } else { Ok(()) }
}

/// Which process an attempt has. One that cannot be read, after a power cut say, is as good as none.
fn read(folder: &Path) -> io::Result<Option<Submitted>> {
    match fs::read(folder.join(PROCESS)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)
            .inspect_err(
                |error| tracing::warn!(%error, folder = %folder.display(), "no process is named here"),
            )
            .ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file as a whole or not at all.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, bytes)?;
    fs::rename(&new, file)
}

/// Begins a log anew that is larger than it may be.
fn cut(log: &Path, bytes: u64) -> io::Result<()> {
    if fs::metadata(log)?.len() > bytes {
        OpenOptions::new().write(true).open(log)?.set_len(0)?;
        tracing::warn!(log = %log.display(), bytes, "the log was too long and begins anew");
    }
    Ok(())
}

/// Where the log is, and its last line.
fn last_words(log: &Path) -> String {
    let tail = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut tail = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut tail)?;
        Ok(String::from_utf8_lossy(&tail).into_owned())
    };
    let tail = tail().unwrap_or_default();
    let last = tail.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    format!("its log {} ends with: {}", log.display(), last.chars().take(LINE_CHARS).collect::<String>())
}

#[cfg(test)]
mod tests;
