//! The light worker as a process of its own.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};
use lake::Lake;
use light_worker::{Args, QuarantineEvents, run};
use service_kit::outlet::Outlet;
use service_kit::{config, shutdown, traces};

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("light-worker: {error:#}");
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
    let _traces = traces::start(&args.logging, &args.traces, "light-worker")?;
    if !settings.ignored_variables.is_empty() {
        tracing::warn!(variables = ?settings.ignored_variables, "no Kafka properties: ignored");
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let stop = shutdown::on_signal()?;
        let mut lake = Lake::open(settings.lake.clone()).await?;
        if let Some(outlet) = Outlet::new(&settings.quarantine_events)? {
            lake = lake.with_quarantine_listener(Arc::new(QuarantineEvents::new(outlet)));
        }
        Ok(run(settings, lake, stop).await?)
    })
}
