//! The API is down, says nothing, or does not know applications: nothing is started, and nothing is taken for gone.

use kube::Config;
use spark_launcher::{AttemptState, Backend, BackendError};
use testkit::KubeApi;
use tokio::net::TcpListener;

use crate::world::{World, attempt};

#[tokio::test]
async fn it_waits_for_the_api_and_for_the_definition() {
    if testkit::paths::crds().is_none() {
        return;
    }
    let mut api = KubeApi::start().await;
    let world = World::of(&api).await;
    let (backend, attempt) = (world.backend(), attempt(1));
    // A path that is not known is answered 404, as an application that is not there is.
    assert_unavailable(&backend, &attempt, "definition").await;
    world.define().await;
    backend.start(&attempt).await.unwrap();
    world.report(&attempt, "RUNNING", "").await;

    api.down();
    assert_unavailable(&backend, &attempt, "does not answer").await;

    api.up().await;
    assert_eq!(backend.state(&attempt.name).await.unwrap(), AttemptState::Live("RUNNING".to_owned()));
    backend.start(&attempt).await.unwrap();
}

#[tokio::test]
async fn an_api_that_says_nothing_is_given_up() {
    let Some(world) = World::new().await else { return };
    // Connections are made by the system, and nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let backend = world.backend_of(Config::new(address.parse().unwrap()), "{}");
    let given_up = backend.state(&attempt(1).name).await;
    assert!(matches!(given_up, Err(BackendError::Unavailable(_))), "{given_up:?}");
}

async fn assert_unavailable(backend: &impl Backend, attempt: &spark_launcher::Attempt, says: &str) {
    let answers = [
        backend.start(attempt).await.unwrap_err(),
        backend.state(&attempt.name).await.unwrap_err(),
        backend.stop(&attempt.name).await.unwrap_err(),
    ];
    for answer in answers {
        assert!(matches!(&answer, BackendError::Unavailable(text) if text.contains(says)), "{answer:?}");
    }
}
