//! Programs of the workspace, run as a person or a container would run them.

use std::{
    ffi::OsStr,
    fs::read_to_string,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use tempfile::{NamedTempFile, TempPath};

use crate::{eventually, paths};

/// How long a program may take to be ready: slow machines and cold caches included.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a program may take to end after SIGTERM.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// The address for a service to listen on: the system chooses a free port, so that no two want the same.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// What a program gets of the test's environment. All else could be a setting of the program: `PORT`, `TABLE`, ….
const INHERITED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "RUST_BACKTRACE", "LD_LIBRARY_PATH"];

/// A running program of this workspace. It is killed when dropped; if the test fails, its output is shown.
pub struct Program {
    name: String,
    child: Child,
    log: TempPath,
}

impl Program {
    /// Starts a program with arguments and environment variables of its own; of the test's it has but the few that no
    /// program takes for settings.
    pub fn start<A, E, K, V>(name: &str, arguments: A, environment: E) -> Self
    where
        A: IntoIterator<Item: AsRef<OsStr>>,
        E: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let log = NamedTempFile::new().expect("the temporary folder can be written");
        let output = || Stdio::from(log.as_file().try_clone().expect("an open file can be shared"));
        let child = Command::new(paths::program(name))
            .args(arguments)
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { name: name.to_owned(), child, log: log.into_temp_path() }
    }

    /// Waits until a GET of this URL is answered with success; panics if the program ends first.
    pub async fn ready(&mut self, url: &str) {
        eventually(&format!("{} answers {url}", self.name), READY_WITHIN, async || {
            self.assert_running();
            reqwest::get(url).await.is_ok_and(|response| response.status().is_success()).then_some(())
        })
        .await;
    }

    /// Waits until a service is ready that listens on [`ANY_PORT`] and logs JSON, and returns its URL.
    pub async fn serving(&mut self) -> String {
        let url = self.listening().await;
        self.ready(&format!("{url}/readyz")).await;
        url
    }

    /// Waits until a service says where it listens, ready or not, and returns its URL.
    pub async fn listening(&mut self) -> String {
        let address = eventually(&format!("{} says where it listens", self.name), READY_WITHIN, async || {
            self.assert_running();
            listening(&self.log())
        })
        .await;
        format!("http://{address}")
    }

    /// Waits until the program has logged this message, as JSON, and returns a field of it.
    pub async fn said(&self, message: &str, field: &str) -> String {
        eventually(&format!("{} says {message:?}", self.name), READY_WITHIN, async || {
            field_of(&self.log(), message, field)
        })
        .await
    }

    /// Waits until this file is there and not empty, for programs that say in a file where they listen.
    pub async fn wrote(&mut self, path: &std::path::Path) -> String {
        eventually(&format!("{} writes {}", self.name, path.display()), READY_WITHIN, async || {
            self.assert_running();
            read_to_string(path).ok().filter(|content| !content.is_empty())
        })
        .await
    }

    /// All that the program has written to standard output and standard error.
    pub fn log(&self) -> String {
        read_to_string(&self.log).expect("the log file is ours until the program is dropped")
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the program to end, with SIGTERM, and waits until it has.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        let what = format!("{} ends after SIGTERM", self.name);
        eventually(&what, ENDS_WITHIN, async || self.ended()).await
    }

    /// Ends the program at once, with SIGKILL, as a crash or a lost machine would.
    pub fn kill(mut self) {
        self.end_at_once();
    }

    /// The same, of a program whose place another takes. Returns all that it has written.
    pub fn end_at_once(&mut self) -> String {
        self.child.kill().expect("a child that was not waited for can be killed");
        self.child.wait().expect("a killed child ends");
        self.log()
    }

    /// Waits until the program has ended by itself.
    pub async fn exited(mut self) -> (ExitStatus, String) {
        let what = format!("{} ends by itself", self.name);
        let status = eventually(&what, READY_WITHIN, async || self.ended()).await;
        (status, self.log())
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child is known")
    }

    fn assert_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended before it was ready: {status}", self.name);
        }
    }

    /// By the shell's own `kill`, which every system has: the standard library sends SIGKILL alone.
    fn signal(&self, signal: &str) {
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", signal, &self.pid().to_string()])
            .status()
            .expect("a shell can be started");
        assert!(status.success(), "SIG{signal} could not be sent to {} ({})", self.name, self.pid());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // Fails only if the program ended in between, and then the wait has its status.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- output of {}\n{}---", self.name, tail(&self.log()));
        }
    }
}

/// The address in the line that a service logs when it listens.
fn listening(log: &str) -> Option<String> {
    field_of(log, "listening", "address")
}

/// A field of the first line with this message.
fn field_of(log: &str, message: &str, field: &str) -> Option<String> {
    // The last line may be half written.
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut said = lines.filter(|line| line["message"] == message);
    Some(said.next()?[field].as_str()?.to_owned())
}

/// The end of a log, from the start of a line, short enough to be read in the output of a test.
fn tail(log: &str) -> &str {
    const LINES: usize = 60;
    match log.trim_end().rmatch_indices('\n').nth(LINES - 1) {
        Some((position, _)) => log.split_at(position + 1).1,
        None => log,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_says_where_it_listens() {
        let log = "not JSON\n{\"message\":\"opened\",\"address\":\"elsewhere\"}\n";
        let line = r#"{"level":"INFO","message":"listening","address":"127.0.0.1:4711"}"#;
        assert_eq!(listening(&format!("{log}{line}\n{{\"mess")), Some("127.0.0.1:4711".to_owned()));
        assert_eq!(listening(&format!("{log}{}", &line[..line.len() - 1])), None);
    }

    #[test]
    fn the_tail_is_whole_lines() {
        assert_eq!(tail(""), "");
        assert_eq!(tail("one\ntwo\n"), "one\ntwo\n");
        let long: String = (0..100).map(|line| format!("line {line}\n")).collect();
        assert!(tail(&long).starts_with("line 40\n") && tail(&long).ends_with("line 99\n"));
    }
}
