//! `event-ingest files show` and `explain`: one object.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use ingest_core::{ObjectUri, TableName};
use lake::Lake;
use lake::inspect::Explanation;
use lake::ledger::{Entry, Part};
use lake::source::{ObjectFault, Resolved};
use serde_json::{Value, json};

use crate::commands::print::OutputArgs;
use crate::commands::settings::OperatorArgs;
use crate::overview::version;

/// Which object.
#[derive(Args, Debug)]
pub struct ObjectArgs {
    /// The object, as in s3://inbox/a.parquet; the key as it is, nothing encoded
    #[arg(value_name = "URI")]
    object: ObjectUri,
    /// Table
    #[arg(long, value_name = "NAME")]
    table: TableName,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where the lake is.
    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

pub(super) async fn show(lake: &Lake, args: &ObjectArgs) -> anyhow::Result<ExitCode> {
    let found = lake.explain(&args.table, &args.object).await?;
    let out = &mut io::stdout().lock();
    if args.output.is_json() {
        let shown = json!({
            "table_exists": found.table_exists, "ingested": ingested(&found), "quarantined": quarantined(&found),
        });
        writeln!(out, "{shown}")?;
    } else {
        write_versions(out, &found)?;
        write_absence(out, &found, &args.table)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn explain(lake: &Lake, args: &ObjectArgs) -> anyhow::Result<ExitCode> {
    let found = lake.explain(&args.table, &args.object).await?;
    let out = &mut io::stdout().lock();
    let bucket = in_bucket(&found);
    if args.output.is_json() {
        let rolled_back: Vec<Value> =
            found.rolled_back.iter().map(|entry| of_entry(entry, "rolled back")).collect();
        let all = json!({
            "object": args.object, "table": args.table, "table_exists": found.table_exists,
            "in_bucket": bucket, "ingested": ingested(&found), "rolled_back": rolled_back,
            "quarantined": quarantined(&found),
        });
        writeln!(out, "{all}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{} for table {}", args.object, args.table)?;
    writeln!(out, "in the bucket: {bucket}")?;
    write_versions(out, &found)?;
    for entry in &found.rolled_back {
        write_entry(out, entry, "not in main: rolled back, or on a branch")?;
    }
    write_absence(out, &found, &args.table)?;
    Ok(ExitCode::SUCCESS)
}

/// What there is not.
fn write_absence(out: &mut impl Write, found: &Explanation, table: &TableName) -> io::Result<()> {
    if !found.table_exists {
        writeln!(out, "table `{table}` does not exist")?;
    }
    if !found.ingested.is_empty() || !found.quarantined.is_empty() {
        return Ok(());
    }
    if found.rolled_back.is_empty() {
        return writeln!(
            out,
            "never seen: no request for this table has named it, or none has been answered yet"
        );
    }
    writeln!(
        out,
        "not in the table: {} versions were rolled back, or are on a branch",
        found.rolled_back.len()
    )
}

fn in_bucket(found: &Explanation) -> String {
    match &found.in_bucket {
        Ok(Resolved::Object(object)) => format!("{}, {} bytes", version(&object.identity), object.size),
        Ok(Resolved::Fault(ObjectFault::Missing)) => "no such object".to_owned(),
        Ok(Resolved::Fault(ObjectFault::Unaddressable(reason))) => reason.clone(),
        Err(error) => format!("not known, {error}"),
    }
}

fn write_versions(out: &mut impl Write, found: &Explanation) -> io::Result<()> {
    for (entry, standing) in &found.ingested {
        write_entry(out, entry, &standing.to_string())?;
    }
    for kept in &found.quarantined {
        let record = &kept.record;
        let what = record.identity.as_ref().map_or_else(|| "as it was announced".to_owned(), version);
        let since = found.ingested.iter().any(|(entry, _)| Some(&entry.identity) == record.identity.as_ref());
        writeln!(out, "set aside: {what}")?;
        writeln!(out, "  reason    {}", record.reason)?;
        writeln!(out, "  request   {}", record.request_id)?;
        writeln!(out, "  time      {}", record.time)?;
        if since {
            writeln!(out, "  since     ingested: the ledger outranks this record")?;
        }
    }
    Ok(())
}

fn write_entry(out: &mut impl Write, entry: &Entry, standing: &str) -> io::Result<()> {
    writeln!(out, "ingested: {}", version(&entry.identity))?;
    writeln!(out, "  rows      {}", entry.rows)?;
    writeln!(out, "  snapshot  {} ({standing})", entry.snapshot_id)?;
    writeln!(out, "  request   {}", entry.request_id)?;
    if let Some(time) = entry.event_time {
        writeln!(out, "  announced {time}")?;
    }
    writeln!(out, "  committed {}", entry.time)?;
    writeln!(out, "  mode      {}", entry.mode)?;
    for Part { file, first_row_group, row_groups } in &entry.parts {
        match row_groups {
            0 => writeln!(out, "  data file {file}, perhaps: the stage had several objects and files")?,
            count => {
                let last = first_row_group + count - 1;
                writeln!(out, "  data file {file}, row groups {first_row_group} to {last}")?;
            }
        }
    }
    Ok(())
}

fn ingested(found: &Explanation) -> Vec<Value> {
    found.ingested.iter().map(|(entry, standing)| of_entry(entry, &standing.to_string())).collect()
}

fn quarantined(found: &Explanation) -> Vec<Value> {
    found.quarantined.iter().map(|kept| json!(kept.record)).collect()
}

fn of_entry(entry: &Entry, standing: &str) -> Value {
    let part = |part: &Part| {
        let Part { file, first_row_group, row_groups } = part;
        json!({"file": file, "first_row_group": first_row_group, "row_groups": row_groups})
    };
    let parts: Vec<Value> = entry.parts.iter().map(part).collect();
    json!({
        "identity": entry.identity, "rows": entry.rows, "snapshot_id": entry.snapshot_id, "standing": standing,
        "request_id": entry.request_id, "event_time": entry.event_time, "time": entry.time, "mode": entry.mode,
        "parts": parts,
    })
}
