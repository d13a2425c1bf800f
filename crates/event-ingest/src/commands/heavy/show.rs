//! `event-ingest heavy show`.

use std::io::{self, Write};
use std::process::ExitCode;

use chrono::Utc;
use clap::Args;
use spark_launcher::AttemptName;
use spark_launcher::record::closed::Told;
use spark_launcher::record::store::Records;
use spark_launcher::record::summary::Summary;

use super::{Output, any};
use crate::commands::settings::OperatorArgs;

/// What to show.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The record's id, its first digits, or the name of one of its applications
    #[arg(value_name = "REQUEST")]
    request: String,
    /// How to write
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// Where the lake is.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Shows one request.
///
/// # Errors
/// No such request, or a store that does not answer.
pub async fn show(records: &Records, args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let summary = any(records, &args.request).await?;
    let mut out = io::stdout().lock();
    match args.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
        Output::Text => print(&mut out, &summary)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    writeln!(out, "record    {}", summary.record_id)?;
    writeln!(out, "request   {}", summary.request_id)?;
    writeln!(out, "table     {}", summary.table)?;
    writeln!(out, "files     {}, {} bytes", summary.files, summary.bytes)?;
    writeln!(out, "state     {}", summary.state)?;
    writeln!(out, "received  {}", summary.received)?;
    if let Some(closed) = summary.closed {
        writeln!(out, "closed    {closed}")?;
    }
    writeln!(out, "owned     {} s", summary.seconds(Utc::now()))?;
    for attempt in &summary.attempts {
        print_attempt(out, attempt)?;
    }
    if let Some(reason) = &summary.reason {
        writeln!(out, "reason    {}", printable(reason))?;
    }
    if let Some(hint) = log_hint(summary) {
        writeln!(out, "log       {hint}")?;
    }
    if summary.state == "failed" {
        writeln!(out, "mend it, then: event-ingest heavy retry {}", summary.record_id)?;
    }
    Ok(())
}

fn print_attempt(out: &mut impl Write, attempt: &Told) -> io::Result<()> {
    let Told { number, started, ended, how, reason, .. } = attempt;
    write!(out, "attempt   {number}  ")?;
    match (started, ended, how) {
        (Some(started), Some(ended), Some(how)) => {
            write!(out, "{} after {} s, began {started}", how.as_str(), (*ended - *started).num_seconds())?;
        }
        (None, Some(ended), Some(how)) => write!(out, "{} at {ended}, never began", how.as_str())?,
        (Some(started), _, _) => write!(out, "began {started}")?,
        (None, _, _) => write!(out, "not taken yet")?,
    }
    match reason {
        Some(reason) => writeln!(out, ": {}", printable(reason)),
        None => writeln!(out),
    }
}

/// Where the log of the newest attempt is that has one.
fn log_hint(summary: &Summary) -> Option<String> {
    let of = |told: &Told| Some((told.number, told.backend.clone()?));
    let (number, backend) = summary.attempts.iter().rev().find_map(of)?;
    let application = AttemptName { record_id: summary.record_id.clone(), number };
    Some(match backend.as_str() {
        "spark-operator" => format!("kubectl logs {application}-driver"),
        "spark-submit" => format!("{application}/log below --spark-work-dir of the launcher"),
        _ => format!("the launcher's own, lines with {application}"),
    })
}

/// Text of strangers for a terminal: control characters would move its cursor.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), " ")
}
