//! `event-ingest ledger`: whether it agrees with its table, making a lost one anew, files that nobody needs.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use chrono::{TimeDelta, Utc};
use clap::{ArgMatches, Args, Command, Subcommand};
use futures::TryStreamExt;
use ingest_core::TableName;
use lake::Lake;
use lake::inspect::Inspection;
use lake::ledger::{DEFAULT_AGE, LEAST_AGE};
use lake::maintain::orphans::OLDER_THAN;
use lake::maintain::rebuild::Plan;
use lake::maintain::sweep::Search;
use serde_json::{Value, json};
use service_kit::config::duration;
use tokio_util::sync::CancellationToken;

use super::exit::EXIT_DISAGREE;
use super::print::{OutputArgs, watched};
use super::settings::OperatorArgs;
use super::{look, operate, until};

/// What helps if there is no ledger to compare.
const BROKEN: &str =
    "cannot compare; if ledger files are lost, `event-ingest ledger rebuild` says what is left";

/// Look after the ledger of a table
#[derive(Args, Debug)]
pub struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Subcommand, Debug)]
enum LedgerCommand {
    /// Compare the ledger with the data files of main; exit code 4 if they disagree
    Verify(VerifyArgs),
    /// Say what a lost ledger can be made of again, and with --apply make it
    Rebuild(RebuildArgs),
    /// List files of failed attempts, and with --delete delete those that nothing can need any more
    Orphans(OrphansArgs),
}

/// What to compare.
#[derive(Args, Debug)]
struct VerifyArgs {
    /// Table
    #[arg(long, value_name = "NAME")]
    table: TableName,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where the lake is.
    #[command(flatten)]
    operator: OperatorArgs,
}

/// What to make anew.
#[derive(Args, Debug)]
struct RebuildArgs {
    /// Table
    #[arg(long, value_name = "NAME")]
    table: TableName,
    /// Make it the ledger of main, by a snapshot without rows. An interruption is heard until this begins, and not after
    #[arg(long)]
    apply: bool,
    /// Apply it although entries are lost: their objects count as new, and whoever asks for them again (reconcile, which standalone runs at its start, a redelivery) brings their rows in a second time
    #[arg(long, requires = "apply")]
    accept_loss: bool,
    /// Only say what would be done, as without --apply
    #[arg(long, conflicts_with = "apply")]
    dry_run: bool,
    /// Take runs, too, of snapshots that nothing tells of. Their objects then count as ingested, whether they are or not; otherwise they may be ingested again
    #[arg(long)]
    unproven: bool,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where the lake is.
    #[command(flatten)]
    operator: OperatorArgs,
}

/// What to look for.
#[derive(Args, Debug)]
struct OrphansArgs {
    /// Table
    #[arg(long, value_name = "NAME")]
    table: TableName,
    /// Delete what may be deleted. An interruption ends it between two batches of a hundred files; run it again to go on
    #[arg(long)]
    delete: bool,
    /// Only list, as without --delete
    #[arg(long, conflicts_with = "delete")]
    dry_run: bool,
    /// Age below which a file stays; a day by default, an hour at least. Never shorter than a request of yours can take
    #[arg(long, value_name = "TIME", value_parser = duration)]
    older_than: Option<Duration>,
    /// Age below which a ledger file stays that no retained snapshot reaches; 30 days by default, at least two days whatever is given
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ledger_older_than: Option<Duration>,
    /// Text or JSON.
    #[command(flatten)]
    output: OutputArgs,
    /// Where the lake is.
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Runs the subcommand that was given.
///
/// # Errors
/// Wrong settings, no such table, or a catalog or store that does not answer.
pub fn run(cli: &Command, matches: &ArgMatches, args: LedgerArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        LedgerCommand::Verify(args) => look(cli, matches, &args.operator.clone(), |config| async move {
            verify(&Lake::open(config).await?, &args).await
        }),
        LedgerCommand::Rebuild(args) => {
            operate(cli, matches, &args.operator.clone(), |config, stop| async move {
                if args.apply {
                    config.allow.check_table(&args.table)?;
                }
                rebuild(&until(&stop, Lake::open(config)).await??, &args, &stop).await
            })
        }
        LedgerCommand::Orphans(args) => {
            operate(cli, matches, &args.operator.clone(), |config, stop| async move {
                if args.delete {
                    config.allow.check_table(&args.table)?;
                }
                orphans(&until(&stop, Lake::open(config)).await??, &args, &stop).await
            })
        }
    }
}

