//! `event-ingest heavy retry` and `cancel`.

use std::io::{self, Write};
use std::process::ExitCode;

use chrono::Utc;
use clap::Args;
use serde_json::json;
use spark_launcher::record::Record;
use spark_launcher::record::documents::Note;
use spark_launcher::record::store::{Found, Records};

use super::live;
use crate::commands::print::OutputArgs;
use crate::commands::settings::OperatorArgs;

/// What to let try again.
#[derive(Args, Debug)]
pub struct RetryArgs {
    /// Ids of records, their first digits, or names of applications
    #[arg(value_name = "REQUEST", required_unless_present = "all", conflicts_with = "all")]
    requests: Vec<String>,
    /// All that were given up
    #[arg(long)]
    all: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where the lake is.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// What to end.
#[derive(Args, Debug)]
pub struct CancelArgs {
    /// Ids of records, their first digits, or names of applications
    #[arg(value_name = "REQUEST", required = true)]
    requests: Vec<String>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where the lake is.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Takes the mark away that a record was given up; its attempts so far count no more.
///
/// # Errors
/// One that is not there or was not given up, or a store that does not answer. Those before it are done.
pub async fn retry(records: &Records, args: &RetryArgs) -> anyhow::Result<ExitCode> {
    let mut wanted = Vec::new();
    for request in &args.requests {
        let record = live(records, request).await?;
        anyhow::ensure!(record.failed, "`{request}` was not given up: it goes on by itself");
        wanted.push(record);
    }
    if args.all {
        for listed in records.list().await? {
            if let Found::Live(record) = records.find(&listed.id).await?
                && record.failed
            {
                wanted.push(*record);
            }
        }
    }
    for record in &wanted {
        if !args.dry_run {
            records.retry(record, &note()).await?;
        }
        let what = if args.dry_run { "would try again" } else { "tries again with the launcher's next scan" };
        say(record, what, args.output)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Marks records as not wanted any more.
///
/// # Errors
/// One that is not there, or a store that does not answer. Those before it are done.
pub async fn cancel(records: &Records, args: &CancelArgs) -> anyhow::Result<ExitCode> {
    let mut wanted = Vec::new();
    for request in &args.requests {
        wanted.push(live(records, request).await?);
    }
    for record in &wanted {
        if !args.dry_run {
            records.cancel(record, &note()).await?;
        }
        let what = if args.dry_run { "would be cancelled" } else { "ends with the launcher's next scan" };
        say(record, what, args.output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn note() -> Note {
    Note { time: Utc::now(), reason: None }
}

fn say(record: &Record, what: &str, output: OutputArgs) -> io::Result<()> {
    let (id, table, files) = (&record.id, &record.request.table, record.request.file_count());
    match output.is_json() {
        true => {
            writeln!(
                io::stdout(),
                "{}",
                json!({"record_id": id, "table": table, "files": files, "text": what})
            )
        }
        false => writeln!(io::stdout(), "{id}  {table}  {files} files: {what}"),
    }
}
