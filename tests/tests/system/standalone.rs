//! Standalone mode: one process, one folder, killed at any moment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use testkit::{paths, python};

use crate::bucket::Standalone;
use crate::metrics::assert_documented;

/// How often the server is killed. The long version is `make soak`'s.
const KILLS: usize = 6;
/// Files put during each life of the server.
const FILES_A_LIFE: usize = 8;

#[tokio::test]
async fn killed_at_any_moment_it_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let examples = paths::example_files();
    let mut acknowledged: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut in_flight = 0;
    for life in 0..KILLS {
        let server = Standalone::start(folder.path(), &["--batch-wait", "50ms", "--batch-files", "3"]).await;
        let client = Arc::new(server.client());
        // Files that were not acknowledged before are put again, as a producer would.
        for n in 0..FILES_A_LIFE {
            let source = &examples[(life + n) % examples.len()];
            let key = format!("life-{life}/{n}.parquet");
            client.put(&Path::parse(&key).unwrap(), std::fs::read(source).unwrap().into()).await.unwrap();
            acknowledged.insert(key, source.clone());
        }
        // Killed while some are in and some are not: as soon as the life's first rows are committed, or, in
        // every other life, before anything was.
        if life % 2 == 0 {
            testkit::eventually("a first file is settled", crate::bucket::WITHIN, async || {
                let done = server.activity().await["counters"]["files_processed"].as_u64().unwrap_or(0);
                (done > 0).then_some(())
            })
            .await;
        }
        in_flight += usize::from(server.activity().await["inbox_waiting"] != 0);
        server.kill();
    }
    assert!(in_flight > 0, "no kill hit work in flight: the test shows nothing");

    let server = Standalone::start(folder.path(), &["--batch-wait", "50ms"]).await;
    server.settled().await;
    assert_documented(&server.endpoint.admin_url).await;
    let sources: Vec<&PathBuf> = acknowledged.values().collect();
    assert_eq!(sources.len(), KILLS * FILES_A_LIFE);
    server.reader("db.my_table").assert_holds(&sources).await;
    server.stop().await;
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
