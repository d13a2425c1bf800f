//! The system as an operator meets it on Kafka: `doctor`, `status`, `replay`, `console`, with one thing broken at a time.

mod console;
mod doctor;
mod replay;
mod status;

use serde_json::Value;
use testkit::Program;

use crate::bucket::{Lakehouse, Standalone};
use crate::pipeline::Pipeline;

impl Pipeline<'_> {
    /// The topics and groups of this pipeline, as the operator's commands take them, but for what `further` says.
    fn topics(&self, further: &[&str]) -> Vec<String> {
        let worker = format!("{}-worker", self.group);
        let launcher = format!("{}-launcher", self.group);
        let redrive = format!("{}-redrive", self.group);
        let flags = [
            ("--topic", &self.events),
            ("--group", &self.group),
            ("--light-topic", &self.light),
            ("--light-group", &worker),
            ("--heavy-topic", &self.heavy),
            ("--heavy-group", &launcher),
            ("--dead-letter-topic", &self.dead),
            ("--redrive-group", &redrive),
        ];
        let kept = flags.into_iter().filter(|(flag, _)| !further.contains(flag));
        kept.flat_map(|(flag, value)| [flag.to_owned(), value.clone()]).collect()
    }

    /// Runs a command to its end: its exit status, and the JSON lines that it writes, without those of its log.
    async fn ask(&self, line: &[String]) -> (Option<i32>, Vec<Value>) {
        let line = line.iter().map(String::as_str).chain(["--output", "json"]);
        let (status, text) = Program::start("event-ingest", line, self.environment()).exited().await;
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        (status.code(), lines.filter(|line| line["level"].is_null()).collect())
    }
}

/// The flags that name a lakehouse over a bucket; what comes later goes over what came before.
fn lake(lakehouse: &Lakehouse, bucket: &Standalone) -> Vec<String> {
    let properties = lakehouse.properties(bucket);
    properties.iter().flat_map(|(key, value)| ["--catalog".to_owned(), format!("{key}={value}")]).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
