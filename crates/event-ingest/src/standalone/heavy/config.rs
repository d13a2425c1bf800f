//! What `spark-submit` is told: where catalog, objects and publisher of this process are.

use std::path::Path;

use spark_launcher::{SubmitConfig, Variables};

use super::args::HeavyArgs;
use super::find::Spark;
use crate::standalone::folder::EndpointFile;

/// Folder of all that Spark leaves here, below the data folder.
const FOLDER: &str = "spark";
/// One driver at a time: it takes all cores anyway.
const AT_ONCE: usize = 1;
/// Bytes of an attempt's log.
const LOG_BYTES: u64 = 64 * 1024 * 1024;

/// The path at which jobs post, on the second listener.
pub(super) const PUBLISHER: &str = "/api/v1/staged";

/// How attempts are submitted: `catalog` is the file of the SQLite catalog.
pub(super) fn submit(
    args: &HeavyArgs,
    spark: Spark,
    root: &Path,
    catalog: &Path,
    endpoint: &EndpointFile,
) -> SubmitConfig {
    let folder = root.join(FOLDER);
    let name = format!("spark.sql.catalog.{}", endpoint.catalog_name);
    let own = [
        ("spark.ui.enabled".to_owned(), "false".to_owned()),
        ("spark.driver.host".to_owned(), "127.0.0.1".to_owned()),
        ("spark.driver.bindAddress".to_owned(), "127.0.0.1".to_owned()),
        ("spark.local.dir".to_owned(), folder.join("local").display().to_string()),
        ("spark.sql.warehouse.dir".to_owned(), folder.join("warehouse").display().to_string()),
        (name.clone(), "org.apache.iceberg.spark.SparkCatalog".to_owned()),
        (format!("{name}.type"), "jdbc".to_owned()),
        (format!("{name}.uri"), format!("jdbc:sqlite:{}", catalog.display())),
        (format!("{name}.jdbc.schema-version"), "V1".to_owned()),
        (format!("{name}.warehouse"), endpoint.warehouse.clone()),
    ];
    // Of two settings of one property Spark takes the last.
    let conf = own.into_iter().chain(args.spark_conf.iter().cloned()).collect();
    SubmitConfig {
        program: spark.program,
        master: Some(args.spark_master.clone()),
        conf,
        arguments: args.spark_args.clone(),
        job: spark.job.display().to_string(),
        folder: folder.join("attempts"),
        at_once: AT_ONCE,
        log_bytes: LOG_BYTES,
        variables: variables(endpoint),
    }
}

/// The environment: other users cannot see it, as they can a command line.
fn variables(endpoint: &EndpointFile) -> Variables {
    let variables = [
        ("SPARK_CATALOG", endpoint.catalog_name.clone()),
        ("PUBLISHER_URL", format!("{}{PUBLISHER}", endpoint.admin_url)),
        ("AWS_ENDPOINT_URL_S3", endpoint.url.clone()),
        ("AWS_REGION", endpoint.region.clone()),
        ("AWS_ACCESS_KEY_ID", endpoint.access_key.clone()),
        ("AWS_SECRET_ACCESS_KEY", endpoint.secret_key.clone()),
        // What is found there belongs to other keys than these.
        ("AWS_SESSION_TOKEN", String::new()),
    ];
    Variables(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
