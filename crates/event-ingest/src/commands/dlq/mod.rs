//! `event-ingest dlq`: what lies in the dead-letter topic, and putting it back where it came from.

mod filter;
pub(crate) mod letter;
mod list;
pub(crate) mod progress;
pub(crate) mod reader;
mod redrive;
mod show;

use std::future::Future;
use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, Subcommand};
use service_kit::config::variables;
use service_kit::kafka::{ClientProperties, KafkaArgs};
use service_kit::logging::LoggingArgs;
use service_kit::shutdown;
use tokio_util::sync::CancellationToken;

use super::{print_settings, until};

/// Dead letters
#[derive(Args, Debug)]
pub struct DlqArgs {
    #[command(subcommand)]
    command: DlqCommand,
}

#[derive(Subcommand, Debug)]
enum DlqCommand {
    /// List dead letters, the newest first
    List(list::ListArgs),
    /// Show one dead letter: where it came from, why it is there, its headers and its payload
    Show(show::ShowArgs),
    /// Send dead letters back to the topics that they came from, each once
    Redrive(redrive::RedriveArgs),
}

/// Where the dead letters are.
#[derive(Args, Debug, Clone)]
#[command(mut_arg("log_level", |arg| arg.default_value("warn")))]
pub(crate) struct Place {
    /// Kafka topic of the dead letters
    #[arg(long, env = "DEAD_LETTER_TOPIC", default_value = "ingest-dlq", value_name = "NAME")]
    dead_letter_topic: String,
    /// Kafka consumer group under which it is kept what was redriven
    #[arg(long, env = "REDRIVE_GROUP", default_value = "ingest-dlq-redrive", value_name = "NAME")]
    redrive_group: String,
    /// librdkafka's own properties.
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Logs.
    #[command(flatten)]
    logging: LoggingArgs,
    /// Show every effective setting and where it came from, secrets masked, and exit
    #[arg(long)]
    print_config: bool,
}

/// Runs the subcommand that was given.
///
/// # Errors
/// Wrong settings, or brokers that do not answer.
pub fn run(cli: &Command, matches: &ArgMatches, args: DlqArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        DlqCommand::List(args) => {
            let place = args.place.clone();
            operate(cli, matches, &place, |kafka, stop| async move {
                until(&stop, list::list(&kafka, &args)).await?
            })
        }
        DlqCommand::Show(args) => {
            let place = args.place.clone();
            operate(cli, matches, &place, |kafka, stop| async move {
                until(&stop, show::show(&kafka, &args)).await?
            })
        }
        DlqCommand::Redrive(args) => {
            let place = args.place.clone();
            operate(cli, matches, &place, |kafka, stop| async move {
                redrive::redrive(&kafka, &args, &stop).await
            })
        }
    }
}

/// Runs the work in a runtime of its own, or shows its settings if that was asked for. The token is cancelled by SIGINT
/// and SIGTERM.
fn operate<F>(
    cli: &Command,
    matches: &ArgMatches,
    place: &Place,
    work: impl FnOnce(ClientProperties, CancellationToken) -> F,
) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<ExitCode>>,
{
    let kafka = ClientProperties::new(variables(), &place.kafka.properties)?;
    if place.print_config {
        return print_settings(cli, matches, &kafka.listing());
    }
    place.logging.init().map_err(anyhow::Error::from_boxed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { work(kafka, shutdown::on_signal()?).await })
}
