//! Tables of format version 3: light and heavy, and the row ids that version 3 gives each row.

use super::world::{Kind, World};

#[tokio::test]
async fn a_stage_of_a_v3_table_becomes_rows_with_ids_of_their_own() {
    let world = World::new(Kind::Sqlite).await;
    let (sources, files) = world.put_examples(4).await;
    world.light(&files[..1]).await;
    let table = world.path_in_spark();
    world.sql(&[&format!("alter table {table} set tblproperties ('format-version' = '3')")]).await;

    let launcher = world.launcher().await;
    let id = launcher.take(&world, &world.request(&files[..3])).await;
    world.closed(&id).await;
    world.light(&files[2..]).await;
    world.assert_holds(&sources).await;
    let question = format!("select count(*) as rows, count(distinct _row_id) as ids from {table}");
    let answer = world.sql(&[&question]).await;
    assert_eq!(answer[0]["rows"], answer[0]["ids"], "{answer}");
    assert_eq!(world.light(&files).await["files_skipped"], 4);
}
