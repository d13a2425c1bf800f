//! What a commit costs: alone, beside others, and after many.
//!
//! Each request has one file of three rows, from a bucket in memory, so that what is measured is the way into the
//! table: look-up, data file, run, head, manifest, metadata, catalog.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use arrow_array::{Int64Array, RecordBatch};
use bytes::Bytes;
use chrono::Utc;
use clap::Parser;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::TableUpdate;
use ingest_core::{FileFormat, IngestRequest, ObjectHint, ObjectUri, RequestedObject, TableName};
use lake::catalog::{Catalog, Commit, Outcome};
use lake::storage::Stores;
use lake::{AllowList, Lake, LakeConfig};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;

const BUCKET: &str = "bench";
const TABLE: &str = "bench.commits";
/// Commits between two rounds of maintenance.
const MAINTENANCE_EVERY: usize = 10;

/// Measures commits to one table
#[derive(Parser, Debug)]
struct Args {
    /// Commits, one after the other
    #[arg(long, default_value_t = 1_000)]
    commits: usize,
    /// Keep the newest snapshots only, as maintenance does; 0 keeps all
    #[arg(long, default_value_t = 100)]
    keep: usize,
    /// Processes that commit at the same time, each its share
    #[arg(long, default_value_t = 1)]
    processes: usize,
    /// Requests that each process has under way at once
    #[arg(long, default_value_t = 1)]
    at_once: usize,
    /// Catalog property as key=value; SQLite in a temporary folder if none is given
    #[arg(long = "catalog", value_name = "KEY=VALUE")]
    catalog: Vec<String>,
    /// Number of this process among them; set by the bench itself
    #[arg(long, hide = true)]
    worker: Option<usize>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let mut properties = BTreeMap::new();
    for pair in &args.catalog {
        let (key, value) = pair.split_once('=').with_context(|| format!("`{pair}`: expected key=value"))?;
        properties.insert(key.to_owned(), value.to_owned());
    }
    if properties.is_empty() {
        let at = folder.path().display();
        properties.insert("uri".to_owned(), format!("sqlite:///{at}/catalog.db"));
        properties.insert("warehouse".to_owned(), format!("file://{at}/warehouse"));
    }
    let bench = Bench::open(properties.clone(), args.worker.unwrap_or(0)).await?;
    if args.worker.is_some() || args.processes == 1 {
        let times = if args.at_once > 1 { bench.crowd(&args).await? } else { bench.row(&args).await? };
        if args.worker.is_none() {
            report(&times, args.at_once);
        }
        return Ok(());
    }
    // The table is there before the processes begin, so that all of them do the same work.
    bench.ingest(usize::MAX).await?;
    let before = bench.snapshots().await?;
    let began = Instant::now();
    let children = (1..=args.processes).map(|worker| start(&args, &properties, worker));
    let children: Vec<Child> = children.collect::<Result<_>>()?;
    for mut child in children {
        if !child.wait()?.success() {
            bail!("a process failed");
        }
    }
    let (seconds, snapshots) = (began.elapsed().as_secs_f64(), bench.snapshots().await? - before);
    let requests = args.commits / args.processes * args.processes;
    println!(
        "{requests} requests by {} processes, {} at once each: {:.1} requests/s, {:.1} snapshots/s, {snapshots} snapshots",
        args.processes,
        args.at_once,
        requests as f64 / seconds,
        snapshots as f64 / seconds,
    );
    Ok(())
}

fn start(args: &Args, properties: &BTreeMap<String, String>, worker: usize) -> Result<Child> {
    let share = args.commits / args.processes;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--commits", &share.to_string(), "--keep", "0", "--worker", &worker.to_string()]);
    command.args(["--at-once", &args.at_once.to_string()]);
    for (key, value) in properties {
        command.arg("--catalog").arg(format!("{key}={value}"));
    }
    Ok(command.stdin(Stdio::null()).spawn()?)
}

struct Bench {
    lake: Arc<Lake>,
    catalog: Catalog,
    bucket: Arc<InMemory>,
    worker: usize,
}

