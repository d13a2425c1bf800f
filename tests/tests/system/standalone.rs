//! Standalone mode: one process, one folder, killed at any moment.

use std::path::PathBuf;

use object_store::ObjectStoreExt;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use testkit::{eventually, paths, python};
use tokio::task::JoinSet;

use crate::bucket::{Standalone, WITHIN};
use crate::metrics::assert_documented;
use crate::rounds;

/// New files of each life of the server.
const FILES_A_LIFE: usize = 8;
/// The server is killed when it has acknowledged this many of them; the rest is on its way, or not even that.
const ACKNOWLEDGED: usize = 3;

#[tokio::test]
async fn killed_at_any_moment_it_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let examples = paths::example_files();
    let mut put: Vec<(String, PathBuf)> = Vec::new();
    let mut unacknowledged: Vec<(String, PathBuf)> = Vec::new();
    let kills = rounds::restarts();
    for life in 0..kills {
        // By turns a life that only takes in, with all its work left when it is killed, and one that ingests.
        let ingests = life % 2 == 1;
        let options = if ingests { ["50ms", "3"] } else { ["1h", "1000"] };
        let server =
            Standalone::start(folder.path(), &["--batch-wait", options[0], "--batch-files", options[1]])
                .await;
        if ingests {
            // Nothing was put yet in this life: what it settles is what the one before left behind.
            eventually("a file of the killed server is settled", WITHIN, async || {
                let settled = &server.activity().await["files"];
                (!settled.as_array().unwrap().is_empty()).then_some(())
            })
            .await;
        }
        let new = (0..FILES_A_LIFE).map(|n| {
            let source = examples[(life + n) % examples.len()].clone();
            (format!("life-{life}/{n}.parquet"), source)
        });
        // What was not acknowledged is put again, as a producer would: it may have got in all the same.
        let mut puts = JoinSet::new();
        for (key, source) in unacknowledged.drain(..).chain(new) {
            puts.spawn(put_once(server.client_without_retries(), key, source));
        }
        for _ in 0..ACKNOWLEDGED {
            let (file, acknowledged) = puts.join_next().await.unwrap().unwrap();
            assert!(acknowledged, "{file:?} was refused by a server that runs");
            put.push(file);
        }
        server.kill();
        for (file, acknowledged) in puts.join_all().await {
            if acknowledged { &mut put } else { &mut unacknowledged }.push(file);
        }
    }

    let server = Standalone::start(folder.path(), &["--batch-wait", "50ms"]).await;
    for (key, source) in unacknowledged {
        let (file, acknowledged) = put_once(server.client_without_retries(), key, source).await;
        assert!(acknowledged, "{file:?} was refused by a server that runs");
        put.push(file);
    }
    server.settled().await;
    assert_documented(&server.endpoint.admin_url).await;
    assert_eq!(put.len(), kills * FILES_A_LIFE);
    let sources: Vec<&PathBuf> = put.iter().map(|(_, source)| source).collect();
    server.reader("db.my_table").assert_holds(&sources).await;
    server.stop().await;
}

/// Puts a file, and says whether the server has acknowledged it.
async fn put_once(client: AmazonS3, key: String, source: PathBuf) -> ((String, PathBuf), bool) {
    let bytes = std::fs::read(&source).unwrap();
    let answer = client.put(&Path::parse(&key).unwrap(), bytes.into()).await;
    ((key, source), answer.is_ok())
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Standalone::start(folder.path(), &[]).await;
    let data = folder.path().display().to_string();
    let none: [(&str, &str); 0] = [];
    let second = testkit::Program::start(
        "event-ingest",
        ["standalone", "--data", &data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
        none,
    );
    let (status, log) = second.exited().await;
    assert!(!status.success());
    assert!(log.contains(&data), "{log}");
    server.stop().await;
}

/// boto3 and the AWS command line, with the keys and sizes that people have.
#[tokio::test]
async fn other_peoples_clients_work_and_odd_keys_become_rows() {
    let folder = tempfile::tempdir().unwrap();
    let server = Standalone::start(folder.path(), &[]).await;
    let examples = paths::example_files();
    let mut arguments = vec![folder.path().join("endpoint.json").display().to_string()];
    arguments.extend(examples.iter().map(|path| path.display().to_string()));
    let output = python("s3_clients.py", &arguments).await;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // The script prints, for each object that has to become rows, the file that it put there.
    let put: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout).lines().map(PathBuf::from).collect();
    assert!(put.len() >= 10, "{said}");

    let activity = server.settled().await;
    let refused: Vec<_> =
        activity["files"].as_array().unwrap().iter().filter(|file| file["status"] == "quarantined").collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert!(refused[0]["reason"].as_str().unwrap().contains("slash"), "{refused:#?}");
    server.reader("db.my_table").assert_holds(&put).await;
    server.stop().await;
}
