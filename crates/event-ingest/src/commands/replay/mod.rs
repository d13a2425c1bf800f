//! `event-ingest replay`: announces objects of a bucket again, on the topic where the bucket itself would. For when that
//! topic was lost, when a consumer has to see them again, or when a table was dropped and is to be filled anew. What is
//! in a table already is skipped by the worker.
//!
//! `reconcile` compares and ingests by itself what is missing; this one asks no table, and leaves the rest to the
//! services: rules, batches and lanes are the dispatcher's.

mod announcement;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use futures::{TryStreamExt, future};
use indicatif::ProgressBar;
use ingest_core::ObjectUri;
use lake::storage::Stores;
use lake::storage::listing::{Listed, walk};
use lake::{AllowList, LakeConfig};
use serde_json::json;
use service_kit::config::variables;
use service_kit::kafka::{ClientProperties, KafkaArgs};
use service_kit::outlet::{Outlet, OutletConfig};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::exit::{self, Interrupted};
use super::load::{Found, Source, find};
use super::print::{OutputArgs, count, spinner};
use super::settings::OperatorArgs;
use super::since::since;

/// Objects that one record announces: with the longest keys it stays below a third of what a topic takes by default.
const OBJECTS_PER_RECORD: usize = 100;
/// Records that wait for Kafka's acknowledgement at the same time.
const RECORDS_IN_FLIGHT: usize = 32;

/// The flags of the command.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Exit status: 0 if everything was announced, 3 if something that was named may not be read, 1 after a failure, 130 if interrupted; the text then says how to go on. A standalone instance needs none of this: see event-ingest ingest."
)]
pub struct ReplayArgs {
    /// s3://bucket/key, s3://bucket/prefix/ or s3://bucket/beginning*: objects, all objects below a prefix, all keys that begin so
    #[arg(required = true, value_name = "S3-URI")]
    pub sources: Vec<Source>,
    /// Only objects that were put since then: a time (2026-01-02T03:04:05Z) or how long ago (2h)
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<DateTime<Utc>>,
    /// Go on after this object, as an interrupted run says at its end
    #[arg(long, value_name = "S3-URI")]
    pub start_after: Option<ObjectUri>,
    /// Only name what would be announced
    #[arg(long)]
    pub dry_run: bool,
    /// Kafka topic of the announcements
    #[arg(long, env = "TOPIC", default_value = "s3-events", value_name = "NAME")]
    pub topic: String,
    /// Text or JSON.
    #[command(flatten)]
    pub output: OutputArgs,
    /// librdkafka's own properties.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// What all commands have.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// What came of it.
#[derive(Debug, Default)]
struct Summary {
    announced: u64,
    bytes: u64,
    older: u64,
    forbidden: u64,
}

/// The work of one call.
struct Replay<'a, W> {
    args: &'a ReplayArgs,
    stores: Stores,
    allow: AllowList,
    store: String,
    outlet: Option<Outlet>,
    stop: &'a CancellationToken,
    bar: ProgressBar,
    out: W,
    summary: Summary,
    /// Everything up to this object is announced.
    position: Option<ObjectUri>,
}

/// Runs the command.
///
/// # Errors
/// What could not be listed or announced, and how to go on.
pub async fn run(
    args: ReplayArgs,
    config: LakeConfig,
    stop: CancellationToken,
    out: impl Write,
) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        args.operator.data.is_none(),
        "a standalone instance has no topic; its server announces by itself what a table lacks, and `event-ingest ingest` brings objects in"
    );
    let outlet = match args.dry_run {
        true => None,
        false => {
            let properties = ClientProperties::new(variables(), &args.kafka.properties)?;
            Outlet::new(&OutletConfig { topic: Some((args.topic.clone(), properties)), sink: None })?
        }
    };
    let replay = Replay {
        stores: Stores::new(config.properties)?,
        allow: config.allow,
        store: config.store_name,
        outlet,
        stop: &stop,
        bar: spinner(),
        out,
        summary: Summary::default(),
        position: None,
        args: &args,
    };
    replay.run().await
}

