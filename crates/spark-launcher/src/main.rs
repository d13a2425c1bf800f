//! The spark launcher as a process of its own.

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use lake::Lake;
use service_kit::{config, shutdown, traces};
use spark_launcher::{Args, run};

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spark-launcher: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> anyhow::Result<()> {
    let matches = Args::command().get_matches();
    let args = Args::from_arg_matches(&matches)?;
    let settings = args.config(&config::variables())?;
    if args.print_config {
        return Ok(config::print_config(
            &Args::command(),
            &matches,
            &settings.properties,
            &mut io::stdout(),
        )?);
    }
    // Its end sends the last of them.
    let _traces = traces::start(&args.logging, &args.traces, "spark-launcher")?;
    if !settings.ignored_variables.is_empty() {
        tracing::warn!(variables = ?settings.ignored_variables, "no Kafka properties: ignored");
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let stop = shutdown::on_signal()?;
        let lake = Lake::open(settings.lake.clone()).await?;
        Ok(run(settings, lake, stop).await?)
    })
}
