//! `event-ingest doctor`: whether everything around the services is as they need it, one line each, with the mend.
//!
//! Each check is a question, whose answer is judged by a function without any I/O. Nothing is changed but for a small
//! object that is made and removed below the ledger root and the heavy root.

mod finding;
mod folder;
mod kafka;
mod lake;
mod spark;

use std::collections::BTreeSet;
use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use ::lake::LakeConfig;
use clap::Args;
use dispatcher::RuleArgs;
use ingest_core::TableName;
use service_kit::config::{byte_size, variables};
use service_kit::kafka::{ClientProperties, KafkaArgs};

use self::finding::{Check, Finding, State, table};
use self::kafka::Service;
use super::exit;
use super::load::Source;
use super::print::{OutputArgs, watched};
use super::settings::OperatorArgs;
use super::topics::TopicArgs;
use crate::standalone::folder::Neighbour;

/// The flags of the command.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Exit status: 0 if nothing failed (warnings are for you to judge), 3 if a check failed, 130 if interrupted."
)]
pub struct DoctorArgs {
    /// s3://bucket or s3://bucket/prefix to try; not given: the buckets of the rules that hold no *, below their prefixes
    #[arg(value_name = "S3-URI")]
    pub sources: Vec<Source>,
    /// Whose rights in Kafka are tried, with the credentials that are set: give that of a service together with its credentials; repeatable, or separated by commas
    #[arg(
        long = "service",
        value_name = "SERVICE",
        value_delimiter = ',',
        default_values = ["dispatcher", "light-worker", "spark-launcher"]
    )]
    services: Vec<Service>,
    /// The dispatcher's bound on a request: the topics of requests have to take it
    #[arg(long, env = "BATCH_MAX_REQUEST_BYTES", default_value = "900kB", value_parser = byte_size)]
    pub batch_max_request_bytes: u64,
    /// Write nothing, not even the small object below ledger root and heavy root that is removed at once
    #[arg(long, alias = "dry-run")]
    pub no_write: bool,
    /// Also try Spark: its spark-submit
    #[arg(long, env = "SPARK_SUBMIT", value_name = "FILE")]
    pub spark_submit: Option<PathBuf>,
    /// Text or JSON.
    #[command(flatten)]
    pub output: OutputArgs,
    /// The topics.
    #[command(flatten)]
    pub topics: TopicArgs,
    /// librdkafka's own properties.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// The dispatcher's rules.
    #[command(flatten)]
    pub rule: RuleArgs,
    /// What all commands have.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Runs all checks that the settings call for.
///
/// # Errors
/// A setting that cannot be used, or standard output is closed.
pub async fn run(args: DoctorArgs, config: LakeConfig, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let (kafka, lake) = (kafka(&args)?, lake(&args, config));
    let folder = async {
        match &args.operator.data {
            Some(data) => folder::check(data).await,
            None => Vec::new(),
        }
    };
    let spark = async {
        match &args.spark_submit {
            Some(program) => vec![spark::check(program).await],
            None => Vec::new(),
        }
    };
    let checks = async { tokio::join!(folder, kafka, lake, spark) };
    let (folder, kafka, lake, spark) = watched("everything is asked", checks).await;
    let findings = [folder, kafka, lake, spark].concat();
    if args.output.is_json() {
        for finding in &findings {
            writeln!(out, "{}", serde_json::to_string(finding)?)?;
        }
    } else {
        table(&findings).write(&mut out)?;
    }
    Ok(exit::done(findings.iter().all(|finding| finding.state != State::Fail)))
}

impl DoctorArgs {
    /// The buckets and tables that are the services' own: those of the rules, or of the server that runs in the folder.
    fn named(&self) -> anyhow::Result<(Vec<Source>, Vec<TableName>)> {
        if let Some(data) = &self.operator.data {
            let folder = Neighbour::look(data)?;
            // Its bucket is served by its server alone.
            let Some(endpoint) = folder.endpoint() else { return Ok((Vec::new(), Vec::new())) };
            let bucket = Source { bucket: endpoint.bucket.clone(), text: String::new() };
            return Ok((vec![bucket], vec![endpoint.table.parse()?]));
        }
        let rules = self.rule.source().load()?;
        let sources = Source::of_rules(&rules).into_iter().filter(|source| !source.bucket.contains('*'));
        let tables: BTreeSet<TableName> = rules.tables().flatten().collect();
        Ok((sources.collect(), tables.into_iter().collect()))
    }
}

fn kafka(args: &DoctorArgs) -> anyhow::Result<impl Future<Output = Vec<Finding>> + use<>> {
    let properties = ClientProperties::new(variables(), &args.kafka.properties)?;
    let plan = kafka::Plan {
        topics: args.topics.clone(),
        services: args.services.clone(),
        max_request_bytes: args.batch_max_request_bytes,
    };
    let standalone = args.operator.data.is_some();
    Ok(async move {
        let check = Check::of("brokers", "kafka");
        match properties.brokers() {
            _ if standalone => vec![check.skipped("a standalone instance has none")],
            None => vec![check.skipped("none is named: KAFKA_BOOTSTRAP_SERVERS")],
            Some(_) => kafka::check(properties, plan).await,
        }
    })
}

async fn lake(args: &DoctorArgs, config: LakeConfig) -> Vec<Finding> {
    if !config.properties.contains_key("uri") {
        return vec![Check::of("catalog", "iceberg").skipped("none is named: ICEBERG_CATALOG__URI")];
    }
    let mut findings = Vec::new();
    let mut plan = lake::Plan { write: !args.no_write, sources: args.sources.clone(), tables: Vec::new() };
    match args.named() {
        Ok((sources, tables)) => {
            plan.tables = tables;
            if plan.sources.is_empty() {
                plan.sources = sources;
            }
        }
        Err(error) => findings.push(
            Check::of("rules", "--rules")
                .fail(error.to_string(), "correct the file: event-ingest rules check FILE"),
        ),
    }
    findings.extend(lake::check(config, plan).await);
    findings
}
