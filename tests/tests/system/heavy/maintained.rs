//! Maintenance by Spark's own procedures, without any caution: before a stage, while one waits, and after it.

use testkit::eventually;
use testkit::proxy::Fault;

use super::world::{Kind, WITHIN, World};

#[tokio::test]
async fn maintenance_takes_no_rows_no_ledger_and_no_stage() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(5).await;
    world.light(&files[..1]).await;
    world.light(&files[1..2]).await;
    world.maintain().await;
    world.assert_holds(&sources[..2]).await;

    // A stage whose driver is gone.
    world.line.plan([Fault::Lose; 50]);
    let launcher = world.launcher_with(&world.spark_submit(&["--attempt-pause-min", "30m"])).await;
    let id = launcher.take(&world, &world.request(&files[1..4])).await;
    eventually("the driver has staged and posts", WITHIN, async || (world.line.unmet() < 50).then_some(()))
        .await;
    world.kill(&id, 1).await;
    world.line.clear();
    world.light(&files[4..]).await;
    world.maintain().await;
    launcher.program.kill();

    let _launcher = world.launcher().await;
    world.closed(&id).await;
    world.assert_holds(&sources).await;
    assert!(world.log(&id, 2).contains("reused branch="), "{}", world.log(&id, 2));

    world.maintain().await;
    world.assert_holds(&sources).await;
    // The ledger knows all of it still.
    assert_eq!(world.light(&files).await["files_skipped"], 5);
    world.assert_holds(&sources).await;
}

#[tokio::test]
async fn expiry_of_an_older_release_takes_no_rows_no_ledger_and_no_stage() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(5).await;
    for file in &files[..2] {
        world.light(std::slice::from_ref(file)).await;
    }
    world.expire_by_older_release().await;
    world.assert_holds(&sources[..2]).await;

    // A stage whose driver is gone, on a branch point that expires.
    world.line.plan([Fault::Lose; 50]);
    let launcher = world.launcher_with(&world.spark_submit(&["--attempt-pause-min", "30m"])).await;
    let id = launcher.take(&world, &world.request(&files[2..4])).await;
    eventually("the driver has staged and posts", WITHIN, async || (world.line.unmet() < 50).then_some(()))
        .await;
    world.kill(&id, 1).await;
    world.line.clear();
    world.light(&files[4..]).await;
    world.expire_by_older_release().await;
    launcher.program.kill();

    let _launcher = world.launcher().await;
    world.closed(&id).await;
    world.assert_holds(&sources).await;
    assert!(world.log(&id, 2).contains("reused branch="), "{}", world.log(&id, 2));

    // The stage's snapshot is no branch's any more: what it added is the table's all the same.
    world.expire_by_older_release().await;
    world.assert_holds(&sources).await;
    assert_eq!(world.light(&files).await["files_skipped"], 5);
    world.expire_by_older_release().await;
    world.assert_holds(&sources).await;
}
