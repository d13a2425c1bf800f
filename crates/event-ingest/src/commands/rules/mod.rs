//! `event-ingest rules`: a file of rules, tried before the dispatcher gets it. Nothing is read but the files that are
//! named.

mod check;
mod explained;
mod trial;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ingest_core::ObjectUri;
use service_kit::config::byte_size;

use super::print::OutputArgs;

/// Files of rules
#[derive(Args, Debug, Clone)]
pub struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Subcommand, Debug, Clone)]
enum RulesCommand {
    /// Say what is wrong with a file of rules, by line, and which rules can never match
    Check(CheckArgs),
    /// Say what becomes of an object, or of all objects of a notification, and why
    Test(TrialArgs),
}

/// The flags of `check`.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Exit status: 0 if the dispatcher would take the file, 1 if not.")]
pub struct CheckArgs {
    /// The file of rules
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Text or JSON.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The flags of `test`.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Exit status: 0 if every object goes to a table or is ignored, 3 if something would go to the dead letters, 1 after a failure."
)]
pub struct TrialArgs {
    /// The file of rules
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// An object, as s3://bucket/key with the key as it is; repeatable
    #[arg(
        long = "key",
        value_name = "S3-URI",
        required_unless_present = "notification",
        conflicts_with = "notification"
    )]
    pub keys: Vec<ObjectUri>,
    /// The size of these objects, as in 64KiB; unknown if not given
    #[arg(long, value_parser = byte_size, conflicts_with = "notification")]
    pub size: Option<u64>,
    /// The event by which they come, without s3:
    #[arg(long, default_value = "ObjectCreated:Put", conflicts_with = "notification")]
    pub event: String,
    /// A file with a notification as a producer sends it; - for standard input
    #[arg(long, value_name = "FILE")]
    pub notification: Option<PathBuf>,
    /// What the dispatcher does with objects that match nothing, if the file does not say it
    #[arg(long, env = "UNMATCHED", default_value = "ignore")]
    pub unmatched: dispatcher::OnUnmatched,
    /// Text or JSON.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs a command.
///
/// # Errors
/// A file that cannot be read, and for `test` one that is wrong.
pub fn run(args: &RulesArgs, input: impl Read, mut out: impl Write) -> anyhow::Result<ExitCode> {
    match &args.command {
        RulesCommand::Check(args) => check::run(args, &mut out),
        RulesCommand::Test(args) => trial::run(args, input, &mut out),
    }
}

#[cfg(test)]
mod tests;
