use std::time::Duration;

use ingest_core::ObjectUri;
use lake::ErrorKind;
use spark_launcher::decide::Limits;
use spark_launcher::record::documents::Note;
use spark_launcher::record::store::Found;
use spark_launcher::{AttemptState, BackendError};

use crate::fakes::Service;

const A: &str = "s3://inbox/a.csv";
const B: &str = "s3://inbox/b.csv";

fn failed() -> AttemptState {
    AttemptState::Failed("out of memory".to_owned())
}

fn note() -> Note {
    Note { time: chrono::Utc::now(), reason: None }
}

async fn id(service: &Service, files: &[&str]) -> String {
    let (status, answer) = service.send(files).await;
    assert_eq!(status, 202, "{answer}");
    answer["record_id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn attempts_that_leave_something_undone_are_bounded_and_a_person_may_ask_for_more() {
    let service = Service::eager().await;
    let id = id(&service, &[A, B]).await;
    service.world.end(failed(), &[A]);
    assert_eq!(service.scan().await, [("running", 1)].into());
    let second = service.world.get().started[1].clone();
    assert_eq!((second.name.number, second.request.file_count()), (2, 1), "what is in is left out");
    // A success that brought nothing is none.
    service.world.end(AttemptState::Succeeded, &[]);
    assert_eq!(service.scan().await, [("failed", 1)].into());
    let reason = service.file(&format!("records/{id}/failed-2.json"))["reason"].to_string();
    assert!(reason.contains("2 attempts"), "{reason}");
    let page = service.metrics().await;
    for line in ["event_ingest_heavy_records{state=\"failed\"} 1", "event_ingest_heavy_given_up_total 1"] {
        assert!(page.contains(line), "{page}");
    }
    let (status, answer) = service.send(&[A, B]).await;
    assert_eq!((status, &answer["failed"]), (202, &serde_json::json!(true)));

    let Ok(Found::Live(record)) = service.records.find(&id).await else { panic!("it is owned still") };
    service.records.retry(&record, &note()).await.expect("written");
    assert_eq!(service.scan().await, [("running", 1)].into());
    service.world.end(AttemptState::Succeeded, &[B]);
    assert!(service.scan().await.is_empty());
    let story = service.file(&format!("closed/{id}.json"));
    assert_eq!((story["through"].as_u64(), story["how"].as_str()), (Some(3), Some("done")));
    assert_eq!(story["attempts"][0]["reason"], "out of memory");
}

#[tokio::test]
async fn the_next_attempt_waits_a_while() {
    let service =
        Service::start(Limits { first_pause: Duration::from_secs(3_600), ..Limits::default() }, 10).await;
    id(&service, &[A]).await;
    service.world.end(failed(), &[]);
    for _ in 0..2 {
        assert_eq!(service.scan().await, [("pause", 1)].into());
    }
    assert_eq!(service.world.get().started.len(), 1);
}

#[tokio::test]
async fn an_object_of_an_older_record_is_left_to_it() {
    let service = Service::eager().await;
    id(&service, &[A]).await;
    assert_eq!(service.scan().await, [("running", 1)].into());
    let second = id(&service, &[A, B]).await;
    let started = service.world.get().started.clone();
    assert_eq!(started[1].request.objects[0].uri.to_string(), B);
    service.world.get().states.insert(started[1].name.clone(), AttemptState::Succeeded);
    service.world.get().table.insert(B.to_owned());
    assert_eq!(service.scan().await, [("held", 1), ("running", 1)].into());
    service.world.get().table.insert(A.to_owned());
    service.world.get().states.insert(started[0].name.clone(), AttemptState::Succeeded);
    service.scan().await;
    assert!(service.scan().await.is_empty());
    assert_eq!(service.file(&format!("closed/{second}.json"))["attempts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_application_that_was_deleted_by_hand_is_made_anew() {
    let service = Service::eager().await;
    id(&service, &[A]).await;
    service.world.get().states.clear();
    assert_eq!(service.scan().await, [("running", 1)].into());
    assert_eq!(service.world.get().started[1].name.number, 2);
}

#[tokio::test]
async fn what_spark_refuses_counts_as_an_attempt() {
    let service = Service::eager().await;
    service.world.get().no_spark = Some(BackendError::Rejected("no such image".to_owned()));
    let id = id(&service, &[A]).await;
    assert_eq!(service.scan().await, [("failed", 1)].into());
    let reason = service.file(&format!("records/{id}/failed-2.json"))["reason"].to_string();
    assert!(reason.contains("no such image"), "{reason}");
}

#[tokio::test]
async fn a_table_that_cannot_be_made_ready_ends_it_and_one_that_does_not_answer_does_not() {
    let service = Service::eager().await;
    service.world.get().unready = Some(ErrorKind::Unavailable);
    id(&service, &[A]).await;
    assert_eq!(service.scan().await, [("unknown", 1)].into());
    service.world.get().unready = Some(ErrorKind::Invalid);
    assert_eq!(service.scan().await, [("failed", 1)].into());
    assert!(service.world.get().started.is_empty());
}

#[tokio::test]
async fn without_a_table_the_files_are_set_aside_here_and_spark_is_not_started() {
    let service = Service::eager().await;
    {
        let mut world = service.world.get();
        (world.hopeless, world.not_set_aside) = (true, Some(ErrorKind::Unavailable));
    }
    let id = id(&service, &[A, B]).await;
    assert_eq!(service.scan().await, [("unknown", 1)].into());
    service.world.get().not_set_aside = None;
    assert!(service.scan().await.is_empty());
    let story = service.file(&format!("closed/{id}.json"));
    assert_eq!((story["how"].as_str(), story["attempts"].as_array().map(Vec::len)), (Some("done"), Some(0)));
    let world = service.world.get();
    assert!(world.started.is_empty() && world.set_aside.len() == 2);
}

#[tokio::test]
async fn what_cannot_be_set_aside_either_is_given_up() {
    let service = Service::eager().await;
    {
        let mut world = service.world.get();
        (world.hopeless, world.not_set_aside) = (true, Some(ErrorKind::Invalid));
    }
    let id = id(&service, &[A]).await;
    assert_eq!(service.scan().await, [("failed", 1)].into());
    let reason = service.file(&format!("records/{id}/failed-1.json"))["reason"].to_string();
    assert!(reason.contains("as the test says") && service.world.get().started.is_empty(), "{reason}");
}

#[tokio::test]
async fn an_attempt_that_no_other_can_better_is_the_last_until_a_person_asks_for_more() {
    let service = Service::start(Limits::default(), 10).await;
    let id = id(&service, &[A, B]).await;
    service.world.end(AttemptState::Refused("the table is gone".to_owned()), &[A]);
    assert_eq!(service.scan().await, [("failed", 1)].into());
    let reason = service.file(&format!("records/{id}/failed-1.json"))["reason"].to_string();
    assert!(reason.contains("no retry helps") && reason.contains("the table is gone"), "{reason}");
    assert_eq!(service.file(&format!("records/{id}/ended-1.json"))["how"], "refused");

    let Ok(Found::Live(record)) = service.records.find(&id).await else { panic!("it is owned still") };
    service.records.retry(&record, &note()).await.expect("written");
    assert_eq!(service.scan().await, [("running", 1)].into(), "and without a pause");
    // What was brought in counts, whatever the attempt says of itself.
    service.world.end(AttemptState::Refused("nothing is left".to_owned()), &[B]);
    assert!(service.scan().await.is_empty());
}

#[tokio::test]
async fn attempts_that_end_with_their_program_count_for_nothing() {
    let service = Service::eager().await;
    let id = id(&service, &[A]).await;
    for number in 1..4 {
        assert_eq!(service.scan().await, [("running", 1)].into());
        service.launcher.end_attempts().await.expect("all answer");
        let ended = service.file(&format!("records/{id}/ended-{number}.json"));
        assert_eq!((&ended["how"], &ended["undone"]), (&"stopped".into(), &0.into()));
    }
    assert_eq!(service.world.get().stopped.len(), 3);
    assert_eq!(service.scan().await, [("running", 1)].into());
    // One that has ended by itself is left to the next scan.
    service.world.end(AttemptState::Succeeded, &[A]);
    service.launcher.end_attempts().await.expect("all answer");
    assert_eq!(service.world.get().stopped.len(), 3);
    assert!(service.scan().await.is_empty());
    let story = service.file(&format!("closed/{id}.json"));
    assert_eq!(
        (&story["attempts"][3]["how"], &story["attempts"][3]["backend"]),
        (&"succeeded".into(), &"fake".into())
    );
}

#[tokio::test]
async fn what_a_new_process_finds_owned_it_knows_before_its_first_scan() {
    let service = Service::eager().await;
    id(&service, &[A]).await;
    let (table, uri) = ("db.t".parse().expect("a name"), |file| ObjectUri::parse(file).expect("a file"));
    let another = service.another();
    assert!(!another.owns(&table, &uri(A)));
    another.learn().await.expect("records can be listed");
    assert!(another.owns(&table, &uri(A)) && !another.owns(&table, &uri(B)));
    assert!(!another.owns(&"db.other".parse().expect("a name"), &uri(A)));
}

#[tokio::test]
async fn tidying_is_done_once_an_hour_whatever_process_does_it() {
    let service = Service::eager().await;
    let dropped = || service.world.get().dropped.len();
    // Each is a process that scans once.
    id(&service, &[A]).await;
    for _ in 0..3 {
        service.another().scan_and_tidy().await.expect("records can be listed");
    }
    assert_eq!(dropped(), 0, "the service did so at its start, with nothing to look through");
    let hour = chrono::TimeDelta::hours(1);
    for (time, expected) in [(chrono::Utc::now() - hour, 1), (chrono::Utc::now() + hour, 2)] {
        // Long ago, or by a clock that was put back.
        service.records.note_tidied(time).await.expect("written");
        for _ in 0..2 {
            service.another().scan_and_tidy().await.expect("records can be listed");
            assert_eq!(dropped(), expected);
        }
    }
    std::fs::write(service.folder.path().join("heavy/tidied.json"), "{").expect("a file");
    service.another().scan_and_tidy().await.expect("what is damaged is made anew");
    assert_eq!(dropped(), 3);
}

#[tokio::test]
async fn a_cancelled_request_is_stopped_and_closed() {
    let service = Service::eager().await;
    let id = id(&service, &[A]).await;
    let Ok(Found::Live(record)) = service.records.find(&id).await else { panic!("it is owned") };
    service.records.cancel(&record, &note()).await.expect("written");
    assert_eq!(service.send(&[A]).await.0, 503, "a later request has to wait for its end");
    assert!(service.scan().await.is_empty());
    assert_eq!(service.world.get().stopped.len(), 1);
    assert_eq!(service.file(&format!("closed/{id}.json"))["how"], "cancelled");
    assert_eq!(service.send(&[A]).await.1["application"], format!("ingest-{id}-2"));
}

#[tokio::test]
async fn a_damaged_record_keeps_no_other_waiting_and_stale_branches_are_looked_for() {
    let service = Service::eager().await;
    id(&service, &[A]).await;
    let other = service.folder.path().join(format!("heavy/records/{}", "0".repeat(40)));
    std::fs::create_dir_all(&other).expect("a folder");
    std::fs::write(other.join("request-1.json"), "{").expect("a file");
    service.world.end(AttemptState::Succeeded, &[A]);
    // So that it is time to tidy up.
    std::fs::remove_file(service.folder.path().join("heavy/tidied.json")).expect("a file");
    let scan = service.another().scan_and_tidy().await.expect("records can be listed");
    assert_eq!(scan.states, [("unknown", 1)].into());
    assert_eq!(service.world.get().dropped, [("db.t".to_owned(), 1)]);
}
