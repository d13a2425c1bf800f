//! The command line.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use service_kit::config::print_config;
use service_kit::shutdown;

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
}

/// Runs the command that the arguments name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = Cli::command().get_matches_from(args);
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("event-ingest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match Cli::from_arg_matches(matches)?.command {
        Command::Standalone(args) if args.print_config => {
            args.credentials()?;
            print("standalone", matches)
        }
        Command::Standalone(args) => standalone(args),
    }
}

/// The effective settings of a subcommand.
fn print(name: &str, matches: &ArgMatches) -> anyhow::Result<()> {
    let cli = Cli::command();
    let command = cli.find_subcommand(name).expect("the subcommand was just parsed");
    let matches = matches.subcommand_matches(name).expect("the subcommand was just parsed");
    Ok(print_config(command, matches, &[], &mut io::stdout())?)
}

fn standalone(args: StandaloneArgs) -> anyhow::Result<()> {
    args.logging.init().map_err(anyhow::Error::from_boxed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { server::run(args, shutdown::on_signal()?, io::stdout()).await })
}
