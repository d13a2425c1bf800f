//! The assembly: folder, store, S3 endpoint, lake and flow in one process, from start to graceful end.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::error_handling::HandleError;
use chrono::Utc;
use http::StatusCode;
use ingest_core::{RequestDefaults, TableName};
use lake::{AllowList, Lake, LakeConfig};
use lake_metrics::LakeMetrics;
use light_worker::IngestHandler;
use operations::api::{Access, Token};
use s3s::HttpError;
use service_kit::admin::Readiness;
use service_kit::metrics::Metrics;
use service_kit::rules::LiveRules;
use service_kit::serve::{bind, serve};
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::config::{CATALOG_NAME, STORE_NAME, StandaloneArgs};
use super::flow::{Backoff, Flow, FlowConfig, FlowMetrics, Ingest};
use super::folder::{DataFolder, EndpointFile};
use super::heavy::{SparkLane, Unowned};
use super::inbox::Inbox;
use super::plant::StandalonePlant;
use super::reconcile::{self, Reconciler};
use super::store::{Store, StoreError};
use super::worker::Worker;
use super::{admin, banner, heavy, s3};
use crate::survey::{Identify, Survey};

/// Requests carried out at once, and how many of them may write data files (about 100 MiB of memory each).
const CONCURRENT_REQUESTS: usize = 4;
const CONCURRENT_WRITES: usize = 2;

/// At the end, transfers under way may take this long.
const TRANSFER_DEADLINE: Duration = Duration::from_secs(5);

