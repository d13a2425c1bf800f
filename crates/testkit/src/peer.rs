//! Another program at work on the same tables: PyIceberg.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};

use crate::paths;

/// PyIceberg, and DuckDB over the data files that it names, in one process that does what it is told by
/// `scripts/python/peer.py`'s commands: starting one takes seconds, a command milliseconds.
pub struct Peer {
    line: Mutex<Line>,
}

struct Line {
    script: Child,
    answers: BufReader<ChildStdout>,
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
        let answers = BufReader::new(script.stdout.take().expect("it was asked for"));
        Self { line: Mutex::new(Line { script, answers }) }
    }

    /// Carries out a command and returns its answer. It panics if the command fails, with what went wrong.
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
        let mut answer = String::new();
        // A script that has ended neither reads nor answers: the caller sees that by the empty answer.
        if writeln!(input, "{command}").and_then(|()| input.flush()).is_ok() {
            let _ = line.answers.read_line(&mut answer);
        }
        answer
    }
}
