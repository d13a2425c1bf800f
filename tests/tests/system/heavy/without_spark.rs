//! Spark that cannot be started, and heavy batches without it.

use testkit::eventually;

use super::world::{Kind, WITHIN, World};
use crate::metrics::{assert_documented, metric};

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

    let inline = world.launcher_with(&["--backend", "inline"]).await;
    world.closed(&id).await;
    world.assert_holds(&sources).await;
    // It did the light worker's work, and says so as that does.
    let shown = async |series: &str| metric(&inline.url, &format!("event_ingest_{series}")).await;
    assert_eq!(shown("files_total{status=\"processed\"}").await, Some(3.0));
    assert_eq!(shown("file_size_bytes_count").await, Some(3.0));
    for series in [
        "rows_total",
        "request_duration_seconds_count",
        "stage_duration_seconds_count{stage=\"write\"}",
        "commit_attempts_total{outcome=\"committed\"}",
    ] {
        assert!(shown(series).await.is_some_and(|value| value > 0.0), "{series}");
    }
    assert_documented(&inline.url).await;
}
