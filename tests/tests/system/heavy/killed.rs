//! Drivers that are killed: before their stage, between stage and publication, and after it.

use testkit::eventually;
use testkit::proxy::Fault;

use super::world::{Kind, WITHIN, World};

#[tokio::test]
async fn a_driver_that_dies_before_its_stage_is_followed_by_another() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(3).await;
    let launcher = world.launcher().await;
    let id = launcher.take(&world, &world.request(&files)).await;
    world.kill(&id, 1).await;
    assert!(!world.log(&id, 1).contains("staged branch="), "it was killed too late for this test");
    world.closed(&id).await;
    assert!(world.log(&id, 2).contains("published rows="), "{}", world.log(&id, 2));
    world.assert_holds(&sources).await;
}

#[tokio::test]
async fn an_attempt_that_a_person_removes_is_followed_by_another() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(2).await;
    let launcher = world.launcher().await;
    let id = launcher.take(&world, &world.request(&files)).await;
    world.kill(&id, 1).await;
    // Moved away, not emptied: at the same moment the launcher writes down there how the driver ended.
    let elsewhere = tempfile::tempdir_in(world.work_folder().parent().unwrap()).unwrap();
    let attempt = world.work_folder().join(format!("ingest-{id}-1"));
    std::fs::rename(attempt, elsewhere.path().join("removed")).unwrap();
    world.closed(&id).await;
    world.assert_holds(&sources).await;
}

#[tokio::test]
async fn a_stage_outlives_its_driver_and_is_published_by_the_next() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(3).await;
    // What the driver says to the worker gets lost, and then it dies.
    world.line.plan([Fault::Lose; 50]);
    let launcher = world.launcher().await;
    let id = launcher.take(&world, &world.request(&files)).await;
    eventually("the driver has staged and posts", WITHIN, async || (world.line.unmet() < 50).then_some(()))
        .await;
    world.kill(&id, 1).await;
    world.line.clear();
    world.closed(&id).await;
    let log = world.log(&id, 2);
    assert!(log.contains("reused branch="), "the stage was made anew: {log}");
    world.assert_holds(&sources).await;
}

#[tokio::test]
async fn a_driver_that_dies_after_publication_leaves_nothing_to_do() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(3).await;
    // The worker publishes, and nobody hears of it.
    world.line.plan([Fault::Cut; 50]);
    let launcher = world.launcher().await;
    let id = launcher.take(&world, &world.request(&files)).await;
    eventually("the worker has published", WITHIN, async || {
        world.worker.log().contains(r#""message":"published""#).then_some(())
    })
    .await;
    world.kill(&id, 1).await;
    world.line.clear();
    world.closed(&id).await;
    assert_eq!(world.log(&id, 2), "", "there was no need for a second attempt");
    world.assert_holds(&sources).await;
}

#[tokio::test]
async fn a_launcher_that_is_killed_goes_on_with_the_driver_that_it_left() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(2).await;
    let launcher = world.launcher().await;
    let id = launcher.take(&world, &world.request(&files)).await;
    eventually("the driver runs", WITHIN, async || (!world.log(&id, 1).is_empty()).then_some(())).await;
    launcher.program.kill();
    let _again = world.launcher().await;
    world.closed(&id).await;
    assert_eq!(world.log(&id, 2), "", "there was no need for a second attempt");
    world.assert_holds(&sources).await;
}
