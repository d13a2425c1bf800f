//! `event-ingest console`: the admin API and the page over a cluster, as a service of its own.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use lake::LakeConfig;
use operations::api::{Access, Token, router};
use service_kit::admin::{self, Readiness};
use service_kit::config::socket_address;
use service_kit::metrics::Metrics;
use service_kit::serve::{bind, serve};
use tokio_util::sync::CancellationToken;

use super::settings::OperatorArgs;
use crate::cluster::{ClusterArgs, ClusterPlant};

/// At the end, answers under way may take this long.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// The readiness asks nobody: it has time enough.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// The flags of the command.
#[derive(Args, Debug, Clone)]
#[command(
    mut_arg("log_level", |arg| arg.default_value("info")),
    after_help = "Without a token it only shows: with one, whoever shows it may retry, send back and cancel. It speaks plain HTTP and asks nobody who they are before it shows: put what terminates TLS and knows your users before it, or keep it on a loopback address."
)]
pub struct ConsoleArgs {
    /// Address of the page, the API, /livez, /readyz and /metrics
    #[arg(long, env = "CONSOLE_LISTEN", default_value = "127.0.0.1:8090", value_name = "IP:PORT", value_parser = socket_address)]
    pub listen: SocketAddr,
    /// What a change has to show, as Bearer token: at least 16 characters; without it nothing can be changed
    #[arg(long, env = "CONSOLE_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    pub token: Option<String>,
    /// A file with that token, read at the start
    #[arg(long, env = "CONSOLE_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// What all commands have.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// A setting that cannot be used, or an address that is taken.
pub async fn run(args: ConsoleArgs, config: LakeConfig, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        args.operator.data.is_none(),
        "a standalone instance serves its console by itself, on its second address"
    );
    let token = token(&args)?;
    let access = Access { token, local_only: is_loopback(args.listen.ip()) };
    let plant = ClusterPlant::new(args.cluster, config)?;
    let listener = bind(args.listen).await?;
    let changes = if access.token.is_some() { "with the token" } else { "none: no token is set" };
    tracing::info!(address = %listener.local_addr()?, changes, "listening");
    let router = router(Arc::new(plant), access, admin::router(Metrics::new(), readiness(), READY_TIMEOUT));
    serve(listener, router, stop, SHUTDOWN_TIMEOUT).await.context("the HTTP server ended")?;
    Ok(ExitCode::SUCCESS)
}

/// What it has to tell when everything around it is down is when it is wanted most.
fn readiness() -> Readiness {
    Arc::new(|| Box::pin(async { Ok(()) }))
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn token(args: &ConsoleArgs) -> anyhow::Result<Option<Token>> {
    let (setting, text) = match (&args.token, &args.token_file) {
        (Some(token), _) => ("--token (CONSOLE_TOKEN)", token.clone()),
        (None, Some(path)) => {
            let read = std::fs::read_to_string(path);
            let named = || format!("--token-file (CONSOLE_TOKEN_FILE): {}", path.display());
            ("--token-file (CONSOLE_TOKEN_FILE)", read.with_context(named)?)
        }
        (None, None) => return Ok(None),
    };
    Token::new(&text).map(Some).context(setting)
}
