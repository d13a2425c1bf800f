//! `event-ingest ingest`: files of a bucket into a table, without Kafka.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use chrono::TimeDelta;
use clap::Args;
use ingest_core::{FileFormat, ObjectUri, Route, Rule, RuleSet, TableName, Target, Verdict};
use lake::reconcile::Policy;
use lake::storage::listing::walk;
use lake::{Lake, LakeConfig};
use service_kit::config::{key_value, positive};
use service_kit::rules::RulesSource;
use tokio_util::sync::CancellationToken;

use super::load::{Found, Load, Loader, Parts, Report, Source, Style, find};
use super::print::OutputArgs;
use super::settings::OperatorArgs;
use crate::survey::{Identify, Survey};

/// Whatever the operator names is wanted, however young, and whatever became of it before.
const POLICY: Policy = Policy { min_age: TimeDelta::MIN, include_rolled_back: true };

/// The flags of the command.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Exit status: 0 if every file is in the table, 3 if some were quarantined, are of a format that is not taken or may not be read, 1 after a failure, 130 if interrupted. To go on after an interruption, run the same command again."
)]
pub struct IngestArgs {
    /// s3://bucket/key, s3://bucket/prefix/ or s3://bucket/beginning*: objects, all objects below a prefix, all keys that begin so. A key that is no object is taken for a prefix. Below a prefix, _SUCCESS, _temporary/, names that begin with . or _ and empty markers are left out
    #[arg(required = true, value_name = "S3-URI")]
    pub sources: Vec<Source>,
    /// Table of the files, as namespace.name
    #[arg(long, env = "TABLE", value_name = "NAME", required_unless_present = "rules")]
    pub table: Option<TableName>,
    /// YAML file of rules, as the dispatcher has it, that tells table, format and options of each object; what no rule wants is left out
    #[arg(long, env = "RULES", value_name = "FILE", conflicts_with_all = ["table", "format", "suffix", "options"])]
    pub rules: Option<PathBuf>,
    /// Make the table if it is missing, with the schema of the first file
    #[arg(long)]
    pub create_table: bool,
    /// Format of the files; parquet, csv or json (lines); told by the suffix of each key if not given
    #[arg(long, env = "FORMAT")]
    pub format: Option<FileFormat>,
    /// Below a prefix, only keys that end with this
    #[arg(long, default_value = "", hide_default_value = true)]
    pub suffix: String,
    /// Option that overrides the table's own, such as schema-policy=strict; repeatable
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = key_value)]
    pub options: Vec<(String, String)>,
    /// Say what would be ingested and what the table has already; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Requests of up to 200 files carried out at once; each takes about 100 MiB of memory
    #[arg(long, env = "CONCURRENT_WRITES", default_value = "2", value_parser = positive)]
    pub concurrent_writes: usize,
    /// Text or JSON.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What all commands have.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Runs the command.
///
/// # Errors
/// What could not be ingested, and how to go on.
pub async fn run(
    args: IngestArgs,
    mut config: LakeConfig,
    stop: CancellationToken,
    out: impl io::Write + Send + 'static,
) -> anyhow::Result<ExitCode> {
    config.create_tables = args.create_table;
    config.concurrent_writes = args.concurrent_writes;
    if let Some(table) = &args.table {
        config.allow.check_table(table)?;
    }
    let rules = args.rules()?;
    let store = config.store_name.clone();
    let lake = Arc::new(Lake::open(config).await?);
    let judge = args.dry_run.then(|| Survey::new(lake.clone(), store.clone(), POLICY, Identify::Head));
    let loader = (!args.dry_run).then(|| Loader::new(lake.clone(), args.concurrent_writes, stop.clone()));
    let mut load = Load::new(Parts {
        rules: rules.clone(),
        store: store.clone(),
        policy: POLICY,
        allow: lake.allow().clone(),
        judge,
        loader,
        report: Report::new(Style { json: args.output.is_json(), name_planned: args.dry_run }, Box::new(out)),
        stop: stop.clone(),
    });
    let outcome = take_in(&args, &rules, &lake, &store, &stop, &mut load).await;
    load.end(outcome, |_| "Run the same command again: it skips what is in the table".to_owned()).await
}

/// Takes in what was named, until the process is to stop: [`Load::end`] then says so.
async fn take_in(
    args: &IngestArgs,
    rules: &RuleSet,
    lake: &Arc<Lake>,
    store: &str,
    stop: &CancellationToken,
    load: &mut Load<Survey, Lake>,
) -> anyhow::Result<()> {
    for source in &args.sources {
        let Some(found) = stop.run_until_cancelled(find(lake.stores(), lake.allow(), store, source)).await
        else {
            return Ok(());
        };
        match found? {
            Found::Object(listed) => {
                let uri = ObjectUri::new(&source.bucket, &listed.key)?;
                let route = args.route(rules, &uri, listed.size)?;
                load.take_named(route, uri, listed).await?;
            }
            Found::Below(prefix) => {
                let listing = lake.stores().listing(&source.bucket)?;
                load.take_all(&source.bucket, walk(listing, prefix, String::new())).await?;
            }
            Found::Forbidden => load.leave_out(source)?,
        }
    }
    if stop.is_cancelled() { Ok(()) } else { load.settle().await }
}

impl IngestArgs {
    /// Those of the file; or one: what lies below the prefixes goes to the table.
    fn rules(&self) -> anyhow::Result<RuleSet> {
        if let Some(path) = &self.rules {
            return Ok(RulesSource::File(path.clone()).load()?);
        }
        let target = Target {
            format: self.format,
            options: self.options(),
            ..Target::new(self.named_table()?.clone())
        };
        Ok(RuleSet::new([Rule { suffix: self.suffix.clone(), ..Rule::all(target) }]))
    }

    /// Where an object goes that was named itself: to the table that was named too, and no rule keeps it out.
    fn route(&self, rules: &RuleSet, uri: &ObjectUri, size: u64) -> anyhow::Result<Arc<Route>> {
        if self.rules.is_some() {
            return match rules.judge_listed(uri, size) {
                Verdict::Route(route) => Ok(route),
                Verdict::Ignored(reason) | Verdict::Unmatched(reason) => {
                    anyhow::bail!(
                        "{uri}: the rules do not want it ({reason}); give --table instead of --rules"
                    )
                }
                Verdict::Refused { text, .. } => anyhow::bail!("{uri}: {text}"),
            };
        }
        let format = self
            .format
            .or_else(|| FileFormat::from_suffix(uri))
            .with_context(|| format!("{uri}: the suffix tells no format; give --format"))?;
        Ok(Arc::new(Route { options: self.options(), ..Route::new(self.named_table()?.clone(), format) }))
    }

    fn named_table(&self) -> anyhow::Result<&TableName> {
        self.table.as_ref().context("expected --table (TABLE) or --rules (RULES)")
    }

    fn options(&self) -> BTreeMap<String, String> {
        self.options.iter().cloned().collect()
    }
}
