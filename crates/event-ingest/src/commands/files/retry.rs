//! `event-ingest files retry`: objects that were set aside are requested again, as they were announced. The request
//! comes first, the removal of the record second: whatever is cut short between the two is retried once more, and
//! the ledger makes that harmless.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::process::ExitCode;

use chrono::Utc;
use clap::Args;
use cloudevents::{Data, Event, EventBuilder, EventBuilderV10};
use futures::TryStreamExt;
use ingest_core::event::JSON;
use ingest_core::{FileFormat, FileStatus, IngestRequest, Lane, ObjectUri, TableName};
use lake::Lake;
use lake::quarantine::{Kept, Quarantine};
use service_kit::kafka::{ClientProperties, KafkaArgs};
use service_kit::outlet::{Outlet, OutletConfig};
use tokio_util::sync::CancellationToken;

use super::quarantines;
use crate::commands::EXIT_SET_ASIDE;
use crate::commands::settings::OperatorArgs;

/// Objects of one request.
const REQUEST_OBJECTS: usize = 200;
/// Records that one call takes on; a second call finds the others.
const MAX_RECORDS: usize = 10_000;
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
    /// Send the requests to this Kafka topic, for the light worker to ingest, instead of ingesting here. A record goes once Kafka has acknowledged its request
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// librdkafka's own properties.
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Where the lake is.
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

/// A record and the quarantine that it is in.
struct Chosen {
    quarantine: usize,
    kept: Kept,
}

/// What a request says beside its objects.
type Manner = (FileFormat, BTreeMap<String, String>);

pub(super) async fn retry(
    lake: &Lake,
    args: &RetryArgs,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let outlet = match &args.topic {
        Some(topic) => {
            let properties = ClientProperties::new(std::env::vars(), &args.kafka.properties)?;
            Outlet::new(&OutletConfig { topic: Some((topic.clone(), properties)), sink: None })?
        }
        None => None,
    };
    let quarantines = quarantines(lake, &args.table).await?;
    let (chosen, more) = choose(&quarantines, args).await?;
    let mut out = io::stdout();
    let mut set_aside = false;
    for ((format, options), chosen) in by_manner(chosen) {
        for some in chosen.chunks(REQUEST_OBJECTS) {
            if stop.is_cancelled() {
                anyhow::bail!("interrupted: the records of what was not retried are still there");
            }
            let mut objects = Vec::with_capacity(some.len());
            for Chosen { kept, .. } in some {
                let mut object = kept.record.requested()?;
                if args.current {
                    object.hint.version_id = None;
                }
                objects.push(object);
            }
            let request =
                IngestRequest::new(args.table.clone(), format, options.clone(), objects, Utc::now());
            if args.dry_run {
                for Chosen { kept, .. } in some {
                    writeln!(out, "would retry  {}  {}", kept.record.file, kept.record.reason)?;
                }
                continue;
            }
            let settled = match &outlet {
                Some(outlet) => send(outlet, &request, &mut out).await?,
                None => ingest(lake, &request, &mut out).await?,
            };
            for Chosen { quarantine, kept } in some {
                let version = kept.record.announced.version_id.clone().filter(|_| !args.current);
                if settled.get(&(kept.record.file.clone(), version)).copied().unwrap_or(false) {
                    quarantines[*quarantine].remove(&kept.name).await?;
                } else {
                    set_aside = true;
                }
            }
        }
    }
    if more {
        writeln!(out, "there are more: this call took {MAX_RECORDS}, run it again")?;
    }
    Ok(if set_aside { ExitCode::from(EXIT_SET_ASIDE) } else { ExitCode::SUCCESS })
}

/// The records that were asked for, and whether there are more than one call takes.
async fn choose(quarantines: &[Quarantine], args: &RetryArgs) -> anyhow::Result<(Vec<Chosen>, bool)> {
    let mut chosen = Vec::new();
    let files: Vec<String> = args.objects.iter().map(ToString::to_string).collect();
    for (quarantine, records) in quarantines.iter().enumerate() {
        let mut records = std::pin::pin!(records.list().await?);
        while let Some(kept) = records.try_next().await? {
            let asked = args.all || files.contains(&kept.record.file);
            if !asked || !kept.record.reason.contains(&args.reason) {
                continue;
            }
            if chosen.len() == MAX_RECORDS {
                return Ok((chosen, true));
            }
            chosen.push(Chosen { quarantine, kept });
        }
    }
    if let Some(file) = files.iter().find(|file| chosen.iter().all(|one| one.kept.record.file != **file)) {
        anyhow::bail!("`{file}` was not set aside for table `{}`, or for another reason", args.table);
    }
    Ok((chosen, false))
}

/// A request has one format and one set of options.
fn by_manner(chosen: Vec<Chosen>) -> BTreeMap<Manner, Vec<Chosen>> {
    let mut groups: BTreeMap<Manner, Vec<Chosen>> = BTreeMap::new();
    for one in chosen {
        let manner = (one.kept.record.format, one.kept.record.options.clone());
        groups.entry(manner).or_default().push(one);
    }
    groups
}

/// Whether each object, by name and version, is where it ought to be now.
type Settled = HashMap<(String, Option<String>), bool>;

async fn ingest(lake: &Lake, request: &IngestRequest, out: &mut impl Write) -> anyhow::Result<Settled> {
    let result = lake.ingest(request).await?;
    let mut settled = Settled::new();
    for (object, file) in request.objects.iter().zip(&result.files) {
        let status = match file.status {
            FileStatus::Processed => "ingested",
            FileStatus::Skipped => "known",
            FileStatus::Quarantined => "set aside",
            FileStatus::Forbidden => "forbidden",
        };
        let reason = file.reason.as_deref().unwrap_or_default();
        writeln!(out, "{status:<11}  {}  {reason}", file.file)?;
        let there = matches!(file.status, FileStatus::Processed | FileStatus::Skipped);
        settled.insert((file.file.clone(), object.hint.version_id.clone()), there);
    }
    Ok(settled)
}

async fn send(outlet: &Outlet, request: &IngestRequest, out: &mut impl Write) -> anyhow::Result<Settled> {
    outlet.send(event(request), &request.table.to_string()).await?;
    let mut settled = Settled::new();
    for object in &request.objects {
        writeln!(out, "requested    {}  request {}", object.uri, request.request_id)?;
        settled.insert((object.uri.to_string(), object.hint.version_id.clone()), true);
    }
    Ok(settled)
}

fn event(request: &IngestRequest) -> Event {
    let table = request.table.to_string();
    EventBuilderV10::new()
        .id(&request.request_id)
        .ty(Lane::Light.event_type())
        .source(SOURCE)
        .subject(&table)
        .time(request.timestamp)
        .extension("partitionkey", table.as_str())
        .data(JSON, Data::Binary(request.to_json()))
        .build()
        .expect("all required attributes are given")
}