fn missing(table: &TableName) -> anyhow::Error {
    anyhow::anyhow!("table `{table}` does not exist")
}

async fn verify(lake: &Lake, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let report = watched("ledger and data files are compared", lake.verify(&args.table)).await;
    let report = report.context(BROKEN)?.ok_or_else(|| missing(&args.table))?;
    let mut out = io::stdout().lock();
    if args.output.is_json() {
        let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        let found = json!({
            "table": args.table, "sound": report.sound(), "entries": report.entries, "runs": report.runs,
            "rows": report.rows, "data_files": report.files, "foreign_files": report.foreign,
            "rewritten_files": report.rewritten, "findings": findings, "more_findings": report.more,
        });
        writeln!(out, "{found}")?;
        return Ok(agreement(report.sound()));
    }
    writeln!(out, "ledger    {} entries in {} runs, {} rows", report.entries, report.runs, report.rows)?;
    writeln!(out, "main      {} data files, {} of other writers", report.files, report.foreign)?;
    if report.rewritten > 0 {
        writeln!(out, "rewritten {} files that the ledger names, by later snapshots", report.rewritten)?;
    }
    for finding in &report.findings {
        writeln!(out, "wrong     {finding}")?;
    }
    if report.more > 0 {
        writeln!(out, "wrong     {} findings more", report.more)?;
    }
    if report.sound() {
        writeln!(out, "they agree")?;
    }
    Ok(agreement(report.sound()))
}

fn agreement(sound: bool) -> ExitCode {
    if sound { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DISAGREE) }
}

/// Can be interrupted until the plan is made. Then there is one commit, which is let end.
async fn rebuild(lake: &Lake, args: &RebuildArgs, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    let look = lake.plan_rebuild(&args.table, args.unproven);
    let plan = until(stop, watched("the table's history is looked through", look)).await??;
    let plan = plan.ok_or_else(|| missing(&args.table))?;
    let (out, json) = (&mut io::stdout(), args.output.is_json());
    if !json {
        describe(out, &plan)?;
    }
    let lossless = plan.lost.is_empty() && plan.unnamed_files == 0;
    let snapshot_id = match args.apply && !plan.intact && (lossless || args.accept_loss) {
        true => Some(lake.rebuild(&args.table, &plan).await?),
        false => None,
    };
    match snapshot_id {
        _ if json => writeln!(out, "{}", described(&plan, snapshot_id))?,
        _ if plan.intact => writeln!(out, "the ledger is whole: nothing to rebuild")?,
        None if args.apply => writeln!(
            out,
            "nothing was changed: what is lost would count as new, and its rows would come a second time; \
             restore the ledger's files, or --accept-loss"
        )?,
        None => writeln!(out, "nothing was changed: --apply makes it the ledger of main")?,
        Some(snapshot_id) => writeln!(out, "made it the ledger of main, by snapshot {snapshot_id}")?,
    }
    Ok(agreement(plan.intact || (lossless && plan.unproven.is_empty() && snapshot_id.is_some())))
}

fn described(plan: &Plan, snapshot_id: Option<i64>) -> Value {
    let lost: Vec<Value> = plan
        .lost
        .iter()
        .map(|(snapshot_id, rows)| json!({"snapshot_id": snapshot_id, "rows": rows}))
        .collect();
    json!({
        "intact": plan.intact, "based_on": plan.based_on, "runs": plan.head.runs, "lost": lost,
        "unnamed_files": plan.unnamed_files, "unnamed_rows": plan.unnamed_rows, "unproven": plan.unproven,
        "rebuilt_by_snapshot": snapshot_id,
    })
}

fn describe(out: &mut impl Write, plan: &Plan) -> io::Result<()> {
    if plan.intact {
        return Ok(());
    }
    let entries: u64 = plan.head.runs.iter().map(|run| run.entries).sum();
    match &plan.based_on {
        Some(pointer) => writeln!(out, "base      {pointer}, the last head that is whole")?,
        None => writeln!(out, "base      none: no head of main is whole")?,
    }
    writeln!(out, "found     {entries} entries in {} runs", plan.head.runs.len())?;
    for (snapshot_id, rows) in &plan.lost {
        writeln!(out, "lost      the entries of snapshot {snapshot_id}, which added {rows} rows")?;
    }
    if plan.unnamed_files > 0 {
        writeln!(
            out,
            "not known which objects are in {} data files of ours with {} rows: they would be ingested again",
            plan.unnamed_files, plan.unnamed_rows
        )?;
    }
    for run in &plan.unproven {
        writeln!(
            out,
            "unproven  {} with {} entries: nothing tells whether they are in main",
            run.path, run.entries
        )?;
    }
    Ok(())
}

