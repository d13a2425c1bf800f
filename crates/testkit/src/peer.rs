//! Another program at work on the same tables: PyIceberg.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::paths;

/// How long one command may take: the first waits for the script's imports, and some read whole tables.
const ANSWERS_WITHIN: Duration = Duration::from_secs(300);

/// PyIceberg, and DuckDB over the data files that it names, in one process that does what it is told by
/// `scripts/python/peer.py`'s commands: starting one takes seconds, a command milliseconds.
pub struct Peer {
    line: Mutex<Line>,
}

struct Line {
    script: Child,
    /// Closed when the script has ended.
    answers: Receiver<String>,
}

impl Peer {
    /// The one that all tests of this process share. It ends with the process, whose end closes its standard input.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Peer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let scripts = paths::repository().join("scripts");
        let mut script = Command::new(scripts.join("python.sh"))
            .arg(scripts.join("python/peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/python.sh can be started");
        let output = BufReader::new(script.stdout.take().expect("it was asked for"));
        // A thread of its own, because reading from a pipe has no time limit.
        let (told, answers) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        Self { line: Mutex::new(Line { script, answers }) }
    }

    /// Carries out a command and returns its answer. It panics if the command fails, with what went wrong, and if it
    /// does not end.
    pub async fn ask(&'static self, command: &str, arguments: Value) -> Value {
        let asked = json!({"command": command, "arguments": arguments}).to_string();
        let told = asked.clone();
        let answer =
            tokio::task::spawn_blocking(move || self.exchange(&told)).await.expect("no panic within");
        let mut answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| {
            panic!("peer.py ended at {asked}; what it said is above (is 'make setup' done?)")
        });
        assert!(answer["error"].is_null(), "{asked}: {}", answer["error"].as_str().unwrap_or_default());
        answer["answer"].take()
    }

    fn exchange(&self, command: &str) -> String {
        let mut line = self.line.lock().expect("no panic under the lock");
        let input = line.script.stdin.as_mut().expect("it is never closed");
        // A script that has ended neither reads nor answers: the caller sees that by the empty answer.
        if writeln!(input, "{command}").and_then(|()| input.flush()).is_err() {
            return String::new();
        }
        match line.answers.recv_timeout(ANSWERS_WITHIN) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => String::new(),
            Err(RecvTimeoutError::Timeout) => {
                eprintln!("peer.py has not answered within {ANSWERS_WITHIN:?}, and is ended: {command}");
                // Its answer would be taken for that of the next command. This fails only if it has ended by itself.
                let _ = line.script.kill();
                let _ = line.script.wait();
                String::new()
            }
        }
    }
}