impl<W: Write> Replay<'_, W> {
    async fn run(mut self) -> anyhow::Result<ExitCode> {
        let walked = self.walk().await;
        self.bar.finish_and_clear();
        self.print_summary()?;
        let again = match &self.position {
            Some(position) => format!("go on with --start-after '{position}'"),
            None => "run the same command again".to_owned(),
        };
        walked.with_context(|| format!("what was announced stays; {again}"))?;
        if self.stop.is_cancelled() {
            return Err(Interrupted::but(format!("what was announced stays; {again}")).into());
        }
        Ok(exit::done(self.summary.forbidden == 0))
    }

    async fn walk(&mut self) -> anyhow::Result<()> {
        let mut start = self.args.start_after.clone();
        for source in &self.args.sources {
            // Sources before the one that an earlier run ended in are done.
            let holds = |start: &ObjectUri| {
                source.bucket == start.bucket() && start.key().starts_with(source.begins())
            };
            if start.as_ref().is_some_and(|start| !holds(start)) {
                continue;
            }
            let after = start.take().map_or_else(String::new, |start| start.key().to_owned());
            let found = find(&self.stores, &self.allow, &self.store, source);
            let Some(found) = self.stop.run_until_cancelled(found).await else { return Ok(()) };
            match found? {
                Found::Object(listed) => self.announce(&source.bucket, vec![listed]).await?,
                Found::Below(prefix) => self.below(&source.bucket, prefix, after).await?,
                Found::Forbidden => {
                    self.summary.forbidden += 1;
                    self.say(&source.to_string(), 0, "forbidden")?;
                }
            }
        }
        match start {
            Some(start) => {
                anyhow::bail!("--start-after {start} is in none of the buckets and prefixes that are named")
            }
            None => Ok(()),
        }
    }

    /// Announces what lies below a prefix, in the order of keys, some records at a time.
    async fn below(&mut self, bucket: &str, prefix: String, after: String) -> anyhow::Result<()> {
        let since = self.args.since;
        let listing = walk(self.stores.listing(bucket)?, prefix, after);
        let mut pages = std::pin::pin!(listing.try_chunks(OBJECTS_PER_RECORD * RECORDS_IN_FLIGHT));
        loop {
            let Some(page) = self.stop.run_until_cancelled(pages.try_next()).await else { return Ok(()) };
            let Some(page) = page.map_err(|error| error.1)? else { return Ok(()) };
            let last = page.last().map(|listed| ObjectUri::new(bucket, &listed.key)).transpose()?;
            let (new, old): (Vec<Listed>, Vec<Listed>) =
                page.into_iter().partition(|listed| wanted(listed, since));
            self.summary.older += old.len() as u64;
            self.announce(bucket, new).await?;
            self.position = last;
        }
    }

    /// Announces these, and waits until Kafka has all of them: whatever ends the command, what is under way gets out.
    async fn announce(&mut self, bucket: &str, objects: Vec<Listed>) -> anyhow::Result<()> {
        if self.args.dry_run {
            for object in &objects {
                self.say(&format!("s3://{bucket}/{}", object.key), object.size, "would-announce")?;
            }
        }
        if let Some(outlet) = &self.outlet {
            let now = Utc::now();
            let sent = objects.chunks(OBJECTS_PER_RECORD).map(|some| {
                let event = announcement::event(bucket, some, now, Uuid::new_v4().to_string());
                async move { outlet.send(event, &some[0].key).await }
            });
            future::try_join_all(sent).await?;
        }
        self.summary.announced += objects.len() as u64;
        self.summary.bytes += objects.iter().map(|object| object.size).sum::<u64>();
        self.bar.set_message(format!("{} announced", count(self.summary.announced)));
        Ok(())
    }

    fn say(&mut self, file: &str, size: u64, status: &str) -> std::io::Result<()> {
        match self.args.output.is_json() {
            true => writeln!(self.out, "{}", json!({"file": file, "size": size, "status": status})),
            false => writeln!(self.out, "{status:<14}  {size:>12}  {file}"),
        }
    }

    fn print_summary(&mut self) -> std::io::Result<()> {
        let Summary { announced, bytes, older, forbidden } = self.summary;
        let dry_run = self.args.dry_run;
        if self.args.output.is_json() {
            let summary = json!({"announced": announced, "bytes": bytes, "older": older, "forbidden": forbidden, "dry_run": dry_run});
            return writeln!(self.out, "{}", json!({ "summary": summary }));
        }
        let what = if dry_run { "would be announced" } else { "announced" };
        writeln!(
            self.out,
            "{announced} objects with {bytes} bytes {what}, {older} are older, {forbidden} may not be read"
        )
    }
}

/// Whether an object is as new as was asked for; one whose age is not told is.
fn wanted(listed: &Listed, since: Option<DateTime<Utc>>) -> bool {
    match (listed.modified, since) {
        (Some(modified), Some(since)) => modified >= since,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_unknown_age_is_announced() {
        let at = |second| DateTime::from_timestamp(second, 0);
        let listed = |modified| Listed { key: "k".to_owned(), size: 1, etag: None, modified };
        assert!(wanted(&listed(at(5)), at(5)) && !wanted(&listed(at(4)), at(5)));
        assert!(wanted(&listed(None), at(5)) && wanted(&listed(at(1)), None));
    }
}
