//! Mode `register`: sources that become data files where they are.

use std::fmt;
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Date32Array, Int64Array, StringArray};
use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use iceberg::TableUpdate;
use iceberg::table::Table;
use ingest_core::{FileFormat, FileStatus, IngestRequest, IngestResult, TableName};
use lake::Lake;
use lake::catalog::{Commit, CommitPort, Outcome};
use lake::ledger::Entry;
use object_store::ObjectStoreExt;

use crate::fixture::{Fixture, TABLE, file, parquet, request, request_with};

const NAME_MAPPING: &str = "schema.name-mapping.default";

fn registering(keys: &[&str]) -> IngestRequest {
    request_with(keys, &[("mode", "register")])
}

async fn register(lake: &Lake, keys: &[&str]) -> IngestResult {
    lake.ingest(&registering(keys)).await.unwrap()
}

async fn owning() -> Fixture {
    Fixture::owning(&["s3://inbox/mine/"]).await
}

/// Why the only file of a request was set aside.
fn reason(result: &IngestResult) -> &str {
    let [file] = &result.files[..] else { panic!("one file was asked for: {result:?}") };
    assert_eq!(file.status, FileStatus::Quarantined, "{file:?}");
    file.reason.as_deref().unwrap()
}

/// The addresses of the table's data files.
async fn data_files(table: &Table) -> Vec<String> {
    let snapshot = table.metadata().current_snapshot().unwrap();
    let list = table.manifest_list_reader(snapshot).load().await.unwrap();
    let mut files = Vec::new();
    for manifest in list.entries() {
        let manifest = manifest.load_manifest(table.file_io()).await.unwrap();
        files.extend(manifest.entries().iter().map(|entry| entry.file_path().to_owned()));
    }
    files.sort_unstable();
    files
}

async fn is_there(fixture: &Fixture, key: &str) -> bool {
    fixture.bucket.head(&key.into()).await.is_ok()
}

type Deed = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// A way to the catalog on which something happens just before the first commit that registers a file.
struct Meddled {
    inner: Arc<dyn CommitPort>,
    deed: Mutex<Option<Deed>>,
    /// What is answered to such commits instead of sending them, if anything.
    answer: Option<fn() -> Outcome>,
    seen: Arc<Mutex<Vec<Commit>>>,
}

impl fmt::Debug for Meddled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meddled")
    }
}

#[async_trait]
impl CommitPort for Meddled {
    async fn commit(&self, base: &Table, commit: Commit) -> Outcome {
        let adds_files = commit.updates.iter().any(|update| {
            let TableUpdate::AddSnapshot { snapshot } = update else { return false };
            snapshot.summary().additional_properties.contains_key("added-data-files")
        });
        if adds_files {
            let deed = self.deed.lock().unwrap().take();
            if let Some(deed) = deed {
                deed().await;
            }
            self.seen.lock().unwrap().push(commit.clone());
            if let Some(answer) = self.answer {
                return answer();
            }
        }
        self.inner.commit(base, commit).await
    }
}

/// Another process with such a port, and the commits that it saw.
async fn meddled(
    fixture: &Fixture,
    deed: Option<Deed>,
    answer: Option<fn() -> Outcome>,
) -> (Arc<Lake>, Arc<Mutex<Vec<Commit>>>) {
    let seen = Arc::<Mutex<Vec<Commit>>>::default();
    let held = seen.clone();
    let deed = Mutex::new(deed);
    let lake = fixture.another(|inner| Arc::new(Meddled { inner, deed, answer, seen: held })).await;
    (lake, seen)
}

#[tokio::test]
async fn a_source_that_no_rule_gave_away_is_not_taken() {
    let fixture = owning().await;
    fixture.put("theirs/a", file(0..3)).await;
    let result = register(&fixture.lake, &["theirs/a"]).await;
    assert!(reason(&result).contains("no bucket and prefix that tables may own"), "{result:?}");
    assert!(is_there(&fixture, "theirs/a").await);
}

