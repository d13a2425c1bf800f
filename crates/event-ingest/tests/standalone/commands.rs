//! `ingest` and `reconcile` against a real S3 endpoint, catalog and warehouse: those of a standalone server.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Parser;
use event_ingest::commands::exit::EXIT_SET_ASIDE;
use event_ingest::commands::ingest::{self, IngestArgs};
use event_ingest::commands::reconcile::{self, ReconcileArgs};
use event_ingest::commands::settings::OperatorArgs;
use iceberg::TableUpdate;
use iceberg::spec::{MAIN_BRANCH, SnapshotReference, SnapshotRetention};
use lake::LakeConfig;
use lake::catalog::{Catalog, Commit, Outcome};
use lake::storage::Stores;
use object_store::ObjectStoreExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::server::{Running, flights};

const TABLE: &str = "db.backfill";

#[derive(Parser)]
enum Cli {
    Ingest(IngestArgs),
    Reconcile(ReconcileArgs),
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a command said: its JSON lines but the last, and the summary.
struct Said {
    code: ExitCode,
    lines: Vec<Value>,
    summary: Value,
}

impl Said {
    fn count(&self, name: &str) -> u64 {
        self.summary[name].as_u64().unwrap_or_else(|| panic!("{name} is no number in {}", self.summary))
    }
}

/// A server whose own rules want nothing of what the tests put: keys end in `.pq`.
struct Place {
    server: Running,
    folder: tempfile::TempDir,
}

impl Place {
    async fn new(keys: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { server: Running::start(folder.path()).await, folder };
        for key in keys {
            place.server.put(key, flights()).await;
        }
        place
    }

    async fn run(&self, line: &[&str]) -> anyhow::Result<Said> {
        self.run_until(CancellationToken::new(), line).await
    }

    async fn run_until(&self, stop: CancellationToken, line: &[&str]) -> anyhow::Result<Said> {
        let data = self.folder.path().to_str().unwrap();
        let common = ["--data", data, "--json"];
        let target: &[&str] = match line.contains(&"--rules") {
            true => &[],
            false => &["--format", "parquet", "--table", TABLE],
        };
        let line: Vec<OsString> =
            ["event-ingest"].iter().chain(line).chain(&common).chain(target).map(Into::into).collect();
        let out = Output::default();
        let code = match Cli::try_parse_from(line)? {
            Cli::Ingest(args) => ingest::run(args.clone(), config(&args.operator), stop, out.clone()).await?,
            Cli::Reconcile(args) => {
                reconcile::run(args.clone(), config(&args.operator), stop, out.clone()).await?
            }
        };
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let summary = lines.pop().unwrap()["summary"].clone();
        Ok(Said { code, lines, summary })
    }

    /// The ids of the snapshots of the table, in the order of their sequence numbers; none if there is no table.
    async fn snapshots(&self) -> Vec<i64> {
        let Some(table) = self.catalog().await.load(&TABLE.parse().unwrap()).await.unwrap() else {
            return Vec::new();
        };
        let mut snapshots: Vec<_> = table.metadata().snapshots().collect();
        snapshots.sort_by_key(|snapshot| snapshot.sequence_number());
        snapshots.iter().map(|snapshot| snapshot.snapshot_id()).collect()
    }

    /// Moves `main` back, as an operator does who takes a load back.
    async fn roll_back(&self, snapshot_id: i64) {
        let catalog = self.catalog().await;
        let table = catalog.load(&TABLE.parse().unwrap()).await.unwrap().unwrap();
        let retention = SnapshotRetention::Branch {
            min_snapshots_to_keep: None,
            max_snapshot_age_ms: None,
            max_ref_age_ms: None,
        };
        let updates = vec![TableUpdate::SetSnapshotRef {
            ref_name: MAIN_BRANCH.to_owned(),
            reference: SnapshotReference { snapshot_id, retention },
        }];
        let outcome = catalog.commit(&table, Commit { requirements: Vec::new(), updates }).await;
        assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    }

