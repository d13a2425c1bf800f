//! Trying again what may pass by itself, not for ever.

use std::time::Duration;

use rand::Rng;
use tokio_util::sync::CancellationToken;

/// How often one thing is tried, and the pauses between: some two minutes in all.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The attempts at one thing.
#[derive(Debug)]
pub(crate) struct Retry<'a> {
    stop: &'a CancellationToken,
    failures: u32,
}

impl<'a> Retry<'a> {
    /// Before the first attempt. Once `stop` is cancelled nothing is tried again.
    pub(crate) fn new(stop: &'a CancellationToken) -> Self {
        Self { stop, failures: 0 }
    }

    /// Waits after a failed attempt, longer each time and never in step with others.
    ///
    /// # Errors
    /// The failure itself, if no further attempt is to be made.
    pub(crate) async fn after(&mut self, error: lake::Error) -> lake::Result<()> {
        self.failures += 1;
        let passing = error.retryable() && !self.stop.is_cancelled();
        let Some(bound) = longest_pause(self.failures).filter(|_| passing) else { return Err(error) };
        let pause = bound.mul_f64(rand::rng().random_range(0.5..=1.0));
        tracing::warn!(%error, ?pause, "trying again");
        self.stop.run_until_cancelled(tokio::time::sleep(pause)).await.ok_or(error)
    }
}

/// The longest pause after so many failures; none if that was the last attempt.
fn longest_pause(failures: u32) -> Option<Duration> {
    (failures < ATTEMPTS).then(|| FIRST_PAUSE.saturating_mul(1 << failures).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use lake::{Error, ErrorKind};

    use super::*;

    fn failure(kind: ErrorKind) -> Error {
        Error::new(kind, "as the test says")
    }

    #[test]
    fn pauses_grow_to_their_bound_and_end() {
        let pauses: Vec<Duration> = (1..).map_while(longest_pause).collect();
        assert_eq!(pauses.len() as u32, ATTEMPTS - 1);
        assert!(pauses.is_sorted() && pauses.ends_with(&[LONGEST_PAUSE]), "{pauses:?}");
    }

    #[tokio::test]
    async fn nothing_is_tried_again_that_cannot_pass_or_when_the_process_is_to_stop() {
        let stop = CancellationToken::new();
        assert!(Retry::new(&stop).after(failure(ErrorKind::Invalid)).await.is_err());
        stop.cancel();
        assert!(Retry::new(&stop).after(failure(ErrorKind::Unavailable)).await.is_err());
    }
}
