//! `event-ingest files`: what became of objects, and putting those back that were set aside.

mod explain;
mod list;
mod retry;

use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, Subcommand};
use lake::Lake;

use super::{look, operate};

/// What became of objects
#[derive(Args, Debug)]
pub struct FilesArgs {
    #[command(subcommand)]
    command: FilesCommand,
}

#[derive(Subcommand, Debug)]
enum FilesCommand {
    /// List objects that are in a table, or were set aside for it, the newest first
    List(list::ListArgs),
    /// Show every version of one object
    Show(explain::ObjectArgs),
    /// Say what happened to one object, and what the bucket has of it now
    Explain(explain::ObjectArgs),
    /// Ingest objects again that were set aside, and take their records away
    Retry(retry::RetryArgs),
}

/// Runs the subcommand that was given.
///
/// # Errors
/// Wrong settings, or a catalog or store that does not answer.
pub fn run(cli: &Command, matches: &ArgMatches, args: FilesArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        FilesCommand::List(args) => {
            let operator = args.operator.clone();
            look(cli, matches, &operator, |config| async move {
                list::list(&Lake::open(config).await?, &args).await
            })
        }
        FilesCommand::Show(args) => {
            let operator = args.operator.clone();
            look(cli, matches, &operator, |config| async move {
                explain::show(&Lake::open(config).await?, &args).await
            })
        }
        FilesCommand::Explain(args) => {
            let operator = args.operator.clone();
            look(cli, matches, &operator, |config| async move {
                explain::explain(&Lake::open(config).await?, &args).await
            })
        }
        FilesCommand::Retry(args) => {
            let operator = args.operator.clone();
            operate(cli, matches, &operator, |config, stop| async move {
                retry::retry(&Lake::open(config).await?, &args, &stop).await
            })
        }
    }
}
