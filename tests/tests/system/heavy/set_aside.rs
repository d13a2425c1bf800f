//! A file that cannot be taken, mended and submitted again.

use super::world::{Kind, World};

#[tokio::test]
async fn a_bad_file_is_set_aside_and_comes_in_when_it_is_mended() {
    let world = World::new(Kind::Sqlite).await;
    let (mut sources, mut files) = world.put_examples(2).await;
    let bad = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(bad.path(), "PAR1 is how it begins, and no more of it is Parquet").unwrap();
    files.push(world.put("incoming/bad.parquet", bad.path()).await);

    let launcher = world.launcher().await;
    let id = launcher.take(&world, &world.request(&files)).await;
    let first = world.closed(&id).await;
    world.assert_holds(&sources).await;
    let log = world.log(&id, 1);
    assert!(log.contains("rejected file=") && log.contains("bad.parquet"), "{log}");

    // The same request, by its content: another object under the key.
    let mended = testkit::paths::example_files().into_iter().nth(2).unwrap();
    world.put("incoming/bad.parquet", &mended).await;
    sources.push(mended);
    assert_eq!(launcher.take(&world, &world.request(&files)).await, id);
    world.closed_again(&id, first).await;
    world.assert_holds(&sources).await;
}
