//! `event-ingest heavy list`.

use std::io::{self, Write};
use std::process::ExitCode;

use chrono::Utc;
use clap::Args;
use ingest_core::TableName;
use spark_launcher::record::store::{Found, Records};
use spark_launcher::record::summary::Summary;

use crate::commands::exit;
use crate::commands::print::{OutputArgs, Table, bytes};
use crate::commands::settings::OperatorArgs;

/// What to list.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only requests in this state: starting, running, waiting, failed, cancelled, done
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only requests for this table
    #[arg(long, value_name = "NAME")]
    table: Option<TableName>,
    /// So many of those that are over, too, the newest of the last 7 days
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    closed: usize,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where the lake is.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Lists requests: as JSON as they are found, as text once all are known. Live ones are bounded by the launcher.
///
/// # Errors
/// A store that does not answer.
pub async fn list(records: &Records, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut failed = false;
    let mut table =
        Table::new(["STATE", "APPLICATION", "TABLE", ">FILES", ">SIZE", ">ATTEMPTS", ">AGE", "REASON"]);
    for listed in records.list().await? {
        let Found::Live(record) = records.find(&listed.id).await? else { continue };
        let summary = Summary::of(records, &record).await?;
        if wanted(args, &summary) {
            failed |= record.failed;
            show(&mut out, &mut table, &summary, args.output)?;
        }
    }
    if args.closed > 0 {
        for (id, _) in records.stories(args.closed).await? {
            let summary = records.closed(&id).await?.map(Summary::from);
            if let Some(summary) = summary.filter(|summary| wanted(args, summary)) {
                show(&mut out, &mut table, &summary, args.output)?;
            }
        }
    }
    table.write(&mut out)?;
    Ok(exit::done(!failed))
}

fn wanted(args: &ListArgs, summary: &Summary) -> bool {
    args.state.as_ref().is_none_or(|state| state == summary.state)
        && args.table.as_ref().is_none_or(|table| table.to_string() == summary.table)
}

/// As a line of JSON at once, or as a row of the table.
fn show(
    out: &mut impl Write,
    table: &mut Table<8>,
    summary: &Summary,
    output: OutputArgs,
) -> anyhow::Result<()> {
    if output.is_json() {
        return Ok(writeln!(out, "{}", serde_json::to_string(summary)?)?);
    }
    let reason = summary.reason.clone().filter(|_| summary.state != "done");
    table.row([
        summary.state.to_owned(),
        summary.application.clone(),
        summary.table.clone(),
        summary.files.to_string(),
        bytes(summary.bytes),
        summary.attempts.len().to_string(),
        format!("{} s", summary.seconds(Utc::now())),
        reason.unwrap_or_default(),
    ]);
    Ok(())
}
