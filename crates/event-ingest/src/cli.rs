//! The command line.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use service_kit::{shutdown, traces};

use crate::commands;
use crate::commands::completions::{self, CompletionsArgs};
use crate::commands::console::{self, ConsoleArgs};
use crate::commands::doctor::{self, DoctorArgs};
use crate::commands::exit;
use crate::commands::ingest::{self, IngestArgs};
use crate::commands::man::{self, ManArgs};
use crate::commands::plan::{self, PlanArgs};
use crate::commands::reconcile::{self, ReconcileArgs};
use crate::commands::replay::{self, ReplayArgs};
use crate::commands::sql::{self, SqlArgs};
use crate::commands::status::{self, StatusArgs};
use crate::precedence;
use crate::standalone::config::StandaloneArgs;
use crate::standalone::server;

/// Files land in a bucket, rows appear in an Apache Iceberg table
#[derive(Parser, Debug)]
#[command(name = "event-ingest", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run everything in one process: an S3 endpoint whose objects become rows
    Standalone(StandaloneArgs),
    /// Say what waits, what came in, what is wrong and what mends it
    Status(Box<StatusArgs>),
    /// Serve a web page that shows a cluster, and the API behind it
    Console(Box<ConsoleArgs>),
    /// Bring files of a bucket into a table, without Kafka; what is in it already is skipped
    Ingest(IngestArgs),
    /// Say how files would get into a table (spliced, rewritten, registered or not at all) and why; change nothing
    Plan(PlanArgs),
    /// Find what the buckets have under the rules and the tables lack; ingest it with --apply
    Reconcile(ReconcileArgs),
    /// Announce objects of a bucket again, as the bucket would; what is in a table is skipped
    Replay(ReplayArgs),
    /// See what became of objects, and put back those that were set aside
    Files(commands::files::FilesArgs),
    /// Check a file of rules, and see what it says of an object
    Rules(commands::rules::RulesArgs),
    /// See dead letters, and send them back to where they came from
    Dlq(commands::dlq::DlqArgs),
    /// See the requests that the spark launcher owns, let them try again, or end them
    Heavy(commands::heavy::HeavyArgs),
    /// Look after the ledger of a table
    Ledger(commands::ledger::LedgerArgs),
    /// Answer a SELECT over the tables, on the spot; the programs in the images cannot
    Sql(SqlArgs),
    /// Have Spark look after a table: small files, manifests, old snapshots, orphan files
    Maintain(commands::maintain::MaintainArgs),
    /// Check what the services need: brokers, topics, rights, catalog, buckets, roots, clocks; one line each, with the mend
    Doctor(Box<DoctorArgs>),
    /// Write what a shell needs to complete command lines
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
}

/// The whole command line: what `--help`, completions, manual pages and tests are made of.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that the arguments name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let matches = precedence::settle(Cli::command(), &args).get_matches_from(args);
    match run(&matches) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("event-ingest: {error:#}");
            exit::code_of(&error)
        }
    }
}

fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match Cli::from_arg_matches(matches)?.command {
        Command::Standalone(args) if args.print_config => {
            args.credentials()?;
            commands::print_settings(&Cli::command(), matches, &[])
        }
        Command::Standalone(args) => standalone(args),
        Command::Status(args) => {
            let (operator, kafka) = (args.operator.clone(), args.cluster.kafka.clone());
            commands::operate_with(&Cli::command(), matches, &operator, Some(&kafka), |lake, stop| {
                status::run(*args, lake, stop)
            })
        }
        Command::Console(args) => {
            let (operator, kafka) = (args.operator.clone(), args.cluster.kafka.clone());
            commands::operate_with(&Cli::command(), matches, &operator, Some(&kafka), |lake, stop| {
                console::run(*args, lake, stop)
            })
        }
        Command::Ingest(args) => {
            let operator = args.operator.clone();
            commands::operate(&Cli::command(), matches, &operator, |lake, stop| {
                ingest::run(args, lake, stop, io::stdout())
            })
        }
        Command::Plan(args) => {
            let operator = args.operator.clone();
            commands::look(&Cli::command(), matches, &operator, |lake| plan::run(args, lake, io::stdout()))
        }
        Command::Reconcile(args) => {
            let operator = args.operator.clone();
            commands::operate(&Cli::command(), matches, &operator, |lake, stop| {
                reconcile::run(args, lake, stop, io::stdout())
            })
        }
        Command::Replay(args) => {
            let (operator, kafka) = (args.operator.clone(), args.kafka.clone());
            commands::operate_with(&Cli::command(), matches, &operator, Some(&kafka), |lake, stop| {
                replay::run(args, lake, stop, io::stdout())
            })
        }
        Command::Doctor(args) => {
            let (operator, kafka) = (args.operator.clone(), args.kafka.clone());
            commands::operate_with(
                &Cli::command(),
                matches,
                &operator,
                Some(&kafka),
                |lake, stop| async move { commands::until(&stop, doctor::run(*args, lake, io::stdout())).await? },
            )
        }
        Command::Sql(args) => {
            let operator = args.operator.clone();
            commands::look(&Cli::command(), matches, &operator, |lake| {
                sql::run(args, lake, io::stdin(), io::stdout())
            })
        }
        Command::Completions(args) => completions::run(&mut Cli::command(), &args, &mut io::stdout()),
        Command::Man(args) => man::run(Cli::command(), &args, &mut io::stdout()),
        Command::Rules(args) => commands::rules::run(&args, io::stdin(), io::stdout()),
        Command::Files(args) => commands::files::run(&Cli::command(), matches, args),
        Command::Dlq(args) => commands::dlq::run(&Cli::command(), matches, args),
        Command::Heavy(args) => commands::heavy::run(&Cli::command(), matches, args),
        Command::Maintain(args) => commands::maintain::run(&args),
        Command::Ledger(args) => commands::ledger::run(&Cli::command(), matches, args),
    }
}

fn standalone(args: StandaloneArgs) -> anyhow::Result<ExitCode> {
    // Its end sends the last of them.
    let _traces = traces::start(&args.logging, &args.traces, "event-ingest")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { server::run(args, shutdown::on_signal()?, io::stdout()).await })?;
    Ok(ExitCode::SUCCESS)
}
