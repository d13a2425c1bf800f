//! `event-ingest reconcile`: what the buckets have under the rules and the tables do not.
//!
//! A walk of ten million keys takes a while, and may be interrupted. Each [checkpoint](super::load) is a key up to
//! which everything is done; `--start-after` begins there. To begin earlier is never wrong: what is in is skipped.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use clap::Args;
use dispatcher::RuleArgs;
use ingest_core::{ObjectUri, Outcome, RuleSet};
use lake::reconcile::Policy;
use lake::storage::listing::walk;
use lake::{Lake, LakeConfig};
use service_kit::config::{duration, positive};
use tokio_util::sync::CancellationToken;

use super::load::{Load, Loader, Parts, Report, Source, Style};
use super::print::OutputArgs;
use super::settings::OperatorArgs;
use crate::survey::{Identify, Survey};

/// The flags of the command.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Without --apply this is a dry run. Quarantined objects are reported and not tried again. Exit status: 0 if nothing is set aside, 3 if some objects are quarantined, are of a format that is not taken or may not be read, 1 after a failure, 130 if interrupted."
)]
pub struct ReconcileArgs {
    /// s3://bucket or s3://bucket/beginning-of-keys to list; not given: the buckets of the rules, which may then hold no *, below their prefixes
    #[arg(value_name = "S3-URI")]
    pub sources: Vec<Source>,
    /// Ingest what is missing; without this it is only shown
    #[arg(long)]
    pub apply: bool,
    /// Only show it, as without --apply
    #[arg(long, conflicts_with = "apply")]
    pub dry_run: bool,
    /// Younger objects are left to the event path
    #[arg(long, env = "RECONCILE_MIN_AGE", default_value = "5m", value_parser = duration)]
    pub min_age: Duration,
    /// Also bring in again what was in a table until its main was rolled back
    #[arg(long)]
    pub include_rolled_back: bool,
    /// Go on after this object, as an interrupted run says at its end
    #[arg(long, value_name = "S3-URI")]
    pub start_after: Option<ObjectUri>,
    /// Make tables that are missing, with the schema of the first file
    #[arg(long, env = "CREATE_TABLES")]
    pub create_tables: bool,
    /// Requests of up to 200 files carried out at once; each takes about 100 MiB of memory
    #[arg(long, env = "CONCURRENT_WRITES", default_value = "2", value_parser = positive)]
    pub concurrent_writes: usize,
    /// Text or JSON.
    #[command(flatten)]
    pub output: OutputArgs,
    /// The dispatcher's rules.
    #[command(flatten)]
    pub rule: RuleArgs,
    /// What all commands have.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Runs the command.
///
/// # Errors
/// What could not be compared or ingested, and how to go on.
pub async fn run(
    args: ReconcileArgs,
    mut config: LakeConfig,
    stop: CancellationToken,
    out: impl io::Write + Send + 'static,
) -> anyhow::Result<ExitCode> {
    let rules = args.rule.source().load()?;
    let walks = walks(args.sources(&rules)?, args.start_after.as_ref())?;
    let policy = Policy {
        min_age: TimeDelta::from_std(args.min_age).context("--min-age")?,
        include_rolled_back: args.include_rolled_back,
    };
    if args.rule.rules.is_none() {
        config.allow.check_table(&args.rule.table)?;
    }
    config.create_tables = args.create_tables;
    config.concurrent_writes = args.concurrent_writes;
    let store = config.store_name.clone();
    let lake = Arc::new(Lake::open(config).await?);
    let loader = args.apply.then(|| Loader::new(lake.clone(), args.concurrent_writes, stop.clone()));
    let mut load = Load::new(Parts {
        rules,
        store: store.clone(),
        policy,
        allow: lake.allow().clone(),
        judge: Some(Survey::new(lake.clone(), store, policy, Identify::Head)),
        loader,
        report: Report::new(Style { json: args.output.is_json(), name_planned: !args.apply }, Box::new(out)),
        stop: stop.clone(),
    });
    let outcome = async {
        for Walk { source, after } in walks {
            if !lake.allow().allows_listing(&source.bucket, &source.text) {
                load.leave_out(&source)?;
                continue;
            }
            let listing = lake.stores().listing(&source.bucket)?;
            load.take_all(&source.bucket, walk(listing, source.text, after)).await?;
        }
        anyhow::Ok(())
    };
    let outcome = outcome.await;
    load.end(outcome, |position| match position {
        Some(position) => format!("Go on with --start-after '{position}'"),
        None => "Run the same command again".to_owned(),
    })
    .await
}

/// A listing and where it begins.
#[derive(Debug, PartialEq, Eq)]
struct Walk {
    source: Source,
    after: String,
}

impl ReconcileArgs {
    /// What is listed: what was named, or where the rules look, each part once.
    fn sources(&self, rules: &RuleSet) -> anyhow::Result<Vec<Source>> {
        if !self.sources.is_empty() {
            return Ok(self.sources.clone());
        }
        for rule in rules.rules().filter(|rule| rule.outcome != Outcome::Ignore) {
            if let Some(bucket) = rule.buckets.iter().map(ToString::to_string).find(|name| name.contains('*'))
            {
                anyhow::bail!(
                    "rule {}: {bucket} (--bucket, BUCKETS) names no bucket that could be listed; give s3://bucket",
                    rule.name
                );
            }
        }
        Ok(Source::of_rules(rules))
    }
}

/// The sources in their order, from the one on in which `start_after` is.
fn walks(sources: Vec<Source>, start_after: Option<&ObjectUri>) -> anyhow::Result<Vec<Walk>> {
    let whole = |source| Walk { source, after: String::new() };
    let Some(start) = start_after else {
        return Ok(sources.into_iter().map(whole).collect());
    };
    let holds = |source: &Source| source.bucket == start.bucket() && start.key().starts_with(&source.text);
    let first = sources
        .iter()
        .position(holds)
        .with_context(|| format!("--start-after {start} is in none of the buckets and prefixes to list"))?;
    let mut walks: Vec<Walk> = sources.into_iter().skip(first).map(whole).collect();
    start.key().clone_into(&mut walks[0].after);
    Ok(walks)
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn args(line: &[&str]) -> ReconcileArgs {
        let command = ReconcileArgs::augment_args(Command::new("reconcile"));
        let matches = command.get_matches_from(["reconcile"].iter().chain(line));
        ReconcileArgs::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn the_rule_says_what_is_listed_unless_it_is_named() {
        let listed = |line: &[&str]| {
            let args = args(line);
            let rules = args.rule.source().load().unwrap();
            let sources = args.sources(&rules).map_err(|error| error.to_string())?;
            Ok::<_, String>(sources.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(listed(&["--bucket", "a,b", "--prefix", "in/"]).unwrap(), ["s3://a/in/", "s3://b/in/"]);
        assert_eq!(listed(&["s3://c", "--bucket", "a*"]).unwrap(), ["s3://c/"]);
        assert!(listed(&["--bucket", "a*"]).unwrap_err().contains("a*"));
        assert!(listed(&[]).unwrap_err().contains("BUCKETS"));
    }

    #[test]
    fn a_file_of_rules_says_what_is_listed_and_nothing_twice() {
        let listed = |text: &str| {
            let rules = ingest_core::rules::read(text).unwrap();
            let sources = args(&[]).sources(&rules).map_err(|error| error.to_string())?;
            Ok::<_, String>(sources.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let rules = "
rules:
  - {match: {buckets: [a], prefix: tmp/}, ignore: true}
  - {match: {buckets: [a], prefix: in/x/}, table: db.x}
  - {match: {buckets: [a, b], prefix: in/}, table: db.in}
  - {match: {buckets: [b], prefix: in/y/}, table: db.y}";
        assert_eq!(listed(rules).unwrap(), ["s3://a/in/", "s3://b/in/"]);
        assert!(listed("rules: [{name: all, table: db.t}]").unwrap_err().contains("rule all: *"));
    }

    #[test]
    fn a_run_goes_on_in_the_bucket_where_the_last_one_ended() {
        let sources = || ["s3://a/x", "s3://b/y/"].map(|text| text.parse().unwrap()).to_vec();
        let go_on = |text: &str| walks(sources(), Some(&text.parse().unwrap()));
        let walk =
            |source: &str, after: &str| Walk { source: source.parse().unwrap(), after: after.to_owned() };
        assert_eq!(walks(sources(), None).unwrap(), [walk("s3://a/x", ""), walk("s3://b/y/", "")]);
        assert_eq!(go_on("s3://a/x5").unwrap(), [walk("s3://a/x", "x5"), walk("s3://b/y/", "")]);
        assert_eq!(go_on("s3://b/y/1").unwrap(), [walk("s3://b/y/", "y/1")]);
        assert!(go_on("s3://c/1").unwrap_err().to_string().contains("s3://c/1"));
    }
}