    async fn catalog(&self) -> Catalog {
        let endpoint = &self.server.endpoint;
        let properties = BTreeMap::from([
            ("uri".to_owned(), endpoint.catalog_uri.clone()),
            ("warehouse".to_owned(), endpoint.warehouse.clone()),
        ]);
        let stores = Arc::new(Stores::new(properties.clone()).unwrap());
        Catalog::open(&endpoint.catalog_name, &properties, stores).await.unwrap()
    }

    fn files(&self) -> usize {
        fn count(path: &Path) -> usize {
            let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(&self.folder.path().join("warehouse"))
    }
}

fn config(operator: &OperatorArgs) -> LakeConfig {
    operator.settings(&BTreeMap::new()).unwrap().lake
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_is_ingested_once_however_often_and_a_dry_run_changes_nothing() {
    let place =
        Place::new(&["in/a.pq", "in/b +%2F.pq", "in/_SUCCESS", "in/.hidden.pq", "elsewhere/c.pq"]).await;
    place.server.put("in/deep/broken.pq", "this is no parquet").await;

    let source = "s3://inbox/in/";
    let dry = place.run(&["ingest", source, "--dry-run"]).await.unwrap();
    assert_eq!((dry.count("files_seen"), dry.count("files_missing")), (5, 3));
    assert_eq!((dry.lines.len(), dry.code), (3, ExitCode::SUCCESS));
    assert_eq!(dry.summary["files_ignored"], serde_json::json!({"hidden-name": 1, "underscore-name": 1}));
    assert_eq!((place.snapshots().await.len(), place.files()), (0, 0), "a dry run wrote something");

    let without = place.run(&["ingest", source]).await.err().expect("there is no table");
    assert!(format!("{without:#}").contains(TABLE), "{without:#}");

    let first = place.run(&["ingest", source, "--create-table"]).await.unwrap();
    assert_eq!((first.count("files_processed"), first.count("files_quarantined")), (2, 1));
    assert_eq!(first.code, ExitCode::from(EXIT_SET_ASIDE));
    let note = &first.summary["not_in_table"][0];
    assert_eq!(
        (&note["file"], &note["status"]),
        (&"s3://inbox/in/deep/broken.pq".into(), &"quarantined".into())
    );
    assert!(first.count("rows") > 0 && !note["reason"].as_str().unwrap().is_empty());
    assert_eq!(first.lines[0]["table"], TABLE, "each request is a line");

    let again = place.run(&["ingest", "s3://inbox/in/a.pq", "s3://inbox/in/b*"]).await.unwrap();
    assert_eq!((again.count("files_skipped"), again.count("rows")), (2, 0));
    assert_eq!(again.code, ExitCode::SUCCESS);
    let dry = place.run(&["ingest", "s3://inbox/in", "--dry-run"]).await.unwrap();
    assert_eq!((dry.count("files_in_table"), dry.count("files_quarantined")), (2, 1), "in is a prefix");

    let nothing = place.run(&["ingest", "s3://inbox/i"]).await.err().expect("there is nothing");
    assert!(format!("{nothing:#}").contains("s3://inbox/i"), "{nothing:#}");
    place.server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_that_were_named_are_not_begun_once_the_process_is_to_stop() {
    let place = Place::new(&["in/a.pq", "in/b.pq"]).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let line = ["ingest", "s3://inbox/in/a.pq", "s3://inbox/in/b.pq", "--create-table"];
    let interrupted = place.run_until(stop, &line).await.err().expect("it was to stop");
    assert!(interrupted.to_string().starts_with("interrupted"), "{interrupted:#}");
    assert!(place.snapshots().await.is_empty());
    place.server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_reconciled_first_to_be_seen_then_to_be_done() {
    let place = Place::new(&["in/a.pq", "in/b.pq", "out/c.pq"]).await;
    place.server.put("in/broken.pq", "this is no parquet").await;
    let reconcile = ["reconcile", "--bucket", "inbox", "--prefix", "in/", "--create-tables"];
    let run = async |more: &[&str]| place.run(&[&reconcile, more].concat()).await.unwrap();

    let young = run(&["--apply"]).await;
    assert_eq!((young.count("files_recent"), young.count("requests")), (3, 0), "left to the event path");

    let all = ["--min-age", "0s"];
    let plan = run(&all).await;
    let missing: Vec<&str> = plan.lines.iter().map(|line| line["file"].as_str().unwrap()).collect();
    assert_eq!(missing, ["s3://inbox/in/a.pq", "s3://inbox/in/b.pq", "s3://inbox/in/broken.pq"]);
    assert_eq!((place.snapshots().await.len(), place.files()), (0, 0), "a dry run wrote something");

    let half = run(&[&all[..], &["--apply", "--start-after", "s3://inbox/in/a.pq"]].concat()).await;
    assert_eq!((half.count("files_processed"), half.count("files_quarantined")), (1, 1));
    let rest = run(&[&all[..], &["--apply"]].concat()).await;
    assert_eq!((rest.count("files_in_table"), rest.count("files_processed")), (1, 1));
    // Reported again, and not tried again.
    assert_eq!((rest.count("files_quarantined"), rest.code), (1, ExitCode::from(EXIT_SET_ASIDE)));
    assert_eq!(rest.lines.len(), 1, "one request: {:?}", rest.lines);

    let snapshots = place.snapshots().await;
    let again = run(&[&all[..], &["--apply"]].concat()).await;
    assert_eq!((again.count("files_in_table"), again.count("files_missing")), (2, 0));
    assert_eq!(place.snapshots().await, snapshots, "nothing was missing, so nothing is committed");

    // An overwritten key is another file.
    let path = object_store::path::Path::from("in/a.pq");
    let other = std::fs::read("../../examples/data/flights-2001-02.parquet").unwrap();
    place.server.client().put(&path, other.into()).await.unwrap();
    assert_eq!(run(&all).await.count("files_missing"), 1);
    place.server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_rules_tells_table_and_format() {
    let place = Place::new(&["in/a.pq", "in/b.pq", "out/c.pq", "tmp/d.pq"]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    let text = "rules:
  - {match: {prefix: tmp/, buckets: [inbox]}, ignore: true}
  - {match: {regex: '(?<t>[a-z]+)/.*', buckets: [inbox]}, table: 'db.${t}', format: parquet}";
    std::fs::write(&file, text).unwrap();
    let rules = ["--rules", file.to_str().unwrap()];
    let run = async |line: &[&str]| place.run(&[line, &rules].concat()).await;

    let said = run(&["ingest", "s3://inbox/", "--create-table"]).await.unwrap();
    assert_eq!(
        (said.count("files_processed"), &said.summary["files_ignored"]["ignore-rule"]),
        (3, &1.into())
    );
    let mut tables: Vec<&str> = said.lines.iter().map(|line| line["table"].as_str().unwrap()).collect();
    tables.sort_unstable();
    assert_eq!(tables, ["db.in", "db.out"]);
    let unwanted = run(&["ingest", "s3://inbox/tmp/d.pq"]).await.err().expect("no rule wants it");
    assert!(unwanted.to_string().contains("ignore-rule"), "{unwanted}");

    let said = run(&["reconcile", "--min-age", "0s"]).await.unwrap();
    assert_eq!((said.count("files_in_table"), said.count("files_missing")), (3, 0));
    place.server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_rolled_back_stays_out_unless_asked_for() {
    let place = Place::new(&["a.pq", "b.pq"]).await;
    for key in ["s3://inbox/a.pq", "s3://inbox/b.pq"] {
        place.run(&["ingest", key, "--create-table"]).await.unwrap();
    }
    let snapshots = place.snapshots().await;
    place.roll_back(snapshots[snapshots.len() - 2]).await;

    let reconcile = ["reconcile", "s3://inbox", "--min-age", "0s", "--apply"];
    let left = place.run(&reconcile).await.unwrap();
    assert_eq!((left.count("files_in_table"), left.count("files_rolled_back")), (1, 1));
    assert_eq!((left.count("requests"), left.code), (0, ExitCode::SUCCESS));
    assert_eq!(left.summary["not_in_table"][0]["file"], "s3://inbox/b.pq");

    let asked = place.run(&[&reconcile[..], &["--include-rolled-back"]].concat()).await.unwrap();
    assert_eq!((asked.count("files_in_table"), asked.count("files_processed")), (1, 1));
    let settled = place.run(&reconcile).await.unwrap();
    assert_eq!(settled.count("files_in_table"), 2, "in main again, whatever the abandoned line says");
    place.server.end().await;
}
