//! An HTTP server that ends gracefully, and within a deadline.

use std::io;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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
