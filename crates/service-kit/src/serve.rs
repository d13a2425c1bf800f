//! An HTTP server that ends gracefully, and within a deadline.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The address is taken, or is not one of this machine. Another address helps; a retry does only if the other leaves.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}; give another address, or port 0 for a free one")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The system's error.
    pub source: io::Error,
}

/// Takes the address; connections wait in the socket's queue until [`serve`] accepts them.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, source })
}

/// Serves until `stop` is cancelled; then takes no new connection, lets requests finish, and cuts what is still open
/// after `deadline`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    deadline: Duration,
) -> io::Result<()> {
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(deadline).await;
    };
    tokio::select! {
        ended = server => ended,
        () = overdue => {
            tracing::warn!(?deadline, "connections still open at the deadline were cut");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_is_taken_is_named() {
        let first = bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = first.local_addr().expect("bound");
        let error = bind(address).await.expect_err("taken");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    }
}
