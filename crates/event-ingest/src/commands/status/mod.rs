//! `event-ingest status`: the whole at a glance, with what is wrong and what mends it. Of a cluster it is put together
//! here; of a server, a standalone one or a console, that server is asked.

mod text;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use lake::LakeConfig;
use operations::Plant;
use operations::model::{Health, Status};
use service_kit::config::some_time;
use service_kit::outlet::SinkUrl;
use tokio_util::sync::CancellationToken;

use super::exit::{self, Interrupted};
use super::print::OutputArgs;
use super::settings::OperatorArgs;
use crate::cluster::{ClusterArgs, ClusterPlant};
use crate::standalone::folder::Neighbour;

/// How long a server may take: it asks its own parts for some seconds.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);
/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

/// The flags of the command.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Of a cluster: give KAFKA_BOOTSTRAP_SERVERS and the worker's catalog. Of a standalone instance: --data DIR. Exit status: 0 if nothing is wrong, 3 if something needs attention or is broken, 1 if nothing could be told."
)]
pub struct StatusArgs {
    /// Ask this server: the second address of a standalone instance, or a console
    #[arg(long, env = "EVENT_INGEST_SERVER", value_name = "URL", value_parser = SinkUrl::parse)]
    pub server: Option<SinkUrl>,
    /// Look again and again, with this pause, until interrupted
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    pub watch: Option<Duration>,
    /// Text or JSON.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// What all commands have.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Who is asked.
enum Whom {
    Server { url: String, client: reqwest::Client },
    Cluster(Box<ClusterPlant>),
}

/// Runs the command.
///
/// # Errors
/// Nobody to ask, or no answer.
pub async fn run(args: StatusArgs, config: LakeConfig, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    let whom = whom(&args, config)?;
    let mut out = io::stdout();
    let clear = args.watch.is_some() && !args.output.is_json() && out.is_terminal();
    loop {
        let asked = stop.run_until_cancelled(whom.ask()).await;
        let status = match (asked, args.watch) {
            (Some(Ok(status)), _) => status,
            (Some(Err(error)), Some(_)) => {
                // Whoever watches wants to see it come back.
                writeln!(out, "{error:#}")?;
                if pause(&stop, args.watch).await { continue } else { return Ok(ExitCode::SUCCESS) }
            }
            (Some(Err(error)), None) => return Err(error),
            (None, Some(_)) => return Ok(ExitCode::SUCCESS),
            (None, None) => return Err(Interrupted::default().into()),
        };
        match args.output.is_json() {
            true => writeln!(out, "{}", serde_json::to_string(&status)?)?,
            false => {
                let mut page = Vec::new();
                text::write(&mut page, &status)?;
                out.write_all(if clear { CLEAR } else { "" }.as_bytes())?;
                out.write_all(&page)?;
            }
        }
        out.flush()?;
        if args.watch.is_none() {
            return Ok(exit::done(status.health == Health::Ok));
        }
        if !pause(&stop, args.watch).await {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Waits for the next look. Whether there is to be one.
async fn pause(stop: &CancellationToken, watch: Option<Duration>) -> bool {
    stop.run_until_cancelled(tokio::time::sleep(watch.unwrap_or_default())).await.is_some()
}

fn whom(args: &StatusArgs, config: LakeConfig) -> anyhow::Result<Whom> {
    let url = match (&args.server, &args.operator.data) {
        (Some(url), _) => Some(url.to_string()),
        (None, Some(data)) => {
            let folder = Neighbour::look(data)?;
            let endpoint = folder.endpoint().with_context(|| {
                format!(
                    "no server runs in {0}: start it with `event-ingest standalone --data {0}`; `event-ingest doctor --data {0}` looks at the folder itself",
                    data.display()
                )
            })?;
            Some(endpoint.admin_url.clone())
        }
        (None, None) => None,
    };
    Ok(match url {
        Some(url) => {
            let client = reqwest::Client::builder().timeout(ANSWERS_WITHIN).build()?;
            Whom::Server { url: url.trim_end_matches('/').to_owned(), client }
        }
        None => Whom::Cluster(Box::new(
            ClusterPlant::new(args.cluster.clone(), config)
                .context("whose status? Give --data DIR, --server URL, or the Kafka settings of a cluster")?,
        )),
    })
}

impl Whom {
    async fn ask(&self) -> anyhow::Result<Status> {
        match self {
            Self::Cluster(plant) => Ok(plant.status().await),
            Self::Server { url, client } => {
                let asked = client.get(format!("{url}/api/v1/status")).send().await;
                let answer = asked.map_err(reqwest::Error::without_url);
                let answer = answer.with_context(|| format!("{url} does not answer"))?;
                let status = answer.status();
                anyhow::ensure!(status.is_success(), "{url} answers {status}");
                let read = answer.json().await.map_err(reqwest::Error::without_url);
                read.with_context(|| format!("{url} is no server of event-ingest, or one of another version"))
            }
        }
    }
}
