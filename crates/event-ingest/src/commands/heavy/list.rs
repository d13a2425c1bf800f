//! `event-ingest heavy list`.

use std::io::{self, Write};
use std::process::ExitCode;

use chrono::Utc;
use clap::Args;
use ingest_core::TableName;
use spark_launcher::record::store::{Found, Records};
use spark_launcher::record::summary::Summary;

use super::Output;
use crate::commands::EXIT_SET_ASIDE;
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
    /// How to write
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// Where the lake is.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Lists requests as they are found.
///
/// # Errors
/// A store that does not answer.
pub async fn list(records: &Records, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut failed = false;
    for listed in records.list().await? {
        let Found::Live(record) = records.find(&listed.id).await? else { continue };
        let summary = Summary::of(records, &record).await?;
        if wanted(args, &summary) {
            failed |= record.failed;
            print(&mut out, &summary, args.output)?;
        }
    }
    if args.closed > 0 {
        for (id, _) in records.stories(args.closed).await? {
            let summary = records.closed(&id).await?.map(Summary::from);
            if let Some(summary) = summary.filter(|summary| wanted(args, summary)) {
                print(&mut out, &summary, args.output)?;
            }
        }
    }
    Ok(if failed { ExitCode::from(EXIT_SET_ASIDE) } else { ExitCode::SUCCESS })
}

fn wanted(args: &ListArgs, summary: &Summary) -> bool {
    args.state.as_ref().is_none_or(|state| state == summary.state)
        && args.table.as_ref().is_none_or(|table| table.to_string() == summary.table)
}

fn print(out: &mut impl Write, summary: &Summary, output: Output) -> anyhow::Result<()> {
    if output == Output::Json {
        writeln!(out, "{}", serde_json::to_string(summary)?)?;
        return Ok(());
    }
    let Summary { state, application, table, files, bytes, attempts, .. } = summary;
    let (seconds, attempts) = (summary.seconds(Utc::now()), attempts.len());
    write!(
        out,
        "{state:<9}  {application}  {table}  {files} files  {bytes} bytes  {attempts} attempts  {seconds} s"
    )?;
    match summary.reason.as_deref().filter(|_| *state != "done") {
        Some(reason) => writeln!(out, "  {}", reason.replace(char::is_control, " "))?,
        None => writeln!(out)?,
    }
    Ok(())
}
