//! The dispatcher as a process of its own.

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use dispatcher::{Args, run};
use service_kit::{config, shutdown, traces};

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dispatcher: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<()> {
    let matches = Args::command().get_matches();
    let args = Args::from_arg_matches(&matches)?;
    let settings = args.config(config::variables())?;
    if args.print_config {
        return Ok(config::print_config(
            &Args::command(),
            &matches,
            &settings.properties(),
            &mut io::stdout(),
        )?);
    }
    // Its end sends the last of them.
    let _traces = traces::start(&args.logging, &args.traces, "dispatcher")?;
    if !settings.kafka.ignored().is_empty() {
        tracing::warn!(variables = ?settings.kafka.ignored(), "no Kafka properties: ignored");
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let stop = shutdown::on_signal()?;
        Ok(run(settings, stop).await?)
    })
}
