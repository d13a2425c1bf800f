//! The operator's commands: what they share, and one module each.

pub mod completions;
pub mod console;
pub mod dlq;
pub mod doctor;
pub mod exit;
pub mod files;
pub mod heavy;
pub mod ingest;
pub mod ledger;
pub(crate) mod load;
pub mod maintain;
pub mod man;
pub mod plan;
pub mod print;
pub mod reconcile;
pub mod replay;
pub mod rules;
pub mod settings;
mod since;
pub mod sql;
pub mod status;
pub mod topics;

use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, Command};
use lake::LakeConfig;
use service_kit::config::{self, Property, print_config};
use service_kit::kafka::{ClientProperties, KafkaArgs};
use service_kit::shutdown;
use tokio_util::sync::CancellationToken;

use exit::Interrupted;
use settings::OperatorArgs;

/// How long threads may take that still do what nobody waits for.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// Runs the work of an operator's command in a runtime of its own, or shows its settings if that was asked for.
/// `cli` is the whole command line, `matches` what was given on it. The work's token is cancelled by SIGINT and SIGTERM.
///
/// # Errors
/// Settings that cannot be used, and those of the work.
pub fn operate<F>(
    cli: &Command,
    matches: &ArgMatches,
    args: &OperatorArgs,
    work: impl FnOnce(LakeConfig, CancellationToken) -> F,
) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<ExitCode>>,
{
    operate_with(cli, matches, args, None, work)
}

/// [`operate`] for a command that speaks to Kafka, too.
///
/// # Errors
/// Those of [`operate`].
pub fn operate_with<F>(
    cli: &Command,
    matches: &ArgMatches,
    args: &OperatorArgs,
    kafka: Option<&KafkaArgs>,
    work: impl FnOnce(LakeConfig, CancellationToken) -> F,
) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<ExitCode>>,
{
    args.check_origins(given(cli, matches).1)?;
    let variables = config::variables();
    let operator = args.settings(&variables)?;
    if args.print_config {
        let mut listing = operator.properties;
        if let Some(kafka) = kafka {
            listing.extend(ClientProperties::new(variables, &kafka.properties)?.listing());
        }
        return print_settings(cli, matches, &listing);
    }
    args.logging.init().map_err(anyhow::Error::from_boxed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async { work(operator.lake, shutdown::on_signal()?).await });
    // A call to librdkafka that nobody waits for any more may take long to come back.
    runtime.shutdown_timeout(LEFT_BEHIND);
    ended
}

/// [`operate`] for work that changes nothing: SIGINT and SIGTERM end it at once.
///
/// # Errors
/// Those of [`operate`], and that it was interrupted.
pub fn look<F>(
    cli: &Command,
    matches: &ArgMatches,
    args: &OperatorArgs,
    work: impl FnOnce(LakeConfig) -> F,
) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<ExitCode>>,
{
    operate(cli, matches, args, |config, stop| async move { until(&stop, work(config)).await? })
}

/// Work that changes nothing, until the process is to stop.
///
/// # Errors
/// It was interrupted.
pub(crate) async fn until<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> anyhow::Result<T> {
    stop.run_until_cancelled(work).await.ok_or_else(|| Interrupted::default().into())
}

/// Prints the effective settings of the subcommand that was given, at any depth, and the properties that it passes on.
pub(crate) fn print_settings(
    cli: &Command,
    matches: &ArgMatches,
    extra: &[(String, Property)],
) -> anyhow::Result<ExitCode> {
    let (command, matches) = given(cli, matches);
    print_config(command, matches, extra, &mut io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

/// The subcommand that was given, at any depth, and what was given to it.
fn given<'a>(cli: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let (mut command, mut matches) = (cli, matches);
    while let Some((name, given)) = matches.subcommand() {
        command = command.find_subcommand(name).expect("the subcommand was just parsed");
        matches = given;
    }
    (command, matches)
}
