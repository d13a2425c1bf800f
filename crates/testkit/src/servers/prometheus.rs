//! A real Prometheus.

use std::fs::write;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Server;
use crate::paths;

/// A Prometheus that scrapes some services several times a second, and ends when dropped.
pub struct Prometheus {
    server: Server,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts it with services (job and URL) and files of rules (name and content).
    pub async fn start(services: &[(&str, &str)], rules: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        for (name, content) in rules {
            write(folder.path().join(name), content).expect("the temporary folder can be written");
        }
        let job = |(job, url): &(&str, &str)| {
            let target = url.strip_prefix("http://").expect("services listen on plain HTTP");
            json!({"job_name": job, "static_configs": [{"targets": [target]}]})
        };
        let config = json!({
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "500ms"},
            "scrape_configs": services.iter().map(job).collect::<Vec<_>>(),
            "rule_files": rules.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        });
        // JSON is YAML.
        write(folder.path().join("prometheus.yml"), config.to_string()).expect("the folder can be written");
        let options = || vec!["--dir".to_owned(), folder.path().display().to_string()];
        Self { server: Server::start("prometheus", options).await, _folder: folder }
    }

    /// The data of an answer of its API, such as `rules`; an error is what it says is wrong.
    ///
    /// # Errors
    /// What it says is wrong.
    pub async fn ask(&self, question: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{}/api/v1/{question}", self.server.port);
        let request = reqwest::Client::new().get(url).query(parameters);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let mut body: Value = answer.json().await.map_err(|error| error.to_string())?;
        if body["status"] == "success" { Ok(body["data"].take()) } else { Err(body["error"].to_string()) }
    }

    /// The series that an expression gives now.
    ///
    /// # Errors
    /// It is no expression, or not one of types that fit.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let mut data = self.ask("query", &[("query", expression)]).await?;
        match data["result"].take() {
            Value::Array(series) => Ok(series),
            other => Err(format!("no series but {other}")),
        }
    }
}

/// Runs promtool in a folder.
pub fn promtool(folder: &Path, arguments: &[&str]) -> Output {
    let script = paths::repository().join("scripts/prometheus.sh");
    let mut command = Command::new(script);
    command.arg("promtool").args(arguments).current_dir(folder);
    command.output().expect("the script can be started")
}