#[tokio::test]
async fn the_table_reads_the_source_in_place_and_takes_it_once() {
    let fixture = owning().await;
    fixture.put("mine/a", file(0..3)).await;
    fixture.put("mine/b", file(3..5)).await;
    let (lake, seen) = meddled(&fixture, None, None).await;
    let result = register(&lake, &["mine/a", "mine/b"]).await;
    assert_eq!((result.rows, result.files_processed, result.mode.as_str()), (5, 2, "register"));
    let table = fixture.table().await;
    assert_eq!(data_files(&table).await, ["s3://inbox/mine/a", "s3://inbox/mine/b"]);
    assert_eq!(fixture.ids().await, [0, 1, 2, 3, 4]);
    let by_name = r#"[{"field-id":1,"names":["id"]},{"field-id":2,"names":["name"]}]"#;
    assert_eq!(table.metadata().properties()[NAME_MAPPING], by_name);
    let commits = seen.lock().unwrap().clone();
    let sets = |update: &TableUpdate| matches!(update, TableUpdate::SetProperties { updates } if updates.contains_key(NAME_MAPPING));
    assert!(commits[0].updates.iter().any(sets), "rows and mapping come together");

    let again = register(&fixture.lake, &["mine/b", "mine/a"]).await;
    assert_eq!((again.rows, again.files_skipped), (0, 2));
    assert_eq!(fixture.ids().await, [0, 1, 2, 3, 4]);
    let seen = fixture.lake.inspect(&TableName::parse(TABLE).unwrap()).await.unwrap().unwrap();
    let entries: Vec<Entry> = seen.ledger.entries(&seen.head).try_collect().await.unwrap();
    let mut parts: Vec<_> =
        entries.iter().map(|entry| (entry.mode.as_str(), &*entry.parts[0].file)).collect();
    parts.sort_unstable();
    assert_eq!(parts, [("register", "s3://inbox/mine/a"), ("register", "s3://inbox/mine/b")]);
}

#[tokio::test]
async fn of_a_key_in_the_table_no_other_version_gets_in_whatever_its_way() {
    let fixture = owning().await;
    fixture.put("mine/a", file(0..3)).await;
    register(&fixture.lake, &["mine/a"]).await;
    let before = fixture.table().await;
    fixture.put("mine/a", file(3..5)).await;
    for mode in ["register", "rewrite", "splice", "auto"] {
        let result = fixture.lake.ingest(&request_with(&["mine/a"], &[("mode", mode)])).await.unwrap();
        assert!(reason(&result).contains("another version of its key"), "{mode}: {result:?}");
    }
    let after = fixture.table().await;
    assert_eq!(after.metadata_location(), before.metadata_location());
}

