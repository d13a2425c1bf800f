//! What the standalone mode is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ingest_core::batching::BatchingConfig;
use ingest_core::{Glob, LightLimits, MAX_FILES_PER_REQUEST, Rule, RuleSet, TableName, Target};
use serde::{Deserialize, Serialize};
use service_kit::config::{duration, number_from_one_to, socket_address, some_time};
use service_kit::logging::LoggingArgs;
use service_kit::rules::RulesSource;
use service_kit::traces::TracesArgs;

use super::heavy::args::HeavyArgs;

/// Name of the Iceberg catalog: rows in a SQL catalog are keyed by it.
pub const CATALOG_NAME: &str = "my_catalog";
/// Part of every object's identity: the store of a data folder.
pub const STORE_NAME: &str = "standalone";

/// Shortest access and secret keys, in bytes, as other S3 servers have it.
const MIN_ACCESS_KEY: usize = 3;
const MIN_SECRET_KEY: usize = 8;

/// One process, one folder: an S3 endpoint whose objects become rows of Iceberg tables.
#[derive(Args, Debug, Clone)]
pub struct StandaloneArgs {
    /// Folder of all data; made if it is not there
    #[arg(long, env = "EVENT_INGEST_DATA", value_name = "DIR")]
    pub data: PathBuf,
    /// Address of the S3 endpoint; port 0 takes a free one
    #[arg(long, env = "EVENT_INGEST_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:9000", value_parser = socket_address)]
    pub listen: SocketAddr,
    /// Address of the console, the admin API, health, metrics and activity; port 0 takes a free one
    #[arg(long, env = "EVENT_INGEST_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:9001", value_parser = socket_address)]
    pub admin_listen: SocketAddr,
    /// Access key of the S3 endpoint; generated and kept in the folder unless given
    #[arg(long, env = "EVENT_INGEST_ACCESS_KEY", value_name = "KEY", requires = "secret_key", value_parser = access_key)]
    pub access_key: Option<String>,
    /// Secret key of the S3 endpoint; generated and kept in the folder unless given
    #[arg(
        long,
        env = "EVENT_INGEST_SECRET_KEY",
        value_name = "KEY",
        requires = "access_key",
        hide_env_values = true
    )]
    pub secret_key: Option<String>,
    /// What changes over the admin API and its console have to show, at least 16 characters; generated and kept in the folder unless given
    #[arg(long, env = "EVENT_INGEST_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
    /// Region that clients sign for
    #[arg(long, env = "EVENT_INGEST_REGION", value_name = "NAME", default_value = "us-east-1")]
    pub region: String,
    /// Bucket whose new objects are ingested; made if it is not there
    #[arg(long, env = "EVENT_INGEST_BUCKET", value_name = "NAME", default_value = "inbox", value_parser = bucket)]
    pub bucket: String,
    /// Table of objects that no --route names; made from the first file if it is not there
    #[arg(long, env = "EVENT_INGEST_TABLE", value_name = "NAME", default_value = "db.my_table")]
    pub table: TableName,
    /// Objects whose key begins with PREFIX go to TABLE, as in flights/=db.flights; repeatable, the first match wins
    #[arg(long = "route", env = "EVENT_INGEST_ROUTES", value_name = "PREFIX=TABLE", value_delimiter = ',', value_parser = route)]
    pub routes: Vec<(String, TableName)>,
    /// YAML file of rules in place of --table and --route; read again when it changes
    #[arg(long, env = "EVENT_INGEST_RULES", value_name = "FILE", conflicts_with_all = ["table", "routes"])]
    pub rules: Option<PathBuf>,
    /// Files of a batch
    #[arg(long, env = "EVENT_INGEST_BATCH_FILES", value_name = "NUMBER", default_value = "50", value_parser = number_from_one_to(MAX_FILES_PER_REQUEST))]
    pub batch_files: usize,
    /// Longest wait for a batch to fill; short here, because on one's own machine one wants to see rows at once
    #[arg(long, env = "EVENT_INGEST_BATCH_WAIT", value_name = "TIME", default_value = "1s", value_parser = some_time)]
    pub batch_wait: Duration,
    /// How heavy batches are read.
    #[command(flatten)]
    pub heavy: HeavyArgs,
    /// How often bucket and tables are compared, the first time at the start: what was lost is announced again. 0s turns it off
    #[arg(long, env = "EVENT_INGEST_RECONCILE_EVERY", value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub reconcile_every: Duration,
    /// Logging
    #[command(flatten)]
    pub logging: LoggingArgs,
    /// Traces.
    #[command(flatten)]
    pub traces: TracesArgs,
    /// Show the effective settings, secrets masked, and exit
    #[arg(long)]
    pub print_config: bool,
}

/// Credentials of the S3 endpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Names the client.
    pub access_key: String,
    /// Signs its requests.
    pub secret_key: String,
}

/// Without the secret.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.access_key)
    }
}

/// The secret key is too short. Does not hold it.
#[derive(Debug, thiserror::Error)]
#[error("--secret-key (EVENT_INGEST_SECRET_KEY): expected at least {MIN_SECRET_KEY} characters")]
pub struct ShortSecretKey;

