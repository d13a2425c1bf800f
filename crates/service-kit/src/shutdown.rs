//! SIGTERM and SIGINT as a token that everything else watches.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGTERM or SIGINT cancels. A second signal ends the process at once, with status 130.
///
/// Has to be called in a runtime. Fails if the system refuses the signal handlers.
#[expect(clippy::exit, reason = "who signals twice wants no more waiting, not even for destructors")]
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        for attempt in 1.. {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if attempt > 1 {
                tracing::warn!(signal = name, "second signal: exiting at once");
                std::process::exit(130);
            }
            tracing::info!(signal = name, "shutting down");
            stop.cancel();
        }
    });
    Ok(token)
}
