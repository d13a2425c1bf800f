//! `event-ingest files list`: the newest objects of a table. The ledger is read through once; what is held is twice
//! the limit.

use std::io::{self, Write};
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use futures::TryStreamExt;
use ingest_core::{ObjectIdentity, TableName};
use lake::Lake;
use lake::inspect::Inspection;
use serde::Serialize;
use service_kit::config::number_from_one_to;

use crate::commands::print::{OutputArgs, Table, time};
use crate::commands::settings::OperatorArgs;
use crate::commands::since::since;
use crate::overview::quarantine::of;
use crate::overview::{uri, version};

/// Most lines that can be asked for.
const MAX_LIMIT: usize = 100_000;
/// Records that are looked up in the ledger at once.
const LOOK_UP: usize = 200;

/// What to list.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Table
    #[arg(long, value_name = "NAME")]
    table: TableName,
    /// Only objects whose URI begins so, as in s3://inbox/flights/
    #[arg(long, value_name = "URI", default_value = "")]
    prefix: String,
    /// Only what came since then: a time (2026-01-02T03:04:05Z) or how long ago (2h)
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// Only objects that were set aside
    #[arg(long, conflicts_with = "ingested")]
    quarantined: bool,
    /// Only objects that are in the table
    #[arg(long)]
    ingested: bool,
    /// At most so many, the newest
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = number_from_one_to(MAX_LIMIT))]
    limit: usize,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where the lake is.
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    time: DateTime<Utc>,
    status: &'static str,
    file: String,
    version: Option<String>,
    rows: Option<u64>,
    snapshot_id: Option<i64>,
    mode: Option<String>,
    reason: Option<String>,
    request_id: String,
}

/// The newest lines among many.
struct Newest {
    lines: Vec<Line>,
    limit: usize,
}

impl Newest {
    fn add(&mut self, line: Line) {
        self.lines.push(line);
        if self.lines.len() >= 2 * self.limit {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.lines.sort_by(|a, b| (b.time, &b.file).cmp(&(a.time, &a.file)));
        self.lines.truncate(self.limit);
    }
}

pub(super) async fn list(lake: &Lake, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut newest = Newest { lines: Vec::new(), limit: args.limit };
    let inspection = lake.inspect(&args.table).await?;
    if let Some(inspection) = inspection.as_ref().filter(|_| !args.quarantined) {
        ingested(inspection, args, &mut newest).await?;
    }
    if !args.ingested {
        quarantined(lake, inspection.as_ref(), args, &mut newest).await?;
    }
    newest.cut();
    print(&mut io::stdout().lock(), &newest.lines, args.output.is_json())?;
    if inspection.is_none() && newest.lines.is_empty() {
        anyhow::bail!("table `{}` does not exist, and nothing was set aside for it", args.table);
    }
    Ok(ExitCode::SUCCESS)
}

fn wanted(args: &ListArgs, file: &str, time: DateTime<Utc>) -> bool {
    file.starts_with(&args.prefix) && args.since.is_none_or(|since| time >= since)
}

async fn ingested(inspection: &Inspection, args: &ListArgs, newest: &mut Newest) -> anyhow::Result<()> {
    let mut entries = std::pin::pin!(inspection.ledger.entries(&inspection.head));
    while let Some(entry) = entries.try_next().await? {
        let file = uri(&entry.identity);
        if wanted(args, &file, entry.time) {
            newest.add(Line {
                time: entry.time,
                status: "ingested",
                file,
                version: Some(version(&entry.identity)),
                rows: Some(entry.rows),
                snapshot_id: Some(entry.snapshot_id),
                mode: Some(entry.mode),
                reason: None,
                request_id: entry.request_id,
            });
        }
    }
    Ok(())
}

/// Records of what is not in the table: the ledger outranks them.
async fn quarantined(
    lake: &Lake,
    inspection: Option<&Inspection>,
    args: &ListArgs,
    newest: &mut Newest,
) -> anyhow::Result<()> {
    for quarantine in of(lake, &args.table, inspection) {
        let records = quarantine.list().await?;
        let mut pages = std::pin::pin!(records.try_chunks(LOOK_UP));
        while let Some(page) = pages.try_next().await.map_err(|error| error.1)? {
            let known = match inspection {
                Some(Inspection { ledger, head, .. }) => {
                    let asked: Vec<ObjectIdentity> =
                        page.iter().filter_map(|kept| kept.record.identity.clone()).collect();
                    ledger.look_up(head, &asked).await?
                }
                None => Default::default(),
            };
            for record in page.into_iter().map(|kept| kept.record) {
                let ingested = record.identity.as_ref().is_some_and(|identity| known.contains_key(identity));
                if !ingested && wanted(args, &record.file, record.time) {
                    newest.add(Line {
                        time: record.time,
                        status: "quarantined",
                        file: record.file,
                        version: record.identity.as_ref().map(version),
                        rows: None,
                        snapshot_id: None,
                        mode: None,
                        reason: Some(record.reason),
                        request_id: record.request_id,
                    });
                }
            }
        }
    }
    Ok(())
}

fn print(out: &mut impl Write, lines: &[Line], json: bool) -> anyhow::Result<()> {
    if json {
        for line in lines {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
        }
        return Ok(());
    }
    let mut table = Table::new(["TIME", "STATUS", ">ROWS", "FILE", "REASON"]);
    for line in lines {
        table.row([
            time(line.time),
            line.status.to_owned(),
            line.rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
            line.file.clone(),
            line.reason.clone().unwrap_or_default(),
        ]);
    }
    Ok(table.write(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: i64) -> Line {
        Line {
            time: DateTime::from_timestamp(second, 0).unwrap(),
            status: "ingested",
            file: format!("s3://b/{second}"),
            version: None,
            rows: None,
            snapshot_id: None,
            mode: None,
            reason: None,
            request_id: String::new(),
        }
    }

    #[test]
    fn the_newest_are_kept_in_bounded_memory() {
        let mut newest = Newest { lines: Vec::new(), limit: 3 };
        for n in 0..1_000 {
            newest.add(line((n * 37) % 1_000));
            assert!(newest.lines.len() < 6);
        }
        newest.cut();
        assert_eq!(newest.lines, [line(999), line(998), line(997)]);
    }
}