impl StandaloneArgs {
    /// The credentials, if they were given.
    ///
    /// # Errors
    /// The secret key is too short. It is judged here, as clap would repeat it in its error.
    pub fn credentials(&self) -> Result<Option<Credentials>, ShortSecretKey> {
        let (Some(access_key), Some(secret_key)) = (self.access_key.clone(), self.secret_key.clone()) else {
            return Ok(None);
        };
        if secret_key.len() < MIN_SECRET_KEY {
            return Err(ShortSecretKey);
        }
        Ok(Some(Credentials { access_key, secret_key }))
    }

    /// The file of rules; or the routes in their order, then everything else in the bucket to the default table.
    #[must_use]
    pub fn rules(&self) -> RulesSource {
        if let Some(path) = &self.rules {
            return RulesSource::File(path.clone());
        }
        let default = (String::new(), self.table.clone());
        RulesSource::Given(RuleSet::new(self.routes.iter().chain([&default]).map(|(prefix, table)| Rule {
            name: format!("{prefix}={table}"),
            buckets: vec![Glob::new(&self.bucket)],
            prefix: prefix.clone(),
            ..Rule::all(Target::new(table.clone()))
        })))
    }

    /// The numbers of the batching machine.
    #[must_use]
    pub fn batching(&self) -> BatchingConfig {
        let light = LightLimits { max_bytes: self.heavy.light_max_bytes, ..LightLimits::default() };
        let (max_files, max_wait) = (self.batch_files, self.batch_wait);
        BatchingConfig { max_files, max_wait, light, ..BatchingConfig::default() }
    }
}

fn access_key(text: &str) -> Result<String, String> {
    if text.len() < MIN_ACCESS_KEY || text.contains(['=', ',', '/', ' ']) {
        return Err(format!(
            "expected at least {MIN_ACCESS_KEY} characters, none of them =, comma, / or a blank"
        ));
    }
    Ok(text.to_owned())
}

fn bucket(text: &str) -> Result<String, String> {
    if s3s::path::check_bucket_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("expected 3 to 63 lower-case letters, digits, dots and hyphens, was given {text:?}"))
}

fn route(text: &str) -> Result<(String, TableName), String> {
    let (prefix, table) = text
        .rsplit_once('=')
        .ok_or_else(|| format!("expected PREFIX=TABLE such as flights/=db.flights, was given {text:?}"))?;
    let table = TableName::parse(table).map_err(|error| error.to_string())?;
    Ok((prefix.to_owned(), table))
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};
    use ingest_core::{Verdict, notification};

    use super::*;

    fn parse(line: &[&str]) -> Result<StandaloneArgs, clap::Error> {
        let command = StandaloneArgs::augment_args(Command::new("standalone"));
        let line = ["standalone", "--data", "d"].iter().chain(line);
        StandaloneArgs::from_arg_matches(&command.try_get_matches_from(line)?)
    }

    fn table_of(args: &StandaloneArgs, bucket: &str, key: &str) -> Option<String> {
        let body = serde_json::json!({"Records": [{
            "eventSource": "minio:s3",
            "eventName": "s3:ObjectCreated:Put",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}},
        }]});
        let parsed = notification::parse(body.to_string().as_bytes()).unwrap();
        match args.rules().load().unwrap().judge(&parsed.announcements[0]) {
            Verdict::Route(route) => Some(route.table.to_string()),
            _ => None,
        }
    }

    #[test]
    fn objects_go_to_their_route_or_to_the_default_table() {
        let args = parse(&["--route", "flights/=db.flights", "--route", "fl=db.other"]).unwrap();
        assert_eq!(table_of(&args, "inbox", "flights%2Fa.parquet").as_deref(), Some("db.flights"));
        assert_eq!(table_of(&args, "inbox", "flat.parquet").as_deref(), Some("db.other"));
        assert_eq!(table_of(&args, "inbox", "a.parquet").as_deref(), Some("db.my_table"));
        assert_eq!(table_of(&args, "elsewhere", "a.parquet"), None);
    }

    #[test]
    fn wrong_values_are_named_with_what_was_expected() {
        for (line, expected) in [
            (["--bucket", "In Box"], "lower-case"),
            (["--batch-files", "0"], "from 1 to"),
            (["--batch-wait", "0s"], "above zero"),
            (["--route", "flights"], "PREFIX=TABLE"),
            (["--table", "flights"], "--table"),
            (["--listen", "9000"], "127.0.0.1:8080"),
            (["--admin-listen", "9001"], "127.0.0.1:8080"),
            (["--access-key", "alice"], "--secret-key"),
            (["--rules=rules.yaml", "--table=db.t"], "--table"),
            (["--rules=rules.yaml", "--route=a/=db.t"], "--route"),
        ] {
            let error = parse(&line).unwrap_err().to_string();
            let flag = line[0].split('=').next().unwrap();
            assert!(error.contains(flag) && error.contains(expected), "{line:?}: {error}");
        }
    }

    #[test]
    fn the_secret_is_not_in_debug_output() {
        let args = parse(&["--access-key", "alice", "--secret-key", "hunter2-hunter2"]).unwrap();
        let credentials = args.credentials().unwrap().expect("given");
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }

    #[test]
    fn the_error_about_a_wrong_secret_does_not_repeat_it() {
        let args = parse(&["--access-key", "alice", "--secret-key", "hunter2"]).unwrap();
        let error = args.credentials().unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("--secret-key") && !text.contains("hunter2"), "{text}");
        let unpaired = parse(&["--secret-key", "hunter2"]).unwrap_err().to_string();
        assert!(unpaired.contains("--access-key") && !unpaired.contains("hunter2"), "{unpaired}");
    }
}