#[tokio::test]
async fn a_schema_that_changes_meanwhile_costs_a_plan_and_not_the_source() {
    let fixture = owning().await;
    fixture.put("mine/a", file(0..3)).await;
    fixture.put("wider", parquet(vec![("x", Arc::new(Int64Array::from(vec![7])) as ArrayRef)])).await;
    register(&fixture.lake, &["mine/a"]).await;
    fixture.put("mine/b", file(3..5)).await;
    let other = fixture.another(|port| port).await;
    let grow: Deed = Box::new(move || {
        Box::pin(async move {
            let evolve = request_with(&["wider"], &[("schema-policy", "evolve")]);
            assert_eq!(other.ingest(&evolve).await.unwrap().files_processed, 1);
        })
    });
    let (lake, seen) = meddled(&fixture, Some(grow), None).await;
    let result = register(&lake, &["mine/b"]).await;
    assert_eq!((result.rows, result.mode.as_str()), (2, "register"), "{result:?}");
    assert!(seen.lock().unwrap().len() > 1, "the first one met a table that had changed");
    let files = data_files(&fixture.table().await).await;
    assert!(files.contains(&"s3://inbox/mine/b".to_owned()), "{files:?}");
    assert!(is_there(&fixture, "mine/b").await);
    assert_eq!(fixture.ids().await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_source_outlives_a_commit_that_is_given_up() {
    let fixture = owning().await;
    fixture.put("mine/a", file(0..3)).await;
    fixture.put("b", file(3..4)).await;
    fixture.ingest(&["b"]).await;
    let refused = || Outcome::Unknown(lake::Error::new(lake::ErrorKind::Forbidden, "no"));
    let (lake, seen) = meddled(&fixture, None, Some(refused)).await;
    lake.ingest(&registering(&["mine/a"])).await.unwrap_err();
    assert!(!seen.lock().unwrap().is_empty());
    assert!(is_there(&fixture, "mine/a").await);
    assert_eq!(fixture.ids().await, [3]);
}

/// One process has planned a version when another is put in its place and gets in by a second process.
#[tokio::test]
async fn of_two_versions_of_a_key_at_once_one_gets_in() {
    for second_mode in ["register", "rewrite"] {
        let fixture = owning().await;
        fixture.put("0", file(100..101)).await;
        fixture.ingest(&["0"]).await;
        fixture.put("mine/a", file(0..3)).await;
        let (bucket, other) = (fixture.bucket.clone(), fixture.another(|port| port).await);
        let overtake: Deed = Box::new(move || {
            Box::pin(async move {
                bucket.put(&"mine/a".into(), file(3..5).into()).await.unwrap();
                let second = request_with(&["mine/a"], &[("mode", second_mode)]);
                assert_eq!(other.ingest(&second).await.unwrap().rows, 2);
            })
        });
        let (lake, _) = meddled(&fixture, Some(overtake), None).await;
        let result = register(&lake, &["mine/a"]).await;
        assert_eq!((result.rows, result.files_skipped), (0, 1), "{second_mode}: {result:?}");
        assert_eq!(fixture.ids().await, [3, 4, 100], "{second_mode}");
    }
}

#[tokio::test]
async fn text_cannot_be_registered() {
    let fixture = owning().await;
    fixture.put("mine/a.csv", "id\n1\n").await;
    fixture.put("0", file(0..1)).await;
    fixture.ingest(&["0"]).await;
    let mut csv = registering(&["mine/a.csv"]);
    csv.format = FileFormat::Csv;
    let result = fixture.lake.ingest(&csv).await.unwrap();
    assert!(reason(&result).contains("cannot be registered: text"), "{result:?}");
}

#[tokio::test]
async fn a_file_is_registered_in_the_partition_that_its_statistics_prove() {
    let fixture = owning().await;
    let dated = |days: Vec<i32>| -> Bytes {
        let ids = Int64Array::from_iter_values(0..days.len() as i64);
        parquet(vec![("id", Arc::new(ids) as ArrayRef), ("day", Arc::new(Date32Array::from(days)))])
    };
    fixture.put("mine/one", dated(vec![20_000; 3])).await;
    fixture.put("mine/two", dated(vec![20_000, 20_001])).await;
    let options = [("mode", "register"), ("create.partition-by", "day")];
    let request = request_with(&["mine/one", "mine/two"], &options);
    let result = fixture.lake.ingest(&request).await.unwrap();
    assert_eq!((result.files_processed, result.rows), (1, 3), "{result:?}");
    let refused = result.files[1].reason.as_deref().unwrap();
    assert!(refused.contains("do not prove"), "{refused}");
    let table = fixture.table().await;
    assert_eq!(data_files(&table).await, ["s3://inbox/mine/one"]);
    let on = |day| iceberg::expr::Reference::new("day").equal_to(iceberg::spec::Datum::date(day));
    for (day, rows) in [(20_000, 3), (20_001, 0)] {
        let scan = table.scan().with_filter(on(day)).build().unwrap().to_arrow().await.unwrap();
        let batches: Vec<arrow_array::RecordBatch> = scan.try_collect().await.unwrap();
        assert_eq!(batches.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>(), rows);
    }
}

#[tokio::test]
async fn the_schema_and_the_mapping_grow_with_a_registered_file() {
    let fixture = owning().await;
    fixture.put("mine/a", file(0..2)).await;
    register(&fixture.lake, &["mine/a"]).await;
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let id: ArrayRef = Arc::new(Int64Array::from(vec![2]));
    fixture.put("mine/b", parquet(vec![("id", id), ("name", text.clone()), ("more", text)])).await;
    let strict = register(&fixture.lake, &["mine/b"]).await;
    assert!(reason(&strict).contains("`more`"), "{strict:?}");
    let evolve = request_with(&["mine/b"], &[("mode", "register"), ("schema-policy", "evolve")]);
    let result = fixture.lake.ingest(&evolve).await.unwrap();
    assert_eq!((result.rows, result.mode.as_str()), (1, "register"), "{result:?}");
    let table = fixture.table().await;
    assert_eq!(table.metadata().current_schema().field_id_by_name("more"), Some(3));
    let mapping = &table.metadata().properties()[NAME_MAPPING];
    assert!(mapping.contains(r#"{"field-id":3,"names":["more"]}"#), "{mapping}");
    assert_eq!(fixture.ids().await, [0, 1, 2]);
    // The older file goes on without the column.
    assert_eq!(fixture.lake.ingest(&request(&["mine/a"])).await.unwrap().files_skipped, 1);
}