/// Runs until `stop` is cancelled. Says where everything is once it is ready: to people on `out`, to scripts in
/// the folder's `endpoint.json`.
///
/// # Errors
/// What keeps the server from starting or from going on, with what to do about it.
pub async fn run(
    args: StandaloneArgs,
    stop: CancellationToken,
    mut out: impl Write + Send,
) -> anyhow::Result<()> {
    let stop = stop.child_token();
    let metrics = Metrics::new();
    let rules = LiveRules::start(&args.rules(), &metrics, stop.clone())?;
    let folder = DataFolder::open(&args.data)?;
    let credentials = match args.credentials()? {
        Some(given) => given,
        None => folder.credentials()?,
    };
    let admin_token = match &args.admin_token {
        Some(given) => given.clone(),
        None => folder.admin_token()?,
    };
    let token = Token::new(&admin_token).context("--admin-token (EVENT_INGEST_ADMIN_TOKEN)")?;
    let store = Store::open(folder.root(), &args.region).await?;
    match store.create_bucket(&args.bucket).await {
        Ok(()) | Err(StoreError::BucketExists(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let s3_listener = bind(args.listen).await.context("--listen")?;
    let admin_listener = bind(args.admin_listen).await.context("--admin-listen")?;

    let endpoint = EndpointFile {
        url: format!("http://{}", s3_listener.local_addr()?),
        admin_url: format!("http://{}", admin_listener.local_addr()?),
        admin_token: admin_token.clone(),
        access_key: credentials.access_key.clone(),
        secret_key: credentials.secret_key.clone(),
        region: args.region.clone(),
        bucket: args.bucket.clone(),
        table: table_to_show(&args, &rules).to_string(),
        catalog_name: CATALOG_NAME.to_owned(),
        catalog_uri: folder.catalog_uri(),
        warehouse: folder.warehouse_uri(),
        pid: std::process::id(),
    };
    let lake =
        Lake::open(lake_config(&args, &endpoint)?).await.context("the Iceberg catalog cannot be opened")?;
    let lake = Arc::new(lake);
    let defaults = RequestDefaults { table: args.table.clone() };
    let survey = Survey::new(lake.clone(), STORE_NAME.to_owned(), reconcile::POLICY, Identify::AsListed)
        .always_fresh();
    let spark = match heavy::find::choose(&args.heavy)? {
        Some(found) => {
            let lane = SparkLane::new(&args.heavy, found, &folder, &endpoint, lake.clone(), &metrics)?;
            lane.learn().await.context("the records of heavy requests cannot be read")?;
            Some(Arc::new(lane))
        }
        None => None,
    };
    let judge = Unowned { inner: survey, spark: spark.clone() };
    let reconciler = Reconciler::new(store.clone(), args.bucket.clone(), rules.clone(), judge, &metrics);
    let lake_metrics = LakeMetrics::new(&metrics);
    lake.observe(Arc::new(lake_metrics.clone()));
    let light = Arc::new(IngestHandler::new(lake.clone(), defaults, lake_metrics));
    let worker = Arc::new(Worker::new(light.clone(), spark.clone()));
    let inbox = Inbox::of(&store);
    let activity = Arc::new(Activity::default());
    let plant = StandalonePlant {
        data: args.data.display().to_string(),
        bucket: args.bucket.clone(),
        table: args.table.clone(),
        store: store.clone(),
        inbox: inbox.clone(),
        activity: activity.clone(),
        rules: rules.clone(),
        heavy: spark.as_ref().map(|_| spark_launcher::records(&lake)).transpose()?,
        lake,
        worker: worker.clone(),
        since: Utc::now(),
    };
    let published = match &spark {
        Some(_) => heavy::publisher(light, activity.clone(), &metrics),
        None => Router::new(),
    };
    let config = FlowConfig {
        rules,
        batching: args.batching(),
        concurrency: CONCURRENT_REQUESTS,
        backoff: Backoff::default(),
    };
    let flow_metrics = FlowMetrics::new(&metrics);
    let watched = flow_metrics.clone().watch(inbox.clone(), config.rules.clone(), stop.clone());
    let flow = Flow::new(inbox.clone(), worker.clone(), activity.clone(), flow_metrics, config)?;

    // The flow reads through the endpoint, so the endpoint ends after it. Whatever ends first ends all.
    let endpoint_stop = CancellationToken::new();
    let s3 = serve(
        s3_listener,
        s3_router(s3::service(store.clone(), &args.region, &credentials)),
        endpoint_stop.clone(),
        TRANSFER_DEADLINE,
    );
    let access = Access { token: Some(token), local_only: args.admin_listen.ip().is_loopback() };
    let admin = serve(
        admin_listener,
        admin::router(inbox, activity, metrics, readiness(worker), Arc::new(plant), access, published),
        endpoint_stop.clone(),
        TRANSFER_DEADLINE,
    );
    let ended = |result| {
        stop.cancel();
        result
    };
    let flow = async {
        let light = async {
            let result = flow.run(stop.clone()).await;
            stop.cancel();
            result
        };
        let heavy = async {
            if let Some(spark) = &spark {
                spark.run(&stop).await;
            }
        };
        let (result, ()) = tokio::join!(light, heavy);
        endpoint_stop.cancel();
        result
    };
    let reconciled = async {
        if !args.reconcile_every.is_zero() {
            reconciler.run(args.reconcile_every, stop.clone()).await;
        }
    };
    folder.announce_endpoint(&endpoint)?;
    writeln!(out, "{}", banner::text(&endpoint, spark.as_deref().map(SparkLane::program)))
        .context("cannot say where everything is")?;

    let (flow, s3, admin, (), ()) =
        tokio::join!(flow, async { ended(s3.await) }, async { ended(admin.await) }, reconciled, watched);
    folder.retract_endpoint()?;
    store.close().await;
    flow.context("the inbox cannot be read")?;
    s3.context("the S3 endpoint ended")?;
    admin.context("the admin endpoint ended")?;
    Ok(())
}

fn lake_config(args: &StandaloneArgs, endpoint: &EndpointFile) -> anyhow::Result<LakeConfig> {
    let catalog = [
        ("type", "sql".to_owned()),
        ("uri", endpoint.catalog_uri.clone()),
        ("warehouse", endpoint.warehouse.clone()),
    ];
    let properties = catalog.into_iter().chain(endpoint.s3_properties());
    let source = format!("s3://{}", args.bucket);
    let tables = args.routes.iter().map(|(_, table)| table).chain([&args.table]);
    let tables: Vec<String> = match args.rules {
        // The only source of tables here, and it may name others tomorrow.
        Some(_) => vec!["*".to_owned()],
        None => tables.map(ToString::to_string).collect(),
    };
    Ok(LakeConfig {
        catalog_name: CATALOG_NAME.to_owned(),
        properties: properties.map(|(name, value)| (name.to_owned(), value)).collect(),
        store_name: STORE_NAME.to_owned(),
        ledger_root: None,
        heavy_root: None,
        create_tables: true,
        allow: AllowList::parse([source.as_str()], tables.iter().map(String::as_str))?,
        concurrent_writes: CONCURRENT_WRITES,
    })
}

/// One of the tables: a file of rules may have many, or none whose name is known yet.
fn table_to_show(args: &StandaloneArgs, rules: &LiveRules) -> TableName {
    let of_rules = args.rules.as_ref().and_then(|_| rules.current().tables().flatten().next());
    of_rules.unwrap_or_else(|| args.table.clone())
}

fn s3_router(service: s3s::service::S3Service) -> Router {
    Router::new().fallback_service(HandleError::new(service, |error: HttpError| async move {
        tracing::error!(?error, "s3 request failed");
        StatusCode::INTERNAL_SERVER_ERROR
    }))
}

fn readiness(worker: Arc<Worker>) -> Readiness {
    Arc::new(move || {
        let worker = worker.clone();
        Box::pin(async move { worker.ready().await })
    })
}
