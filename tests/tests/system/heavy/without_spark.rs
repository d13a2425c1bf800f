//! Spark that cannot be started, and heavy batches without it.

use testkit::eventually;

use super::world::{Kind, WITHIN, World};

#[tokio::test]
async fn nothing_is_lost_while_spark_cannot_start() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(3).await;
    let launcher =
        world.launcher_with(&["--backend", "spark-submit", "--spark-submit", "/no/such/program"]).await;
    let id = launcher.take(&world, &world.request(&files)).await;
    let started = world.heavy_folder().join(format!("records/{id}/started-1.json"));
    // It is tried again and again, and that is no attempt.
    eventually("starting is tried several times", WITHIN, async || {
        (launcher.program.log().matches("/no/such/program").count() > 3).then_some(())
    })
    .await;
    assert!(!started.exists());
    launcher.program.kill();

    let _inline = world.launcher_with(&["--backend", "inline"]).await;
    world.closed(&id).await;
    world.assert_holds(&sources).await;
}