/// The search can be interrupted anywhere, the deletion between batches.
async fn orphans(lake: &Lake, args: &OrphansArgs, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    let older_than = args.older_than.unwrap_or(OLDER_THAN);
    let look = lake.search_orphans(&args.table, older_than);
    let search = until(stop, watched("warehouse and ledger are listed", look)).await??;
    let mut search = search.ok_or_else(|| missing(&args.table))?;
    let out = &mut io::stdout();
    list(out, &search, args.output.is_json())?;
    if args.delete {
        let deleted = lake.delete_orphans(&args.table, &mut search, || stop.is_cancelled()).await?;
        if !args.output.is_json() {
            writeln!(out, "deleted {deleted} files")?;
        }
    }
    unreachable(lake, args, stop, out).await
}

/// Ledger files that no retained snapshot reaches any more, of whatever attempt.
async fn unreachable(
    lake: &Lake,
    args: &OrphansArgs,
    stop: &CancellationToken,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let asked = args.ledger_older_than.map(TimeDelta::from_std).transpose().context("--ledger-older-than")?;
    let age = asked.unwrap_or(DEFAULT_AGE).max(LEAST_AGE);
    let found = until(stop, lake.inspect(&args.table)).await??;
    let Inspection { table, ledger, .. } = found.ok_or_else(|| missing(&args.table))?;
    let now = Utc::now();
    let files = until(stop, ledger.unreachable(table.metadata(), now, age)).await??;
    let mut files = std::pin::pin!(files);
    let (mut count, mut bytes) = (0_u64, 0);
    while let Some(file) = until(stop, files.try_next()).await?? {
        count += 1;
        bytes += file.bytes;
        if args.output.is_json() {
            let age_seconds = (now - file.modified).num_seconds();
            let (url, kind) = (&file.path, "unreachable-ledger-file");
            let line = json!({"url": url, "kind": kind, "bytes": file.bytes, "age_seconds": age_seconds, "deletable": true});
            writeln!(out, "{line}")?;
        }
        if args.delete {
            ledger.delete(&file).await?;
        }
    }
    if !args.output.is_json() && count > 0 {
        let fate = if args.delete { "deleted" } else { "may be deleted" };
        let hours = age.num_hours();
        writeln!(
            out,
            "{count} ledger files with {bytes} bytes, out of reach and older than {hours} h: {fate}"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(out: &mut impl Write, search: &Search, as_json: bool) -> io::Result<()> {
    for orphan in &search.orphans {
        let snapshots: Vec<i64> = search.snapshots(orphan).collect();
        let held = orphan.held.map(|held| held.to_string());
        let seconds = orphan.age.as_secs();
        if as_json {
            let line = json!({
                "url": orphan.url, "kind": orphan.kind.as_str(), "bytes": orphan.bytes, "age_seconds": seconds,
                "attempts": snapshots, "deletable": held.is_none(), "held": held,
            });
            writeln!(out, "{line}")?;
            continue;
        }
        let fate = held.map_or_else(|| "may be deleted".to_owned(), |held| format!("stays: {held}"));
        let why = match snapshots.as_slice() {
            [] => "no attempt names it".to_owned(),
            [one] => format!("of attempt {one}"),
            [.., last] => format!("of {} attempts, the last {last}", snapshots.len()),
        };
        let kind = orphan.kind.as_str();
        writeln!(
            out,
            "{kind:<13}  {:>12} bytes  {:>6} h  {}  {why}; {fate}",
            orphan.bytes,
            seconds / 3_600,
            orphan.url
        )?;
    }
    if !as_json {
        let may_go = search.orphans.iter().filter(|orphan| orphan.held.is_none());
        let (files, bytes) = may_go.fold((0, 0), |(files, bytes), orphan| (files + 1, bytes + orphan.bytes));
        writeln!(out, "{} files, of which {files} with {bytes} bytes may be deleted", search.orphans.len())?;
        if search.more {
            writeln!(out, "there are more: delete these first, then search again")?;
        }
    }
    Ok(())
}
