//! `event-ingest files retry`: objects that were set aside are requested again ([`again`]). A request that only goes to
//! Kafka leaves its records: a worker may set an object aside again under the same name at any time, and the ledger
//! outranks the record of one that came in.
//!
//! Names are listed a page at a time and records read some at a time, so what is held is bounded, and no listing stays
//! open while requests are carried out. Names are passed in order, so a record that is written anew is not met again.

use std::collections::HashMap;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use ingest_core::{FileStatus, IngestRequest, IngestResult, ObjectUri, Route, TableName};
use lake::Lake;
use lake::allow::OUTSIDE;
use lake::quarantine::{Kept, Quarantine};
use serde_json::json;
use service_kit::config::variables;
use service_kit::kafka::{ClientProperties, KafkaArgs};
use service_kit::outlet::{Outlet, OutletConfig};
use tokio_util::sync::CancellationToken;

use crate::commands::exit::{self, Interrupted};
use crate::commands::load::{FULL, Groups, attempt};
use crate::commands::print::{OutputArgs, one_line};
use crate::commands::settings::OperatorArgs;
use crate::commands::until;
use crate::overview::again::{self, Chosen};
use crate::overview::quarantine;

/// Names of records that are listed and held at once.
const PAGE_NAMES: usize = 10_000;
/// Records that are read at the same time.
const READS_IN_FLIGHT: usize = 8;
/// `source` of the requests that go to Kafka.
const SOURCE: &str = "/event-ingest/files-retry";

/// What to ingest again.
#[derive(Args, Debug)]
pub struct RetryArgs {
    /// Objects, as in s3://inbox/a.parquet
    #[arg(value_name = "URI", required_unless_present = "all", conflicts_with = "all")]
    objects: Vec<ObjectUri>,
    /// All that were set aside for the table
    #[arg(long)]
    all: bool,
    /// Only those whose reason has this text in it
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Table
    #[arg(long, value_name = "NAME")]
    table: TableName,
    /// Read what the bucket has now, instead of the version that was announced
    #[arg(long)]
    current: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Send the requests to this Kafka topic, for the light worker to ingest, instead of ingesting here. The records stay: `files list` hides those of objects that the ledger has by then, and a later retry without --topic takes them away
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// librdkafka's own properties.
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Where the lake is.
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

/// The work of one call.
struct Retrial<'a, W> {
    lake: &'a Lake,
    args: &'a RetryArgs,
    stop: &'a CancellationToken,
    outlet: Option<Outlet>,
    quarantines: Vec<Quarantine>,
    /// Objects that were named, and whether a record of each was met.
    named: HashMap<String, bool>,
    /// What is to be requested, by what a request says beside its objects.
    groups: Groups<Chosen>,
    out: Teller<W>,
    set_aside: bool,
}

/// Says what became of each object.
struct Teller<W> {
    out: W,
    json: bool,
}

impl<W: Write> Teller<W> {
    fn say(&mut self, status: &str, file: &str, text: &str) -> io::Result<()> {
        match self.json {
            true => writeln!(self.out, "{}", json!({"file": file, "status": status, "text": text})),
            false => writeln!(self.out, "{status:<11}  {file}  {}", one_line(text)),
        }
    }
}

pub(super) async fn retry(
    lake: &Lake,
    args: &RetryArgs,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    lake.allow().check_table(&args.table)?;
    let outlet = match &args.topic {
        Some(topic) => {
            let properties = ClientProperties::new(variables(), &args.kafka.properties)?;
            Outlet::new(&OutletConfig { topic: Some((topic.clone(), properties)), sink: None })?
        }
        None => None,
    };
    let retrial = Retrial {
        lake,
        args,
        stop,
        outlet,
        quarantines: until(stop, quarantine::all(lake, &args.table)).await??,
        named: args.objects.iter().map(|uri| (uri.to_string(), false)).collect(),
        groups: Groups::default(),
        out: Teller { out: io::stdout(), json: args.output.is_json() },
        set_aside: false,
    };
    retrial.run().await
}