impl Bench {
    async fn open(properties: BTreeMap<String, String>, worker: usize) -> Result<Self> {
        let config = LakeConfig {
            catalog_name: "my_catalog".to_owned(),
            properties: properties.clone(),
            store_name: "s3".to_owned(),
            ledger_root: None,
            heavy_root: None,
            create_tables: true,
            allow: AllowList::parse(["*"], ["*"])?,
            concurrent_writes: 2,
        };
        let stores = Arc::new(Stores::new(properties.clone())?);
        let bucket = Arc::new(InMemory::new());
        stores.lend(BUCKET, bucket.clone() as Arc<dyn ObjectStore>);
        let open = || Catalog::open(&config.catalog_name, &properties, stores.clone());
        let (catalog, own) = (open().await?, open().await?);
        let lake = Arc::new(Lake::assemble(config.clone(), stores.clone(), own)?);
        Ok(Self { lake, catalog, bucket, worker })
    }

    /// One request with one new file, from its arrival to its answer.
    async fn ingest(&self, number: usize) -> Result<Duration> {
        let key = format!("{}/{number}.parquet", self.worker);
        let uri = ObjectUri::new(BUCKET, &key)?;
        self.bucket.put(&key.into(), three_rows()?.into()).await?;
        let object = RequestedObject { uri, hint: ObjectHint::default() };
        let request = IngestRequest::new(
            TableName::parse(TABLE)?,
            FileFormat::Parquet,
            BTreeMap::new(),
            vec![object],
            Utc::now(),
        );
        let began = Instant::now();
        let result = self.lake.ingest(&request).await?;
        if result.rows != 3 {
            bail!("a request was answered with {result:?}");
        }
        Ok(began.elapsed())
    }

    /// One request after the other.
    async fn row(&self, args: &Args) -> Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(args.commits);
        for number in 0..args.commits {
            times.push(self.ingest(number).await?);
            if args.keep > 0 && number % MAINTENANCE_EVERY == 0 {
                self.expire(args.keep).await?;
            }
        }
        Ok(times)
    }

    /// Several requests at a time.
    async fn crowd(&self, args: &Args) -> Result<Vec<Duration>> {
        let flights: Vec<_> = (0..args.commits).map(|number| self.ingest(number)).collect();
        stream::iter(flights).buffer_unordered(args.at_once).try_collect().await
    }

    async fn snapshots(&self) -> Result<usize> {
        let table = self.catalog.load(&TableName::parse(TABLE)?).await?.context("no table")?;
        Ok(table.metadata().snapshots().len())
    }

    /// Forgets all but the newest snapshots.
    async fn expire(&self, keep: usize) -> Result<()> {
        let table = self.catalog.load(&TableName::parse(TABLE)?).await?.context("no table")?;
        let mut ids: Vec<(i64, i64)> =
            table.metadata().snapshots().map(|s| (s.sequence_number(), s.snapshot_id())).collect();
        ids.sort_unstable();
        ids.truncate(ids.len().saturating_sub(keep));
        if ids.is_empty() {
            return Ok(());
        }
        let snapshot_ids = ids.into_iter().map(|(_, id)| id).collect();
        let updates = vec![TableUpdate::RemoveSnapshots { snapshot_ids }];
        match self.catalog.commit(&table, Commit { requirements: Vec::new(), updates }).await {
            Outcome::Committed => Ok(()),
            other => bail!("maintenance failed: {other:?}"),
        }
    }
}

fn three_rows() -> Result<Bytes> {
    let ids = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("id", ids as _)])?;
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes.into())
}

fn report(times: &[Duration], at_once: usize) {
    println!("{:>8} {:>8} {:>10} {:>10} {:>10}", "from", "to", "mean ms", "p50 ms", "p99 ms");
    let mut windows = vec![(0, times.len())];
    if at_once == 1 {
        // The first makes table and ledger.
        windows = vec![(1, 11), (90, 110), (950, 1_050), (4_950, 5_050), (9_900, 10_000), (1, times.len())];
    }
    for (from, to) in windows {
        if to > times.len() || from >= to {
            continue;
        }
        let mut window: Vec<f64> = times[from..to].iter().map(|time| time.as_secs_f64() * 1e3).collect();
        window.sort_by(f64::total_cmp);
        let mean = window.iter().sum::<f64>() / window.len() as f64;
        let at = |part: f64| window[((window.len() - 1) as f64 * part).round() as usize];
        println!("{from:>8} {to:>8} {mean:>10.2} {:>10.2} {:>10.2}", at(0.5), at(0.99));
    }
}
