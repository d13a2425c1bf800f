//! Several at the same objects at once: light and heavy, and two drivers.

use super::world::{Kind, World};

#[tokio::test]
async fn light_and_heavy_with_the_same_files_at_the_same_time() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(6).await;
    // So that the table is there: the two begin at once then.
    world.light(&files[..1]).await;
    let launcher = world.launcher().await;
    let id = launcher.take(&world, &world.request(&files[..4])).await;
    testkit::eventually("the driver has looked at the objects", super::world::WITHIN, async || {
        world.log(&id, 1).contains("looked found=").then_some(())
    })
    .await;
    let light = world.light(&files[2..]).await;
    assert_eq!(light["files_quarantined"], 0, "{light}");
    world.closed(&id).await;
    world.assert_holds(&sources).await;
}

#[tokio::test]
async fn two_drivers_of_one_request_at_once() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(3).await;
    world.light(&files[..1]).await;
    let request = world.request(&files);
    let (one, other) = tokio::join!(world.job(&request), world.job(&request));
    for output in [&one, &other] {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    world.assert_holds(&sources).await;
}