impl<W: Write> Retrial<'_, W> {
    async fn run(mut self) -> anyhow::Result<ExitCode> {
        for quarantine in std::mem::take(&mut self.quarantines) {
            self.walk(&quarantine).await?;
        }
        while let Some((route, some)) = self.groups.take_largest() {
            self.request(&route, some).await?;
        }
        if let Some(file) = self.named.iter().filter(|(_, met)| !**met).map(|(file, _)| file).min() {
            let table = &self.args.table;
            anyhow::bail!("`{file}` was not set aside for table `{table}`, or for another reason");
        }
        Ok(exit::done(!self.set_aside))
    }

    /// Takes the records of a quarantine that were asked for.
    async fn walk(&mut self, from: &Quarantine) -> anyhow::Result<()> {
        let stop = self.stop;
        let mut after = String::new();
        loop {
            let names = until(stop, from.names(&after, PAGE_NAMES)).await??;
            let Some(last) = names.last() else { return Ok(()) };
            after.clone_from(last);
            for some in names.chunks(FULL) {
                let reads: Vec<_> = some.iter().map(|name| from.get(name)).collect();
                let read = stream::iter(reads).buffered(READS_IN_FLIGHT).try_collect();
                let records: Vec<Option<Kept>> = until(stop, read).await??;
                for kept in records.into_iter().flatten() {
                    self.take(Chosen { quarantine: from.clone(), kept }).await?;
                }
            }
        }
    }

    async fn take(&mut self, chosen: Chosen) -> anyhow::Result<()> {
        let record = &chosen.kept.record;
        let asked = self.args.all || self.named.contains_key(&record.file);
        if !asked || !record.reason.contains(&self.args.reason) {
            return Ok(());
        }
        if let Some(met) = self.named.get_mut(&record.file) {
            *met = true;
        }
        if !self.lake.allow().allows_source(&record.requested()?.uri) {
            self.set_aside = true;
            return Ok(self.out.say("forbidden", &record.file, OUTSIDE)?);
        }
        if self.args.dry_run {
            return Ok(self.out.say("would retry", &record.file, &record.reason)?);
        }
        match self.groups.add(again::route(&self.args.table, record), chosen) {
            Some((route, some)) => self.request(&route, some).await,
            None => Ok(()),
        }
    }

    /// Requests some objects, and takes the records away of those that are in the table by then.
    async fn request(&mut self, route: &Route, some: Vec<Chosen>) -> anyhow::Result<()> {
        if self.stop.is_cancelled() {
            return Err(Interrupted::but("the records of what was not retried are still there").into());
        }
        let request = again::request(route, &some, self.args.current)?;
        if let Some(outlet) = &self.outlet {
            return send(outlet, &request, &mut self.out).await;
        }
        let result = attempt(self.lake, &request, self.stop).await?;
        say(&result, &mut self.out)?;
        let settled = again::settle(&some, &request, &result, self.args.current).await?;
        self.set_aside |= settled.iter().any(|(there, _)| !there);
        Ok(())
    }
}

fn say(result: &IngestResult, out: &mut Teller<impl Write>) -> io::Result<()> {
    for file in &result.files {
        let status = match file.status {
            FileStatus::Processed => "ingested",
            FileStatus::Skipped => "known",
            FileStatus::Quarantined => "set aside",
            FileStatus::Forbidden => "forbidden",
        };
        let reason = file.reason.as_deref().unwrap_or_default();
        out.say(status, &file.file, reason)?;
    }
    Ok(())
}

async fn send(outlet: &Outlet, request: &IngestRequest, out: &mut Teller<impl Write>) -> anyhow::Result<()> {
    outlet.send(again::event(request, SOURCE), &request.table.to_string()).await?;
    for object in &request.objects {
        out.say("requested", object.uri.as_str(), &format!("request {}", request.request_id))?;
    }
    Ok(())
}
