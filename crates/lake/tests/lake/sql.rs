//! The SQL catalog: rows and metadata files as other writers leave them, and what of its own is kept or deleted.

use std::collections::HashMap;
use std::path::PathBuf;

use iceberg::TableUpdate;
use iceberg::table::Table;
use ingest_core::TableName;
use lake::catalog::{Catalog, Commit, Outcome};
use sqlx::{AnyPool, Executor};

use crate::fixture::{Fixture, TABLE, file};

fn set(key: &str, value: &str) -> Commit {
    let updates = HashMap::from([(key.to_owned(), value.to_owned())]);
    Commit { requirements: Vec::new(), updates: vec![TableUpdate::SetProperties { updates }] }
}

async fn load(catalog: &Catalog) -> Table {
    catalog.load(&TableName::parse(TABLE).unwrap()).await.unwrap().unwrap()
}

/// The files in the table's metadata folder that hold table metadata.
fn metadata_files(fixture: &Fixture) -> Vec<PathBuf> {
    let folder = fixture.folder().join("warehouse/db/events/metadata");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.to_string_lossy().ends_with(".metadata.json")).collect()
}

async fn database(fixture: &Fixture) -> AnyPool {
    sqlx::any::install_default_drivers();
    let uri = format!("sqlite://{}?mode=rwc", fixture.folder().join("catalog.db").display());
    AnyPool::connect(&uri).await.unwrap()
}

async fn with_rows() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.put("a", file(0..1)).await;
    fixture.ingest(&["a"]).await;
    fixture
}

#[tokio::test]
async fn a_steady_writer_reads_no_metadata_file() {
    let fixture = with_rows().await;
    let catalog = fixture.catalog().await;
    let table = load(&catalog).await;
    assert!(matches!(catalog.commit(&table, set("k", "v")).await, Outcome::Committed));
    for file in metadata_files(&fixture) {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(load(&catalog).await.metadata().properties()["k"], "v");
    let name = TableName::parse(TABLE).unwrap();
    assert!(fixture.catalog().await.load(&name).await.unwrap_err().retryable(), "the file was really gone");
}

#[tokio::test]
async fn a_lost_race_leaves_no_file_and_the_next_load_shows_the_winner() {
    let fixture = with_rows().await;
    let (one, other) = (fixture.catalog().await, fixture.catalog().await);
    let (base, same) = (load(&one).await, load(&other).await);
    assert!(matches!(one.commit(&base, set("k", "one")).await, Outcome::Committed));
    let files = metadata_files(&fixture).len();
    assert!(matches!(other.commit(&same, set("k", "other")).await, Outcome::Conflict));
    assert_eq!(metadata_files(&fixture).len(), files);
    assert_eq!(load(&other).await.metadata().properties()["k"], "one");
}

#[tokio::test]
async fn metadata_is_written_compressed_where_the_table_says_so() {
    let fixture = with_rows().await;
    fixture.set_property("write.metadata.compression-codec", "gzip").await;
    fixture.put("b", file(1..2)).await;
    fixture.ingest(&["b"]).await;
    let table = fixture.table().await;
    let location = table.metadata_location().unwrap();
    assert!(location.ends_with(".gz.metadata.json"), "{location}");
    let bytes = std::fs::read(location.strip_prefix("file://").unwrap()).unwrap();
    assert_eq!(bytes[..2], [0x1f, 0x8b]);
    assert_eq!(fixture.ids().await, vec![0, 1]);
}

#[tokio::test]
async fn metadata_files_may_have_any_name_and_spelling() {
    let fixture = with_rows().await;
    let location = fixture.table().await.metadata_location().unwrap().to_owned();
    let odd = fixture.folder().join("registered elsewhere.json");
    std::fs::rename(location.strip_prefix("file://").unwrap(), &odd).unwrap();
    let database = database(&fixture).await;
    let update = sqlx::query("UPDATE iceberg_tables SET metadata_location = $1");
    update.bind(format!("file:{}", odd.display())).execute(&database).await.unwrap();
    fixture.put("b", file(1..2)).await;
    fixture.ingest(&["b"]).await;
    assert_eq!(fixture.ids().await, vec![0, 1]);
}

#[tokio::test]
async fn metadata_files_that_fell_out_of_the_log_are_deleted() {
    let fixture = with_rows().await;
    fixture.set_property("write.metadata.previous-versions-max", "2").await;
    for n in 0..4 {
        fixture.set_property("n", &n.to_string()).await;
    }
    assert_eq!(metadata_files(&fixture).len(), 3, "the current one and two before it");
    fixture.set_property("write.metadata.delete-after-commit.enabled", "false").await;
    let kept = metadata_files(&fixture).len();
    fixture.set_property("n", "last").await;
    assert_eq!(metadata_files(&fixture).len(), kept + 1);
}

#[tokio::test]
async fn rows_of_the_older_schema_are_served() {
    let fixture = Fixture::new().await;
    // As Java's JdbcCatalog made it first and PyIceberg's SqlCatalog makes it.
    let older = "ALTER TABLE iceberg_tables DROP COLUMN iceberg_type";
    database(&fixture).await.execute(older).await.unwrap();
    fixture.put("a", file(0..2)).await;
    fixture.ingest(&["a"]).await;
    assert_eq!(fixture.ids().await, vec![0, 1]);
}

#[tokio::test]
async fn a_namespace_with_a_location_has_its_tables_there() {
    let fixture = Fixture::new().await;
    let at = fixture.folder().join("elsewhere");
    let insert = sqlx::query(
        "INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value) \
         VALUES ('my_catalog', 'db', 'location', $1)",
    );
    let location = format!("file://{}", at.display());
    insert.bind(location).execute(&database(&fixture).await).await.unwrap();
    fixture.put("a", file(0..1)).await;
    fixture.ingest(&["a"]).await;
    assert!(at.join("events/metadata").exists());
    assert_eq!(fixture.ids().await, vec![0]);
}
