//! Attempts that are started, looked at, started again and stopped.

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use spark_launcher::operator::{DIGEST_ANNOTATION, content_digest};
use spark_launcher::{AttemptState, Backend, BackendError};

use crate::world::{World, attempt};

#[tokio::test]
async fn an_attempt_becomes_an_application_and_only_one() {
    let Some(world) = World::new().await else { return };
    let (backend, attempt) = (world.backend(), attempt(3));
    assert_eq!(backend.state(&attempt.name).await.unwrap(), AttemptState::Absent);

    backend.start(&attempt).await.unwrap();
    let made = world.application(&attempt).await;
    assert_eq!(made.annotations()[DIGEST_ANNOTATION], content_digest(&attempt));
    assert_eq!(made.data["spec"]["arguments"], json!([attempt.document]));
    assert_eq!(made.managed_fields()[0].manager.as_deref(), Some("event-ingest-spark-launcher"));
    assert!(matches!(backend.state(&attempt.name).await.unwrap(), AttemptState::Live(_)));

    backend.start(&attempt).await.unwrap();
    // Another launcher with other settings: the attempt is the same.
    world.backend_with("spec: {image: another}").start(&attempt).await.unwrap();
    assert_eq!(world.application(&attempt).await.resource_version(), made.resource_version());
}

#[tokio::test]
async fn of_two_that_start_at_once_one_makes_it_and_both_have_it() {
    let Some(world) = World::new().await else { return };
    let attempt = attempt(1);
    let starts = (0..8).map(|_| {
        let (backend, attempt) = (world.backend(), attempt.clone());
        tokio::spawn(async move { backend.start(&attempt).await })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn another_content_under_the_same_name_is_rejected_and_changes_nothing() {
    let Some(world) = World::new().await else { return };
    let (backend, first) = (world.backend(), attempt(3));
    backend.start(&first).await.unwrap();
    let before = world.application(&first).await;
    let mut other = attempt(2);
    other.name = first.name.clone();
    let refused = backend.start(&other).await;
    assert!(
        matches!(&refused, Err(BackendError::Rejected(text)) if text.contains("another content")),
        "{refused:?}"
    );
    assert_eq!(world.application(&first).await.resource_version(), before.resource_version());
}

#[tokio::test]
async fn an_application_of_somebody_else_is_no_attempt_of_ours() {
    let Some(world) = World::new().await else { return };
    let (backend, attempt) = (world.backend(), attempt(1));
    backend.start(&attempt).await.unwrap();
    let forget = json!({"metadata": {"annotations": {DIGEST_ANNOTATION: null}}});
    let name = attempt.name.to_string();
    world.applications().patch(&name, &PatchParams::default(), &Patch::Merge(forget)).await.unwrap();
    let refused = backend.start(&attempt).await;
    assert!(
        matches!(&refused, Err(BackendError::Rejected(text)) if text.contains("did not make")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn states_are_the_operators() {
    let Some(world) = World::new().await else { return };
    let (backend, attempt) = (world.backend(), attempt(1));
    backend.start(&attempt).await.unwrap();
    for state in ["SUBMITTED", "RUNNING", "PENDING_RERUN", "SUBMISSION_FAILED", "FAILING", "UNKNOWN"] {
        world.report(&attempt, state, "").await;
        assert_eq!(backend.state(&attempt.name).await.unwrap(), AttemptState::Live(state.to_owned()));
        backend.start(&attempt).await.unwrap();
    }
    world.report(&attempt, "COMPLETED", "").await;
    assert_eq!(backend.state(&attempt.name).await.unwrap(), AttemptState::Succeeded);
    backend.start(&attempt).await.unwrap();
}

#[tokio::test]
async fn one_that_failed_is_not_started_again() {
    let Some(world) = World::new().await else { return };
    let (backend, mut attempt) = (world.backend(), attempt(1));
    backend.start(&attempt).await.unwrap();
    world.report(&attempt, "FAILED", "driver container failed with exit code 1").await;
    let AttemptState::Failed(reason) = backend.state(&attempt.name).await.unwrap() else {
        panic!("it failed")
    };
    assert!(reason.contains("exit code 1") && reason.contains("the-driver"), "{reason}");
    let refused = backend.start(&attempt).await;
    assert!(
        matches!(&refused, Err(BackendError::Rejected(text)) if text.contains("exit code 1")),
        "{refused:?}"
    );
    attempt.name.number = 2;
    backend.start(&attempt).await.unwrap();
}

#[tokio::test]
async fn one_that_was_deleted_by_hand_is_absent() {
    let Some(world) = World::new().await else { return };
    let (backend, attempt) = (world.backend(), attempt(1));
    backend.start(&attempt).await.unwrap();
    world.delete_by_hand(&attempt).await;
    assert_eq!(backend.state(&attempt.name).await.unwrap(), AttemptState::Absent);
    backend.start(&attempt).await.unwrap();
}

#[tokio::test]
async fn one_that_is_stopped_lives_until_its_pods_are_gone() {
    let Some(world) = World::new().await else { return };
    let (backend, attempt) = (world.backend(), attempt(1));
    backend.stop(&attempt.name).await.unwrap();
    backend.start(&attempt).await.unwrap();
    backend.stop(&attempt.name).await.unwrap();
    backend.stop(&attempt.name).await.unwrap();
    assert_eq!(backend.state(&attempt.name).await.unwrap(), AttemptState::Live("being removed".to_owned()));
    assert!(matches!(backend.start(&attempt).await, Err(BackendError::Unavailable(_))));
    // The garbage collector would: when nothing is left that the application owns.
    let collected = json!({"metadata": {"finalizers": null}});
    let name = attempt.name.to_string();
    world.applications().patch(&name, &PatchParams::default(), &Patch::Merge(collected)).await.unwrap();
    assert_eq!(backend.state(&attempt.name).await.unwrap(), AttemptState::Absent);
}
