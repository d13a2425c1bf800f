//! Takes all files under a prefix into a table with one request, as a worker does, and says what that took.
//!
//! One process, one measurement: `bench/writing/run.py` starts it, and measures it and its peers from outside.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use clap::Parser;
use futures::TryStreamExt;
use ingest_core::{
    FileFormat, IngestRequest, IngestResult, ObjectHint, ObjectUri, RequestedObject, TableName,
};
use lake::catalog::Catalog;
use lake::storage::Stores;
use lake::{AllowList, Lake, LakeConfig};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use serde_json::json;

/// The table that a warm-up fills, so that the measured one begins empty.
const WARM_UP_TABLE: &str = "bench.warm_up";

/// Ingests what lies under a prefix of a bucket, and prints one line of JSON
#[derive(Parser, Debug)]
struct Args {
    /// Bucket of the files
    #[arg(long)]
    bucket: String,
    /// Folder that stands in for the bucket; on S3 if not given
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The files are all objects under it
    #[arg(long)]
    prefix: String,
    /// Format of the files: parquet, csv or json
    #[arg(long)]
    format: FileFormat,
    /// Table that takes the rows; it is made if it is not there
    #[arg(long)]
    table: TableName,
    /// Option of the request as key=value, such as mode=rewrite
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = pair)]
    options: Vec<(String, String)>,
    /// Property of catalog and storage as key=value
    #[arg(long = "catalog", value_name = "KEY=VALUE", value_parser = pair)]
    catalog: Vec<(String, String)>,
    /// Do it all once before, into another table, and measure the second time
    #[arg(long)]
    warm_up: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let (stores, lake) = open(&args).await?;
    let objects = list(&stores, &args.bucket, &args.prefix).await?;
    if args.warm_up {
        ingest(&lake, &args, TableName::parse(WARM_UP_TABLE)?, objects.clone()).await?;
    }
    let began = Instant::now();
    let result = ingest(&lake, &args, args.table.clone(), objects).await?;
    let seconds = began.elapsed().as_secs_f64();
    let modes: BTreeMap<&str, usize> = result.files.iter().filter_map(|file| file.mode.as_deref()).fold(
        BTreeMap::new(),
        |mut modes, mode| {
            *modes.entry(mode).or_default() += 1;
            modes
        },
    );
    println!("{}", json!({"seconds": seconds, "rows": result.rows, "mode": result.mode, "modes": modes}));
    Ok(())
}

async fn open(args: &Args) -> Result<(Arc<Stores>, Arc<Lake>)> {
    let properties: BTreeMap<String, String> = args.catalog.iter().cloned().collect();
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
    let stores = Arc::new(Stores::new(properties)?);
    if let Some(folder) = &args.folder {
        let bucket = LocalFileSystem::new_with_prefix(folder)
            .with_context(|| format!("`{}` cannot be a bucket", folder.display()))?;
        stores.lend(&args.bucket, Arc::new(bucket));
    }
    let catalog = Catalog::open(&config.catalog_name, &config.properties, stores.clone()).await?;
    let lake = Arc::new(Lake::assemble(config, stores.clone(), catalog)?);
    Ok((stores, lake))
}

/// The objects as notifications of a store would announce them, in the order of their keys.
async fn list(stores: &Stores, bucket: &str, prefix: &str) -> Result<Vec<RequestedObject>> {
    let place = stores.object(bucket, prefix)?;
    let mut found: Vec<_> = place.store.list(Some(&place.path)).try_collect().await?;
    ensure!(!found.is_empty(), "there is nothing under `{prefix}` in bucket `{bucket}`");
    found.sort_by(|one, other| one.location.cmp(&other.location));
    found.into_iter().map(|object| announced(bucket, &object.location, object.size)).collect()
}

fn announced(bucket: &str, key: &Path, size: u64) -> Result<RequestedObject> {
    let hint = ObjectHint { size: Some(size), ..ObjectHint::default() };
    Ok(RequestedObject { uri: ObjectUri::new(bucket, key.as_ref())?, hint })
}

/// One request, and its answer if every file was taken.
async fn ingest(
    lake: &Arc<Lake>,
    args: &Args,
    table: TableName,
    objects: Vec<RequestedObject>,
) -> Result<IngestResult> {
    let options = args.options.iter().cloned().collect();
    let request = IngestRequest::new(table, args.format, options, objects, Utc::now());
    let result = lake.ingest(&request).await?;
    let refused =
        result.files.iter().find_map(|file| file.reason.as_ref().map(|reason| (&file.file, reason)));
    if let Some((file, reason)) = refused {
        anyhow::bail!("`{file}` was not taken: {reason}");
    }
    Ok(result)
}
