//! A function that is given IngestRequests, as `kn func` makes a Knative Service of it.

mod handler;
mod request;
mod server;

use std::io;
use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The port if the environment names none.
const DEFAULT_PORT: u16 = 8080;

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = match std::env::var("PORT") {
        Ok(port) => {
            port.parse().map_err(|_| invalid(format!("PORT: expected a number, was given {port:?}")))?
        }
        Err(_) => DEFAULT_PORT,
    };
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    println!(
        "{}",
        serde_json::json!({"message": "listening", "address": listener.local_addr()?.to_string()})
    );
    // Knative asks a pod to end with SIGTERM, and gives it the time that its requests may take.
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = async move {
        terminate.recv().await;
    };
    axum::serve(listener, server::router()).with_graceful_shutdown(shutdown).await
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
