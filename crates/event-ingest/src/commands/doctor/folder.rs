//! The folder of a standalone instance: its server, its disk, its databases.

use std::path::Path;
use std::time::Duration;

use rustix::fs::statvfs;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::finding::{Check, Finding};
use crate::commands::print::bytes;
use crate::standalone::folder::{EndpointFile, Neighbour};

/// Free space below which uploads soon fail, and below which a person should know.
const TOO_LITTLE: u64 = 256 << 20;
const LITTLE: u64 = 4 << 30;
/// How long the server may take to say whether it is ready.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// How long a database may take to be looked through: some GiB.
const CHECKED_WITHIN: Duration = Duration::from_secs(120);
/// The databases of a folder.
const DATABASES: [&str; 2] = ["state.db", "catalog.db"];

/// What the server of a folder says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Server {
    Ready,
    /// It runs, and says why it is not ready.
    NotReady(String),
    /// A file says where it listens, and nobody does.
    Gone,
    /// No file says where it listens.
    Stopped,
}

pub(super) async fn check(data: &Path) -> Vec<Finding> {
    let subject = data.display().to_string();
    let folder = match Neighbour::look(data) {
        Ok(folder) => folder,
        Err(error) => {
            return vec![
                Check::of("folder", &subject).fail(error.to_string(), "give the folder of an instance"),
            ];
        }
    };
    let mut findings = vec![judge_server(&Check::of("server", &subject), server(folder.endpoint()).await)];
    let free = statvfs(data).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    findings.push(judge_disk(&Check::of("disk", &subject), free.map_err(|error| error.to_string())));
    for name in DATABASES {
        let path = data.join(name);
        let checked = tokio::time::timeout(CHECKED_WITHIN, quick_check(&path)).await;
        let said = match checked {
            Ok(said) => said.map_err(|error| error.to_string()),
            Err(_) => Err(format!("not looked through within {CHECKED_WITHIN:?}")),
        };
        findings.push(judge_database(&Check::of("database", path.display().to_string()), said));
    }
    findings
}

async fn server(endpoint: Option<&EndpointFile>) -> Server {
    let Some(endpoint) = endpoint else { return Server::Stopped };
    let asked = async {
        let client = reqwest::Client::builder().timeout(ANSWERS_WITHIN).build()?;
        let answer = client.get(format!("{}/readyz", endpoint.admin_url)).send().await?;
        let ready = answer.status().is_success();
        Ok::<_, reqwest::Error>((ready, answer.text().await?))
    };
    match asked.await {
        Ok((true, _)) => Server::Ready,
        Ok((false, reason)) => Server::NotReady(reason.trim().to_owned()),
        Err(error) if error.is_connect() => Server::Gone,
        Err(error) => Server::NotReady(error.without_url().to_string()),
    }
}

fn judge_server(check: &Check, server: Server) -> Finding {
    match server {
        Server::Ready => check.ok("runs and is ready"),
        Server::Stopped => check.skipped("none runs in this folder"),
        Server::Gone => check.warn(
            "it was killed: endpoint.json says where it listened, and nobody does",
            "start it again: nothing is lost",
        ),
        Server::NotReady(reason) => check.fail(reason, "read its log; restart it if that does not say more"),
    }
}

fn judge_disk(check: &Check, free: Result<u64, String>) -> Finding {
    let mend = "make room, or move the folder to a larger disk while the server is stopped";
    match free {
        Err(reason) => check.skipped(reason),
        Ok(free) if free < TOO_LITTLE => check.fail(format!("{} are free", bytes(free)), mend),
        Ok(free) if free < LITTLE => check.warn(format!("{} are free", bytes(free)), mend),
        Ok(free) => check.ok(format!("{} are free", bytes(free))),
    }
}

/// What SQLite finds wrong first; `ok` if nothing.
async fn quick_check(path: &Path) -> Result<String, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await
}

fn judge_database(check: &Check, said: Result<String, String>) -> Finding {
    match said {
        Ok(said) if said == "ok" => check.ok("whole"),
        Ok(said) | Err(said) => check.fail(
            said,
            "stop the server, keep a copy, and restore the folder from a backup; sqlite3 .recover may save what is left",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn each_answer_is_judged() {
        let check = Check::of("server", "d");
        let of = |server| judge_server(&check, server).state;
        assert_eq!(
            [Server::Ready, Server::Stopped, Server::Gone].map(of),
            [State::Ok, State::Skipped, State::Warn]
        );
        assert_eq!(of(Server::NotReady("the catalog does not answer".into())), State::Fail);

        let of = |free| judge_disk(&check, Ok(free)).state;
        assert_eq!([TOO_LITTLE - 1, LITTLE - 1, LITTLE].map(of), [State::Fail, State::Warn, State::Ok]);
        assert_eq!(judge_database(&check, Ok("ok".into())).state, State::Ok);
        assert_eq!(judge_database(&check, Ok("row 3 missing from index".into())).state, State::Fail);
    }

    #[tokio::test]
    async fn a_database_with_a_hole_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("CREATE TABLE t (a); ").execute(&mut connection).await.unwrap();
        for _ in 0..200 {
            sqlx::query("INSERT INTO t VALUES (hex(randomblob(200)))")
                .execute(&mut connection)
                .await
                .unwrap();
        }
        connection.close().await.unwrap();
        assert_eq!(quick_check(&path).await.unwrap(), "ok");
        let mut content = std::fs::read(&path).unwrap();
        let middle = content.len() / 2;
        content[middle..middle + 4096].fill(0xa5);
        std::fs::write(&path, content).unwrap();
        let said = quick_check(&path).await.map_err(|error| error.to_string());
        assert_eq!(judge_database(&Check::of("database", "d"), said).state, State::Fail);
    }
}
