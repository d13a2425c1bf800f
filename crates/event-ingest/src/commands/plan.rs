//! `event-ingest plan`: how files would get into a table, and why, without writing anything.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;

use anyhow::Context;
use chrono::Utc;
use clap::Args;
use futures::TryStreamExt;
use ingest_core::{
    FileFormat, IngestRequest, ObjectHint, ObjectUri, RequestedObject, Rule, RuleSet, TableName, Target,
    Verdict,
};
use lake::ingest::Preview;
use lake::storage::listing::{Listed, walk};
use lake::{Lake, LakeConfig};
use service_kit::config::key_value;

use super::load::{FULL, Found, Source, find};
use super::print::OutputArgs;
use super::settings::OperatorArgs;

/// The flags of the command.
#[derive(Args, Debug, Clone)]
pub struct PlanArgs {
    /// s3://bucket/key, s3://bucket/prefix/ or s3://bucket/beginning*, as for ingest
    #[arg(required = true, value_name = "S3-URI")]
    pub sources: Vec<Source>,
    /// Table of the files, as namespace.name. One that is missing is planned for as it would be made
    #[arg(long, env = "TABLE", value_name = "NAME")]
    pub table: TableName,
    /// Format of the files; told by the suffix of each key if not given
    #[arg(long, env = "FORMAT")]
    pub format: Option<FileFormat>,
    /// Option that overrides the table's own, such as mode=rewrite; repeatable
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = key_value)]
    pub options: Vec<(String, String)>,
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
/// What could not be looked at.
pub async fn run(args: PlanArgs, config: LakeConfig, mut out: impl io::Write) -> anyhow::Result<ExitCode> {
    config.allow.check_table(&args.table)?;
    let store = config.store_name.clone();
    let lake = Lake::open(config).await?;
    for source in &args.sources {
        match find(lake.stores(), lake.allow(), &store, source).await? {
            Found::Object(listed) => {
                let uri = ObjectUri::new(&source.bucket, &listed.key)?;
                args.show(&lake, vec![uri], &mut out).await?;
            }
            Found::Below(prefix) => {
                let listing = lake.stores().listing(&source.bucket)?;
                let mut pages = Box::pin(walk(listing, prefix, String::new()).try_chunks(FULL));
                while let Some(page) = pages.try_next().await? {
                    args.show(&lake, args.wanted(&source.bucket, &page)?, &mut out).await?;
                }
            }
            Found::Forbidden => {
                args.line(&mut out, "forbidden", &source.to_string(), lake::allow::OUTSIDE)?
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl PlanArgs {
    /// What `ingest` would take of a listing: by-products and keys of no format are left out.
    fn wanted(&self, bucket: &str, page: &[Listed]) -> anyhow::Result<Vec<ObjectUri>> {
        let options = self.options.iter().cloned().collect();
        let target = Target { format: self.format, options, ..Target::new(self.table.clone()) };
        let rules = RuleSet::new([Rule::all(target)]);
        let mut uris = Vec::with_capacity(page.len());
        for listed in page {
            let uri = ObjectUri::new(bucket, &listed.key)?;
            if matches!(rules.judge_listed(&uri, listed.size), Verdict::Route(_)) {
                uris.push(uri);
            }
        }
        Ok(uris)
    }

    fn line(&self, out: &mut impl io::Write, way: &str, file: &str, why: &str) -> io::Result<()> {
        if self.output.is_json() {
            return writeln!(out, "{}", serde_json::json!({ "file": file, "way": way, "why": why }));
        }
        writeln!(out, "{way:<11} {file}  ({why})")
    }

    async fn show(&self, lake: &Lake, uris: Vec<ObjectUri>, out: &mut impl io::Write) -> anyhow::Result<()> {
        let mut by_format: BTreeMap<FileFormat, Vec<RequestedObject>> = BTreeMap::new();
        for uri in uris {
            let format = self.format.or_else(|| FileFormat::from_suffix(&uri));
            let format =
                format.with_context(|| format!("{uri}: the suffix tells no format; give --format"))?;
            by_format.entry(format).or_default().push(RequestedObject { uri, hint: ObjectHint::default() });
        }
        for (format, objects) in by_format {
            let options = self.options.iter().cloned().collect();
            let request = IngestRequest::new(self.table.clone(), format, options, objects, Utc::now());
            for Preview { file, way, why } in lake.preview(&request).await? {
                self.line(out, &way, &file, &why)?;
            }
        }
        Ok(())
    }
}
