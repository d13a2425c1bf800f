use std::os::unix::fs::PermissionsExt;

use chrono::Utc;
use ingest_core::{IngestRequest, RequestDefaults};

use super::*;

fn attempt(number: u32, file: &str) -> Attempt {
    let body = format!(r#"{{"files":["s3://b/{file}"]}}"#);
    let request = IngestRequest::from_json(body.as_bytes(), &RequestDefaults::default(), Utc::now()).unwrap();
    let name = AttemptName { record_id: "a".repeat(40), number };
    Attempt { name, request, document: format!("file:///heavy/attempt-{number}.json") }
}

/// A backend whose `spark-submit` is this script.
fn submit(folder: &Path, script: &str) -> Submit {
    let program = folder.join("spark-submit");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Submit::new(SubmitConfig {
        program,
        master: Some("local[2]".to_owned()),
        conf: vec![("spark.a".to_owned(), "b c".to_owned())],
        arguments: vec!["--verbose".to_owned()],
        job: "main.py".to_owned(),
        folder: folder.join("work"),
        at_once: 1,
        log_bytes: 1_000,
        variables: Variables(vec![("WORD".to_owned(), "secret".to_owned())]),
    })
}

/// The state once it is no longer live.
async fn ended(submit: &Submit, name: &AttemptName) -> AttemptState {
    let wait = async {
        loop {
            match submit.state(name).await.unwrap() {
                AttemptState::Live(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                state => return state,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it ends")
}

#[tokio::test]
async fn what_ends_well_has_succeeded_and_is_not_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let submit = submit(folder.path(), r#"printf '%s\n' "$@""#);
    let attempt = attempt(1, "a.csv");
    assert_eq!(submit.state(&attempt.name).await.unwrap(), AttemptState::Absent);
    for _ in 0..2 {
        submit.start(&attempt).await.unwrap();
        assert_eq!(ended(&submit, &attempt.name).await, AttemptState::Succeeded);
    }
    let log = fs::read_to_string(submit.folder(&attempt.name).join(LOG)).unwrap();
    let name = attempt.name.to_string();
    let line = [
        "--name",
        &name,
        "--master",
        "local[2]",
        "--conf",
        "spark.a=b c",
        "--verbose",
        "main.py",
        &attempt.document,
    ];
    assert_eq!(log.lines().collect::<Vec<_>>(), line);
    let other = super::tests::attempt(1, "b.csv");
    assert!(matches!(submit.start(&other).await, Err(BackendError::Rejected(_))));
    submit.stop(&attempt.name).await.unwrap();
    assert_eq!(submit.state(&attempt.name).await.unwrap(), AttemptState::Absent);
}

#[tokio::test]
async fn what_is_stopped_while_it_runs_leaves_nothing_and_nobody_who_would_write() {
    let folder = tempfile::tempdir().unwrap();
    let submit = submit(folder.path(), "sleep 600");
    let attempt = attempt(1, "a.csv");
    submit.start(&attempt).await.unwrap();
    submit.stop(&attempt.name).await.unwrap();
    assert!(submit.awaited.lock().unwrap().is_empty(), "its end is still to be written down");
    assert!(!submit.folder(&attempt.name).exists());
}

#[tokio::test]
async fn what_fails_says_so_with_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let submit = submit(folder.path(), "echo no such table; exit 3");
    let attempt = attempt(1, "a.csv");
    submit.start(&attempt).await.unwrap();
    let AttemptState::Failed(reason) = ended(&submit, &attempt.name).await else { panic!("it failed") };
    assert!(reason.contains("exit code 3") && reason.contains("no such table"), "{reason}");
    assert!(matches!(submit.start(&attempt).await, Err(BackendError::Rejected(_))));
}

#[tokio::test]
async fn what_no_retry_can_mend_is_told_from_other_failures() {
    let folder = tempfile::tempdir().unwrap();
    let submit = submit(folder.path(), "echo the table is gone; exit 2");
    let attempt = attempt(1, "a.csv");
    submit.start(&attempt).await.unwrap();
    let AttemptState::Refused(reason) = ended(&submit, &attempt.name).await else { panic!("it was refused") };
    assert!(reason.contains("exit code 2") && reason.contains("the table is gone"), "{reason}");
}

#[tokio::test]
async fn what_is_added_to_the_environment_is_there_and_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let submit = submit(folder.path(), r#"echo "the word is $WORD""#);
    let attempt = attempt(1, "a.csv");
    submit.start(&attempt).await.unwrap();
    assert_eq!(ended(&submit, &attempt.name).await, AttemptState::Succeeded);
    let log = fs::read_to_string(submit.folder(&attempt.name).join(LOG)).unwrap();
    assert_eq!(log, "the word is secret\n");
    let shown = format!("{submit:?}");
    assert!(shown.contains("WORD") && !shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn a_new_launcher_finds_the_process_counts_it_and_ends_it_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let script = "sleep 600 & echo $! > \"$(dirname \"$0\")/child\"; wait";
    let attempt = attempt(1, "a.csv");
    submit(folder.path(), script).start(&attempt).await.unwrap();
    let again = submit(folder.path(), script);
    assert!(matches!(again.state(&attempt.name).await.unwrap(), AttemptState::Live(_)));
    assert!(matches!(
        again.start(&super::tests::attempt(2, "a.csv")).await,
        Err(BackendError::Unavailable(_))
    ));
    let child = folder.path().join("child");
    let child = async {
        loop {
            match fs::read_to_string(&child).ok().and_then(|pid| pid.trim().parse().ok()) {
                Some(pid) => return Process::of(pid),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let child = tokio::time::timeout(Duration::from_secs(60), child).await.expect("the script ran");
    assert!(child.lives());
    again.stop(&attempt.name).await.unwrap();
    assert_eq!(again.state(&attempt.name).await.unwrap(), AttemptState::Absent);
    assert!(!child.lives());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut submit = submit(folder.path(), "");
    submit.config.program = folder.path().join("nowhere");
    let attempt = attempt(1, "a.csv");
    assert!(matches!(submit.start(&attempt).await, Err(BackendError::Unavailable(_))));
    assert_eq!(submit.state(&attempt.name).await.unwrap(), AttemptState::Absent);
}

#[tokio::test]
async fn a_process_of_the_same_number_is_not_taken_for_ours() {
    let folder = tempfile::tempdir().unwrap();
    let submit = submit(folder.path(), "");
    let name = attempt(1, "a.csv").name;
    let at = submit.folder(&name);
    fs::create_dir_all(&at).unwrap();
    let ours = Process::of(std::process::id());
    let other = Process { start: ours.start - 1, ..ours };
    fs::write(
        at.join(PROCESS),
        serde_json::to_vec(&Submitted { process: other, content: String::new() }).unwrap(),
    )
    .unwrap();
    assert!(ours.lives());
    assert!(matches!(submit.state(&name).await.unwrap(), AttemptState::Failed(_)));
}

#[test]
fn a_log_that_is_too_long_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join(LOG);
    fs::write(&log, [b'x'; 1_001]).unwrap();
    cut(&log, 1_001).unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 1_001);
    cut(&log, 1_000).unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
}
